// What is being sold, as plain data and pure steps: no DOM, no network, no clock. Tested by tests/browser/sale.test.mjs.
//
//   open ──pay()──▶ paying ──outcome──▶ done ──▶ (a new sale)
//                     │                └▶ rejected / unknown ──again()──▶ paying, under a new command id
//                     └── reload, lost answer: the same command id is asked about, never sent as a new one
import { lineCents } from "./money.js";

export function newSale() {
  return { lines: [], next: 1, pay: null };
}

export const locked = (sale) => sale.pay !== null;

/** Adds one piece, to the line of this product if there is one. Gives back the line's key. */
export function addPiece(sale, product) {
  const line = sale.lines.find((l) => l.product === product.id && l.weight === null);
  if (line) {
    line.qty += 1;
    return line.key;
  }
  return push(sale, product, { qty: 1, weight: null });
}

/** Adds a weighed line; each weighing is a line of its own. */
export function addWeight(sale, product, weight) {
  return push(sale, product, { qty: null, weight });
}

function push(sale, product, amount) {
  const key = sale.next;
  sale.next += 1;
  sale.lines.push({ key, product: product.id, name: product.name, price: product.list_price, uom: product.uom, ...amount });
  return key;
}

/** One more or one less; the line goes at zero. */
export function step(sale, key, by) {
  const line = sale.lines.find((l) => l.key === key);
  if (!line || line.qty === null || locked(sale)) return;
  line.qty += by;
  if (line.qty < 1) remove(sale, key);
}

export function remove(sale, key) {
  if (!locked(sale)) sale.lines = sale.lines.filter((l) => l.key !== key);
}

export const cents = (line) => lineCents(line.price, line.weight ?? String(line.qty));
export const total = (sale) => sale.lines.reduce((sum, line) => sum + cents(line), 0n);
export const count = (sale) => sale.lines.reduce((n, line) => n + (line.qty ?? 1), 0);

/** Begins to pay. A second press finds the payment begun and changes nothing: one command id a sale. */
export function pay(sale, { commandId, box, device, cash }) {
  if (sale.pay || sale.lines.length === 0) return sale.pay;
  sale.pay = { commandId, box, device, cash, total: String(total(sale)), copy: false, state: "running", outcome: null, problem: "" };
  return sale.pay;
}

export function settle(sale, outcome) {
  if (!sale.pay || sale.pay.state !== "running") return;
  sale.pay.state = outcome.outcome;
  sale.pay.outcome = outcome;
}

/** A person decided to print again. Only after rejected or unknown, and never under the old id. */
export function again(sale, commandId) {
  if (!sale.pay || (sale.pay.state !== "rejected" && sale.pay.state !== "unknown")) return null;
  // After a refusal nothing is on paper; after "unknown" there may be, so the second one says that it is a copy.
  const copy = sale.pay.copy || sale.pay.state === "unknown";
  sale.pay = { ...sale.pay, commandId, copy, state: "running", outcome: null, problem: "" };
  return sale.pay;
}

/** Goes back to selling: only while nothing can have been printed. */
export function reopen(sale) {
  if (sale.pay?.state === "rejected" && !sale.pay.copy) sale.pay = null;
}

/** The lines as `POST /till/print` takes them. */
export const wireLines = (sale) =>
  sale.lines.map((l) => (l.weight === null ? { product_id: l.product, qty: String(l.qty) } : { product_id: l.product, weight: l.weight }));

/** Which events have been seen: the highest seq of each epoch of each box. Both ways to a box tell each in order. */
export class Seen {
  constructor(marks = {}) {
    this.marks = marks;
  }

  /** True once for each event. */
  first(box, { epoch, seq }) {
    const mark = this.marks[box];
    if (mark && mark.epoch === epoch && seq <= mark.seq) return false;
    // An epoch that was left does not come back: what still arrives of it was told before.
    if (mark && mark.epoch !== epoch && mark.old.includes(epoch)) return false;
    const old = mark ? (mark.epoch === epoch ? mark.old : [...mark.old, mark.epoch].slice(-8)) : [];
    this.marks[box] = { epoch, seq, old };
    return true;
  }

  cursor(box) {
    const mark = this.marks[box];
    return mark ? { epoch: mark.epoch, seq: mark.seq } : null;
  }
}

/** Weight in kilograms, digit by digit, for products priced by the kilogram; null when the unit has no exact one. */
export function kilograms({ weight, unit }) {
  if (unit === "kg") return weight;
  if (unit !== "g") return null;
  const negative = weight.startsWith("-");
  const [whole, fraction = ""] = weight.replace("-", "").split(".");
  const digits = whole.padStart(4, "0");
  return `${negative ? "-" : ""}${digits.slice(0, -3)}.${digits.slice(-3)}${fraction}`;
}

/** Scans that are told later than this wait for a person's word: the customer may be gone. */
export const LATE_MS = 120000;
const DAY_MS = 86400000;

/**
 * Whether an event comes so late that it cannot belong to the sale at hand. Only what arrives just after a connection
 * came back can be late (`back`); what comes later comes as it happens, and tells how far the box's clock is off
 * (`skew`, ms, null while unknown): it may be wrong by years.
 */
export function lateness(at, now, skew, back) {
  const delay = now - at;
  if (!Number.isFinite(delay)) return { late: false, skew };
  if (!back) return { late: false, skew: delay };
  // Nothing is known yet: a clock that is a day off is wrong, a smaller difference is taken for lateness.
  const known = skew ?? (Math.abs(delay) < DAY_MS ? 0 : delay);
  return { late: delay - known > LATE_MS, skew };
}
