// The lines of the sale and its total.
import { $, $$, h, icon } from "../dom.js";
import * as sales from "./sale.js";
import { plain } from "./money.js";

export class Lines {
  constructor({ money, step, remove }) {
    this.money = money;
    this.list = $("[data-lines]");
    this.list.addEventListener("click", (e) => {
      const button = e.target.closest("[data-do]");
      if (!button) return;
      const key = Number(button.closest("[data-line]").dataset.line);
      if (button.dataset.do === "remove") remove(key);
      else step(key, button.dataset.do === "more" ? 1 : -1);
    });
  }

  draw(sale, fresh = null) {
    const have = new Map($$("[data-line]", this.list).map((li) => [Number(li.dataset.line), li]));
    const hadFocus = this.list.contains(document.activeElement);
    for (const line of sale.lines) {
      let li = have.get(line.key);
      if (!li) {
        li = this.make(line);
        this.list.append(li);
      }
      have.delete(line.key);
      this.fill(li, line, sale);
    }
    for (const li of have.values()) li.remove();
    if (fresh !== null) {
      const li = $(`[data-line="${fresh}"]`, this.list);
      li.classList.remove("new");
      // Restarts the animation.
      void li.offsetWidth;
      li.classList.add("new");
      li.scrollIntoView({ block: "nearest" });
    }
    const sum = this.money(plain(sales.total(sale)));
    for (const el of $$("[data-total]")) el.textContent = sum;
    $("[data-sale-empty]").hidden = sale.lines.length > 0;
    const badge = $("[data-badge]");
    badge.hidden = sale.lines.length === 0;
    badge.textContent = sales.count(sale);
    // The line with the focus is gone: do not drop the keyboard's user to the top of the page.
    if (hadFocus && !this.list.contains(document.activeElement)) ($("button", this.list) ?? $("[data-search]")).focus();
  }

  make(line) {
    const button = (act, name, words) => h("button", { type: "button", "data-do": act, "aria-label": words, class: act === "remove" ? "line-remove" : null }, icon(name));
    return h(
      "li",
      { class: "line", "data-line": line.key },
      h("span", { class: "line-words" }, h("span", { class: "line-name" }, line.name), h("br"), h("span", { class: "line-how" })),
      line.qty === null
        ? button("remove", "close", `Remove ${line.name}`)
        : h("span", { class: "stepper" }, button("less", "minus", `One ${line.name} less`), h("output", {}), button("more", "plus", `One ${line.name} more`)),
      h("span", { class: "line-total" }),
    );
  }

  fill(li, line, sale) {
    li.classList.toggle("locked", sales.locked(sale));
    const price = this.money(line.price);
    $(".line-how", li).textContent = line.qty === null ? `${line.weight} kg × ${price}/kg` : `${price} each`;
    if (line.qty !== null) $("output", li).textContent = line.qty;
    $(".line-total", li).textContent = this.money(plain(sales.cents(line)));
  }
}
