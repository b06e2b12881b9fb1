// Times are written in UTC by the server. Here the visitor's own choice is
// applied, local time is told beside UTC, and "ago" is kept up to date.
type Zone = "utc" | "local";

export function zone(): Zone {
  try {
    return localStorage.getItem("zone") === "local" ? "local" : "utc";
  } catch {
    return "utc";
  }
}

const two = (n: number) => String(n).padStart(2, "0");

function day(d: Date, z: Zone): string {
  return z === "utc" ? d.toISOString().slice(0, 10) : `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

function clock(d: Date, z: Zone): string {
  return z === "utc" ? d.toISOString().slice(11, 19) : `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

function full(d: Date, z: Zone): string {
  return `${day(d, z)} ${clock(d, z)}.${String(d.getMilliseconds()).padStart(3, "0")} ${z === "utc" ? "UTC" : "local"}`;
}

function ago(ms: number): string {
  const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

function set(t: HTMLElement, text: string, title: string) {
  if (t.textContent !== text) t.textContent = text;
  if (t.title !== title) t.title = title;
}

function show(t: HTMLElement, z: Zone) {
  const ms = Number(t.dataset.ms);
  const d = new Date(ms);
  if (!Number.isFinite(ms) || Number.isNaN(d.getTime())) return;
  const both = `${full(d, "utc")}\n${full(d, "local")} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
  switch (t.dataset.form) {
    case "full": {
      const o: Zone = z === "utc" ? "local" : "utc";
      set(t, full(d, z) + (d.getTimezoneOffset() === 0 ? "" : ` · ${clock(d, o)} ${o === "utc" ? "UTC" : "local"}`), both);
      return;
    }
    case "ago":
      set(t, ago(ms), both);
      return;
    default:
      set(t, (Math.abs(Date.now() - ms) > 20 * 3600_000 ? day(d, z) + " " : "") + clock(d, z), both);
  }
}

export function showTimes(within: ParentNode = document) {
  const z = zone();
  for (const e of document.querySelectorAll<HTMLElement>("[data-zone]")) {
    const text = z === "utc" ? "UTC" : "local time";
    if (e.textContent !== text) e.textContent = text;
    e.title = `times are shown in ${z === "utc" ? "UTC" : "local time"}; change it under View`;
  }
  for (const t of within.querySelectorAll<HTMLElement>("time[data-ms]")) show(t, z);
}

showTimes();
let due = false;
new MutationObserver(() => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    showTimes();
  });
}).observe(document.body, { childList: true, subtree: true, characterData: true });
setInterval(() => {
  const z = zone();
  for (const t of document.querySelectorAll<HTMLElement>('time[data-form="ago"]')) show(t, z);
}, 1000);
