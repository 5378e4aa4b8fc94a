// Which box and devices this till uses; remembered in this browser.
import { $, h } from "../dom.js";

const label = (d) => d.name + (d.status === "ready" || d.status === "warning" ? "" : ` (${d.status})`);

export class Setup {
  constructor({ boxes, current, save, facts, closed }) {
    Object.assign(this, { boxes, current, save, facts });
    this.sheet = $("[data-setup]");
    this.form = $("[data-setup-form]");
    $("[data-setup-open]").addEventListener("click", () => this.begin());
    this.form.elements.box.addEventListener("change", () => this.fill({}));
    this.form.addEventListener("submit", (e) => {
      e.preventDefault();
      const f = this.form.elements;
      save({ box: f.box.value, scanner: f.scanner.value, scale: f.scale.value, printer: f.printer.value, sound: f.sound.checked });
      this.sheet.close();
    });
    this.sheet.addEventListener("close", closed);
  }

  get open() {
    return this.sheet.open;
  }

  begin() {
    const now = this.current();
    const f = this.form.elements;
    const boxes = this.boxes();
    f.box.replaceChildren(...(boxes.length ? [] : [h("option", { value: "" }, "No box is connected")]), ...boxes.map((b) => h("option", { value: b.box_id }, b.name + (b.online ? "" : " (offline)"))));
    f.box.value = boxes.some((b) => b.box_id === now.box) ? now.box : (boxes[0]?.box_id ?? "");
    f.sound.checked = now.sound !== false;
    this.fill(now);
    $("[data-setup-facts]").replaceChildren(...this.facts().map(([name, words]) => h("div", {}, h("dt", {}, name), h("dd", {}, words))));
    if (!this.open) this.sheet.showModal();
  }

  fill(now) {
    const f = this.form.elements;
    const box = this.boxes().find((b) => b.box_id === f.box.value);
    $("[data-setup-box]").textContent = box ? "" : "Connect one under IoT boxes.";
    const chosen = { ...defaults(box), ...now };
    const fill = (name, kind, none) => {
      const devices = (box?.devices ?? []).filter((d) => d.class === kind);
      f[name].replaceChildren(h("option", { value: "" }, none), ...devices.map((d) => h("option", { value: d.identifier }, label(d))));
      f[name].value = devices.some((d) => d.identifier === chosen[name]) ? chosen[name] : (name === "scanner" ? "" : (devices[0]?.identifier ?? ""));
    };
    fill("scanner", "scanner", "Every scanner of this box");
    fill("scale", "scale", "None");
    fill("printer", "printer", "None");
  }
}

/** What a till takes by itself: every scanner, the first scale and printer, ready ones first. */
export function defaults(box) {
  const first = (kind) => {
    const all = (box?.devices ?? []).filter((d) => d.class === kind);
    return (all.find((d) => d.status === "ready") ?? all[0])?.identifier ?? "";
  };
  return { scanner: "", scale: first("scale"), printer: first("printer") };
}
