// The view Compare: chosen runs on the page that the report writes.

import { address, ask } from "./api.js";
import { at, chosenChips, fillChips, showTrouble } from "./dom.js";

const MOST = 6; // runs, as the server allows
const FIRST = 2; // chosen when the view is opened
const MARGIN = 48; // pixels under the report
const PROMISE = "The page of digitforge compare --no-measure: with the figures that the models carry.";
const UNDRAWN = "the report could not be drawn; see whether digitforge studio still runs in its terminal.";

let isBuilt = false;
const grown = new ResizeObserver(fit); // as where a part of the report is opened

/** Shows the view with the runs that have anything to show; one that the address names is chosen. */
export async function openCompare(wanted) {
  if (!isBuilt) build();
  const runs = (await ask("runs")).filter((run) => run.recipe && run.images > 0).map((run) => run.name);
  const before = chosenChips(at("comparable")).filter((name) => runs.includes(name));
  const [others, room] = before.length ? [before, MOST] : [runs.slice(0, FIRST), FIRST];
  const chosen = runs.includes(wanted) ? [wanted, ...others.filter((name) => name !== wanted)].slice(0, room) : others;
  fillChips(at("comparable"), "checkbox", "run", runs.map((name) => [name, name]), chosen);
  at("compare-hint").textContent = runs.length ? PROMISE : "There are no runs yet: train one first.";
  at("choose-runs").querySelector("button").disabled = !runs.length;
  fit(); // it may have come while another view was shown
}

function build() {
  isBuilt = true;
  at("choose-runs").addEventListener("submit", compare);
  at("report").addEventListener("load", arrived);
  addEventListener("resize", fit);
}

function compare(event) {
  event.preventDefault();
  const chosen = chosenChips(at("comparable"));
  if (!chosen.length || chosen.length > MOST) {
    showTrouble(`Choose one to ${MOST} runs, not ${chosen.length}.`);
    return;
  }
  showTrouble("");
  at("compare-hint").textContent = "Drawing the curves …";
  const query = new URLSearchParams(chosen.map((name) => ["run", name]));
  at("report").src = `${address("compare")}?${query}`; // by its address, since it brings a policy of its own
}

/** Shows the report, or why there is none. */
function arrived() {
  const page = at("report").contentDocument;
  if (page?.URL === "about:blank") return;
  if (!page) { // a browser's own page, as nobody answered
    at("report").hidden = true;
    at("compare-hint").textContent = "";
    showTrouble(UNDRAWN);
    return;
  }
  const isReport = page.contentType === "text/html";
  at("report").hidden = !isReport;
  at("compare-hint").textContent = isReport ? PROMISE : "";
  grown.disconnect();
  if (isReport) grown.observe(page.body);
  else showTrouble(refusal(page.body.textContent));
}

/** What a refusal says, which is JSON where the studio wrote it. */
function refusal(text) {
  try {
    return JSON.parse(text).error ?? UNDRAWN;
  } catch {
    return UNDRAWN;
  }
}

/** Gives the report all its height, so that the page scrolls and not a window in it. */
function fit() {
  const report = at("report");
  const body = report.contentDocument?.body;
  if (!at("compare").hidden && !report.hidden && body) report.style.height = `${Math.ceil(body.getBoundingClientRect().height) + MARGIN}px`;
}
