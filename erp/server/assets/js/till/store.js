// What this browser remembers: the sale in progress, which events were counted, and the chosen devices.
const SALE = "till.sale";
const SETUP = "till.setup";
const SEEN = "till.seen";
const WAITING = "till.waiting";

/** Events older than the page's absence are not this sale's: after a minute the marks are forgotten. */
const FRESH_MS = 60000;

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

function write(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function loadSale() {
  const sale = read(SALE);
  return sale && Array.isArray(sale.lines) ? sale : null;
}

export const saveSale = (sale) => write(SALE, sale);
export function loadWaiting() {
  const codes = read(WAITING);
  return Array.isArray(codes) ? codes.filter((c) => typeof c === "string") : [];
}

export const saveWaiting = (codes) => write(WAITING, codes);
export const loadSetup = () => read(SETUP) ?? {};
export const saveSetup = (setup) => write(SETUP, setup);

export function loadSeen() {
  const kept = read(SEEN);
  return kept && Date.now() - kept.at < FRESH_MS ? kept.marks : {};
}

export const saveSeen = (marks) => write(SEEN, { at: Date.now(), marks });
