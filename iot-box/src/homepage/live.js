// Keeps the overview fresh: every two seconds the parts marked data-live are asked for and those that changed are
// exchanged. A part in which somebody is typing or has something open stays as it is.
"use strict";

const EVERY_MS = 2000;

function busy(part) {
  return part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
    || part.querySelector("details[open]") !== null;
}

async function refresh() {
  if (document.hidden) return;
  let answer;
  try {
    answer = await fetch("/live", { headers: { accept: "text/html" } });
  } catch {
    document.documentElement.dataset.connection = "lost";
    return;
  }
  delete document.documentElement.dataset.connection;
  if (answer.status === 401) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const shown = document.getElementById(part.id);
    if (!shown || shown.innerHTML === part.innerHTML || busy(shown)) continue;
    const focused = shown.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    shown.replaceWith(document.adoptNode(part));
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }
}

function count() {
  for (const clock of document.querySelectorAll("[data-seconds]")) {
    const left = Math.max(0, Number(clock.dataset.seconds) - 1);
    clock.dataset.seconds = String(left);
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
}

if (document.querySelector("[data-live]")) {
  setInterval(refresh, EVERY_MS);
  setInterval(count, 1000);
  document.addEventListener("visibilitychange", refresh);
}
