// Connect: the list of waiting boxes, the code, the token.
import { $, $$, Refused, notice, refresh, request, sentence } from "./dom.js";
import { waited } from "./time.js";
import * as bus from "./bus.js";

const form = $("[data-pair]");
if (form) ready();

function ready() {
  const code = $("#code");
  const error = $("#code-error");
  const button = $("button[type=submit]", form);
  const progress = $("[data-progress]");
  const paired = $("[data-paired]");
  let asking = false;

  // A clock of our own for "waiting 74 s"; the server's number is the beginning.
  const began = performance.now();
  const stamp = () => {
    for (const el of $$("[data-since]")) {
      el.dataset.from ??= String(performance.now() - Number(el.dataset.since) * 1000);
      el.textContent = waited(Math.max(0, Math.floor((performance.now() - Number(el.dataset.from)) / 1000)));
    }
  };
  stamp(began);
  setInterval(stamp, 1000);

  let busy = false;
  const update = async () => {
    if (busy || paired.hidden === false) return;
    busy = true;
    const chosen = form.session?.value;
    await refresh("pending");
    for (const el of $$("[data-since]")) delete el.dataset.from;
    stamp();
    const radios = $$("input[name=session]");
    if (radios.length && !radios.some((r) => r.checked)) (radios.find((r) => r.value === chosen) ?? radios[0]).checked = true;
    busy = false;
  };
  bus.onMessage((m) => m.msg === "pending" && update());
  bus.onState((state, missed) => state === "on" && missed && update());
  // Boxes that stop asking make no noise.
  setInterval(() => document.hidden || update(), 10000);

  code.addEventListener("input", () => {
    error.replaceChildren();
    code.removeAttribute("aria-invalid");
    if (code.selectionStart !== code.value.length) return;
    const plain = code.value.toUpperCase().replace(/[^0-9A-Z]/g, "").slice(0, 8);
    code.value = plain.length > 4 ? `${plain.slice(0, 4)}-${plain.slice(4)}` : plain;
  });

  const fail = (words, tone = "bad") => {
    error.replaceChildren(notice(tone, words));
    code.setAttribute("aria-invalid", "true");
    code.focus();
    code.select();
  };

  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    if (asking) return;
    const typed = code.value.toUpperCase().replace(/[^0-9A-Z]/g, "");
    if (typed.length !== 8) return fail(typed ? `A code has 8 letters and digits; this one has ${typed.length}.` : "Type the code that the box shows.");
    const session = $("input[name=session]:checked")?.value;
    if (!session) return fail("No box is waiting for a code. Start the box (unplug it for ten seconds) or press New code on its page; it then appears above.", "warn");
    asking = true;
    error.replaceChildren();
    button.setAttribute("aria-busy", "true");
    button.setAttribute("aria-disabled", "true");
    const label = $("span", button);
    const words = label.textContent;
    label.textContent = button.dataset.busyWords;
    progress.textContent = "The box and this server check each other's code. This takes a few seconds.";
    try {
      const box = await request("POST", "/iot/connect", { session, code: typed }, { timeout: 30000 });
      form.hidden = true;
      paired.hidden = false;
      $("[data-paired-name]").textContent = `${box.name ?? "The box"} is connected`;
      $("[data-paired-link]").href = box.box_id ? `/iot/boxes/${box.box_id}` : "/iot/boxes";
      paired.focus();
    } catch (problem) {
      fail(sentence(problem.message), problem instanceof Refused && problem.status < 500 ? "bad" : "warn");
      update();
    } finally {
      asking = false;
      button.removeAttribute("aria-busy");
      button.removeAttribute("aria-disabled");
      label.textContent = words;
      progress.textContent = "";
    }
  });

  $("[data-again]").addEventListener("click", () => {
    paired.hidden = true;
    form.hidden = false;
    code.value = "";
    update();
    code.focus();
  });

  const token = $("#token");
  const make = $("[data-token]");
  const copy = $("[data-copy]");
  const status = $("[data-token-status]");
  make.addEventListener("click", async () => {
    make.disabled = true;
    $("[data-token-error]").replaceChildren();
    try {
      token.value = (await request("POST", "/iot/token", {})).token;
      copy.hidden = false;
      make.hidden = true;
      status.textContent = "Made. It is shown only now and connects one box within the hour.";
      copy.focus();
    } catch (problem) {
      $("[data-token-error]").replaceChildren(notice("bad", sentence(problem.message)));
    }
    make.disabled = false;
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(token.value);
      status.textContent = "Copied.";
      $("span", copy).textContent = "Copied";
      setTimeout(() => ($("span", copy).textContent = "Copy"), 2000);
    } catch {
      token.focus();
      token.select();
      status.textContent = "This browser does not let pages copy: press Ctrl+C, the token is selected.";
    }
  });
}
