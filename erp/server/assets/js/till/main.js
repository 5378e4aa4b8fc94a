// The till: products at the left, the sale at the right, and a box with its devices behind.
import { $, $$, Unreachable, request, sentence } from "../dom.js";
import * as bus from "../bus.js";
import * as alerts from "./alerts.js";
import { Lines } from "./lines.js";
import { Link } from "./link.js";
import { plain } from "./money.js";
import { Pay } from "./pay.js";
import { Products } from "./products.js";
import * as sales from "./sale.js";
import { Setup, defaults } from "./setup.js";
import * as sound from "./sound.js";
import * as store from "./store.js";
import { Weigh } from "./weigh.js";

const app = $("[data-till]");
const seen = new sales.Seen(store.loadSeen());
const link = new Link(seen);
let sale = store.loadSale() ?? sales.newSale();
let setup = store.loadSetup();
let boxes = [];
let configured = false;
// Marked as counted already, so a reload must find them.
let waiting = store.loadWaiting();
const lastWeight = new Map();

let format = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
// Through the text, not through a float: formatting is the only place where a number is allowed.
const money = (text) => format.format(String(text));

const products = new Products({ chosen: choose, code: unknownCode, money });
const lines = new Lines({
  money,
  step: (key, by) => edit(() => sales.step(sale, key, by)),
  remove: (key) => edit(() => sales.remove(sale, key)),
});
const weigh = new Weigh({
  money,
  take: () => link.command(setup.scale, { do: "read_weight" }),
  taken: (product, kg) => added(product, sales.addWeight(sale, product, kg), `${kg} kg`),
  closed: takeWaiting,
});
const pay = new Pay({
  money,
  sale: () => sale,
  printer: () => (setup.box && setup.printer ? { box: setup.box, device: setup.printer } : null),
  post: (it) =>
    request("POST", "/till/print", {
      command_id: it.pay.commandId,
      box: it.pay.box,
      device: it.pay.device,
      lines: sales.wireLines(it),
      cash: true,
      copy: it.pay.copy,
      given: it.pay.cash,
    }),
  follow: (id, ms) => link.follow(id, ms),
  save: () => save(),
  fresh: newSale,
  closed: () => {
    draw();
    takeWaiting();
  },
});
const devices = new Setup({
  boxes: () => boxes,
  current: () => setup,
  save: (next) => {
    setup = next;
    store.saveSetup(setup);
    sound.enable(setup.sound !== false);
    useBox();
  },
  facts: () => {
    const path = link.path;
    const way = { direct: "Straight to the box", erp: "Through the server", none: "None" }[path.way];
    return [["Way to the box", way + ms(path.ms)], ...(path.why ? [["Not straight, because", path.why]] : [])];
  },
  closed: takeWaiting,
});

function save() {
  store.saveSale(sale);
}

function draw(fresh = null) {
  lines.draw(sale, fresh);
  const empty = sale.lines.length === 0;
  $("[data-clear]").disabled = empty || sales.locked(sale);
  const button = $("[data-pay]");
  button.disabled = empty;
  $("span", button).textContent = sale.pay ? "Show the payment" : "Pay cash";
}

function edit(change) {
  change();
  save();
  draw();
}

function newSale() {
  sale = sales.newSale();
  save();
  draw();
}

function added(product, key, how = "") {
  save();
  draw(key);
  sound.good();
  alerts.hide("unknown");
  alerts.say(`${product.name} ${how}, total ${money(plain(sales.total(sale)))}`);
}

function choose(product) {
  if (sales.locked(sale)) {
    alerts.show("locked", "info", "This sale is being paid.", { actions: [{ words: "Show the payment", run: () => pay.begin() }] });
    return;
  }
  if (!product.to_weight) return added(product, sales.addPiece(sale, product));
  if (!setup.scale) {
    sound.bad();
    alerts.show("scale", "warn", `${product.name} is sold by weight, and this till has no scale.`, { actions: [{ words: "Choose devices", run: () => devices.begin() }] });
    return;
  }
  weigh.begin(product, lastWeight.get(setup.scale) ?? null);
}

function unknownCode(code) {
  sound.bad();
  const text = code.length > 60 ? `${code.slice(0, 60)}… (${code.length} characters)` : code;
  const shown = document.createElement("span");
  shown.className = "code";
  shown.textContent = text.replace(/[\p{Cc}]/gu, "\u{fffd}");
  const words = document.createDocumentFragment();
  words.append("No product has the barcode ", shown);
  alerts.show("unknown", "bad", words);
}

function scanned(code) {
  // A sheet is open: the scan is kept, not lost, and counts when it closes.
  if (weigh.open || pay.open || devices.open) {
    if (pay.open && sale.pay?.state === "done") {
      pay.sheet.close();
    } else {
      waitFor(code);
      alerts.show("waiting", "info", `${waiting.length} ${waiting.length === 1 ? "scan waits" : "scans wait"} until this is finished.`);
      return;
    }
  }
  if (sales.locked(sale)) {
    waitFor(code);
    alerts.show("locked", "warn", "A sale is still being paid; the scan waits.", { actions: [{ words: "Show the payment", run: () => pay.begin() }] });
    return;
  }
  const product = products.find(code);
  if (product) choose(product);
  else unknownCode(code);
}

