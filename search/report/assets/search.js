"use strict";
// Below the chart of a front: how the search went, its families, and what was run.

function overTime() {
  const found = content.over_time;
  if (!found.area.trials.length) return null;
  const line = (steps) => [...steps.trials.map((trial, at) => [trial, steps.value[at]]), [found.count, steps.value[steps.value.length - 1]]];
  const across = () => axis("trials", { min: 1, max: Math.max(found.count, 2), minInterval: 1, scale: true });
  const hovers = { trigger: "axis", ...tooltip((many) => (many.length ? tip(`after ${Math.floor(many[0].axisValue)} trials`, many.map((p) => [p.seriesName, share(p.value[1])])) : null)) };
  // A line of one point draws nothing.
  const dot = (steps) => ({ showSymbol: steps.trials[0] === found.count, symbolSize: 8 });
  const last = found.area.value[found.area.value.length - 1];
  const area = chart(`Area of the front over ${found.count} trials, ${share(last)} at the end`, () => ({
    title: heading("area of the front"), xAxis: across(), yAxis: vertical(), tooltip: hovers, series: [stepLine("area", line(found.area), 0, dot(found.area))],
  }), "chart low");
  const names = found.best.map((one) => `within ${multiplies(one.budget)}`);
  const best = chart(`Best ${words(content.objective)}: ${found.best.map((one, at) => `${names[at]} ${share(one.steps.value[one.steps.value.length - 1])}`).join(", ")}`, () => ({
    title: heading(`best ${words(content.objective)}`), legend: legend(names, { top: 24, left: 0, right: "auto" }),
    grid: { left: 8, right: 22, top: 54, bottom: 30, containLabel: true }, xAxis: across(), yAxis: vertical(),
    tooltip: hovers, series: found.best.map((one, at) => stepLine(names[at], line(one.steps), at, { ...dot(one.steps), lineStyle: { width: 2, color: hue(at), type: DASHES[at] } })),
  }), "chart low");
  return section("Search over time", h("div", { class: "two" },
    h("figure", {}, area.host, h("figcaption", {}, "Hypervolume of the front so far, 1 where every cost had accuracy 1.")),
    h("figure", {}, best.host, h("figcaption", {}, `Best validation ${words(content.objective)} so far within three budgets.`))));
}

function byFamily() {
  const found = content.populations;
  if (!found) return null;
  const names = found.families.map((one) => `${one.family} (${one.models})`);
  const one = chart(`Share of networks up to each ${words(content.objective)}, by family`, () => ({
    title: heading("share of networks"),
    xAxis: axis(`validation ${words(content.objective)}`), yAxis: vertical({ min: 0, max: 1 }),
    tooltip: tooltip((p) => tip(p.seriesName, [["", `${(100 * p.value[1]).toFixed(0)} % have at most ${share(p.value[0])}`]])),
    series: found.families.map((family, at) => {
      const index = families.indexOf(family.family);
      return stepLine(names[at], distributionPoints(family.distribution), index,
        { lineStyle: { width: 2, color: hue(index), type: DASHES[at % 4] }, showSymbol: true, symbolSize: 5 });
    }),
  }), "chart low");
  const marks = found.families.map((family, at) => [names[at], families.indexOf(family.family)]);
  return section("Families at matched multiplies", legendList(marks), h("figure", {}, one.host, h("figcaption", {},
    `Networks trained in full, from ${multiplies(found.low)} to ${multiplies(found.high)} multiplies, weighted so that all families have one distribution of cost (Radosavovic et al. 2019). Further right is better.`
    + (content.sampled ? "" : " The strategy chose these networks by earlier results: they are not a random sample of their family."))));
}

function whatWasRun() {
  const { provenance } = content;
  const parts = [];
  if (provenance.command) parts.push(copyLine("the command that repeats it", provenance.command));
  if (provenance.data.length) parts.push(h("h3", {}, "Data"), pairs(provenance.data));
  if (provenance.sheet.length) parts.push(h("h3", {}, "Some training images of each class"), h("div", { class: "sheet" }, ...provenance.sheet.map((one) => h("figure", {},
    h("img", { src: one.source, alt: `${one.images} images of class ${one.name}` }),
    h("figcaption", {}, one.name, one.count === null ? "" : ` (${whole(one.count)})`)))));
  if (provenance.platform.length) parts.push(h("h3", {}, "Computed on"), pairs(provenance.platform));
  if (provenance.config) parts.push(h("details", {}, h("summary", {}, "Resolved configuration"), h("pre", { tabindex: 0, "aria-label": "Resolved configuration" }, provenance.config)));
  return parts.length ? section("What was run", ...parts) : null;
}
