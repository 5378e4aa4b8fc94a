// On every page: times in the reader's zone, menus, dialogs, the live pill.
import { $, $$ } from "./dom.js";
import { localise } from "./time.js";
import * as bus from "./bus.js";

localise();
setInterval(localise, 20000);
document.addEventListener("refreshed", (e) => localise(e.target));

for (const menu of $$("[data-menu]")) {
  document.addEventListener("click", (e) => menu.contains(e.target) || menu.removeAttribute("open"));
  menu.addEventListener("keydown", (e) => {
    if (e.key !== "Escape" || !menu.open) return;
    menu.removeAttribute("open");
    $("summary", menu).focus();
  });
}

document.addEventListener("click", (e) => {
  const opener = e.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();
  const closer = e.target.closest("[data-close]");
  if (closer) closer.closest("dialog")?.close();
});

const pill = $(".live");
if (pill) {
  const words = { connecting: "Connecting", on: "Live", off: "Reconnecting", out: "Signed out" };
  bus.onState((state) => {
    pill.dataset.live = state;
    $(".live-word", pill).textContent = words[state];
    if (state === "out") location.assign(`/web/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  });
  bus.start();
}
