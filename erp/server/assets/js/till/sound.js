// Short tones: one for a scan that counted, two low ones for one that did not.
let context = null;
let on = true;

export function enable(value) {
  on = value;
}

// Browsers let pages sound only after the first touch.
for (const event of ["pointerdown", "keydown"]) {
  addEventListener(event, () => {
    context ??= new AudioContext();
    if (context.state === "suspended") context.resume();
  });
}

function tone(hertz, from, length, volume) {
  const at = context.currentTime + from;
  const wave = context.createOscillator();
  const gain = context.createGain();
  wave.frequency.value = hertz;
  wave.type = "triangle";
  gain.gain.setValueAtTime(volume, at);
  gain.gain.exponentialRampToValueAtTime(0.001, at + length);
  wave.connect(gain).connect(context.destination);
  wave.start(at);
  wave.stop(at + length);
}

function play(...tones) {
  if (!on || !context || context.state !== "running") return;
  for (const t of tones) tone(...t);
}

export const good = () => play([1320, 0, 0.09, 0.12]);
export const bad = () => play([330, 0, 0.18, 0.25], [247, 0.2, 0.28, 0.25]);
