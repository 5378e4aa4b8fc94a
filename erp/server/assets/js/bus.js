// The server's push channel, `/web/ws`: one socket a page, reconnected with growing pauses.

const listeners = new Set();
const states = new Set();
let socket = null;
let pause = 500;
let timer = 0;
let state = "connecting";
let wasOn = false;

/** Calls `f(message)` for each BusMessage. */
export function onMessage(f) {
  listeners.add(f);
}

/** Calls `f(state, again)`: connecting, on, off (server away) or out (signed out). `again`: messages were missed. */
export function onState(f) {
  states.add(f);
  f(state, false);
}

export function start() {
  if (socket || state === "out") return;
  clearTimeout(timer);
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/web/ws`);
  socket = mine;
  mine.onopen = () => {
    pause = 500;
    const again = wasOn;
    wasOn = true;
    say("on", again);
  };
  mine.onmessage = ({ data }) => {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    // The server could not tell everything: whoever shows records reads them again.
    if (message.msg === "reload") say("on", true);
    else for (const f of listeners) f(message);
  };
  mine.onclose = async () => {
    socket = null;
    if (state === "out") return;
    say("off", false);
    if (await signedOut()) {
      document.dispatchEvent(new CustomEvent("signed-out"));
      return;
    }
    timer = setTimeout(start, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, 15000);
  };
}

async function signedOut() {
  try {
    const response = await fetch("/web/session", { headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(4000) });
    return response.status === 401;
  } catch {
    return false;
  }
}

function say(next, again) {
  state = next;
  for (const f of states) f(state, again);
}

document.addEventListener("signed-out", () => {
  if (state === "out") return;
  say("out", false);
  socket?.close();
});
// A laptop that wakes, a cable that is back: do not wait for the pause to end.
for (const event of ["online", "pageshow"]) addEventListener(event, () => state === "off" && start());
document.addEventListener("visibilitychange", () => !document.hidden && state === "off" && start());
