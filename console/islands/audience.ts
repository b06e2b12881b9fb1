// ds-audience: whom something is sent to. The box for everybody ticks all; what
// is chosen stands in the summary. Works on what htmx swaps in, too.
//   data-channel            whose recipients these are
//   [data-audience-all], input[name="to"], [data-audience-says], [data-audience-problem]
class Audience extends HTMLElement {
  private everybody = "";

  connectedCallback() {
    this.everybody = this.all?.checked ? (this.says?.textContent ?? "") : "";
    this.addEventListener("change", (e) => this.changed(e.target as HTMLInputElement));
  }

  private get all() {
    return this.querySelector<HTMLInputElement>("input[data-audience-all]");
  }

  private get says() {
    return this.querySelector<HTMLElement>("[data-audience-says]");
  }

  private get boxes() {
    return [...this.querySelectorAll<HTMLInputElement>('input[name="to"]')];
  }

  private changed(box: HTMLInputElement) {
    const all = this.all;
    if (!all) return;
    if (box === all) for (const b of this.boxes) b.checked = all.checked;
    const chosen = this.boxes.filter((b) => b.checked);
    if (box !== all) {
      all.checked = chosen.length === this.boxes.length;
      all.indeterminate = !all.checked && chosen.length > 0;
    }
    this.refuse("");
    const says = this.says;
    if (!says) return;
    if (all.checked) says.textContent = this.everybody || `Everybody whom the channel admits: ${this.boxes.length}`;
    else if (chosen.length === 0) says.textContent = "Nobody";
    else if (chosen.length === 1) says.textContent = chosen[0].dataset.name ?? "";
    else says.textContent = `${chosen.length} of ${this.boxes.length}`;
  }

  // chosen are the DIDs that were ticked, none for everybody; undefined when
  // there is nobody yet, which the element then says.
  chosen(channel: string): string[] | undefined {
    if (this.dataset.channel !== channel) {
      this.refuse("The recipients are being looked up; choose the files again in a moment.");
      return undefined;
    }
    const to = this.boxes.filter((b) => b.checked).map((b) => b.value);
    const all = this.all;
    if (!all || (all.checked && to.length === this.boxes.length)) return [];
    if (to.length === 0) {
      this.refuse("Choose at least one recipient.");
      return undefined;
    }
    return to;
  }

  private refuse(text: string) {
    const p = this.querySelector<HTMLElement>("[data-audience-problem]");
    if (!p) return;
    p.textContent = text;
    p.hidden = text === "";
    const list = this.querySelector("details");
    if (text && list) list.open = true;
  }
}

customElements.define("ds-audience", Audience);
export { Audience };
