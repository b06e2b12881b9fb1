// ds-palette: search over pages, objects and actions, with the keyboard.
// Ctrl-K or ⌘K opens it, / too where nothing is being typed.
import { choose } from "./view";

class Palette extends HTMLElement {
  private dialog!: HTMLDialogElement;
  private input!: HTMLInputElement;
  private list!: HTMLUListElement;
  private all: HTMLElement[] = [];
  private at = 0;

  connectedCallback() {
    this.innerHTML = `<dialog class="palette" aria-label="Search or run">
      <input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list" aria-label="Search pages, channels, partners, messages and actions" placeholder="Search pages, channels, partners, ids, actions" autocomplete="off" spellcheck="false">
      <ul id="palette-list" role="listbox" aria-label="Results"></ul>
      <footer><span><kbd>↑</kbd> <kbd>↓</kbd> choose</span><span><kbd>Enter</kbd> open</span><span><kbd>Esc</kbd> close</span></footer>
    </dialog>`;
    this.dialog = this.querySelector("dialog")!;
    this.input = this.querySelector("input")!;
    this.list = this.querySelector("ul")!;
    this.input.addEventListener("input", () => this.filter());
    this.input.addEventListener("keydown", (e) => this.key(e));
    this.list.addEventListener("click", (e) => {
      const li = (e.target as Element).closest("li");
      if (li) this.run(li as HTMLElement);
    });
    this.dialog.addEventListener("click", (e) => {
      if (e.target === this.dialog) this.dialog.close();
    });
    document.addEventListener("keydown", (e) => {
      const typing = (e.target as Element).closest("input, textarea, select, [contenteditable]");
      if ((e.key.toLowerCase() === "k" && (e.ctrlKey || e.metaKey)) || (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey)) {
        e.preventDefault();
        if (this.dialog.open) this.dialog.close();
        else void this.open();
      }
    });
    for (const b of document.querySelectorAll("[data-palette]")) b.addEventListener("click", () => void this.open());
    const mac = /Mac|iP(hone|ad)/.test(navigator.platform);
    for (const k of document.querySelectorAll("[data-palette] kbd")) if (mac) k.textContent = "⌘ K";
  }

  private async open() {
    this.input.value = "";
    this.dialog.showModal();
    this.filter();
    const r = await fetch("/palette", { headers: { "HX-Request": "true" }, cache: "no-store" });
    if (!r.ok) return;
    const t = document.createElement("template");
    t.innerHTML = await r.text(); // the server's own, escaped there
    this.all = [...t.content.querySelectorAll<HTMLElement>("li")];
    this.filter();
  }

  private filter() {
    const q = this.input.value.trim();
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    const hits: { e: HTMLElement; rank: number }[] = [];
    this.all.forEach((e, i) => {
      const text = (e.textContent ?? "").toLowerCase();
      if (!words.every((w) => text.includes(w))) return;
      const starts = words.length > 0 && text.startsWith(words[0]) ? -1000 : 0;
      hits.push({ e, rank: starts + i });
    });
    hits.sort((a, b) => a.rank - b.rank);
    const shown = hits.slice(0, 40).map((h) => h.e);
    if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(q) || q.startsWith("did:")) {
      const li = document.createElement("li");
      li.setAttribute("role", "option");
      li.dataset.path = "/find?q=" + encodeURIComponent(q);
      li.textContent = "Go to " + q;
      shown.unshift(li);
    }
    shown.forEach((e, i) => (e.id = "palette-" + i));
    this.list.replaceChildren(...shown);
    if (shown.length === 0) {
      const li = document.createElement("li");
      li.setAttribute("role", "option");
      li.setAttribute("aria-disabled", "true");
      li.textContent = this.all.length === 0 ? "Loading" : "Nothing fits. Ids of messages and DIDs can be pasted here.";
      this.list.append(li);
    }
    this.select(0);
  }

  private select(i: number) {
    const items = [...this.list.children] as HTMLElement[];
    this.at = Math.max(0, Math.min(i, items.length - 1));
    items.forEach((e, k) => e.setAttribute("aria-selected", String(k === this.at)));
    const on = items[this.at];
    if (on?.id) this.input.setAttribute("aria-activedescendant", on.id);
    else this.input.removeAttribute("aria-activedescendant");
    on?.scrollIntoView({ block: "nearest" });
  }

  private key(e: KeyboardEvent) {
    if (e.key === "ArrowDown") this.select(this.at + 1);
    else if (e.key === "ArrowUp") this.select(this.at - 1);
    else if (e.key === "Enter") {
      const li = this.list.children[this.at] as HTMLElement | undefined;
      if (li) this.run(li);
    } else return;
    e.preventDefault();
  }

  private run(li: HTMLElement) {
    const path = li.dataset.path;
    if (!path) return;
    this.dialog.close();
    const m = /^#(theme|zone)=(\w+)$/.exec(path);
    if (m) choose(m[1], m[2]);
    else location.assign(path);
  }
}

customElements.define("ds-palette", Palette);
