// The view Generate: digits and numbers from a model, to look at and to take away.

import { address, ask } from "./api.js";
import { anySeed, at, chosenChips, fillChips, newestOnly, onceAtATime, said, showTrouble, whenQuiet } from "./dom.js";
import { chooseModel, saidModel } from "./models.js";
import { tilesOf } from "./tiles.js";

const FEW = 26; // labels that a sentence lists

let model = null;
let isBuilt = false;

/** Shows the view, with the model that the address names. */
export async function openGenerate(wanted) {
  if (!isBuilt) build();
  await take(wanted);
}

function build() {
  isBuilt = true;
  const [soon, digitsSoon, numberSoon] = [redraw, redrawDigits, drawNumber].map((draw) => whenQuiet(draw));
  for (const id of ["variety", "seed"]) at(id).addEventListener("input", soon);
  at("count").addEventListener("input", digitsSoon);
  at("digits").addEventListener("change", digitsSoon);
  at("number").addEventListener("input", () => {
    at("number").value = at("number").value.replace(/[^0-9]/g, "");
    numberSoon();
  });
  at("another").addEventListener("click", () => {
    at("seed").value = anySeed();
    redraw();
  });
  at("model").addEventListener("change", () => take(at("model").value).catch((error) => showTrouble(error.message)));
  at("wish").addEventListener("submit", (event) => {
    event.preventDefault();
    redraw();
  });
}

async function take(wanted) {
  const chosen = await chooseModel(at("model"), wanted, model);
  if (!chosen) return;
  model = chosen;
  at("model-hint").textContent = saidModel(model);
  const [before] = chosenChips(at("digits"));
  const labels = model.can_choose ? model.labels : [];
  fillChips(at("digits"), "radio", "digit", [["", "any"], ...labels.map((label) => [label, label])], [labels.includes(before) ? before : ""]);
  redraw();
}

function redraw() {
  at("variety-said").value = Number(at("variety").value).toFixed(2);
  at("variety-hint").textContent = saidVariety(Number(at("variety").value));
  redrawDigits();
  drawNumber();
}

function redrawDigits() {
  at("count-said").value = at("count").value;
  drawDigits();
}

// What was asked for is drawn, even if nobody waits for it any more: so nothing is asked before the last answer is there.
const drawDigits = onceAtATime(newestOnly(async (signal) => {
  if (!model) return; // the first one could not be had
  const [digit] = chosenChips(at("digits"));
  const wish = { model: model.name, digit: digit || null, count: at("count").value, ...chance() };
  for (const kind of ["png", "npz", "zip"]) at(`take-${kind}`).href = address(`digits.${kind}`, wish);
  const answer = await ask("digits", wish, signal);
  at("drawn").replaceChildren(...tilesOf(answer));
  at("drawn").setAttribute("aria-label", `Drawn digits: ${answer.labels.join(" ")}`);
  const picked = answer.drawn > answer.count ? ` Of ${said(answer.drawn)} drawings, those that a classifier read as ${digit}.` : "";
  at("drawn-hint").textContent = `${said(answer.count)} digits from seed ${wish.seed}.${picked}`;
}));

const drawNumber = onceAtATime(newestOnly(async (signal) => {
  const text = at("number").value;
  if (!model) return;
  if (!text) {
    offer(at("take-number"), "");
    at("written").replaceChildren();
    at("number-hint").textContent = "Nothing typed yet.";
    return;
  }
  const known = model.can_choose ? model.labels : [];
  const unknown = [...text].filter((digit) => !known.includes(digit));
  if (unknown.length) {
    offer(at("take-number"), "");
    at("written").replaceChildren();
    at("number-hint").textContent = known.length ? `This model draws ${listed(known)}, and no ${unknown[0]}.` : "This model can’t be asked for a digit.";
    return;
  }
  const wish = { model: model.name, text, ...chance() };
  offer(at("take-number"), address("number.png", wish));
  const answer = await ask("number", wish, signal);
  at("written").replaceChildren(...tilesOf(answer));
  at("written").setAttribute("aria-label", `${text} in drawn digits`);
  at("number-hint").textContent = "";
}));

/** Has a link lead somewhere, or nowhere by mouse and keyboard alike. */
function offer(link, href) {
  if (href) {
    link.href = href;
    link.removeAttribute("aria-disabled");
  } else {
    link.removeAttribute("href");
    link.setAttribute("aria-disabled", "true");
  }
}

/** Labels as a sentence names them: all of a few, of many the ends. */
const listed = (labels) => (labels.length > FEW ? `${said(labels.length)} labels, ${labels[0]} to ${labels.at(-1)}` : labels.join(", "));

const chance = () => ({ seed: at("seed").value || "0", variety: at("variety").value });

function saidVariety(variety) {
  if (variety < 0.05) return "None: the one average digit, again and again.";
  if (variety < 0.95) return "Less than in training: cleaner, and more alike.";
  if (variety <= 1.05) return "As in training.";
  return "More than in training: wilder, and sometimes no digit at all.";
}
