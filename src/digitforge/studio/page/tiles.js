// Tiles: drawn digits, cut from one picture that the server sent.

import { make } from "./dom.js";

/** Elements that show images `from` to `to` of an answer's picture. */
export function tilesOf(answer, from = 0, to = answer.count) {
  return Array.from({ length: to - from }, (_, place) => cut(make("span", { className: "tile" }), answer, from + place));
}

/** Has an element show one image of an answer's picture. */
export function cut(element, answer, place) {
  const rows = Math.ceil(answer.count / answer.columns);
  const [row, column] = [Math.floor(place / answer.columns), place % answer.columns];
  element.style.backgroundImage = `url("${answer.picture}")`;
  element.style.backgroundSize = `${answer.columns * 100}% ${rows * 100}%`;
  element.style.backgroundPosition = `${share(column, answer.columns)}% ${share(row, rows)}%`;
  return element;
}

const share = (place, places) => (places > 1 ? (100 * place) / (places - 1) : 0);
