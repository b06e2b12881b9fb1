// ds-upload: sends files in pieces by tus 1.0 (https://tus.io/protocols) to
// /api/v1/uploads. An upload that breaks off goes on where it stopped: after a
// lost connection by itself, after a closed page when the same file is chosen
// again.
//   data-max-chunk          bytes of one piece
//   [data-upload-drop], [data-upload-input], [data-upload-channel], [data-upload-list]
//   ds-audience             whom it goes to
import type { Audience } from "./audience";
import { say } from "./copy";

const base = "/api/v1/uploads";
const tus = "1.0.0";

function csrf(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf"]')?.content ?? "";
}

function b64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function size(n: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

class Stopped extends Error {}

// Refused is an answer that trying again does not change.
class Refused extends Error {
  constructor(
    readonly status: number,
    body: string,
  ) {
    let text = `The gateway answered ${status}`;
    try {
      const p = JSON.parse(body);
      text = [p.detail, p.hint, p.code && `code ${p.code}`].filter(Boolean).join(". ");
    } catch {
      // No problem document: the status has to do.
    }
    super(text);
  }
}

class Upload {
  private url = "";
  private sent = 0;
  private stopped = false;
  private request?: XMLHttpRequest;
  private started = performance.now();
  private from = 0;
  readonly row = document.createElement("div");
  private bar = document.createElement("progress");
  private note = document.createElement("span");
  private pause = document.createElement("button");

  constructor(
    private file: File,
    private channel: string,
    private to: string[], // none: everybody whom the channel admits
    private chunk: number,
    private done: () => void,
  ) {
    const name = document.createElement("span");
    name.className = "wrap";
    name.textContent = file.name;
    this.note.className = "muted small";
    const text = document.createElement("div");
    text.className = "stack tight";
    text.append(name, this.note);
    this.pause.type = "button";
    this.pause.className = "button plain";
    this.pause.textContent = "Pause";
    this.pause.addEventListener("click", () => (this.stopped ? this.run() : this.halt()));
    const cancel = document.createElement("button");
    cancel.type = "button";
    cancel.className = "button plain";
    cancel.textContent = "Cancel";
    cancel.addEventListener("click", () => void this.cancel());
    const buttons = document.createElement("div");
    buttons.className = "row";
    buttons.append(this.pause, cancel);
    this.bar.max = file.size;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", "Progress of " + file.name);
    this.row.className = "upload";
    this.row.append(text, buttons, this.bar);
  }

  // key is what an upload is remembered by: one for others is another.
  private get key(): string {
    return `upload:${this.channel}:${this.to.join(" ")}:${this.file.name}:${this.file.size}:${this.file.lastModified}`;
  }

  private halt() {
    this.stopped = true;
    this.request?.abort();
    this.pause.textContent = "Go on";
    this.note.textContent = `paused at ${size(this.sent)} of ${size(this.file.size)}`;
  }

  private async cancel() {
    this.stopped = true;
    this.request?.abort();
    this.forget();
    this.row.remove();
    if (this.url) await fetch(this.url, { method: "DELETE", headers: this.headers() }).catch(() => undefined);
  }

  private headers(more: Record<string, string> = {}): Record<string, string> {
    return { "Tus-Resumable": tus, "X-CSRF-Token": csrf(), ...more };
  }

  private remember() {
    try {
      localStorage.setItem(this.key, this.url);
    } catch {
      // Then it cannot go on after the page was closed.
    }
  }

  private forget() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // Nothing was kept.
    }
  }

  // place finds where to go on, or makes a new upload.
  private async place() {
    if (!this.url) {
      try {
        this.url = localStorage.getItem(this.key) ?? "";
      } catch {
        this.url = "";
      }
    }
    if (this.url) {
      const r = await fetch(this.url, { method: "HEAD", headers: this.headers(), cache: "no-store" });
      if (r.ok) {
        this.sent = Number(r.headers.get("Upload-Offset") ?? 0);
        return;
      }
      if (r.status !== 404 && r.status !== 410 && r.status !== 403) throw new Error("the gateway is busy");
      this.url = "";
      this.forget();
    }
    const meta = [`filename ${b64(this.file.name)}`, `filetype ${b64(this.file.type || "application/octet-stream")}`];
    if (this.channel) meta.push(`channel ${b64(this.channel)}`, `send ${b64("true")}`);
    if (this.to.length > 0) meta.push(`to ${b64(this.to.join(" "))}`);
    const r = await fetch(base, { method: "POST", headers: this.headers({ "Upload-Length": String(this.file.size), "Upload-Metadata": meta.join(",") }) });
    if (r.status >= 400 && r.status < 500 && r.status !== 429) throw new Refused(r.status, await r.text());
    const at = r.headers.get("Location");
    if (!r.ok || !at) throw r.status === 507 ? new Refused(r.status, await r.text()) : new Error("the gateway is busy");
    this.url = new URL(at, location.href).pathname;
    this.sent = 0;
    this.remember();
  }

  private message = ""; // the message that carries the file, once there is one

  private piece(): Promise<number> {
    return new Promise((ok, no) => {
      const from = this.sent;
      const x = (this.request = new XMLHttpRequest());
      x.open("PATCH", this.url);
      for (const [k, v] of Object.entries(this.headers({ "Upload-Offset": String(from), "Content-Type": "application/offset+octet-stream" }))) x.setRequestHeader(k, v);
      x.upload.onprogress = (e) => this.show(from + e.loaded);
      x.onload = () => {
        if (x.status === 204 || x.status === 200) {
          this.message = x.getResponseHeader("Spine-Message") ?? "";
          ok(Number(x.getResponseHeader("Upload-Offset")));
        }
        else if ((x.status >= 400 && x.status < 500 && ![409, 423, 429].includes(x.status)) || x.status === 507) no(new Refused(x.status, x.responseText));
        else no(new Error("the gateway is busy"));
      };
      x.onerror = () => no(new Error("the connection broke"));
      x.onabort = () => no(new Stopped());
      x.send(this.file.slice(from, from + this.chunk));
    });
  }

  private show(n: number) {
    this.bar.value = n;
    const seconds = (performance.now() - this.started) / 1000;
    const rate = seconds > 0.5 ? ` · ${size((n - this.from) / seconds)}/s` : "";
    this.note.textContent = `${size(n)} of ${size(this.file.size)}${rate}`;
  }

  // link leads to the message that carries the file.
  private link(): Element[] {
    if (!this.message) return [];
    const a = document.createElement("a");
    a.className = "button";
    a.href = "/messages/out/" + encodeURIComponent(this.message);
    a.textContent = "Open the message";
    return [a];
  }

  async run() {
    this.stopped = false;
    this.pause.textContent = "Pause";
    let tries = 0;
    for (;;) {
      try {
        await this.place();
        this.from = this.sent;
        this.started = performance.now();
        while (this.sent < this.file.size) {
          if (this.stopped) throw new Stopped();
          this.sent = await this.piece();
          this.show(this.sent);
          tries = 0;
        }
        break;
      } catch (e) {
        if (e instanceof Stopped || this.stopped) return;
        if (e instanceof Refused || ++tries > 20) {
          this.forget();
          this.note.className = "problem";
          this.note.setAttribute("role", "alert");
          this.note.textContent = (e as Error).message;
          this.pause.hidden = true;
          return;
        }
        this.note.textContent = `${(e as Error).message}, trying again`;
        await new Promise((r) => setTimeout(r, Math.min(500 * 2 ** tries, 15000)));
        if (this.stopped) return;
      }
    }
    this.forget();
    this.bar.value = this.file.size;
    this.note.textContent = this.channel ? `${size(this.file.size)}, on its way ${this.to.length > 0 ? `to ${this.to.length === 1 ? "one partner" : `${this.to.length} partners`} ` : ""}on ${this.channel}` : `${size(this.file.size)}, stored`;
    this.row.querySelector(".row")?.replaceChildren(...this.link());
    say(`${this.file.name} is stored`);
    this.done();
  }
}

class Uploader extends HTMLElement {
  connectedCallback() {
    const drop = this.querySelector<HTMLElement>("[data-upload-drop]");
    const input = this.querySelector<HTMLInputElement>("[data-upload-input]");
    input?.addEventListener("change", () => {
      this.take(input.files);
      input.value = "";
    });
    drop?.addEventListener("dragover", (e) => {
      e.preventDefault();
      drop.classList.add("over");
    });
    drop?.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop?.addEventListener("drop", (e) => {
      e.preventDefault();
      drop.classList.remove("over");
      this.take(e.dataTransfer?.files);
    });
  }

  private take(files: FileList | null | undefined) {
    const channel = this.querySelector<HTMLSelectElement>("[data-upload-channel]")?.value ?? "";
    const to = channel ? this.querySelector<Audience>("ds-audience")?.chosen(channel) : [];
    if (!to) return;
    const list = this.querySelector("[data-upload-list]");
    const done = () => document.getElementById("files")?.dispatchEvent(new CustomEvent("refresh"));
    for (const f of files ?? []) {
      const u = new Upload(f, channel, to, Number(this.dataset.maxChunk ?? 8 << 20), done);
      list?.append(u.row);
      void u.run();
    }
  }
}

customElements.define("ds-upload", Uploader);
