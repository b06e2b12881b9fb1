// Runs before the page is drawn, so that a chosen theme does not flash.
const root = document.documentElement;
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (localStorage.getItem("contrast") === "more") root.dataset.contrast = "more";
} catch {
  // Storage may be forbidden; the system's theme it is.
}
