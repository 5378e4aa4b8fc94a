// Boxes, and one box: the pieces that changed are fetched again.
import { $, refresh } from "./dom.js";
import { showWeight } from "./weight.js";
import * as bus from "./bus.js";

const name = $('[data-fragment="box"]') ? "box" : "boxes";
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
    await refresh(name);
    await new Promise((done) => setTimeout(done, 150));
  } while (again);
  busy = false;
}

bus.onMessage((m) => {
  if (m.msg === "box" || m.msg === "device") update();
  if (m.msg === "live") showWeight(m.box, m.live);
});
bus.onState((state, missed) => state === "on" && missed && update());
