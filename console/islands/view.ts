// The menu for theme, contrast and times; kept in this browser.
import { showTimes } from "./time";

const root = document.documentElement;

function get(key: string): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

export function choose(key: string, value: string) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It holds for this page only.
  }
  if (key === "theme") {
    if (value === "light" || value === "dark") root.dataset.theme = value;
    else delete root.dataset.theme;
  }
  if (key === "contrast") {
    if (value === "more") root.dataset.contrast = "more";
    else delete root.dataset.contrast;
  }
  if (key === "zone") showTimes();
  sync();
  document.dispatchEvent(new CustomEvent("view"));
}

function sync() {
  for (const input of document.querySelectorAll<HTMLInputElement>("[data-view] input")) {
    if (input.type === "checkbox") input.checked = get(input.name) === "more";
    else input.checked = input.value === (get(input.name) || (input.name === "theme" ? "auto" : "utc"));
  }
}

document.querySelector("[data-view]")?.addEventListener("change", (e) => {
  const input = e.target as HTMLInputElement;
  choose(input.name, input.type === "checkbox" ? (input.checked ? "more" : "") : input.value);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("view")));
sync();
