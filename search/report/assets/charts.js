"use strict";
// Charts by ECharts, drawn anew when the width or the colours of the system change.

const wide = matchMedia("(min-width: 40rem)");
const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Eight colours of Okabe and Ito, which colour-blind people tell apart, with a shape each.
const SHAPES = ["circle", "triangle", "rect", "diamond",
  "path://M0 1h10L5 10z", "path://M3.3 0h3.4v3.3H10v3.4H6.7V10H3.3V6.7H0V3.3h3.3z",
  "path://M2.5 .7h5L10 5 7.5 9.3h-5L0 5z", "roundRect"];
const PATHS = ["M5 0a5 5 0 1 0 .01 0z", "M5 0l5 10H0z", "M0 0h10v10H0z", "M5 0l5 5-5 5-5-5z",
  "M0 1h10L5 10z", "M3.3 0h3.4v3.3H10v3.4H6.7V10H3.3V6.7H0V3.3h3.3z",
  "M2.5 .7h5L10 5 7.5 9.3h-5L0 5z", "M2 0h6a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H2a2 2 0 0 1-2-2V2a2 2 0 0 1 2-2z"];
const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3]];
const hue = (index) => colour(`op${index % 8}`);
const shape = (index) => SHAPES[index % 8];
const dash = (index) => DASHES[index % 4];

function swatch(index) {
  return svg("svg", { class: `swatch fill${index % 8}`, viewBox: "0 0 10 10", "aria-hidden": "true" },
    svg("path", { d: PATHS[index % 8] }));
}

// `build()` returns the option of ECharts; `label` says in words what the chart shows.
function chart(label, build, kind = "chart") {
  const host = h("div", { class: kind, role: "img", "aria-label": label });
  const one = { host, instance: null, draw };
  function draw() {
    if (!host.isConnected || !host.clientWidth) return;
    one.instance ??= echarts.init(host);
    one.instance.resize();
    one.instance.setOption({ ...frame(), ...build() }, { notMerge: true });
  }
  drawn.push(one);
  new ResizeObserver(draw).observe(host);
  return one;
}

function redraw() {
  for (const one of drawn) if (one.host.isConnected) one.draw();
}
dark.addEventListener("change", redraw);

function frame() {
  return {
    animation: false,
    backgroundColor: "transparent",
    textStyle: { color: colour("ink"), fontFamily: "system-ui, sans-serif" },
    toolbox: { show: false },
    grid: { left: 8, right: 22, top: 34, bottom: 30, containLabel: true },
  };
}

// A tooltip whose content is an element, never a text that would be read as HTML.
function tooltip(write) {
  return {
    confine: true, transitionDuration: 0, backgroundColor: colour("panel"), borderColor: colour("line"),
    textStyle: { color: colour("ink"), fontSize: 13 }, extraCssText: "white-space: normal",
    formatter: (parameters) => write(parameters) ?? "",
  };
}

function tip(title, rows) {
  return h("div", { class: "tip" }, h("b", {}, title),
    ...rows.map(([name, value]) => h("div", {}, name ? `${name} ${value}` : value)));
}

const log = (value) => Math.log10(Math.max(1, value));

// Ticks at 1, 2 and 5 times powers of ten, fewer where they would crowd.
function logTicks(low, high) {
  const most = wide.matches ? 9 : 5;
  const ticks = (digits) => {
    const found = [];
    for (let power = Math.floor(low); power <= high; power += 1) {
      for (const digit of digits) found.push(power + Math.log10(digit));
    }
    return found.filter((tick) => tick >= low - 1e-9 && tick <= high + 1e-9);
  };
  const fine = ticks([1, 2, 5]);
  // Within less than a decade.
  if (fine.length < 3) return ticks([1, 1.5, 2, 3, 4, 5, 6, 8]);
  return [fine, ticks([1, 3])].find((found) => found.length <= most) ?? ticks([1]);
}

function axis(name, options) {
  return {
    type: "value", name, nameLocation: "middle", nameGap: 28, scale: true,
    nameTextStyle: { color: colour("ink"), fontSize: 13 },
    axisLine: { show: true, lineStyle: { color: colour("muted") } },
    axisTick: { show: true }, axisLabel: { color: colour("muted"), hideOverlap: true },
    splitLine: { lineStyle: { color: colour("line"), opacity: 0.6 } },
    ...options,
  };
}

