// Charts: curves over the images that a run has seen, as SVG that takes its colours from the style sheet.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [340, 150, 40, 6, 8, 19];
const MOST_LINES = 4; // across a chart, so that it stays calm

/** A chart of curves: {name, colour (a class), points: [[images, value], ...]}; `whole` is the images of the run. */
export function chart(title, curves, { whole, low = null, high = null, percent = false }) {
  const values = curves.flatMap((curve) => curve.points.map(([, value]) => value));
  const bottom = low ?? Math.min(0, ...values);
  const most = Math.max(0, ...values); // losses of critics may all lie below it
  const top = high ?? bottom + Math.max(most - bottom, 1e-6) * 1.05;
  const x = (images) => LEFT + ((WIDTH - LEFT - RIGHT) * images) / Math.max(whole, 1);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (clamp(value, bottom, top) - bottom)) / (top - bottom);
  const write = (value) => (percent ? `${Math.round(value * 100)} %` : plain(value));
  const picture = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": spoken(title, curves, write) });
  for (const value of ticks(bottom, top)) {
    picture.append(node("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    picture.append(node("text", { class: "tick", x: LEFT - 6, y: y(value) + 3.5, "text-anchor": "end" }, write(value)));
  }
  picture.append(node("text", { class: "tick", x: LEFT, y: HEIGHT - 3 }, "0"));
  picture.append(node("text", { class: "tick", x: WIDTH - RIGHT, y: HEIGHT - 3, "text-anchor": "end" }, `${whole.toLocaleString("en")} images`));
  for (const { points, colour } of curves) {
    const path = points.map(([images, value], place) => `${place ? "L" : "M"}${x(images).toFixed(1)} ${y(value).toFixed(1)}`);
    picture.append(node("path", { class: `curve ${colour}`, d: path.join("") }));
    const [images, value] = points.at(-1);
    picture.append(node("circle", { class: `dot ${colour}`, cx: x(images), cy: y(value), r: 2.6 }));
  }
  return picture;
}

/** What a chart's colours mean, each with the newest value. */
export function key(curves, percent = false) {
  const list = document.createElement("ul");
  list.className = "key";
  for (const { name, colour, points } of curves) {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = `swatch ${colour}`;
    const value = points.at(-1)[1];
    const number = document.createElement("b");
    number.textContent = percent ? `${Math.round(value * 100)} %` : plain(value);
    item.append(swatch, `${name} `, number);
    list.append(item);
  }
  return list;
}

function node(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

function ticks(low, high) {
  const rough = (high - low) / MOST_LINES;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * size).find((each) => each >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, place) => (first + place) * step);
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const plain = (value) => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(2))));

function spoken(title, curves, write) {
  return `${title}: ${curves.map((curve) => `${curve.name} ${write(curve.points.at(-1)[1])}`).join(", ")} now`;
}
