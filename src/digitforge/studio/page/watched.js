// The run that is watched: its picture growing from noise to digits, its curves, and what it says of itself.

import { address, ask, AWAY, tell } from "./api.js";
import { chart, key } from "./charts.js";
import { at, make, rest, said, saidImages, saidTime, say, showTrouble, wake } from "./dom.js";
import { pill } from "./train.js";

const FILM_STEP = 260; // milliseconds a picture when a run's history is played
const MAY = {
  training: ["pause", "stop"], starting: ["stop"], paused: ["resume", "stop"], stopped: ["resume"],
};
const WORDS = {
  pause: ["Pause", "Saves everything and frees the processor"],
  resume: ["Go on", "Trains on from where it was saved"],
  stop: ["Stop", "Ends the run here and makes a model of what it has learned"],
};
const WAITING = {
  starting: "Reading the data, and measuring how fast this machine is. The first picture comes in some seconds.",
  finishing: "All images have been seen. Now the model is written and, where its drawings can be read, measured on ten thousand of them.",
  pausing: "Saving its state. This takes as long as what it has under way.",
  stopping: "Making a model of what was learned so far.",
  elsewhere: "Another program trains this run; it can be watched here, and steered there.",
};
const ENDED = {
  finished: "It has finished, and left a model in its folder.",
  stopped: "It was stopped before its end, and has a model of what it had learned.",
  paused: "It is paused: all of it is saved, and it can go on.",
};
const SILENT = "Diagnosis: none of the faults that show in a run’s own numbers.";
const CROWDED = "too many pages watch at once; close one, and reload this one.";

let source = null; // the stream of events that is listened to
let name = "";
let run = null; // as it was last told
let shown = null; // images of the sheet that is looked at; null: always the newest
let film = 0; // the timer of a history that plays
let isLoading = false; // whether a picture is on its way
let measured = null; // what a finished run's model came to; null while nobody asked
let changed = () => {};
let isAway = false; // whether the page says so

/** Watches a run until another one is watched; `whenChanged` is called when its state is another. */
export function watch(wanted, whenChanged) {
  changed = whenChanged;
  if (wanted === name && source && source.readyState !== EventSource.CLOSED) return;
  unwatch();
  name = wanted;
  build();
  listen();
}

/** Listens again where a run that was told in full has another state by now, as where somebody else goes on with it. */
export function recheck(state) {
  if (run && run.state !== state && source?.readyState === EventSource.CLOSED && !document.hidden) listen();
}

/** Watches nothing. */
export function unwatch() {
  source?.close();
  clearInterval(film);
  if (isAway) showTrouble("");
  isAway = false;
  [source, name, run, shown, film, isLoading, measured] = [null, "", null, null, 0, false, null];
  at("watched").replaceChildren(
    make("div", { className: "card empty" },
      make("h2", { textContent: "Nothing is being trained yet" }),
      make("p", { textContent: "Press Start training. The generator begins with noise, since it has never seen a digit; "
        + "all that it learns, it learns from what the discriminator says. You will watch the same hundred drawings, "
        + "and see them become digits." })),
  );
}

function listen() {
  source?.close();
  source = new EventSource(address(`runs/${name}/events`));
  const mine = source;
  source.onerror = async () => { // it goes on trying by itself, unless it was refused
    if (mine !== source) return;
    isAway = true;
    if (mine.readyState !== EventSource.CLOSED) {
      showTrouble(AWAY);
      return;
    }
    try {
      await ask(`runs/${name}`);
      if (mine === source) showTrouble(CROWDED);
    } catch (error) {
      if (mine === source) showTrouble(error.message);
    }
  };
  source.onopen = () => {
    if (isAway) showTrouble("");
    isAway = false;
  };
  source.onmessage = (event) => {
    const before = run?.state;
    run = JSON.parse(event.data);
    render();
    if (run.state !== before) changed();
    if (!(run.state in WAITING) && run.state !== "training") source.close(); // told in full; nothing more will come
  };
}

// A page that nobody sees hears nothing: a browser keeps only six connections open, for all its pages together.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) source?.close();
  else if (name) listen();
});

