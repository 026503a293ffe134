"use strict";
// The card of one trial: the network to scale, its cost by layer, its curve, lines to go on with.

// There are eight colours; kinds beyond them share the last.
const opIndex = (name) => { const at = content.networks.kinds.indexOf(name); return at < 0 ? 7 : Math.min(at, 7); };

const memberOf = new Map(content.front.map((member) => [member.trial, member]));
const networkOf = (at) => content.networks.rows[content.trials.network[at]];
const partsOf = (network) => network.parts.map((index) => content.networks.parts[index]);

// Width of a box = channels, height = resolution, colour = block.
function drawing(network) {
  const parts = partsOf(network).filter((part) => part.name !== "classifier");
  const [height, , channels] = content.networks.image;
  const boxes = [{ name: "image", detail: "", channels, height, width: content.networks.image[1] }, ...parts];
  const total = boxes.reduce((sum, box) => sum + box.channels, 0);
  const [room, tall, gap] = [560, 110, boxes.length > 24 ? 2 : 5];
  const perChannel = (room - gap * (boxes.length - 1)) / total;
  let x = 0;
  const shapes = boxes.map((box) => {
    const w = Math.max(1.5, box.channels * perChannel), hgt = Math.max(2, (box.height / height) * tall);
    const words = `${box.name}${box.detail ? `, ${box.detail}` : ""}: ${box.channels} channels, ${box.height}×${box.width}`;
    const shape = svg("g", {},
      svg("title", {}, words),
      svg("rect", { x, y: (tall - hgt) / 2, width: w, height: hgt, class: box.name === "image" ? "ink" : `fill${opIndex(box.name)}` }));
    if (w > 24) shape.append(svg("text", { x: x + w / 2, y: tall + 22 }, `${box.channels}`));
    x += w + gap;
    return shape;
  });
  const kinds = [...new Set(parts.map((part) => part.name))];
  return h("figure", {},
    svg("svg", { class: "drawing", viewBox: `0 0 ${Math.max(room, x)} ${tall + 30}`, role: "img",
      "aria-label": `${parts.length} parts: ${parts.map((part) => `${part.name} ${part.channels}`).join(", ")}` }, ...shapes),
    h("figcaption", {}, h("span", { class: "choices" }, ...kinds.map((name) => h("span", { class: "choices" },
      swatchOf(name), name))), "Width = channels (below), height = resolution, colour = kind of block."));
}

function swatchOf(name) {
  return svg("svg", { class: `swatch fill${opIndex(name)}`, viewBox: "0 0 10 10", "aria-hidden": "true" },
    svg("rect", { width: 10, height: 10 }));
}

function layersOf(network) {
  return partsOf(network).flatMap((part, index) => part.layers.map((layer) => ({
    ...layer, part: part.name,
    name: [part.detail ? index : "", part.name, layer.role === part.name ? "" : `· ${layer.role}`].filter((word) => word !== "").join(" "),
  })));
}

const COSTS = [["multiplies", "multiplies"], ["params", "params"], ["memory", "memory, elements"]];

