// Notices over the products: each has a key, so that a second one of a kind replaces the first.
import { $, h, icon } from "../dom.js";

const place = () => $("[data-alerts]");

/** `actions`: [{words, run}]; every notice can be put away unless it is `firm`. */
export function show(key, tone, words, { actions = [], firm = false } = {}) {
  const note = h(
    "div",
    { class: `till-alert ${tone}`, "data-alert": key },
    h("p", {}, icon(tone === "bad" || tone === "warn" ? "alert" : tone === "ok" ? "check" : "info"), h("span", {}, words)),
    actions.map(({ words: label, run }) => h("button", { class: "button", type: "button", onclick: () => (hide(key), run()) }, label)),
    firm ? null : h("button", { class: "button", type: "button", onclick: () => hide(key) }, "Dismiss"),
  );
  const old = $(`[data-alert="${key}"]`, place());
  if (old) old.replaceWith(note);
  else place().append(note);
}

export function hide(key) {
  $(`[data-alert="${key}"]`, place())?.remove();
}

/** For screen readers only. */
export function say(words) {
  $("[data-say]").textContent = words;
}
