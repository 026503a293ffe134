"use strict";
// Measured latencies: rows of cards and tips, axes of the main chart, and a scatter over multiplies.

// Logarithms are taken of whole numbers from 1 on, so values stand in microseconds.
const micro = (milliseconds) => 1000 * milliseconds;
const inMilliseconds = (microseconds) => String(Number((microseconds / 1000).toPrecision(3)));
const written = (milliseconds) => inMilliseconds(micro(milliseconds));

// Median and quartiles of a network, a row for each runtime and batch that it was measured with.
function latencyRows(id) {
  return content.latencies.filter((one) => one.milliseconds[id]).map((one) => {
    const [median, lower, upper] = one.milliseconds[id].map(written);
    return [`latency, ${one.name}`, `${median} ms (${lower} – ${upper})`];
  });
}

// `networkOf(at)` is the network of a trial.
function latencyAxes() {
  return content.latencies.map((one, index) => ({
    key: `latency${index}`, name: `median latency, ${one.name}, ms`, write: inMilliseconds,
    value: (at) => { const found = one.milliseconds[networkOf(at).id]; return found ? micro(found[0]) : null; },
  }));
}

function latencyOverMultiplies() {
  const found = content.latencies;
  if (!found.length) return null;
  const cost = new Map(everything.map((at) => [networkOf(at).id, trials.multiplies[at]]));
  const measured = found.map((one) => Object.entries(one.milliseconds).filter(([id]) => cost.has(id)));
  const all = measured.flat();
  if (!all.length) return null;
  const [left, right] = range(all.map(([id]) => log(cost.get(id))), 0.06);
  const [low, high] = range(all.flatMap(([, values]) => values.map((value) => log(micro(value)))), 0.08);
  const { name: _, nameLocation, nameGap, ...up } = logAxis("", 10 ** low, 10 ** high, inMilliseconds);
  const one = chart(`Latency of ${new Set(all.map(([id]) => id)).size} networks over their multiplies`, () => ({
    title: heading("milliseconds a call"),
    xAxis: logAxis("multiplies for one image", 10 ** left, 10 ** right),
    yAxis: { ...up, axisLine: { show: true, lineStyle: { color: colour("muted") } } },
    tooltip: tooltip((p) => (p.data && p.data.id ? tip(p.data.id, [["multiplies", whole(cost.get(p.data.id))], ...latencyRows(p.data.id)]) : null)),
    series: found.flatMap(({ name }, index) => [
      { type: "scatter", name, symbol: shape(index), symbolSize: 9, itemStyle: { color: hue(index), opacity: 0.8 },
        data: measured[index].map(([id, [median]]) => ({ id, value: [log(cost.get(id)), log(micro(median))] })) },
      { ...errorBars(measured[index].map(([id, [, lower, upper]]) => [log(cost.get(id)), log(micro(lower)), log(micro(upper))]), hue(index)), name },
    ]),
  }), "chart low");
  return section("Latency beside multiplies", legendList(found.map(({ name }, index) => [name, index])), h("figure", {}, one.host,
    h("figcaption", {}, "Medians of many calls; bars reach from the lower to the upper quartile."),
    h("ul", { class: "notes muted" }, ...found.map((series) => h("li", {}, `${series.name}: measured on ${series.where}. ${series.note}`)))));
}
