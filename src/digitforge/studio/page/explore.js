// The view Explore: walk through latents, go between two digits, and ask the discriminator.

import { ask } from "./api.js";
import { anySeed, at, fillSelect, make, newestOnly, onceAtATime, say, showTrouble, whenQuiet } from "./dom.js";
import { openEye, saidOpinion } from "./eye.js";
import { chooseModel } from "./models.js";
import { cut, tilesOf } from "./tiles.js";

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FARTHEST = 50; // steps, as the server allows

let model = null;
let isBuilt = false;
let place = { x: 0, y: 0, seed: 0 };
let ways = { seed: 0, answer: null };

/** Shows the view, with the model that the address names. */
export async function openExplore(wanted) {
  if (!isBuilt) build();
  await take(wanted);
}

function build() {
  isBuilt = true;
  at("explored").addEventListener("change", () => take(at("explored").value).catch((error) => showTrouble(error.message)));
  at("walk-digit").addEventListener("change", look);
  at("stride").addEventListener("input", whenQuiet(look));
  at("elsewhere").addEventListener("click", () => {
    place = { x: 0, y: 0, seed: anySeed() };
    look();
  });
  at("walk").addEventListener("keydown", (event) => {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    step(...STEPS[event.key]);
  });
  at("start").addEventListener("change", () => {
    if (isWhole()) at("end").value = at("start").value;
    go();
  });
  at("end").addEventListener("change", go);
  at("other-ways").addEventListener("click", () => {
    ways.seed = anySeed();
    go();
  });
  at("share").addEventListener("input", showStop);
}

async function take(wanted) {
  const chosen = await chooseModel(at("explored"), wanted, model);
  if (!chosen) return;
  model = chosen;
  const digits = model.can_choose ? model.labels : [];
  const walked = at("walk-digit").value;
  fillSelect(at("walk-digit"), model.is_told ? digits : [["", "any"]], digits.includes(walked) ? walked : digits[3 % digits.length]);
  fillSelect(at("start"), digits, digits.includes(at("start").value) ? at("start").value : digits[3 % digits.length]);
  const end = digits.includes(at("end").value) ? at("end").value : digits[8 % digits.length];
  fillSelect(at("end"), digits, isWhole() ? at("start").value : end);
  for (const id of ["start", "end", "other-ways", "share"]) at(id).disabled = !digits.length || (id === "end" && isWhole());
  place = { ...place, x: 0, y: 0 };
  ways.answer = null;
  at("between").replaceChildren();
  at("between-hint").textContent = digits.length ? "" : "This model can’t be asked for a digit.";
  await Promise.all([look(), go(), openEye(model)]);
}

/** Whether a model is told its digit and draws nothing between two, as a set of specialists. */
const isWhole = () => model.is_told && !model.can_blend;

function step(right, down, from = place) {
  const bounded = (value) => Math.min(Math.max(value, -FARTHEST), FARTHEST);
  place = { ...from, x: bounded(from.x + right), y: bounded(from.y + down) };
  look();
}

/** Looks around; while an answer is awaited only the newest place is remembered, as a held key asks for many. */
const look = onceAtATime(newestOnly(async (signal) => {
  if (!model) return; // the first one could not be had
  const from = place;
  const wish = { model: model.name, digit: at("walk-digit").value || null, stride: at("stride").value, ...from };
  const answer = await ask("walk", wish, signal);
  const middle = (answer.count - 1) / 2;
  const tiles = tilesOf(answer);
  tiles.forEach((tile, number) => {
    const [right, down] = [(number % answer.columns) - (answer.columns - 1) / 2, Math.floor(number / answer.columns) - (answer.columns - 1) / 2];
    tile.classList.toggle("here", number === middle);
    if (answer.scores) tile.append(bar(answer, number));
    tile.addEventListener("click", () => step(right, down, from)); // to what is seen there, wherever one is by then
  });
  at("walk").replaceChildren(...tiles);
  at("walk").setAttribute("aria-label", `Drawings around you, ${from.x} steps right and ${from.y} down of where you began`);
  say(at("walk-hint"), answer.scores
    ? `The bar under each drawing is the discriminator’s opinion: the longer, the more real. ${saidOpinion(answer.scores[middle], answer.probabilities?.[middle])}`
    : "The discriminator’s opinion of each drawing is shown for runs of your own that have finished.");
}));

/** The opinion of one drawing, as long as its share between the least and the most real one here, or as its chance. */
function bar(answer, number) {
  const [least, most] = [Math.min(...answer.scores), Math.max(...answer.scores)];
  const length = answer.probabilities ? answer.probabilities[number] : (answer.scores[number] - least) / Math.max(most - least, 1e-9);
  const filled = make("i");
  filled.style.width = `${Math.round(100 * length)}%`;
  return make("span", { className: "opinion" }, filled);
}

const go = newestOnly(async (signal) => {
  if (!model?.can_choose) return;
  const wish = { model: model.name, start: at("start").value, end: at("end").value, seed: ways.seed };
  ways.answer = await ask("between", wish, signal);
  at("share").max = ways.answer.stops - 1;
  at("between").replaceChildren(...tilesOf(ways.answer, 0, ways.answer.paths));
  showStop();
});

function showStop() {
  const { answer } = ways;
  if (!answer) return;
  const stop = Number(at("share").value);
  [...at("between").children].forEach((tile, path) => cut(tile, answer, stop * answer.paths + path));
  const percent = Math.round((100 * stop) / (answer.stops - 1));
  at("share").setAttribute("aria-valuetext", `${percent} %`);
  const [start, end] = [at("start").value, at("end").value];
  const way = start === end ? `From one ${start} to another: ${percent} % of the way.` : `${100 - percent} % ${start}, ${percent} % ${end}.`;
  at("between-hint").textContent = isWhole() ? `${way} This model draws nothing between two different ones.` : way;
}
