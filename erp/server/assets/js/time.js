// Moments in the reader's own zone. The server writes UTC into <time datetime>.

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function words(at, style, now = new Date()) {
  if (style === "date") return date.format(at);
  if (style === "full") return full.format(at);
  if (style === "time") {
    const today = at.toDateString() === now.toDateString();
    return today ? clock.format(at) : at.getFullYear() === now.getFullYear() ? `${day.format(at)}, ${clock.format(at)}` : full.format(at);
  }
  const s = Math.round((now - at) / 1000);
  if (s < -60) return full.format(at);
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return date.format(at);
}

export function localise(root = document) {
  for (const el of root.querySelectorAll("time[data-when]")) {
    const at = new Date(el.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = words(at, el.dataset.when);
    if (el.textContent !== text) el.textContent = text;
    el.title = full.format(at);
  }
}

export function waited(s) {
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min`;
}
