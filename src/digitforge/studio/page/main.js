// The studio's page: four views, one of which is shown; the address says which.

import { at, showTrouble } from "./dom.js";
import { openCompare } from "./compare.js";
import { openExplore } from "./explore.js";
import { openGenerate } from "./generate.js";
import { openTrain } from "./train.js";

const views = { train: openTrain, generate: openGenerate, explore: openExplore, compare: openCompare };

let turn = 0; // of views that are shown: only the newest may be clicked
let shown = ""; // the view; none before the first

/** Shows the view that the address names: "#train", or "#train/RUN" with what is watched there. */
async function show() {
  const [wanted, detail] = asWritten(location.hash.slice(1)).split("/");
  const name = Object.hasOwn(views, wanted) ? wanted : "train";
  turn += 1;
  const mine = turn;
  for (const other of Object.keys(views)) at(other).hidden = other !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const heading = at(`${name}-title`);
  document.title = `${heading.textContent} - digitforge studio`;
  const isAnother = shown && shown !== name;
  shown = name;
  showTrouble("");
  try {
    await views[name](detail ?? "");
  } catch (error) {
    if (mine === turn) showTrouble(error.message);
  }
  if (mine !== turn) return;
  at(name).inert = false; // until a view has what it shows, nothing on it can be clicked
  const isThere = at("view") === document.activeElement || at(name).contains(document.activeElement);
  if (isAnother && !isThere) heading.focus(); // so that it is read aloud
}

/** An address's words; "" where its escapes are none. */
function asWritten(hash) {
  try {
    return decodeURIComponent(hash);
  } catch {
    return "";
  }
}

addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view, which stays
  at("view").focus();
});
await show();
