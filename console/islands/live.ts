// One live stream for the page: GET /api/v1/live. Elements with data-live are
// asked to load themselves again when something of theirs happens; others
// follow a topic. The stream is closed while the page is hidden, because a
// browser opens few connections to one host.
import { say } from "./copy";

export type Topic = "message" | "event" | "overview" | "transfer";
export interface Entry {
  id: string;
  direction: "in" | "out";
  channel: string;
  from?: string;
  to?: string[];
  state: string;
}
type Told = Record<string, any>;

const followers = new Map<Topic, Set<(told: Told) => void>>();
const waiting = new WeakMap<Element, number>(); // when it was asked last
let source: EventSource | undefined;
let opened = "";
let retry: number | undefined;

export function follow(topic: Topic, fn: (told: Told) => void): () => void {
  let set = followers.get(topic);
  if (!set) followers.set(topic, (set = new Set()));
  set.add(fn);
  soon();
  return () => {
    followers.get(topic)?.delete(fn);
  };
}

function state(name: "open" | "lost" | "idle", text: string) {
  for (const e of document.querySelectorAll<HTMLElement>("[data-live-state]")) {
    e.dataset.state = name;
    e.textContent = text;
  }
}

function topics(): string {
  const all = new Set<string>(["overview"]);
  for (const e of document.querySelectorAll<HTMLElement>("[data-live]")) for (const t of (e.dataset.live ?? "").split(" ")) if (t) all.add(t);
  for (const [t, set] of followers) if (set.size > 0) all.add(t);
  return [...all].sort().join(",");
}

// refresh asks an element to load itself again, not more often than it wants.
function refresh(e: HTMLElement) {
  const every = Number(e.dataset.every ?? 1000);
  const now = performance.now();
  const due = (waiting.get(e) ?? -Infinity) + every;
  if (due > now) {
    if (e.dataset.due) return;
    e.dataset.due = "1";
    setTimeout(() => {
      delete e.dataset.due;
      if (e.isConnected) refresh(e);
    }, due - now);
    return;
  }
  waiting.set(e, now);
  e.dispatchEvent(new CustomEvent("refresh"));
}

function told(topic: Topic, data: string) {
  let t: Told;
  try {
    t = JSON.parse(data);
  } catch {
    return;
  }
  if (topic === "overview") badge(t);
  for (const fn of followers.get(topic) ?? []) fn(t);
  for (const e of document.querySelectorAll<HTMLElement>(`[data-live~="${topic}"]`)) {
    const id = e.dataset.liveId;
    if (id && topic === "message" && t.id !== id) continue;
    if (id && topic === "transfer" && t.file?.id !== id) continue;
    if (e.dataset.liveChannel && topic === "message" && t.channel !== e.dataset.liveChannel) continue;
    refresh(e);
  }
}

// badge counts what needs attention, in the navigation.
function badge(o: Told) {
  const n = ((o.attention ?? []) as { severity: string }[]).filter((a) => a.severity !== "info").length;
  const link = document.querySelector('.nav a[href="/events"]');
  let count = link?.querySelector(".count");
  if (!link) return;
  if (n === 0) {
    count?.remove();
    return;
  }
  if (!count) {
    count = document.createElement("span");
    count.className = "count";
    (count as HTMLElement).title = "things that need attention";
    link.append(count);
  }
  count.textContent = String(Math.min(n, 99));
}

function close() {
  source?.close();
  source = undefined;
  opened = "";
  clearTimeout(retry);
}

function open() {
  if (document.hidden) return;
  const want = topics();
  if (source && want === opened && source.readyState !== EventSource.CLOSED) return;
  close();
  opened = want;
  const s = (source = new EventSource("/api/v1/live?topics=" + encodeURIComponent(want)));
  s.onopen = () => {
    state("open", "live");
    everything(); // what happened since the page was made
  };
  s.onerror = () => {
    state("lost", "connecting again");
    if (s.readyState !== EventSource.CLOSED || s !== source) return;
    // The gateway said no: the session may have ended.
    void fetch("/api/v1/sessions/current", { cache: "no-store" })
      .then(async (r) => {
        if (r.status === 401) location.reload();
        else if (r.ok && !((await r.json()).scopes ?? []).includes("admin")) {
          clearTimeout(retry);
          state("idle", "live needs the scope admin");
        }
      })
      .catch(() => undefined);
    retry = setTimeout(open, 5000);
  };
  for (const t of ["message", "event", "overview", "transfer"] as Topic[]) s.addEventListener(t, (e) => told(t, (e as MessageEvent).data));
  s.addEventListener("lagged", () => {
    close();
    everything();
    retry = setTimeout(open, 1000);
  });
}

function everything() {
  for (const e of document.querySelectorAll<HTMLElement>("[data-live]")) refresh(e);
}

let planned = false;
function soon() {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    open();
  });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    close();
    state("idle", "paused while hidden");
  } else {
    open();
    everything();
  }
});
document.addEventListener("htmx:after:swap", soon);
document.addEventListener("htmx:error", () => say("The gateway cannot be reached"));
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", soon);
soon();