function waitFor(code) {
  waiting.push(code);
  store.saveWaiting(waiting);
}

function takeWaiting() {
  alerts.hide("waiting");
  if (sales.locked(sale)) return;
  alerts.hide("locked");
  while (waiting.length && !weigh.open && !pay.open && !devices.open) scanned(waiting.shift());
  store.saveWaiting(waiting);
}

link.addEventListener("event", ({ detail: event }) => {
  store.saveSeen(seen.marks);
  if (event.type !== "barcode" || (setup.scanner && event.device !== setup.scanner)) return;
  if (event.late) return late(event.data.text);
  scanned(event.data.text);
});

let lateCodes = [];
function late(code) {
  lateCodes.push(code);
  const n = lateCodes.length;
  alerts.show("late", "warn", `${n} ${n === 1 ? "scan comes" : "scans come"} minutes late. Not added.`, {
    actions: [
      {
        words: "Add them",
        run: () => {
          const codes = lateCodes;
          lateCodes = [];
          codes.forEach(scanned);
        },
      },
      { words: "Drop them", run: () => (lateCodes = []) },
    ],
    firm: true,
  });
}

link.addEventListener("notstored", ({ detail: { event } }) => {
  alerts.show("notstored", "bad", "The box's disk is full: scans pass, but are not stored. Tell whoever looks after the box.", { firm: true });
  if (event?.type === "barcode") scanned(event.data.text);
});

link.addEventListener("live", ({ detail: live }) => {
  if (live.type !== "weight") return;
  lastWeight.set(live.device, live.data);
  if (live.device === setup.scale) weigh.live(live.data);
});

link.addEventListener("box", ({ detail: row }) => {
  const at = boxes.findIndex((b) => b.box_id === row.box_id);
  const before = boxes[at];
  if (at >= 0) boxes[at] = { ...before, ...row };
  else boxes.push(row);
  if (row.box_id !== setup.box) return;
  // The page's policy names the addresses it may talk to: new ones need a new page. The sale survives that.
  const allowed = app.dataset.urls.split(" ");
  if (row.urls.some((u) => !allowed.includes(u)) && !pay.open && !weigh.open) return location.reload();
  if (JSON.stringify(before?.urls) !== JSON.stringify(row.urls)) useBox();
});

