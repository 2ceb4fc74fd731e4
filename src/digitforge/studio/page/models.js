// Models: what can draw, for the views that draw with one.

import { ask } from "./api.js";
import { fillSelect, said } from "./dom.js";

/** Fills a <select> with the models that there are, and gives what the chosen one can do. */
export async function chooseModel(select, wanted = "") {
  const names = await ask("models");
  fillSelect(select, names.map((name) => [name, name === "pretrained" ? "pretrained, in the package" : name]), wanted || select.value || names[0]);
  return ask(`models/${select.value}`);
}

/** A sentence on a model. */
export function saidModel(model) {
  const told = model.is_told ? "It is told which digit to draw." : "It is not told which digit to draw: a classifier picks them out.";
  return `${model.recipe} on ${model.data}, ${said(model.images)} images. ${told}`;
}
