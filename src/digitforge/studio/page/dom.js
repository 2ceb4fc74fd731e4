// Elements of the page: found, made, and filled.

/** The element with an id. */
export const at = (id) => document.getElementById(id);

/** A new element with properties (`data-...` and `aria-...` as attributes) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Options of a <select>; what was chosen stays chosen where it is still there. */
export function fillSelect(select, values, chosen = select.value) {
  select.replaceChildren(...values.map((value) => {
    const [key, text] = Array.isArray(value) ? value : [value, value];
    return make("option", { value: key, textContent: text });
  }));
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}

/** Radio buttons or checkboxes that look like chips: [value, text] each. */
export function fillChips(box, type, name, values, chosen = []) {
  box.replaceChildren(...values.map(([value, text]) => {
    const input = make("input", { type, name, value, checked: chosen.includes(value) });
    return make("label", { className: "chip" }, input, make("span", { textContent: text }));
  }));
}

/** The values of the chips that are chosen. */
export const chosenChips = (box) => [...box.querySelectorAll("input:checked")].map((input) => input.value);

/** A number as people read it. */
export const said = (number) => Math.round(number).toLocaleString("en");

/** How many images a run has seen; its last batch may go a little beyond what was asked for. */
export const saidImages = (run) => (run.images < run.total ? `${said(run.images)} of ${said(run.total)}` : said(run.images));

/** A time in seconds as people say it. */
export function saidTime(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Shows what went wrong at the top of the page; "" when all is well. */
export function showTrouble(sentence) {
  const [box, text] = [at("trouble"), asSentence(sentence)];
  box.hidden = !text;
  say(box, text);
}

/** Has an element say something; the same words once more are left alone, else they would be read aloud again. */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Takes sentences away that are shown no more with reason; another one stays. */
export function takeBack(...sentences) {
  if (sentences.map(asSentence).includes(at("trouble").textContent)) showTrouble("");
}

const asSentence = (words) => (words ? words[0].toUpperCase() + words.slice(1) : "");

/** Has a button do nothing for now, and keep the focus; whether it was awake. */
export function rest(button) {
  if (button.getAttribute("aria-disabled")) return false;
  button.setAttribute("aria-disabled", "true");
  return true;
}

/** Has a button do again what it does. */
export const wake = (button) => button.removeAttribute("aria-disabled");

/** A seed that chance chose, short enough to be noted down. */
export const anySeed = () => Math.floor(Math.random() * 100000);

/** A function that acts once its calls have paused for a moment. */
export function whenQuiet(act, milliseconds = 120) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
}

/** A function that works once at a time; while it does, it only remembers that it was called again. */
export function onceAtATime(work) {
  let [isAtWork, isAsked] = [false, false];
  return async () => {
    isAsked = true;
    if (isAtWork) return;
    isAtWork = true;
    try {
      while (isAsked) {
        isAsked = false;
        await work();
      }
    } finally {
      isAtWork = false;
    }
  };
}

/** A function of which only the newest call counts: `work(signal)` is given up by the next one, or by giveUp(). */
export function newestOnly(work) {
  let running = new AbortController();
  let hasTrouble = false; // of its own, which alone it takes away
  const act = async (...given) => {
    running.abort();
    running = new AbortController();
    const mine = running;
    try {
      await work(mine.signal, ...given);
      if (!mine.signal.aborted && hasTrouble) showTrouble("");
      if (!mine.signal.aborted) hasTrouble = false;
    } catch (error) {
      if (mine.signal.aborted) return;
      hasTrouble = true;
      showTrouble(error.message);
    }
  };
  act.giveUp = () => running.abort();
  return act;
}
