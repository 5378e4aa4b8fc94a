// The touch grid and its search.
import { $, $$, h, icon } from "../dom.js";

const TINTS = ["a", "b", "c", "d", "e", "f"];

export class Products {
  /** `chosen(product)`; `money(cents text)` writes a price. */
  constructor({ chosen, code, money }) {
    this.chosen = chosen;
    this.code = code;
    this.money = money;
    this.all = [];
    this.byCode = new Map();
    this.byId = new Map();
    this.grid = $("[data-products]");
    this.search = $("[data-search]");
    this.search.addEventListener("input", () => this.filter());
    this.search.addEventListener("keydown", (e) => {
      if (e.key === "Escape") this.clear();
      if (e.key !== "Enter") return;
      e.preventDefault();
      this.enter();
    });
    this.grid.addEventListener("click", (e) => {
      const tile = e.target.closest("[data-product]");
      if (tile) this.chosen(this.byId.get(Number(tile.dataset.product)));
    });
  }

  set(products) {
    this.all = products;
    this.byId = new Map(products.map((p) => [p.id, p]));
    this.byCode = new Map(products.filter((p) => p.barcode).map((p) => [p.barcode, p]));
    this.grid.replaceChildren(...products.map((p) => this.tile(p)));
    this.grid.setAttribute("aria-busy", "false");
    this.filter();
  }

  tile(product) {
    const mark = product.to_weight ? icon("scale") : product.name.trim().slice(0, 2);
    const per = product.to_weight ? ` / ${product.uom || "kg"}` : "";
    return h(
      "li",
      { "data-words": `${product.name} ${product.barcode ?? ""}`.toLowerCase() },
      h(
        "button",
        { class: "product", type: "button", "data-product": product.id },
        h("span", { class: `product-mark tint-${TINTS[product.id % TINTS.length]}`, "aria-hidden": "true" }, mark),
        h("span", { class: "product-name" }, product.name),
        h("span", { class: "product-price" }, this.money(product.list_price) + per),
      ),
    );
  }

  filter() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let first = true;
    for (const li of this.grid.children) {
      const ok = words.every((w) => li.dataset.words?.includes(w));
      li.hidden = !ok;
      const marked = ok && first && words.length > 0;
      li.firstElementChild?.classList.toggle("first", marked);
      if (ok) first = false;
    }
    $("[data-products-none]").hidden = !first || this.all.length === 0;
  }

  enter() {
    const typed = this.search.value.trim();
    if (!typed) return;
    const exact = this.byCode.get(typed);
    const first = $$("li", this.grid).find((li) => !li.hidden);
    const product = exact ?? (first && this.byId.get(Number(first.firstElementChild.dataset.product)));
    if (product) this.chosen(product);
    else this.code(typed);
    this.clear();
  }

  clear() {
    this.search.value = "";
    this.filter();
  }

  /** A scanned code may be printed with or without the leading zero of a UPC. */
  find(code) {
    return this.byCode.get(code) ?? this.byCode.get(`0${code}`) ?? (code.startsWith("0") ? this.byCode.get(code.slice(1)) : undefined);
  }
}
