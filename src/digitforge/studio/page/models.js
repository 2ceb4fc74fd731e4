// Models: what can draw, for the views that draw with one.

import { ask } from "./api.js";
import { fillSelect, said } from "./dom.js";

const turns = new Map(); // by <select>: how often a model was chosen there

/**
 * Fills a <select> with the models that there are, and gives what the chosen one can do; null where another is chosen
 * meanwhile. Where the chosen one can't be had, the select names the model that is still shown, if there is any.
 */
export async function chooseModel(select, wanted, shown) {
  const turn = (turns.get(select) ?? 0) + 1;
  turns.set(select, turn);
  try {
    const names = await ask("models");
    if (turns.get(select) !== turn) return null;
    fillSelect(select, names.map((name) => [name, name === "pretrained" ? "pretrained, in the package" : name]), wanted || select.value || names[0]);
    const model = await ask(`models/${select.value}`);
    return turns.get(select) === turn ? model : null;
  } catch (error) {
    if (turns.get(select) !== turn) return null; // nobody waits for that one any more
    if (shown) select.value = shown.name;
    throw error;
  }
}

/** A sentence on a model. */
export function saidModel(model) {
  return `${model.recipe} on ${model.data}, ${said(model.images)} images. ${saidChoice(model)}`;
}

function saidChoice(model) {
  if (model.labels.length === 1) return `It draws ${model.labels[0]} alone.`;
  if (model.is_told) return "It is told which digit to draw.";
  if (model.can_choose) return "It is not told which digit to draw: a classifier picks them out.";
  return "It is not told what to draw, and nothing reads its images yet: digitforge evaluate trains a classifier that does, for a studio that is started then.";
}