function build() {
  at("watched").replaceChildren(
    make("div", { className: "card" },
      make("div", { className: "title" }, make("h2", { id: "run-title", tabIndex: -1, textContent: name }), make("span", { id: "run-pill" }), make("div", { id: "run-buttons", className: "row" })),
      make("p", { id: "run-what", className: "hint" }),
      make("progress", { id: "run-progress", max: 1, value: 0, "aria-label": "Images seen" }),
      make("p", { id: "run-numbers", className: "numbers" }),
      make("p", { id: "run-waiting", className: "hint", role: "status" }),
      make("p", { id: "run-problem", className: "problem", role: "status", hidden: true })),
    make("div", { className: "stage", id: "run-stage", hidden: true },
      make("div", { className: "column" },
        make("figure", { className: "card sheet" },
          make("h3", { textContent: "What it draws" }),
          make("img", { id: "sheet", alt: "" }),
          make("div", { className: "row film" },
            make("button", { id: "play", type: "button", textContent: "Play", title: "From the first picture to the newest" }),
            make("input", { id: "when", type: "range", min: 0, max: 0, value: 0, "aria-label": "When in the training" }),
            make("label", { className: "tick" }, make("input", { id: "real", type: "checkbox" }), " real digits")),
          make("figcaption", { id: "sheet-caption", className: "hint" })),
        make("p", { id: "run-diagnosis", className: "diagnosis", hidden: true })),
      make("div", { id: "run-charts" })),
  );
  at("when").addEventListener("input", () => {
    stopFilm();
    const place = Number(at("when").value);
    shown = place === run.sheets.length - 1 ? null : run.sheets[place];
    renderSheet();
  });
  at("play").addEventListener("click", () => (film ? stopFilm() : playFilm()));
  at("real").addEventListener("change", renderSheet);
}

function render() {
  at("run-pill").replaceChildren(pill(run));
  at("run-what").textContent = run.recipe ? `${run.recipe} on ${run.data}${run.digits.length ? `, only ${run.digits.join(", ")}` : ""}, seed ${run.seed}. ${run.summary ?? ""}.` : "";
  const hasTrouble = Boolean(run.problem) && run.state !== "starting"; // which then says all that there is to say
  const words = hasTrouble && run.state === "paused" ? [] : [WAITING[run.state] ?? ENDED[run.state], !hasTrouble && run.problem];
  say(at("run-waiting"), words.filter(Boolean).join(" "));
  at("run-problem").hidden = !hasTrouble;
  say(at("run-problem"), run.problem);
  at("run-progress").value = run.total ? Math.min(1, run.images / run.total) : 0;
  at("run-progress").hidden = run.state === "finished" || run.state === "failed";
  at("run-numbers").replaceChildren(...numbers());
  if (run.state === "finished" && !measured) measure();
  renderButtons();
  at("run-stage").hidden = !run.sheets?.length;
  if (run.sheets?.length) renderSheet();
  if (run.curves) at("run-charts").replaceChildren(...charts());
  renderDiagnosis();
}

/** Asks once what a finished run's model came to; of a damaged one the view Generate tells. */
async function measure() {
  const mine = name;
  measured = {};
  const model = await ask(`models/${mine}`).catch(() => ({}));
  if (name !== mine || !run) return;
  measured = model;
  at("run-numbers").replaceChildren(...numbers());
}

function numbers() {
  const facts = [[saidImages(run), "images seen"]];
  if (run.seconds) facts.push([saidTime(run.seconds), "of training"]);
  if (run.speed && run.state === "training") facts.push([said(run.speed), "images a second"]);
  if (run.left) facts.push([saidTime(run.left), "left"]);
  if (measured?.floors) facts.push([`${Number(measured.floors.toPrecision(2)).toLocaleString("en")} times`, "the distance of other real digits"]);
  if (measured?.read_as_asked) facts.push([`${(100 * measured.read_as_asked).toFixed(1)} %`, "read as the digit asked for"]);
  return run.total ? facts.map(([value, what]) => make("span", {}, make("b", { textContent: value }), ` ${what}`)) : [];
}

function renderButtons() {
  const wanted = MAY[run.state] ?? [];
  const buttons = wanted.map((verb) => {
    const button = make("button", { type: "button", textContent: WORDS[verb][0], title: WORDS[verb][1] });
    button.addEventListener("click", () => steer(verb, button));
    return button;
  });
  if (run.state === "finished" || run.state === "stopped") {
    buttons.push(make("a", { className: "button", href: `#generate/${name}`, textContent: "Generate with it" }));
    buttons.push(make("a", { className: "button", href: `#compare/${name}`, textContent: "Compare it" }));
  }
  const box = at("run-buttons");
  const same = [...box.children].map((each) => each.textContent).join() === buttons.map((each) => each.textContent).join();
  if (same) return; // else the one that has the focus would lose it
  const focused = box.contains(document.activeElement) ? document.activeElement.textContent : "";
  box.replaceChildren(...buttons);
  if (focused) (buttons.find((each) => each.textContent === focused) ?? at("run-title")).focus();
}

