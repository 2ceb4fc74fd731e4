// The studio's page: four views, one of which is shown; the address says which.

import { at, showTrouble } from "./dom.js";
import { openCompare } from "./compare.js";
import { openExplore } from "./explore.js";
import { openGenerate } from "./generate.js";
import { openTrain } from "./train.js";

const views = { train: openTrain, generate: openGenerate, explore: openExplore, compare: openCompare };

let turn = 0; // of views that are shown: only the newest may be clicked

/** Shows the view that the address names: "#train", or "#train/RUN" with what is watched there. */
async function show() {
  const [wanted, detail] = decodeURIComponent(location.hash.slice(1)).split("/");
  const name = wanted in views ? wanted : "train";
  turn += 1;
  const mine = turn;
  for (const other of Object.keys(views)) at(other).hidden = other !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  showTrouble("");
  try {
    await views[name](detail ?? "");
  } catch (error) {
    showTrouble(error.message);
  }
  if (mine === turn) at(name).inert = false; // until a view has what it shows, nothing on it can be clicked
}

addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view, which stays
  at("view").focus();
});
await show();