function ms(value) {
  return value === null ? "" : ` · ${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

link.addEventListener("path", () => {
  const path = link.path;
  const pill = $("[data-path]");
  pill.dataset.path = path.way;
  const words = setup.box ? { direct: "Direct to box", erp: "Through server", none: configured ? "No connection" : "Connecting" }[path.way] : "No box chosen";
  const text = words + ms(path.ms);
  const el = $("[data-path-words]");
  if (el.textContent !== text) el.textContent = text;
  pill.title = path.why;
  place();
});

let deafTimer = 0;
let deafSaid = "";
let troubleSaid = "";
function place() {
  const box = boxes.find((b) => b.box_id === setup.box);
  const printer = link.devices.get(setup.printer);
  const button = $("[data-setup-open]");
  $("[data-place]").textContent = box ? [box.name, printer?.name].filter(Boolean).join(" · ") : "Choose devices";
  const failing = (d) => d && !["ready", "warning", "connecting"].includes(d.status);
  // Where every scanner counts, one that works is enough.
  const scanners = setup.scanner ? [link.devices.get(setup.scanner)] : [...link.devices.values()].filter((d) => d.class === "scanner");
  const deafScanners = scanners.every(failing) ? scanners : [];
  const trouble = [...[setup.printer, setup.scale].map((id) => id && link.devices.get(id)), ...deafScanners].find(failing);
  button.classList.toggle("warn", Boolean(trouble) || !box);
  if (trouble && link.path.way !== "none") {
    const words = `${trouble.name}: ${sentence(trouble.message || trouble.status)}`;
    // Said once: a notice that was put away stays away until there is another thing to say.
    if (troubleSaid !== words) alerts.show("device", "warn", words);
    troubleSaid = words;
  } else {
    alerts.hide("device");
    troubleSaid = "";
  }
  // A blink is not worth a notice.
  const deaf = link.path.way === "none" && configured && setup.box;
  if (deaf && deafSaid && deafSaid !== link.path.why) sayDeaf();
  else if (deaf) deafTimer ||= setTimeout(sayDeaf, 2500);
  else {
    clearTimeout(deafTimer);
    deafTimer = 0;
    deafSaid = "";
    alerts.hide("deaf");
  }
}

function sayDeaf() {
  deafSaid = link.path.why;
  alerts.show("deaf", "bad", `This till hears nothing: ${deafSaid}. Items can be touched; scans and prints wait.`, { firm: true });
}

function useBox() {
  const box = boxes.find((b) => b.box_id === setup.box);
  if (!box) return place();
  link.use(box);
  place();
}

async function configure() {
  let config;
  try {
    config = await request("GET", "/till/config");
  } catch (error) {
    if (error.status === 401) return;
    alerts.show("config", "bad", error instanceof Unreachable ? "The server does not answer; the products cannot be loaded. Trying again…" : sentence(error.message), { firm: true });
    setTimeout(configure, 3000);
    return;
  }
  alerts.hide("config");
  format = new Intl.NumberFormat("en", { style: "currency", currency: config.currency || "EUR" });
  boxes = config.boxes.filter((b) => b.state !== "unpaired");
  configured = true;
  products.set(config.products);
  if (!config.products.length) alerts.show("config", "info", "There are no products yet.");
  if (!boxes.some((b) => b.box_id === setup.box) && boxes.length) {
    const box = boxes.find((b) => b.online) ?? boxes[0];
    setup = { ...setup, box: box.box_id, ...defaults(box) };
    store.saveSetup(setup);
  } else {
    // A device that was added since the till was set up.
    const box = boxes.find((b) => b.box_id === setup.box);
    const ready = defaults(box);
    for (const kind of ["scale", "printer"]) if (setup[kind] === undefined || (!setup[kind] && !box?.devices.some((d) => d.identifier === setup[kind]))) setup[kind] ||= ready[kind];
  }
  if (!boxes.length) alerts.show("nobox", "info", "No box is connected: items can be touched, but nothing is scanned or printed.");
  useBox();
  link.catchUp();
  draw();
  takeWaiting();
  if (sale.pay?.state === "running") {
    pay.begin();
  } else if (sale.pay) {
    alerts.show("locked", "warn", "The last sale is not finished.", { actions: [{ words: "Show the payment", run: () => pay.begin() }] });
  }
}

/** Messages were missed: what the server says now of the boxes. */
async function renewBoxes() {
  try {
    const config = await request("GET", "/till/config");
    boxes = config.boxes.filter((b) => b.state !== "unpaired");
    products.set(config.products);
    const box = boxes.find((b) => b.box_id === setup.box);
    if (box) link.renew(box);
  } catch {
    // The next reconnection asks again.
  }
}
bus.onState((state, missed) => state === "on" && missed && configured && renewBoxes());

$("[data-pay]").addEventListener("click", () => pay.begin());
$("[data-clear]").addEventListener("click", () => {
  const kept = sale;
  if (sales.locked(sale)) return;
  newSale();
  alerts.show("cleared", "info", "The sale was cleared.", {
    actions: [
      {
        words: "Undo",
        run: () => {
          if (sale.lines.length) return;
          sale = kept;
          save();
          draw();
        },
      },
    ],
  });
});
$("[data-drawer]").addEventListener("click", async (e) => {
  const button = e.currentTarget;
  if (button.getAttribute("aria-busy")) return;
  if (!setup.printer) return alerts.show("drawer", "warn", "No printer is chosen; the drawer hangs on it.", { actions: [{ words: "Choose devices", run: () => devices.begin() }] });
  button.setAttribute("aria-busy", "true");
  const outcome = await link.command(setup.printer, { do: "open_drawer" }, 5000);
  button.removeAttribute("aria-busy");
  const tone = { done: "ok", rejected: "bad", unknown: "warn" }[outcome.outcome];
  alerts.show("drawer", tone, `Drawer: ${[outcome.outcome, outcome.reason].filter(Boolean).join(" · ")}${outcome.message ? `: ${sentence(outcome.message)}` : ""}`);
  if (outcome.outcome === "done") setTimeout(() => alerts.hide("drawer"), 4000);
});

for (const button of $$("[data-show]")) {
  button.addEventListener("click", () => {
    app.dataset.shown = button.dataset.show;
    for (const b of $$("[data-show]")) b.setAttribute("aria-pressed", String(b === button));
  });
}
app.dataset.shown = "products";

addEventListener("keydown", (e) => {
  const open = $("dialog[open]");
  if (e.key === "F2") {
    e.preventDefault();
    if (!open) pay.begin();
  } else if (e.key === "/" && !open && !/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) {
    e.preventDefault();
    $('[data-show="products"]').click();
    products.search.focus();
  }
});

document.addEventListener("signed-out", () => {
  const next = encodeURIComponent("/till");
  alerts.show("out", "bad", "You are signed out. The sale is kept in this browser.", { actions: [{ words: "Sign in", run: () => location.assign(`/web/login?next=${next}`) }], firm: true });
});

// Another tab of the same browser sells: two pages must not write over each other's sale.
addEventListener("storage", (e) => {
  if (e.key !== "till.sale" || pay.open) return;
  sale = store.loadSale() ?? sales.newSale();
  draw();
});
// Marks count as fresh while the page lives.
setInterval(() => store.saveSeen(seen.marks), 10000);
addEventListener("pagehide", () => store.saveSeen(seen.marks));

sound.enable(setup.sound !== false);
draw();
bus.start();
configure();
