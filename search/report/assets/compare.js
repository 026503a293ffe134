"use strict";
// `compare.html`: areas, fronts and populations of groups of studies, and the tables.

const words = content.objective.replace("_", " ");
const { groups } = content;
const names = groups.map((one) => one.name);

// One legend for all charts: names may be long, and wrap here.
function groupLegend() {
  return h("ul", { class: "legend" }, ...groups.map((one, index) => h("li", {}, swatch(index), h("div", {},
    h("b", {}, one.name), h("div", { class: "muted" }, one.studies.length === 1 ? "1 study" : `${one.studies.length} studies`)))));
}

function frameOf(lines) {
  const all = lines.flatMap((line) => line.area);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  // With two seeds intervals are so wide that the means would be one flat line.
  const margin = Math.max(high - low, 0.01);
  const wanted = lines.flatMap((line) => (line.low ? [...line.low, ...line.high] : line.area));
  const bottom = Math.max(Math.min(...wanted), low - margin), top = Math.min(Math.max(...wanted), high + margin);
  return { bottom, top, cut: Math.min(...wanted) < bottom || Math.max(...wanted) > top };
}

function areas(key, across) {
  const lines = groups.map((one) => one[key]);
  const logarithmic = lines.every((line) => line.spent[0] >= 1);
  const place = (value) => (logarithmic ? log(value) : value);
  const { bottom, top, cut } = frameOf(lines);
  const ends = lines.flatMap((line) => [line.spent[0], line.spent[line.spent.length - 1]]);
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  const pad = (top - bottom) * 0.05;
  const one = chart(`Area of the front over ${across}: ${lines.map((line, at) => `${names[at]} ${share(line.area[line.area.length - 1])}`).join(", ")}`, () => ({
    title: heading("area of the front"),
    xAxis: logarithmic ? logAxis(across, from, to) : axis(across, { min: from, max: to }),
    yAxis: vertical({ min: bottom - pad, max: top + pad, axisLabel: { color: colour("muted"), showMinLabel: false, showMaxLabel: false, formatter: (value) => String(Number(value.toFixed(4))) } }),
    tooltip: { trigger: "axis", ...tooltip((many) => {
      const at = many.filter((p) => p.seriesType === "line");
      if (!at.length) return null;
      const spent = logarithmic ? 10 ** at[0].value[0] : at[0].value[0];
      return tip(`${multiplies(Number(spent.toPrecision(3)))} ${across}`, at.map((p) => [p.seriesName, interval(lines[p.data.group], p.data.at)]));
    }) },
    series: lines.flatMap((line, index) => [
      ...(line.low ? [band(line.spent.map(place), line.low, line.high, index)] : []),
      { ...stepLine(names[index], line.spent.map((spent, at) => ({ value: [place(spent), line.area[at]], group: index, at })), index), z: 3 },
    ]),
  }), "chart low");
  const spread = lines.some((line) => line.low) ? " Shaded: 95 % intervals of the mean over seeds." : " One seed has no interval.";
  return h("figure", {}, one.host, h("figcaption", {}, `Mean over seeds of the area over ${across}.${spread}${cut ? " They leave the frame." : ""}`));
}

function interval(line, at) {
  return share(line.area[at]) + (line.low ? ` [${share(line.low[at])}, ${share(line.high[at])}]` : "");
}

function fronts() {
  const one = chart(`Fronts, one for each of ${groups.reduce((sum, group) => sum + group.fronts.length, 0)} studies`, () => ({
    title: heading(`validation ${words}`),
    xAxis: logAxis("multiplies for one image", content.low * 0.9, content.high * 1.1), yAxis: vertical({ max: (value) => Math.min(1, value.max + 0.002),
      axisLabel: { color: colour("muted"), showMaxLabel: false, formatter: (value) => String(Number(value.toFixed(4))) } }),
    tooltip: { trigger: "item", ...tooltip((p) => (p.data && p.data.study ? tip(p.seriesName, [["", p.data.study], [words, share(p.value[1])], ["multiplies", whole(p.data.cost)]]) : null)) },
    series: groups.flatMap((group, index) => group.fronts.map((points, at) => stepLine(names[index], [
      ...points.map(([cost, value]) => ({ value: [log(cost), value], study: group.studies[at], cost })),
      { value: [log(content.high), points.length ? points[points.length - 1][1] : null], symbolSize: 0 },
    ], index, { showSymbol: true, symbolSize: 7, lineStyle: { width: 1.5, color: hue(index), type: dash(index), opacity: 0.85 } }))),
  }), "chart low");
  return h("figure", {}, one.host, h("figcaption", {}, `One line for each study: ${content.confirmed ? "means over fresh seeds" : "the search's own results"}.`));
}

function models() {
  if (groups.some((one) => !one.distribution)) return h("p", { class: "muted" }, "The groups share no range of cost, so their models are not compared.");
  const one = chart(`Share of models up to each ${words}, at matched multiplies`, () => ({
    title: heading("share of models"), xAxis: axis(`validation ${words}`), yAxis: vertical({ min: 0, max: 1 }),
    tooltip: { trigger: "item", ...tooltip((p) => tip(p.seriesName, [["", `${(100 * p.value[1]).toFixed(0)} % have at most ${share(p.value[0])}`]])) },
    series: groups.map((group, index) => stepLine(names[index], distributionPoints(group.distribution), index, { showSymbol: true, symbolSize: 4 })),
  }), "chart low");
  return h("figure", {}, one.host, h("figcaption", {}, "All models trained, weighted so that the groups have one distribution of cost. Further right is better."));
}

main.replaceChildren(
  h("header", {}, h("h1", {}, content.title)),
  groupLegend(),
  h("ul", { class: "notes" }, ...content.cautions.map((note) => h("li", {}, ...prose(note)))),
  section("Over the search", h("div", { class: "two" }, areas("over_compute", "multiplies per training image"), areas("over_seconds", "seconds of training"))),
  section("Networks found", h("div", { class: "two" }, fronts(), models())),
  ...content.tables.map((one) => section(one.title, plainTable(one.title, one.rows))),
  h("details", {}, h("summary", {}, "What the figures mean"), ...content.definitions.map((text) => h("p", {}, ...prose(text)))),
  h("details", {}, h("summary", {}, "Groups and their studies"), ...groups.flatMap((one) => [h("h3", {}, one.label),
    h("ul", { class: "notes" }, ...one.studies.map((study) => h("li", {}, study)))])),
);
redraw();
