// Events: new rows slide in at the top; older ones on demand.
import { $, fragment, refresh } from "./dom.js";
import { localise } from "./time.js";
import * as bus from "./bus.js";

const place = $('[data-fragment="events"]');
const pause = $("[data-pause]");
const waiting = $("[data-waiting]");
const said = $("[data-announce]");
const MOST = 1000;
let paused = false;
let behind = 0;
let fetching = false;
let again = false;

const rows = () => $("[data-rows]", place);
const newest = () => rows()?.firstElementChild?.dataset.id ?? "0";

/** Brings in what is newer than the top row. */
async function bring() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  do {
    again = false;
    if (!rows()) {
      await refresh("events");
      continue;
    }
    const html = await fragment({ after: newest() });
    const fresh = html ? [...html.querySelectorAll("tr[data-id]")] : [];
    const body = rows();
    for (const row of fresh.reverse()) {
      if (body.querySelector(`[data-id="${row.dataset.id}"]`)) continue;
      const mine = document.importNode(row, true);
      mine.classList.add("new");
      localise(mine);
      body.prepend(mine);
    }
    while (body.children.length > MOST) body.lastElementChild.remove();
    if (fresh.length === 1) {
      const cells = fresh[0].querySelector(".cell-content");
      said.textContent = `New: ${cells?.textContent ?? ""}`;
    } else if (fresh.length > 1) {
      said.textContent = `${fresh.length} new events`;
    }
    // As many as one answer holds: there may be more.
    if (fresh.length >= 100) again = true;
  } while (again);
  fetching = false;
  behind = 0;
  waiting.hidden = true;
}

function arrived() {
  if (!paused) return bring();
  behind += 1;
  $("[data-waiting-count]").textContent = behind;
  waiting.hidden = false;
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", paused);
  $("span", pause).textContent = paused ? "Paused" : "Pause";
  if (!paused) bring();
});
waiting.addEventListener("click", bring);
$("[data-submit]")?.addEventListener("change", (e) => e.target.form.requestSubmit());

place.addEventListener("click", async (e) => {
  const more = e.target.closest("[data-more]");
  if (!more) return;
  more.disabled = true;
  const html = await fragment({ before: rows().lastElementChild.dataset.id });
  more.disabled = false;
  if (!html) return;
  const older = [...html.querySelectorAll("tr[data-id]")];
  for (const row of older) {
    const mine = document.importNode(row, true);
    localise(mine);
    rows().append(mine);
  }
  if (!html.querySelector("[data-more]")) more.parentElement.remove();
  rows().querySelector(`[data-id="${older[0]?.dataset.id}"] a`)?.focus({ preventScroll: true });
});

bus.onMessage((m) => {
  if (m.msg !== "event") return;
  const wanted = place.dataset.device;
  if (!wanted || wanted === `${m.box}/${m.event.device}`) arrived();
});
bus.onState((state, missed) => state === "on" && missed && arrived());