// A vertical axis; its name stands above the chart as a title, where it takes no width.
function vertical(options) {
  return axis("", { nameGap: 0, ...options });
}

function heading(text) {
  return { text, left: 4, top: 2, textStyle: { color: colour("ink"), fontSize: 13, fontWeight: "normal" } };
}

// An axis of logarithms, with ticks such as 50k; `low` and `high` are values.
function logAxis(name, low, high, write = multiplies) {
  let [from, to] = [log(low), log(high)];
  if (to - from < 0.1) [from, to] = [from - 0.1, to + 0.1];
  const ticks = logTicks(from, to);
  return axis(name, {
    min: from, max: to, scale: false,
    axisLabel: {
      color: colour("muted"), hideOverlap: true, customValues: ticks,
      formatter: (value) => write(Math.round(10 ** value)),
    },
    axisTick: { customValues: ticks }, splitLine: {
      customValues: ticks, lineStyle: { color: colour("line"), opacity: 0.6 },
    },
  });
}

function range(values, margin = 0.05) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const pad = Math.max((high - low) * margin, 1e-6);
  return [low - pad, high + pad];
}

// The value below which marks are taken for stray: as far again, twice, as the best three quarters reach.
function fence(values) {
  if (values.length < 4) return -Infinity;
  const sorted = [...values].sort((a, b) => a - b);
  const quarter = sorted[Math.floor(sorted.length / 4)];
  return quarter - 2 * (sorted[sorted.length - 1] - quarter);
}

// A legend beside a chart, where long names wrap; `marks` are [name, index of the colour].
function legendList(marks) {
  return h("ul", { class: "legend" }, ...marks.map(([name, index]) => h("li", {}, swatch(index), name)));
}

function stepLine(name, points, index, options = {}) {
  return {
    type: "line", step: "end", name, data: points, showSymbol: false, silent: false,
    lineStyle: { width: 2, color: hue(index), type: dash(index) }, itemStyle: { color: hue(index) },
    symbol: shape(index), ...options,
  };
}

// Vertical bars from low to high at x; `data` is [x, low, high].
function errorBars(data, stroke) {
  return {
    // Without a zlevel ECharts warns on the console once a range is dragged.
    type: "custom", zlevel: 0, data, silent: true, z: 4, encode: { x: 0, y: [1, 2] }, clip: true,
    renderItem(_, api) {
      const [x, low] = api.coord([api.value(0), api.value(1)]);
      const [, high] = api.coord([api.value(0), api.value(2)]);
      const line = (x1, y1, x2, y2) => ({
        type: "line", shape: { x1, y1, x2, y2 }, style: { stroke, lineWidth: 1.5 },
      });
      return {
        type: "group",
        children: [line(x, low, x, high), line(x - 4, low, x + 4, low), line(x - 4, high, x + 4, high)],
      };
    },
  };
}

// The area between two functions of x, which hold still between its values where `stepped`.
function band(xs, low, high, index, stepped = true) {
  return {
    type: "custom", zlevel: 0, data: [[xs[0], low[0]]], silent: true, z: 1, clip: true,
    renderItem(parameters, api) {
      const top = [], bottom = [];
      for (let at = 0; at < xs.length; at += 1) {
        if (stepped && at > 0) {
          top.push(api.coord([xs[at], high[at - 1]]));
          bottom.push(api.coord([xs[at], low[at - 1]]));
        }
        top.push(api.coord([xs[at], high[at]]));
        bottom.push(api.coord([xs[at], low[at]]));
      }
      const { x, y, width, height } = parameters.coordSys;
      const inside = ([px, py]) => [
        Math.min(Math.max(px, x), x + width), Math.min(Math.max(py, y), y + height)];
      return {
        type: "polygon", shape: { points: [...top, ...bottom.reverse()].map(inside) },
        style: { fill: hue(index), opacity: 0.18 },
      };
    },
  };
}

function legend(names, options = {}) {
  return {
    data: names, top: 0, right: 0, icon: "roundRect", itemWidth: 18, itemHeight: 4, type: "scroll",
    textStyle: { color: colour("ink") }, pageTextStyle: { color: colour("ink") }, ...options,
  };
}

// A distribution function as points of a step line, from 0 on.
function distributionPoints({ value, share }) {
  return [[value[0], 0], ...value.map((one, at) => [one, share[at]])];
}
