// The view Train: begin a run, see all runs, and watch one.

import { ask, AWAY, tell } from "./api.js";
import { at, chosenChips, fillChips, fillSelect, make, rest, saidImages, showTrouble, takeBack, wake } from "./dom.js";
import { recheck, unwatch, watch } from "./watched.js";

const LENGTHS = [["15", "15 s"], ["60", "1 min"], ["300", "5 min"], ["900", "15 min"], ["3600", "1 h"], ["", "as the recipe says"]];
const STATES = {
  starting: "starting", training: "training", pausing: "pausing", finishing: "measuring", stopping: "stopping", elsewhere: "in training",
  paused: "paused", broken: "broken off", stopped: "stopped", finished: "finished", failed: "failed",
};
const REFRESH = 4000; // milliseconds between two looks at the list of runs

let choices = null;
let filling = null; // the promise of a form that is filled
let turn = 0; // of the view being shown: only the newest counts
let watched = "";
let listed = ""; // the runs as they were last told
let missed = ""; // why the list could not be had

/** Shows the view, with a run to watch if the address names one. */
export async function openTrain(run) {
  turn += 1;
  const mine = turn;
  filling ??= fillForm();
  await filling.catch((error) => {
    filling = null; // to be tried again
    throw error;
  });
  const runs = await listRuns();
  if (mine !== turn) return;
  const named = (name) => runs.find((each) => each.name === name);
  const chosen = named(run) ?? named(watched) ?? runs[0];
  watched = chosen?.name ?? "";
  mark();
  if (chosen) watch(chosen.name, listRuns);
  else unwatch();
}

async function fillForm() {
  choices = await ask("choices");
  fillSelect(at("recipe"), choices.recipes.map((each) => [each.name, each.name]), "express");
  fillSelect(at("data"), choices.data.map((each) => [each.name, each.name]), "mnist");
  fillChips(at("lengths"), "radio", "seconds", LENGTHS, ["60"]);
  at("recipe").addEventListener("change", () => {
    at("data").value = chosenRecipe().data; // what it was made for
    explain();
  });
  at("data").addEventListener("change", explain);
  at("new-run").addEventListener("submit", begin);
  at("new-run").addEventListener("invalid", (event) => { // else a browser says nothing of a field in a closed part
    const part = event.target.closest("details");
    if (part) part.open = true;
  }, true);
  explain();
  setTimeout(look, REFRESH);
}

/** Looks at the list of runs now and then, the next time a while after the answer. */
async function look() {
  if (!at("train").hidden && !document.hidden) {
    try {
      await listRuns();
      takeBack(missed, AWAY);
      missed = "";
    } catch (error) {
      missed = error.message;
      showTrouble(missed);
    }
  }
  setTimeout(look, REFRESH);
}

const chosenRecipe = () => choices.recipes.find((each) => each.name === at("recipe").value);

function explain() {
  const recipe = chosenRecipe();
  const data = choices.data.find((each) => each.name === at("data").value);
  const origin = recipe.document === "ours" ? "Our own" : `From document ${recipe.document}`;
  at("recipe-hint").textContent = `${recipe.summary}. ${origin}.`;
  const first = data.is_fetched ? " Fetched first." : " Made on this machine first.";
  at("data-hint").textContent = `${data.description[0].toUpperCase()}${data.description.slice(1)}.${data.is_here ? "" : first}`;
  fillChips(at("run-digits"), "checkbox", "digits", data.labels.map((label) => [label, label]), chosenChips(at("run-digits")));
  at("run-digits").parentElement.hidden = !data.labels.length;
}

async function begin(event) {
  event.preventDefault();
  const button = event.submitter ?? event.target.querySelector("button[type=submit]");
  if (!rest(button)) return;
  const [seconds] = chosenChips(at("lengths"));
  const wish = {
    recipe: at("recipe").value,
    data: at("data").value,
    digits: chosenChips(at("run-digits")),
    seconds: seconds ? Number(seconds) : null,
    seed: Number(at("run-seed").value),
    name: at("run-name").value || null,
  };
  try {
    const { name } = await tell("runs", wish);
    at("run-name").value = "";
    location.hash = `train/${name}`;
    if (watched === name) await openTrain(name);
    at("watched").scrollIntoView({ block: "nearest" });
  } catch (error) {
    showTrouble(error.message);
  } finally {
    wake(button);
  }
}

async function listRuns() {
  const runs = await ask("runs");
  const state = runs.find((run) => run.name === watched)?.state;
  if (state) recheck(state);
  const told = JSON.stringify(runs);
  if (told === listed) { // else a link that has the focus would lose it
    mark();
    return runs;
  }
  listed = told;
  const focused = at("runs").contains(document.activeElement) ? document.activeElement.hash : "";
  const items = runs.map((run) => {
    const link = make("a", { href: `#train/${run.name}` }, make("span", { className: "name", textContent: run.name }), " ", pill(run));
    const what = run.recipe ? `${run.recipe} on ${run.data}, ${saidImages(run)} images` : run.problem;
    return make("li", {}, link, make("small", { textContent: what }));
  });
  if (!items.length) items.push(make("li", { className: "hint", textContent: "None yet: start one above." }));
  at("runs").replaceChildren(...items);
  [...at("runs").querySelectorAll("a")].find((link) => focused && link.hash === focused)?.focus();
  mark();
  return runs;
}

function mark() {
  for (const link of at("runs").querySelectorAll("a")) {
    if (link.hash === `#train/${watched}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** A word for where a run stands. */
export function pill(run) {
  const state = run.state === "paused" && run.problem ? "broken" : run.state;
  return make("span", { className: `pill ${state}`, textContent: STATES[state] ?? state });
}