function layerCosts(network) {
  const layers = layersOf(network);
  let chosen = 0;
  const one = chart(
    `Cost of ${layers.length} layers; the table below says the same`,
    () => {
      const [key, name] = COSTS[chosen];
      return {
        grid: { left: 4, right: 54, top: 6, bottom: 4, containLabel: true },
        xAxis: { type: "value", show: false },
        yAxis: {
          type: "category", inverse: true, data: layers.map((layer) => layer.name),
          axisLabel: { color: colour("ink"), fontSize: 11, interval: 0, width: 150, overflow: "truncate" },
          axisTick: { show: false }, axisLine: { show: false },
        },
        tooltip: tooltip((p) => tip(layers[p.dataIndex].name, [
          [`${layers[p.dataIndex].kernel}×${layers[p.dataIndex].kernel}`, layers[p.dataIndex].kind],
          ...COSTS.map(([field, words]) => [words, whole(layers[p.dataIndex][field])])])),
        series: [{
          type: "bar", name, barCategoryGap: "25%",
          data: layers.map((layer) => ({
            value: layer[key], itemStyle: { color: hue(opIndex(layer.part)) },
          })),
          label: { show: true, position: "right", color: colour("ink"), fontSize: 11, formatter: (p) => multiplies(p.value) },
        }],
      };
    });
  one.host.style.height = `${Math.min(640, 20 * layers.length + 16)}px`;
  const buttons = COSTS.map(([, name], index) => h("button", {
    type: "button", "aria-pressed": String(index === 0),
    onclick: () => {
      chosen = index;
      buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === index)));
      one.draw();
    },
  }, name));
  const rows = layers.map((layer) => [layer.name, `${layer.kernel}×${layer.kernel}`, String(layer.stride),
    `${layer.inputs} → ${layer.outputs}`, whole(layer.multiplies), whole(layer.params), whole(layer.memory)]);
  return [
    h("h3", {}, "Cost by layer"), h("div", { class: "row" }, ...buttons), one.host,
    h("details", {}, h("summary", {}, "As a table"), plainTable("Exact cost of each layer for one image", [
      ["layer", "kernel", "stride", "channels", "multiplies", "params", "memory"], ...rows])),
  ];
}

const CURVES = [
  ["Accuracy", [["train_accuracy", "training", 0], ["validation_accuracy", "validation", 1]]],
  ["Loss", [["train_loss", "training", 0], ["validation_loss", "validation", 1]]],
];

// `fresh`: the curves of trainings with fresh seeds, drawn as thin lines.
function learningCurve(found, fresh) {
  const all = found ? [found, ...fresh] : fresh;
  if (!all.length) return [];
  const charts = CURVES.map(([name, lines]) => [name, lines.filter(([key]) => all.some((one) => one[key]))]).filter(([, lines]) => lines.length);
  const longest = Math.max(...all.map((one) => one.epochs.length));
  // Of one epoch there is a point and no curve.
  if (longest === 1) return found ? [h("h3", {}, "Its one epoch"), pairs(
    charts.flatMap(([name, lines]) => lines.map(([key, where]) => [`${where} ${name.toLowerCase()}`, orDash((found[key] ?? [null])[0], share)])), "facts")] : [];
  const line = (one, [key, where, index], thin) => stepLine(where, one.epochs.map((epoch, at) => [epoch, one[key][at]]), index, {
    step: false, showSymbol: !thin && one.epochs.length < 30, symbolSize: 6,
    ...(thin ? { z: 1, lineStyle: { width: 1, opacity: 0.6, color: hue(index), type: dash(index) } } : {}) });
  const told = (many) => {
    const rows = new Map();
    for (const { seriesName, value } of many) if (value[1] !== null) rows.set(seriesName, [...(rows.get(seriesName) ?? []), value[1]]);
    return tip(`epoch ${many[0].value[0]}`, [...rows].flatMap(([name, values]) => {
      const others = found ? values.slice(1) : values;
      return [...(found ? [[name, share(values[0])]] : []),
        ...(others.length ? [[`${name}, fresh seeds`, `${share(Math.min(...others))} to ${share(Math.max(...others))}`]] : [])];
    }));
  };
  return [h("h3", {}, "Learning curve"),
    fresh.length ? h("p", { class: "muted" }, `Thin lines: its ${fresh.length} trainings with fresh seeds.`) : null,
    ...charts.map(([name, lines]) => chart(
      `${name} over ${longest} epochs`,
      () => ({
        title: heading(name), grid: { left: 4, right: 14, top: 34, bottom: 26, containLabel: true },
        legend: legend(lines.map(([, where]) => where)),
        xAxis: axis("epoch", { minInterval: 1, scale: true, min: "dataMin", max: "dataMax" }),
        yAxis: vertical(),
        tooltip: { ...tooltip(told), trigger: "axis" },
        series: lines.flatMap((one) => all.filter((curve) => curve[one[0]]).map((curve) => line(curve, one, curve !== found))),
      })).host)];
}

