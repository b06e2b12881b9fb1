// ds-plot: lines over time, drawn by uPlot.
//   data-rows    JSON: times in seconds, then one list of values for each line
//   data-names   what the lines are called, apart by , or ;
//   data-colors  in, out, refused, with -dash for a dashed line
//   data-unit    put behind values
//   data-axis    put behind the numbers along the axis, where the title does not say it
// What is drawn is told to screen readers by its aria-label, from the server.
import { zone } from "./time";

declare const uPlot: any;

// grouped is a number with thin spaces between thousands, as on the rest of a page.
const grouped = (n: number) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");

class Plot extends HTMLElement {
  static observedAttributes = ["data-rows"];
  private plot: any;
  private size?: ResizeObserver;
  private tip?: HTMLElement;
  private again = () => this.draw();

  connectedCallback() {
    this.size = new ResizeObserver(() => {
      if (this.plot && this.clientWidth > 0) this.plot.setSize({ width: this.clientWidth, height: 184 });
    });
    this.size.observe(this);
    document.addEventListener("view", this.again);
    this.draw();
  }

  disconnectedCallback() {
    document.removeEventListener("view", this.again);
    this.size?.disconnect();
    this.plot?.destroy();
    this.plot = undefined;
  }

  attributeChangedCallback() {
    if (this.plot) {
      this.plot.setData(this.rows());
    }
  }

  private rows(): (number | null)[][] {
    try {
      return JSON.parse(this.dataset.rows ?? "[]");
    } catch {
      return [];
    }
  }

  private names(): string[] {
    const n = this.dataset.names ?? "";
    return n.split(n.includes(";") ? ";" : ",");
  }

  private value(v: number | null | undefined): string {
    if (v == null) return "–";
    const n = v >= 100 ? Math.round(v) : Math.round(v * 10) / 10;
    return grouped(n) + (this.dataset.unit ?? "");
  }

  private color(name: string): string {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    this.append(probe);
    const c = getComputedStyle(probe).color;
    probe.remove();
    return c;
  }

  private draw() {
    if (typeof uPlot === "undefined") return;
    this.plot?.destroy();
    this.replaceChildren();
    const grid = this.color("--line");
    const text = this.color("--muted");
    const font = "11px " + getComputedStyle(this).fontFamily;
    const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const series = (this.dataset.colors ?? "").split(",").map((c, i) => {
      const stroke = this.color("--series-" + c.replace("-dash", ""));
      return { label: this.names()[i], stroke, width: c.endsWith("-dash") ? 1.25 : 1.75, dash: c.endsWith("-dash") ? [4, 4] : undefined, points: { show: (u: any, k: number) => u.data[k].filter((v: number | null) => v != null).length < 12, size: 5 }, spanGaps: true };
    });
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.plot = new uPlot(
      {
        width: this.clientWidth || 600,
        height: 184,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        tzDate: (ts: number) => (zone() === "utc" ? uPlot.tzDate(new Date(ts * 1000), "Etc/UTC") : new Date(ts * 1000)),
        scales: { x: { time: true }, y: { range: (_: any, _min: number, max: number) => [0, max > 0 ? max * 1.15 : 1] } },
        axes: [
          { ...axis, size: 26, grid: { show: false }, space: 70, values: [[3600, "{HH}:{mm}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
          { ...axis, size: 54, space: 34, values: (_: any, at: number[]) => at.map((v) => grouped(v) + (v > 0 ? (this.dataset.axis ?? "") : "")) },
        ],
        series: [{}, ...series],
        hooks: { setCursor: [(u: any) => this.point(u)] },
      },
      this.rows(),
      this,
    );
    this.append(this.tip);
  }

  private point(u: any) {
    const i = u.cursor.idx;
    if (!this.tip) return;
    if (i == null || u.cursor.left < 0) {
      this.tip.hidden = true;
      return;
    }
    const d = new Date(u.data[0][i] * 1000);
    const at = zone() === "utc" ? d.toISOString().slice(11, 19) + " UTC" : d.toLocaleTimeString();
    this.tip.textContent = at + " · " + u.series.slice(1).map((s: any, k: number) => `${s.label} ${this.value(u.data[k + 1][i])}`).join(" · ");
    this.tip.hidden = false;
    const x = Math.min(u.cursor.left + 56, this.clientWidth - this.tip.offsetWidth - 4);
    this.tip.style.left = Math.max(0, x) + "px";
    this.tip.style.top = "4px";
  }
}

customElements.define("ds-plot", Plot);
