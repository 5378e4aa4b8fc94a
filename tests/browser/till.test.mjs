// The till's own logic: money, the sale, and which events have been counted. No browser needed.
import assert from "node:assert/strict";
import { test } from "node:test";

const till = "../../erp/server/assets/js/till";
const { cents, decimal, lineCents, plain, quickCash } = await import(`${till}/money.js`);
const sales = await import(`${till}/sale.js`);

const bread = { id: 1, name: "Bread", list_price: "3.90", uom: "unit", to_weight: false };
const cheese = { id: 2, name: "Cheese", list_price: "24.90", uom: "kg", to_weight: true };

test("amounts are exact decimals, with a point or a comma, and nothing else is an amount", () => {
  assert.deepEqual(decimal("24.90"), { n: 2490n, scale: 2 });
  assert.equal(cents("12,5"), 1250n);
  assert.equal(cents("0"), 0n);
  for (const bad of ["", ".", "1e3", "12.3.4", "1 000", "NaN", "-"]) assert.equal(cents(bad), null, bad);
});

test("a weighed line is rounded to the cent, halves away from zero, as on the receipt", () => {
  assert.equal(lineCents("3.20", "0.734"), 235n);
  assert.equal(lineCents("1", "0.005"), 1n);
  assert.equal(lineCents("1", "0.0049"), 0n);
  assert.equal(lineCents("0.1", "3"), 30n);
  assert.equal(plain(lineCents("24.90", "1.234")), "30.73");
  assert.equal(plain(-5n), "-0.05");
});

test("the offered notes begin with the exact sum and never repeat", () => {
  assert.deepEqual(quickCash(1453n), [1453n, 1500n, 2000n, 5000n, 10000n]);
  assert.deepEqual(quickCash(2000n), [2000n, 5000n, 10000n]);
});

test("a second piece goes to the same line, a second weighing to a line of its own", () => {
  const sale = sales.newSale();
  sales.addPiece(sale, bread);
  sales.addPiece(sale, bread);
  sales.addWeight(sale, cheese, "0.500");
  sales.addWeight(sale, cheese, "0.250");
  assert.deepEqual(sale.lines.map((l) => [l.qty, l.weight]), [[2, null], [null, "0.500"], [null, "0.250"]]);
  assert.equal(plain(sales.total(sale)), "26.48");
  assert.deepEqual(sales.wireLines(sale)[0], { product_id: 1, qty: "2" });
  assert.deepEqual(sales.wireLines(sale)[1], { product_id: 2, weight: "0.500" });
});

test("however often pay is pressed, a sale has one command id", () => {
  const sale = sales.newSale();
  sales.addPiece(sale, bread);
  sales.pay(sale, { commandId: "first-one", box: "b", device: "p", cash: "5.00" });
  sales.pay(sale, { commandId: "second-one", box: "b", device: "p", cash: "5.00" });
  assert.equal(sale.pay.commandId, "first-one");
  sales.step(sale, 1, 1);
  sales.remove(sale, 1);
  assert.equal(sale.lines[0].qty, 1, "a sale that is being paid does not change");
});

test("a second print needs a decision, a new id, and is a copy once something may be on paper", () => {
  const sale = sales.newSale();
  sales.addPiece(sale, bread);
  sales.pay(sale, { commandId: "first-one", box: "b", device: "p", cash: "5.00" });
  assert.equal(sales.again(sale, "too-early"), null);
  sales.settle(sale, { outcome: "rejected", reason: "paper_out", message: "" });
  sales.again(sale, "second-one");
  assert.equal(sale.pay.copy, false);
  sales.settle(sale, { outcome: "unknown", message: "" });
  sales.reopen(sale);
  assert.ok(sale.pay, "what may be printed is not taken back");
  sales.again(sale, "third-one");
  assert.deepEqual([sale.pay.commandId, sale.pay.copy], ["third-one", true]);
  sales.settle(sale, { outcome: "done", value: { kind: "print", certainty: "printed" } });
  assert.equal(sales.again(sale, "fourth-one"), null);
  sales.settle(sale, { outcome: "unknown", message: "late" });
  assert.equal(sale.pay.state, "done", "the first outcome stands");
});

test("an event counts once, whichever way it comes, however often", () => {
  const seen = new sales.Seen();
  const e = (seq, epoch = "0123456789abcdef") => ({ epoch, seq });
  assert.ok(seen.first("box", e(5)));
  assert.ok(!seen.first("box", e(5)));
  assert.ok(!seen.first("box", e(4)), "told before this page began");
  assert.ok(seen.first("box", e(7)));
  assert.ok(seen.first("other", e(5)));
  assert.ok(seen.first("box", e(1, "fedcba9876543210")), "a renewed outbox counts from one");
  assert.ok(!seen.first("box", e(8)), "and the epoch that ended is over");
  assert.deepEqual(seen.cursor("box"), { epoch: "fedcba9876543210", seq: 1 });
  assert.equal(seen.cursor("nobody"), null);
});

test("grams become kilograms digit by digit, and other units are refused", () => {
  assert.equal(sales.kilograms({ weight: "734", unit: "g" }), "0.734");
  assert.equal(sales.kilograms({ weight: "1234.5", unit: "g" }), "1.2345");
  assert.equal(sales.kilograms({ weight: "0.734", unit: "kg" }), "0.734");
  assert.equal(sales.kilograms({ weight: "1.5", unit: "lb" }), null);
});

test("only what comes just after a connection is back can be late, and a wrong clock is not lateness", () => {
  const minute = 60000;
  const now = 1_800_000_000_000;
  const years = 9 * 365 * 24 * 60 * minute;
  const late = (at, skew, back) => sales.lateness(at, now, skew, back).late;
  assert.equal(late(now - 50, null, true), false);
  assert.equal(late(now - 5 * minute, null, true), true);
  assert.equal(late(now - 5 * minute, null, false), false, "a clock five minutes behind, heard as it happens");
  assert.equal(sales.lateness(now - 5 * minute, now, null, false).skew, 5 * minute);
  assert.equal(late(now - 5 * minute, 5 * minute, true), false, "and known from then on");
  assert.equal(late(now - years, null, true), false, "nine years behind is wrong, not late");
  assert.equal(late(now - years - 9 * minute, years, true), true);
  assert.equal(late(undefined, 0, true), false);
});
