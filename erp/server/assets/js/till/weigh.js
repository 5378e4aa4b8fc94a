// The scale panel: what the scale shows now, and the weight that is taken.
import { $, notice, sentence } from "../dom.js";
import { conditionWords } from "../weight.js";
import { kilograms } from "./sale.js";
import { lineCents, plain } from "./money.js";

export class Weigh {
  /** `take()` asks the scale and gives an outcome; `taken(product, kg)` adds the line. */
  constructor({ money, take, taken, closed }) {
    this.money = money;
    this.take = take;
    this.taken = taken;
    this.sheet = $("[data-weigh]");
    this.button = $("[data-weigh-take]");
    this.product = null;
    this.busy = false;
    this.button.addEventListener("click", () => this.press());
    this.sheet.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" || e.target.closest("[data-close]")) return;
      e.preventDefault();
      this.press();
    });
    this.sheet.addEventListener("close", () => {
      this.product = null;
      closed();
    });
  }

  get open() {
    return this.sheet.open;
  }

  begin(product, last) {
    this.product = product;
    $("[data-weigh-name]").textContent = product.name;
    $("[data-weigh-price]").textContent = `${this.money(product.list_price)} / kg`;
    $("[data-weigh-error]").replaceChildren();
    this.live(last);
    this.sheet.showModal();
    this.button.focus();
  }

  /** `data`: a LiveWeight, or null while the scale has said nothing. */
  live(data) {
    if (!this.product) return;
    const face = $(".scale-face", this.sheet);
    const condition = data?.condition ?? "silent";
    face.dataset.condition = condition;
    const weight = data?.weight ?? null;
    $("[data-weigh-value]").textContent = weight ? weight.weight : "–.–––";
    $("[data-weigh-unit]").textContent = weight?.unit ?? "kg";
    $("[data-weigh-word]").textContent = data ? conditionWords(condition) + (weight?.net ? " · net" : "") : "Waiting for the scale";
    const kg = weight && kilograms(weight);
    $("[data-weigh-total]").textContent = kg && !kg.startsWith("-") ? this.money(plain(lineCents(this.product.list_price, kg))) : "–";
  }

  async press() {
    if (this.busy || !this.product) return;
    const product = this.product;
    this.busy = true;
    this.button.setAttribute("aria-busy", "true");
    this.button.setAttribute("aria-disabled", "true");
    const label = $("span", this.button);
    label.textContent = "Waiting for a stable weight…";
    const error = $("[data-weigh-error]");
    error.replaceChildren();
    const outcome = await this.take();
    this.busy = false;
    this.button.removeAttribute("aria-busy");
    this.button.removeAttribute("aria-disabled");
    label.textContent = "Take weight";
    if (this.product !== product) return;
    const value = outcome.value;
    if (outcome.outcome !== "done" || value?.kind !== "weight") {
      error.replaceChildren(notice(outcome.outcome === "unknown" ? "warn" : "bad", `${[outcome.outcome, outcome.reason].filter(Boolean).join(" · ")}: ${sentence(outcome.message ?? "no weight came")}`));
      return;
    }
    const kg = kilograms(value);
    if (kg === null) {
      error.replaceChildren(notice("bad", `The scale weighs in ${value.unit}; prices are per kilogram. Set the scale to kg.`));
      return;
    }
    if (!/[1-9]/.test(kg) || kg.startsWith("-")) {
      error.replaceChildren(notice("warn", "Nothing is on the scale."));
      return;
    }
    this.sheet.close();
    this.taken(product, kg);
  }
}
