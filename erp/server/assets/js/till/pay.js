// Paying: cash, the print, and its outcome in its exact word.
import { $, h, icon, notice, Refused, sentence } from "../dom.js";
import * as sales from "./sale.js";
import { cents, plain, quickCash } from "./money.js";

const CERTAINTY = {
  sent: "All of it left the box. This printer does not say whether it printed.",
  accepted: "The printer took all of it and reports no error.",
  printed: "The printer says that the receipt is on paper.",
};
const REMEDY = {
  expired: "The printer was not free in time. Nothing was printed.",
  busy: "Too much waits for this printer. Try again in a moment.",
  no_device: "Choose another printer at the top of the screen.",
  not_stored: "The box's disk is full.",
};
const PICTURE = { running: "printer", done: "check", rejected: "alert", unknown: "question" };

export class Pay {
  /** `post(sale)` sends the print; `follow(id)` waits for its end; `save()` keeps the sale. */
  constructor({ money, sale, printer, post, follow, save, fresh, closed }) {
    Object.assign(this, { money, sale, printer, post, follow, save, fresh });
    this.sheet = $("[data-pay-sheet]");
    this.form = $("[data-pay-form]");
    this.cash = $("[data-cash]");
    this.place = $("[data-outcome]");
    this.running = null;
    this.form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.confirm();
    });
    this.cash.addEventListener("input", () => this.change());
    this.sheet.addEventListener("cancel", (e) => this.sale().pay?.state === "running" && e.preventDefault());
    this.sheet.addEventListener("close", () => {
      const { pay } = this.sale();
      if (pay?.state === "done") this.fresh();
      else if (pay?.state === "rejected") {
        sales.reopen(this.sale());
        this.save();
      }
      closed();
    });
  }

  get open() {
    return this.sheet.open;
  }

  begin() {
    const sale = this.sale();
    if (this.open || sale.lines.length === 0) return;
    $("[data-cash-error]").replaceChildren();
    if (sale.pay) {
      this.show();
      this.sheet.showModal();
      if (sale.pay.state === "running") this.run();
      return;
    }
    const total = sales.total(sale);
    this.form.hidden = false;
    this.place.hidden = true;
    $("[data-pay-total]").textContent = this.money(plain(total));
    this.cash.value = plain(total);
    $("[data-quick]").replaceChildren(
      ...quickCash(total).map((offer, i) =>
        h("button", { class: "button", type: "button", onclick: () => this.offer(offer) }, i === 0 ? "Exact" : this.money(plain(offer)).replace(/\.00$/, "")),
      ),
    );
    this.change();
    this.sheet.showModal();
    this.cash.focus();
    this.cash.select();
  }

  offer(value) {
    this.cash.value = plain(value);
    this.change();
    $("[data-pay-confirm]").focus();
  }

  change() {
    const given = cents(this.cash.value);
    const due = sales.total(this.sale());
    const back = given === null ? null : given - due;
    $("[data-change]").textContent = back === null || back < 0n ? "–" : this.money(plain(back));
    $("[data-cash-error]").replaceChildren();
    this.cash.removeAttribute("aria-invalid");
    return back;
  }

  refuse(words) {
    $("[data-cash-error]").replaceChildren(notice("bad", words));
    this.cash.setAttribute("aria-invalid", "true");
    this.cash.focus();
  }

  confirm() {
    const sale = this.sale();
    const back = this.change();
    if (back === null) return this.refuse("Type the amount as 12.50.");
    if (back < 0n) return this.refuse(`That is ${this.money(plain(-back))} short.`);
    const to = this.printer();
    if (!to) return this.refuse("No printer is chosen: choose this till's devices at the top of the screen.");
    // The id is made, and kept, before anything is sent: a second press and a reload find it.
    sales.pay(sale, { commandId: crypto.randomUUID(), ...to, cash: plain(cents(this.cash.value)) });
    this.save();
    this.show();
    this.run();
  }

  /** Sends what the sale's payment says and follows it to its end. Safe to call again: the id is the same. */
  async run() {
    const sale = this.sale();
    const { pay } = sale;
    if (!pay || pay.state !== "running" || this.running === pay.commandId) return;
    this.running = pay.commandId;
    const outcome = await this.outcome(sale, pay);
    this.running = null;
    if (sale !== this.sale() || sale.pay !== pay || pay.state !== "running") return;
    if (outcome) sales.settle(sale, outcome);
    this.save();
    // Put away while it ran: how it ended must be seen.
    if (!this.open) this.sheet.showModal();
    this.show();
  }

  async outcome(sale, pay) {
    for (let attempt = 0; attempt < 4; attempt += 1) {
      try {
        const printed = await this.post(sale);
        if (printed.total !== undefined) pay.charged = String(printed.total);
        if (printed.receipt) pay.receipt = String(printed.receipt);
        this.save();
        const end = await this.follow(pay.commandId, 45000);
        if (end.silent || end.missing) return { outcome: "unknown", message: "No answer came in time: it may still print. Look at the printer." };
        return end;
      } catch (error) {
        if (error instanceof Refused && error.status < 500) {
          return { outcome: "rejected", reason: error.word || "invalid", message: error.message };
        }
        // The same id again: the server runs it once, however often it hears it.
        pay.problem = "The server does not answer; trying again…";
        this.show();
        await new Promise((done) => setTimeout(done, 1500 * (attempt + 1)));
      }
    }
    return { outcome: "unknown", message: "The server does not answer, so this till cannot know whether the receipt was printed." };
  }

  show() {
    const { pay } = this.sale();
    if (!pay) return;
    const { outcome } = pay;
    this.form.hidden = true;
    this.place.hidden = false;
    this.place.className = `outcome ${pay.state}`;
    const value = outcome?.value?.kind === "print" ? outcome.value.certainty : null;
    const exact = outcome ? [outcome.outcome, outcome.reason ?? value].filter(Boolean).join(" · ") : "waiting";
    const total = pay.charged ?? plain(BigInt(pay.total));
    const back = cents(pay.cash) - cents(total);
    const title = {
      running: pay.copy ? "Printing a copy…" : "Printing…",
      done: back > 0n ? `${this.money(plain(back))} change` : "Paid",
      rejected: pay.copy ? "Copy not printed" : "Not printed",
      unknown: "Printed? Nobody knows",
    }[pay.state];
    const words = {
      running: pay.problem,
      done: CERTAINTY[value] ?? "",
      rejected: sentence(outcome?.message),
      unknown: sentence(outcome?.message),
    }[pay.state];
    const moved = pay.charged && cents(pay.charged) !== BigInt(pay.total);
    const parts = [
      h("span", { class: "outcome-picture" }, icon(PICTURE[pay.state])),
      h("h2", { id: "outcome-title" }, title),
      h("p", { class: "outcome-words" }, exact),
      words ? h("p", { class: "outcome-more" }, words) : null,
      pay.state === "rejected" && REMEDY[outcome.reason] ? h("p", {}, h("strong", {}, REMEDY[outcome.reason])) : null,
      pay.state === "unknown" ? h("p", {}, h("strong", {}, "Look at the printer. If the receipt is there, go on; if not, print a copy.")) : null,
      moved ? notice("warn", `The price list changed meanwhile: the receipt says ${this.money(total)}${back < 0n ? `, and ${this.money(plain(-back))} is still to pay` : ""}.`) : null,
      h("p", { class: "hint" }, `Total ${this.money(total)} · cash ${this.money(pay.cash)}${pay.receipt ? ` · receipt ${pay.receipt}` : ""}`),
      this.buttons(pay),
    ];
    this.place.replaceChildren(...parts.filter(Boolean));
    // An Enter that was still on its way must not print a copy.
    const first = pay.state === "unknown" ? null : $("button", this.place);
    if (this.open) (first ?? this.place).focus();
  }

  buttons(pay) {
    const button = (words, run, primary, picture) =>
      h("button", { class: `button tall ${primary ? "primary" : ""}`, type: "button", onclick: run }, picture ? icon(picture) : null, h("span", {}, words));
    const finish = () => {
      this.fresh();
      this.sheet.close();
    };
    const again = () => {
      sales.again(this.sale(), crypto.randomUUID());
      // Another printer may have been chosen since.
      Object.assign(this.sale().pay, this.printer() ?? {});
      this.save();
      this.show();
      this.run();
    };
    const row = {
      running: () => [],
      done: () => [button("New sale", finish, true, "plus")],
      rejected: () => [button(pay.copy ? "Print the copy again" : "Print again", again, true, "printer"), ...(pay.copy ? [] : [button("Back to the sale", () => this.sheet.close())]), button(pay.copy ? "Finish without copy" : "Finish without receipt", finish)],
      unknown: () => [button("Print a copy", again, false, "printer"), button("It is printed: finish", finish, true, "check")],
    }[pay.state]();
    return row.length ? h("div", { class: "sheet-actions" }, row) : null;
  }
}
