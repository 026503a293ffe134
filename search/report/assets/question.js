"use strict";
// `question.html`: the claims, the populations over cost, the difference from the first family.

const epochsOf = (one) => `${one.epochs} epoch${one.epochs > 1 ? "s" : ""}`;
const percent = (value) => `${(100 * value).toFixed(2)} %`;
const signed = (value) => (value > 0 ? "+" : "") + value.toFixed(2);

function claimCards() {
  return h("div", { class: "two" }, ...content.claims.map((one) => h("article", {},
    h("h3", {}, h("span", { class: "muted" }, `(${one.letter}) `), one.claim),
    h("p", {}, h("strong", {}, one.verdict[0].toUpperCase() + one.verdict.slice(1)), ". ", one.finding))));
}

function populations(length) {
  const all = length.families.flatMap((one) => one.networks);
  const names = length.families.map((one) => one.name);
  const costs = all.map(([cost]) => cost);
  const [low, high] = [Math.min(...costs), Math.max(...costs)];
  const one = chart(`Validation accuracy over multiplies of ${all.length} networks of ${names.join(", ")}, ${epochsOf(length)}`, () => ({
    title: heading("validation accuracy, %"),
    xAxis: logAxis("multiplies for one image", low * 0.9, high * 1.1),
    yAxis: vertical({ scale: true, axisLabel: { color: colour("muted"), formatter: (value) => (100 * value).toFixed(0) } }),
    tooltip: { trigger: "item", ...tooltip((p) => tip(p.seriesName, [["", `${multiplies(p.data.cost)} multiplies`], ["accuracy", percent(p.value[1])]])) },
    series: length.families.map((family, index) => ({
      type: "scatter", name: family.name, symbol: shape(index), symbolSize: 7,
      itemStyle: { color: hue(index), opacity: 0.75 },
      data: family.networks.map(([cost, value]) => ({ value: [log(cost), value], cost })),
    })),
  }));
  const marks = h("ul", { class: "legend" }, ...length.families.map((family, index) => h("li", {}, swatch(index), h("div", {}, h("b", {}, family.name), h("div", { class: "muted" }, `${family.networks.length} networks`)))));
  return h("div", {}, marks, h("figure", {}, one.host, h("figcaption", {}, `${epochsOf(length)}: each mark is one network.`)));
}

function differences(length) {
  return h("div", { class: "two" }, ...length.curves.map((curve, at) => {
    const index = content.lengths[0].families.findIndex((one) => one.name === curve.second);
    const xs = curve.multiplies.map(log);
    const bars = length.bands[at].map(([cost, , low, high]) => [log(cost), low, high]);
    const every = [...curve.band_low, ...curve.band_high, ...bars.flatMap((bar) => bar.slice(1)), 0];
    const [bottom, top] = range(every);
    const title = `${curve.second} − ${curve.first}`;
    const one = chart(`${title} in points of accuracy over multiplies, from ${signed(curve.points[0])} to ${signed(curve.points[curve.points.length - 1])}`, () => ({
      title: heading(`${title}, points of accuracy`),
      xAxis: logAxis("multiplies for one image", curve.multiplies[0], curve.multiplies[curve.multiplies.length - 1]),
      yAxis: vertical({ min: Math.floor(bottom), max: Math.ceil(top) }),
      tooltip: { trigger: "axis", ...tooltip((many) => {
        const p = many.find((each) => each.data && each.data.at !== undefined);
        if (!p) return null;
        const place = p.data.at;
        return tip(`${multiplies(Number(curve.multiplies[place].toPrecision(3)))} multiplies`, [
          ["", `${signed(curve.points[place])} points`],
          ["95 % here", `[${curve.low[place].toFixed(2)}, ${curve.high[place].toFixed(2)}]`],
          ["95 % of the curve", `[${curve.band_low[place].toFixed(2)}, ${curve.band_high[place].toFixed(2)}]`]]);
      }) },
      series: [
        band(xs, curve.band_low, curve.band_high, index, false),
        { type: "line", name: title, showSymbol: false, lineStyle: { width: 2, color: hue(index), type: dash(index) }, itemStyle: { color: hue(index) },
          data: xs.map((x, place) => ({ value: [x, curve.points[place]], at: place })), z: 3,
          markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: colour("ink"), type: "solid", width: 1 }, data: [{ yAxis: 0 }] } },
        { type: "scatter", silent: true, symbol: shape(index), symbolSize: 7, itemStyle: { color: hue(index) }, z: 5,
          data: length.bands[at].map(([cost, value]) => [log(cost), value]) },
        errorBars(bars, hue(index)),
      ],
    }), "chart low");
    return h("figure", {}, one.host, h("figcaption", {}, `n = ${curve.n_second} and ${curve.n_first}, ${epochsOf(length)}. Above 0, ${curve.second} is better. Shaded: 95 % band of the whole curve; bars: 95 % intervals within bands of cost.`));
  }));
}

function residuals() {
  if (!content.residuals.length) return null;
  const one = chart("Residuals of the linear model over its fit", () => ({
    title: heading("residual"), xAxis: axis("fitted logit of accuracy"), yAxis: vertical({ scale: true }),
    tooltip: { trigger: "item", ...tooltip((p) => tip("", [["fitted", p.value[0].toFixed(2)], ["residual", p.value[1].toFixed(2)]])) },
    series: [{ type: "scatter", symbolSize: 6, itemStyle: { color: hue(0), opacity: 0.7 }, data: content.residuals }],
  }), "chart low");
  return section("Residuals of the model", h("figure", {}, one.host, h("figcaption", {}, "Families at equal multiplies, depth and width; a good model leaves no shape here.")));
}

main.replaceChildren(
  h("header", {}, h("h1", {}, content.title)),
  h("ul", { class: "notes" }, ...content.summary.map((text) => h("li", {}, ...prose(text)))),
  section("The claims", claimCards()),
  ...content.lengths.flatMap((length) => [
    section(`Populations, ${epochsOf(length)}`, populations(length)),
    length.curves.length ? section(`Differences over cost, ${epochsOf(length)}`, differences(length)) : "",
  ]),
  residuals() ?? "",
  ...content.tables.map((one) => section(one.title, plainTable(one.title, one.rows))),
  h("details", { open: true }, h("summary", {}, "What the figures mean"), ...content.definitions.map((text) => h("p", {}, ...prose(text)))),
);
redraw();
