// Devices: live, with a filter that works on what is shown.
import { $, $$, refresh } from "./dom.js";
import { showWeight } from "./weight.js";
import * as bus from "./bus.js";

const form = $("[data-filters]");
const none = $("[data-none-match]");

function filter() {
  const { q, class: kind, state } = Object.fromEntries(new FormData(form));
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  const rows = $$("tr[data-key]");
  for (const row of rows) {
    const d = row.dataset;
    const ok =
      words.every((w) => d.text.includes(w)) &&
      (!kind || d.class === kind) &&
      (!state || (state === "ok" ? d.tone === "ok" : d.tone === "warn" || d.tone === "bad"));
    row.hidden = !ok;
    if (ok) shown += 1;
  }
  none.hidden = shown > 0 || rows.length === 0;
  const table = $(".device-table");
  if (table) table.hidden = shown === 0 && rows.length > 0;
}

form.addEventListener("input", filter);
form.addEventListener("submit", (e) => e.preventDefault());
document.addEventListener("refreshed", filter);
filter();

let busy = false;
let again = false;
async function update() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  do {
    again = false;
    await refresh("devices");
    await new Promise((done) => setTimeout(done, 100));
  } while (again);
  busy = false;
}

bus.onMessage((m) => {
  if (m.msg === "live") showWeight(m.box, m.live);
  if (m.msg === "device" || m.msg === "box") update();
});
bus.onState((state, missed) => state === "on" && missed && update());
