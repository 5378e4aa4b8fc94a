// Decimal arithmetic on strings: prices and weights never become floating point numbers.

/** "24.90" -> {n: 2490n, scale: 2}; null when it is no number. */
export function decimal(text) {
  const match = /^\s*(-?)(\d*)(?:[.,](\d*))?\s*$/.exec(String(text));
  if (!match || (!match[2] && !match[3])) return null;
  const fraction = match[3] ?? "";
  const n = BigInt((match[2] || "0") + fraction);
  return { n: match[1] ? -n : n, scale: fraction.length };
}

/** price x amount in cents, halves away from zero, as the server rounds. */
export function lineCents(price, amount) {
  const p = decimal(price);
  const a = decimal(amount);
  if (!p || !a) return 0n;
  return toCents(p.n * a.n, p.scale + a.scale);
}

export function cents(text) {
  const d = decimal(text);
  return d === null ? null : toCents(d.n, d.scale);
}

function toCents(n, scale) {
  if (scale <= 2) return n * 10n ** BigInt(2 - scale);
  const unit = 10n ** BigInt(scale - 2);
  const negative = n < 0n;
  const size = negative ? -n : n;
  const rounded = (size * 2n + unit) / (unit * 2n);
  return negative ? -rounded : rounded;
}

/** 1234n -> "12.34" */
export function plain(value) {
  const negative = value < 0n;
  const digits = String(negative ? -value : value).padStart(3, "0");
  return `${negative ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** Notes and coins worth offering for a total, in cents: the exact sum, then the next round ones. */
export function quickCash(total) {
  const offers = [total];
  for (const step of [100n, 500n, 1000n, 2000n, 5000n, 10000n]) {
    const up = ((total + step - 1n) / step) * step;
    if (up > total && !offers.includes(up)) offers.push(up);
  }
  return offers.slice(0, 5);
}
