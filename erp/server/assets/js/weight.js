// What a scale's display shows, in the words of every page.

const WORDS = {
  stable: "Stable",
  motion: "In motion",
  zero: "Zero",
  under_zero: "Under zero: empty the plate, then zero the scale",
  over_capacity: "Too heavy for this scale",
  zero_range: "Out of zero range: empty the plate, switch the scale off and on",
  silent: "The scale does not answer",
};
const SHORT = { ...WORDS, under_zero: "Under zero", over_capacity: "Too heavy", zero_range: "Out of zero range", silent: "No answer" };

export const conditionWords = (condition) => WORDS[condition] ?? condition;

/** Writes a live weight into the row of its device, on Devices and on a box's page. */
export function showWeight(box, live) {
  if (live?.type !== "weight") return;
  const row = document.querySelector(`tr[data-box="${CSS.escape(box)}"][data-device="${CSS.escape(live.device)}"]`);
  const reading = row?.querySelector("[data-reading]");
  if (!reading) return;
  const { condition, weight } = live.data;
  reading.dataset.condition = condition;
  reading.querySelector(".reading-value").textContent = weight ? `${weight.weight} ${weight.unit}` : "–";
  reading.querySelector(".reading-word").textContent = SHORT[condition] ?? condition;
}