async function steer(verb, button) {
  if (!rest(button)) return;
  const [mine, before] = [name, run.state];
  at("run-waiting").textContent = { pause: "Saving its state …", stop: "Saving its state, then making a model …", resume: "Starting again …" }[verb];
  try {
    await tell(`runs/${mine}/${verb}`);
    if (name !== mine) return; // another one is watched by now
    showTrouble("");
    if (before === "starting") { // it had not begun, and is gone
      if (location.hash === "#train") dispatchEvent(new HashChangeEvent("hashchange")); // shown anew all the same
      else location.hash = "train";
      return;
    }
  } catch (error) {
    showTrouble(error.message);
  } finally {
    wake(button);
  }
  if (name === mine) listen();
}

function renderSheet() {
  const images = shown !== null && run.sheets.includes(shown) ? shown : run.sheets.at(-1);
  const isReal = at("real").checked && run.has_real;
  const wanted = address(isReal ? `runs/${name}/real.png` : `runs/${name}/sheets/${images}.png`);
  at("when").max = run.sheets.length - 1;
  at("when").value = run.sheets.indexOf(images);
  at("when").setAttribute("aria-valuetext", `after ${said(images)} images`);
  const picture = at("sheet");
  if (picture.dataset.wanted === wanted) return;
  picture.dataset.wanted = wanted;
  isLoading = true;
  const next = new Image(); // shown when it is there, so that nothing flickers
  const isLate = () => !picture.isConnected || picture.dataset.wanted !== wanted;
  next.onload = () => {
    if (isLate()) return;
    isLoading = false;
    picture.src = next.src;
    picture.alt = isReal ? "Real digits in the same layout" : `What the generator drew after ${said(images)} images`;
    at("sheet-caption").textContent = isReal
      ? "Real digits that it learns from: what the discriminator holds the drawings against."
      : `After ${said(images)} images. The random numbers behind each place stay the same: what changes is what the generator makes of them.`;
  };
  next.onerror = () => {
    if (isLate()) return;
    [isLoading, picture.dataset.wanted] = [false, ""]; // to be asked for again
    at("sheet-caption").textContent = "This picture can’t be had now; the one above is another.";
  };
  next.src = wanted;
}

function playFilm() {
  let place = 0;
  at("real").checked = false;
  at("play").textContent = "Halt";
  film = setInterval(() => {
    if (isLoading) return; // over a slow line the film waits for its pictures
    shown = run.sheets[place];
    renderSheet();
    place += 1;
    if (place >= run.sheets.length) stopFilm(true);
  }, FILM_STEP);
}

function stopFilm(hasEnded = false) {
  clearInterval(film);
  film = 0;
  if (hasEnded) shown = null;
  at("play").textContent = "Play";
}

function charts() {
  const curve = (quantity, title, colour) => ({ name: title, colour, points: run.curves[quantity] ?? [] });
  const panels = [
    ["How often the discriminator is right", [curve("accuracy.real_train", "real", "a"), curve("accuracy.real_held_out", "real, never seen", "c"), curve("accuracy.fake", "drawn", "b")], { low: 0, high: 1, percent: true },
      "At 50 % it can only guess; near 100 % nothing fools it."],
    ["Losses", [curve("loss.generator", "generator", "b"), curve("loss.discriminator", "discriminator", "a")], {},
      "What each network tries to make small. They pull against each other: a low loss alone says little."],
    ["Distance from real digits", [curve("figures.frechet", "Fréchet distance", "a")], { low: 0 },
      "How far its drawings are, as a crowd, from real ones. Lower is better."],
  ];
  return panels.map(([title, curves, options, hint]) => {
    const told = curves.filter(({ points }) => points.length);
    if (!told.length) return "";
    return make("figure", { className: "card chart" }, make("h3", { textContent: title }), key(told, options.percent),
      chart(title, told, { whole: run.total, ...options }), make("figcaption", { className: "hint", textContent: hint }));
  });
}

function renderDiagnosis() {
  const box = at("run-diagnosis");
  box.hidden = !run.is_diagnosed;
  if (!run.is_diagnosed) return;
  box.classList.toggle("wrong", run.diagnosis.length > 0);
  const silence = run.curves["figures.frechet"] ? `${SILENT} How good the drawings are, the distance tells.` : SILENT;
  box.textContent = run.diagnosis.join(" ") || (run.is_early ? "Diagnosis: too early to tell." : silence);
}
