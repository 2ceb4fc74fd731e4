// The eye: what a discriminator says of a digit that is drawn by hand.

import { ask, tell } from "./api.js";
import { anySeed, at, make, newestOnly, say, whenQuiet } from "./dom.js";
import { cut } from "./tiles.js";

const SIDE = 112; // pixels of a drawing as the server takes it
const PEN = 34; // pixels of the paper's 448: a stroke of MNIST is two of 28 wide

let run = "";
let isBuilt = false;
let last = null; // where the pen was
let hasInk = false;

/** Readies the paper for a model's discriminator, or for the newest run's where the model has none of its own. */
export async function openEye(model) {
  if (!isBuilt) build();
  borrow.giveUp();
  run = model.judges_drawings ? model.name : (await ask("judges/newest")).name;
  at("borrow").hidden = !run;
  if (!run) {
    sayInstead("There is no discriminator to ask yet. Every run on grey digits of 28 by 28 leaves one when it has finished: train one, then come back.");
  } else if (hasInk) judge();
  else sayInstead(`The discriminator of ${run} waits for a digit.`);
}

function build() {
  isBuilt = true;
  const paper = at("paper");
  const soon = whenQuiet(judge, 250);
  wipe();
  paper.addEventListener("pointerdown", (event) => {
    paper.setPointerCapture(event.pointerId);
    borrow.giveUp(); // nothing may be drawn over what a hand draws
    last = where(event);
    stroke(last);
  });
  paper.addEventListener("pointermove", (event) => {
    if (last) for (const each of event.getCoalescedEvents?.() ?? [event]) stroke(where(each));
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    paper.addEventListener(kind, () => {
      if (last) soon();
      last = null;
    });
  }
  at("wipe").addEventListener("click", () => {
    borrow.giveUp();
    wipe();
    at("verdict").replaceChildren();
    judge(); // which gives up what is still asked
  });
  at("borrow").addEventListener("click", borrow);
}

function where(event) {
  const paper = at("paper");
  const box = paper.getBoundingClientRect();
  return [((event.clientX - box.left) * paper.width) / box.width, ((event.clientY - box.top) * paper.height) / box.height];
}

function stroke(to) {
  const pen = at("paper").getContext("2d");
  Object.assign(pen, { strokeStyle: "#fff", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(to[0] + 0.01, to[1]); // a dot is a line, too
  pen.stroke();
  last = to;
  hasInk = true;
}

function wipe() {
  const pen = at("paper").getContext("2d");
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, at("paper").width, at("paper").height);
  hasInk = false;
}

/** Draws one of the generator's own digits on the paper, which those who have no pointer can judge as well. */
const borrow = newestOnly(async (signal) => {
  const answer = await ask("digits", { model: run, count: 1, seed: anySeed() }, signal);
  const picture = new Image();
  picture.src = answer.picture;
  await picture.decode();
  if (signal.aborted) return;
  wipe();
  at("paper").getContext("2d").drawImage(picture, 0, 0, at("paper").width, at("paper").height);
  hasInk = true;
  await judge();
});

const judge = newestOnly(async (signal) => {
  if (!run || !hasInk) return;
  if (!at("verdict").querySelector(".verdict")) sayInstead("It looks at your digit …");
  try {
    const answer = await tell("opinion", { run, pixels: pixels() });
    if (signal.aborted) return;
    at("verdict").replaceChildren(...verdict(answer));
    say(at("verdict-said"), saidOpinion(answer.score, answer.probability));
  } catch (error) {
    if (!signal.aborted) at("verdict").replaceChildren();
    throw error;
  }
});

/** Says a sentence where there is no verdict. */
function sayInstead(sentence) {
  at("verdict").replaceChildren(make("p", { className: "hint", textContent: sentence }));
}

/** The drawing as the server takes it: a byte a pixel, in base64. */
function pixels() {
  const small = make("canvas", { width: SIDE, height: SIDE }).getContext("2d", { willReadFrequently: true });
  small.imageSmoothingQuality = "high";
  small.drawImage(at("paper"), 0, 0, SIDE, SIDE);
  const { data } = small.getImageData(0, 0, SIDE, SIDE);
  let letters = "";
  for (let place = 0; place < data.length; place += 4) letters += String.fromCharCode(data[place]);
  return btoa(letters);
}

function verdict(answer) {
  const seen = cut(make("span", { className: "tile seen", role: "img", "aria-label": "Your digit in 28 by 28 pixels" }), answer, 0);
  const reading = answer.read ? `Read as a ${answer.read}${answer.sureness > 0.995 ? "" : `, ${Math.round(answer.sureness * 100)} % sure`}.` : "No classifier reads these images.";
  const told = answer.asked_as === null ? "" : ` It was told that this is a ${answer.asked_as}.`;
  const parts = [
    make("div", { className: "row top" }, seen, make("div", {},
      make("p", { className: "verdict", textContent: saidOpinion(answer.score, answer.probability) }),
      make("p", { className: "hint", textContent: `${reading}${told}` }))),
    scale(answer),
  ];
  if (answer.by_label.length > 1) parts.push(byLabel(answer));
  parts.push(make("p", { className: "hint", textContent: "The small picture is what the networks see: 28 by 28 pixels, centred by its weight, as in MNIST." }));
  return parts;
}

/** An opinion in words. */
export function saidOpinion(score, probability) {
  if (probability === null || probability === undefined) return `Its score is ${score.toFixed(2)}: the higher, the more real.`;
  const percent = Math.round(probability * 100);
  return `${percent} % sure that this is real.`;
}

/** Where a score lies among the usual ones of real and of drawn digits. */
function scale(answer) {
  const bands = [["real digits", answer.scale.real, "a"], ["its generator’s", answer.scale.fake, "b"]].filter(([, band]) => band);
  const all = [answer.score, ...bands.flatMap(([, band]) => band)];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const at100 = (value) => (100 * (value - low)) / Math.max(high - low, 1e-9);
  const rows = bands.map(([title, [from, to], colour]) => {
    const band = make("i", { className: `band ${colour}` });
    band.style.left = `${at100(from)}%`;
    band.style.width = `${Math.max(at100(to) - at100(from), 1)}%`;
    const words = `${title}: eight in ten from ${from.toFixed(2)} to ${to.toFixed(2)}; yours: ${answer.score.toFixed(2)}`;
    return make("div", { className: "line", role: "img", "aria-label": words }, make("span", { textContent: title }), make("span", { className: "track" }, band, needle(at100(answer.score))));
  });
  return make("div", { className: "scale" }, make("p", { className: "hint", textContent: "Your score, the line, among the usual ones (eight in ten lie within a band):" }), ...rows);
}

function needle(percent) {
  const line = make("i", { className: "needle" });
  line.style.left = `${percent}%`;
  return line;
}

/** What it would have said, had it been told another digit. */
function byLabel(answer) {
  const scores = answer.by_label.map((each) => each.score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const columns = answer.by_label.map(({ label, score }) => {
    const column = make("i", {});
    column.style.height = `${8 + (92 * (score - low)) / Math.max(high - low, 1e-9)}%`;
    return make("span", { className: label === answer.asked_as ? "told" : "", title: `${label}: ${score.toFixed(2)}` }, make("span", { className: "room" }, column), label);
  });
  const words = answer.by_label.map(({ label, score }) => `as ${label} ${score.toFixed(2)}`).join(", ");
  return make("div", {}, make("p", { className: "hint", textContent: "How real it looks to it as each digit:" }),
    make("div", { className: "columns", role: "img", "aria-label": words }, ...columns));
}
