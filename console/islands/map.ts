// ds-map: lets a dot run along the line between two partners with every
// message. The lines are the server's; data-did and data-dir say whose.
import { follow, type Entry } from "./live";

const most = 40; // dots at once
const still = matchMedia("(prefers-reduced-motion: reduce)");

class NetworkMap extends HTMLElement {
  private stop?: () => void;
  private dots = 0;

  connectedCallback() {
    this.stop = follow("message", (m) => this.pulse(m as Entry));
  }

  disconnectedCallback() {
    this.stop?.();
  }

  private pulse(m: Entry) {
    if (still.matches || this.dots >= most) return;
    const partners = m.direction === "in" ? [m.from ?? ""] : (m.to ?? []);
    for (const did of partners.slice(0, 16)) {
      const line = this.querySelector<SVGPathElement>(`path[data-dir="${m.direction}"][data-did="${CSS.escape(did)}"]`);
      const layer = this.querySelector(".pulses");
      if (!line || !layer) continue;
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      dot.setAttribute("r", "4");
      dot.setAttribute("class", "pulse " + (m.state === "refused" ? "refused" : m.direction));
      layer.append(dot);
      this.dots++;
      this.run(dot, line);
    }
  }

  private run(dot: SVGCircleElement, line: SVGPathElement) {
    const length = line.getTotalLength();
    const start = performance.now();
    const step = (now: number) => {
      const t = Math.min(1, (now - start) / 700);
      const p = line.getPointAtLength(length * (1 - (1 - t) * (1 - t)));
      dot.setAttribute("cx", String(p.x));
      dot.setAttribute("cy", String(p.y));
      if (t < 1 && dot.isConnected) requestAnimationFrame(step);
      else {
        dot.remove();
        this.dots--;
      }
    };
    requestAnimationFrame(step);
  }
}

customElements.define("ds-map", NetworkMap);
