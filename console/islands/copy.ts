// Buttons with data-copy put their text onto the clipboard and say so.
export function say(text: string) {
  const at = document.querySelector("[data-toasts]");
  if (!at) return;
  const note = document.createElement("div");
  note.textContent = text;
  at.append(note);
  setTimeout(() => note.remove(), 2500);
}

async function put(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain HTTP beyond loopback has no clipboard; the old way may still work.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

document.addEventListener("click", async (e) => {
  const b = (e.target as Element).closest<HTMLElement>("[data-copy]");
  if (!b) return;
  e.preventDefault();
  if (!(await put(b.dataset.copy ?? ""))) {
    say("The browser does not allow copying here");
    return;
  }
  b.dataset.done = "";
  setTimeout(() => delete b.dataset.done, 1500);
  say("Copied");
});
