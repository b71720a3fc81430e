"use strict";

// Numbers as people read them, and elements. Text from a spec enters the page through `element` and
// `shape` alone, as text nodes and attribute values.

const byId = (id) => document.getElementById(id);

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== undefined && value !== false && value !== null)
      made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const element = (name, attributes = {}, ...children) =>
  filled(document.createElement(name), attributes, children);

const shape = (name, attributes = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const button = (label, act, attributes = {}) => {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
};

const EXACT = 2 ** 53;

const count = (number) =>
  number < EXACT ? number.toLocaleString("en-US") : number.toExponential(3);

// 25.6 M: three digits that count.
function short(number) {
  if (number < 10_000) return count(number);
  const units = ["", " K", " M", " G", " T", " P"];
  let unit = 0;
  let value = number;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return (value < 1e6 ? value.toPrecision(3) : value.toExponential(2)) + units[unit];
}

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = number;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit && value < 99.95 ? value.toFixed(1) : count(Math.round(value))} ${units[unit]}`;
}

function share(part, whole) {
  if (!part || !whole) return "";
  const percent = (100 * part) / whole;
  if (percent < 0.1) return "< 0.1 %";
  return `${percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`;
}

// A number of any size, for scales and readouts of what the signal does.
const plain = (number) =>
  number === 0 || (Math.abs(number) >= 0.01 && Math.abs(number) < 1000)
    ? String(Number(number.toPrecision(3)))
    : number.toExponential(1).replace(".0e", "e");

// 36992 as 36,992.
const grouped = (text) => (/^\d+$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ",") : text);

const round = (number) => Math.round(number * 10) / 10;

const sizes = (dimensions) => dimensions.join("×") || "1";

const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

const cutFront = (text, length) =>
  text.length > length ? `…${text.slice(text.length - length + 1)}` : text;

function say(text) {
  byId("news").textContent = text;
}
