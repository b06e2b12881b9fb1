// ds-tail: a table that new rows of a channel are put into while they happen.
//   data-channel         which channel
//   [data-rows]          the table's body
//   [data-tail-pause], [data-tail-clear], [data-tail-note], [data-tail-empty]
// Rows come from /channels/{name}/rows, a few at a time; when more happens than
// can be shown, it says how many were passed over.
import { follow, type Entry } from "./live";

const most = 200; // rows kept
const batch = 20; // rows of one request
const every = 350; // ms between requests

class Tail extends HTMLElement {
  private stop?: () => void;
  private queue = new Map<string, true>();
  private skipped = 0;
  private arrived = 0;
  private paused = false;
  private timer: number | undefined;

  connectedCallback() {
    this.stop = follow("message", (m) => this.saw(m as Entry));
    this.querySelector("[data-tail-pause]")?.addEventListener("click", (e) => {
      this.paused = !this.paused;
      (e.currentTarget as HTMLElement).setAttribute("aria-pressed", String(this.paused));
      this.note();
      if (!this.paused) this.plan();
    });
    this.querySelector("[data-tail-clear]")?.addEventListener("click", () => {
      this.body?.replaceChildren();
      this.skipped = this.arrived = 0;
      this.queue.clear();
      this.note();
    });
  }

  disconnectedCallback() {
    this.stop?.();
    clearTimeout(this.timer);
  }

  private get body() {
    return this.querySelector("[data-rows]");
  }

  private saw(m: Entry) {
    if (m.channel !== this.dataset.channel) return;
    const key = `${m.direction}.${m.id}`;
    if (!this.queue.has(key) && !document.getElementById(`m-${m.direction}-${m.id}`)) this.arrived++;
    this.queue.delete(key);
    this.queue.set(key, true);
    while (this.queue.size > (this.paused ? most : batch)) {
      this.queue.delete(this.queue.keys().next().value as string);
      this.skipped++;
    }
    this.note();
    this.plan();
  }

  private note() {
    const n = this.querySelector("[data-tail-note]");
    if (!n) return;
    const parts = [];
    if (this.paused && this.queue.size > 0) parts.push(`${this.queue.size} waiting`);
    if (this.skipped > 0) parts.push(`${this.skipped} passed over`);
    n.textContent = parts.join(", ");
  }

  private plan() {
    if (this.timer !== undefined || this.paused || this.queue.size === 0) return;
    this.timer = setTimeout(() => void this.load(), every);
  }

  private async load() {
    const keys = [...this.queue.keys()].slice(0, batch);
    for (const k of keys) this.queue.delete(k);
    try {
      const q = new URLSearchParams(keys.map((k) => ["m", k]));
      const r = await fetch(`/channels/${encodeURIComponent(this.dataset.channel ?? "")}/rows?${q}`, { headers: { "HX-Request": "true" }, cache: "no-store" });
      if (r.ok) this.put(await r.text());
    } finally {
      this.timer = undefined;
      this.plan();
    }
  }

  private put(html: string) {
    const t = document.createElement("template");
    t.innerHTML = html; // the server's own, escaped there
    const body = this.body;
    if (!body) return;
    for (const row of [...t.content.querySelectorAll("tr")].reverse()) {
      const had = document.getElementById(row.id);
      if (had) {
        row.classList.remove("fresh");
        // A sent message's content leaves the outbox when it was delivered; what
        // was shown before stays.
        const shown = had.querySelector(".content");
        if (shown) row.querySelector("[data-gone]")?.replaceWith(shown);
        had.replaceWith(row);
      } else {
        body.prepend(row);
      }
    }
    while (body.children.length > most) body.lastElementChild?.remove();
    const none = this.querySelector<HTMLElement>("[data-tail-empty]");
    if (none) none.hidden = body.children.length > 0;
    this.note();
  }
}

customElements.define("ds-tail", Tail);
