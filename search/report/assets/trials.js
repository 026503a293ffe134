"use strict";
// The trials of a front: what is known of each, and which of them the filters let through.

const { trials } = content;
const everything = trials.number.map((_, at) => at);
const places = new Map(trials.number.map((number, at) => [number, at]));
const full = (at) => trials.epochs[at] === content.epochs;
const words = (name) => name.replace("_", " ");

const AXES = [
  { key: "multiplies", name: "multiplies for one image", value: (at) => trials.multiplies[at] },
  { key: "params", name: "trainable parameters", value: (at) => trials.params[at] },
  { key: "memory", name: "peak memory, elements for one image", value: (at) => networkOf(at).memory },
  ...latencyAxes(),
].filter(({ value }) => everything.some((at) => value(at) !== null));
const HEIGHTS = ["accuracy", ...(content.unequal || content.objective !== "accuracy" ? ["balanced_accuracy"] : [])];

const distinct = (values) => [...new Set(values)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
const families = content.families;
const familyOf = (at) => families.indexOf(networkOf(at).family);
const lengths = distinct(trials.epochs);
const statuses = distinct(trials.status);
const depths = everything.map((at) => networkOf(at).blocks);
const [fewest, most] = depths.length ? [Math.min(...distinct(depths)), Math.max(...distinct(depths))] : [0, 0];

const start = () => ({
  x: AXES.length ? AXES[0] : null, y: content.objective, families: new Set(families), statuses: new Set(statuses),
  epochs: lengths.length > 1 && lengths.includes(content.epochs) ? content.epochs : null,
  fewest, most, range: null,
});
let state = start();
let chosen = null;
let brushing = false;
// Of the chart as it is drawn: its lower edge, and how many marks lie below.
let frameBottom = -Infinity;
let belowFrame = 0;

const heightOf = (at) => trials[state.y][at];
const membersHere = content.front.map((member) => ({ ...member, at: places.get(member.trial) })).filter((member) => member.at !== undefined);

function passes(at) {
  const network = networkOf(at);
  return state.families.has(network.family) && state.statuses.has(trials.status[at])
    && (state.epochs === null || trials.epochs[at] === state.epochs)
    && network.blocks >= state.fewest && network.blocks <= state.most;
}

function inRange(at) {
  if (!state.range) return true;
  const x = state.x.value(at), y = heightOf(at);
  if (x === null || y === null) return false;
  const [[left, right], [low, high]] = state.range;
  return log(x) >= left && log(x) <= right && Math.max(y, frameBottom) >= low && y <= high;
}