function confusion(final) {
  const matrix = final ? final.confusion : [];
  if (!final) return [];
  const spread = final.accuracy_std === null ? "" : ` ± ${share(final.accuracy_std)}`;
  const facts = pairs([["test accuracy", share(final.accuracy) + spread], ["balanced", share(final.balanced_accuracy)],
    ["epochs", String(final.epochs)], ["seeds", String(final.seeds)], ["reading", String(final.reading)]], "facts");
  if (!matrix.length) return [h("h3", {}, "Test split"), facts];
  const names = matrix.map((_, at) => content.classes[at] ?? String(at));
  const cells = matrix.map((row, at) => {
    const total = row.reduce((sum, value) => sum + value, 0) || 1;
    return h("tr", {}, h("th", { scope: "row", class: "text" }, names[at]), ...row.map((value) => {
      const cell = h("td", {}, value ? String(value) : "");
      cell.style.backgroundColor = `rgba(${colour("heat")}, ${(0.45 * value) / total})`;
      return cell;
    }));
  });
  const label = "Confusion on the test split: rows are true classes, columns predictions";
  return [h("h3", {}, "Test split"), facts, scrolling(label, h("table", { class: "confusion" }, h("caption", {}, label),
    h("thead", {}, h("tr", {}, h("td"), ...names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...cells)))];
}

// What the front says of a member: means over fresh seeds where it is confirmed, with Student's 95 %
// interval of what the search maximised.
function figureOf(member, name) {
  const known = member.low !== null && name === content.objective;
  return orDash(member[name], share) + (known ? ` [${share(member.low)}, ${share(member.high)}]` : "");
}

const others = content.unseen ? ` on ${whole(content.unseen)} images that the search did not use` : "";

// All that the card says of trial `at`, a place in the columns.
function card(at) {
  const { trials } = content;
  const network = networkOf(at), number = trials.number[at], member = memberOf.get(number);
  const facts = [
    ["multiplies", whole(trials.multiplies[at])], ["params", orDash(trials.params[at], whole)],
    ["peak memory", network.memory === null ? "–" : `${whole(network.memory)} elements`],
    ...HEIGHTS.flatMap((name) => (member
      ? [[`${words(name)}${others}`, figureOf(member, name)],
        ...(content.confirmed ? [[`${words(name)} in search`, orDash(member[`search_${name}`], share)]] : [])]
      : [[words(name), orDash(trials[name][at], share)]])),
  ];
  facts.push(...latencyRows(network.id), ["epochs", String(trials.epochs[at])], ["seed", String(trials.seed[at])],
    ["trial", String(number)], ["seconds", trials.seconds[at].toFixed(1)], ["status", trials.status[at]],
    ...(trials.worker[number] ? [["worker", trials.worker[number]]] : []));
  const error = trials.error[number];
  const final = content.finals[network.id];
  const python = `model = search.load(${content.lines.python}, id="${network.id}")`;
  const lines = member ? [
    h("h3", {}, "Go on with it"),
    copyLine("load", python),
    copyLine("retrain", `convbudget retrain ${content.lines.shell} --id ${network.id}`),
    copyLine("export", `convbudget export ${content.lines.shell} --id ${network.id} --to onnx`),
  ] : [h("p", { class: "muted" }, "Weights are kept of members of the front; ",
    h("code", {}, `archs/${network.id}.json`), " describes this network.")];
  return [
    h("h2", { id: "card-title", tabindex: -1 }, member ? "On the front: " : "Trial: ", h("code", {}, network.id)),
    h("p", {}, h("code", {}, network.short)),
    pairs(facts, "facts"),
    error ? h("p", {}, error) : null,
    ...(network.parts.length ? [drawing(network), ...layerCosts(network)] : []),
    ...learningCurve(content.curves[number], (member && content.fresh_curves[network.id]) || []),
    ...confusion(final),
    ...lines,
  ];
}
