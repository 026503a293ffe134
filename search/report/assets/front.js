"use strict";
// `front.html`: a chart of all trials with its filters, the card beside it, and what was run below.

function hover(at) {
  const network = networkOf(at), member = memberOf.get(trials.number[at]);
  const rows = [["", network.short.length > 160 ? `${network.short.slice(0, 160)}…` : network.short],
    member ? [words(state.y) + others, figureOf(member, state.y)] : [words(state.y), orDash(heightOf(at), share)],
    ["multiplies", whole(trials.multiplies[at])], ["params", orDash(trials.params[at], whole)]];
  if (network.memory !== null) rows.push(["peak memory", `${whole(network.memory)} elements`]);
  rows.push(...latencyRows(network.id));
  if (!full(at)) rows.push(["after", `${trials.epochs[at]} of ${content.epochs} epochs`]);
  if (trials.error[trials.number[at]]) rows.push([trials.status[at], trials.error[trials.number[at]].slice(0, 120)]);
  return tip(`${network.id}${member ? ", on the front" : ""}`, rows);
}

function mainOption() {
  const shown = everything.filter((at) => passes(at) && state.x.value(at) !== null);
  const measured = shown.filter((at) => heightOf(at) !== null);
  const members = membersHere.filter((member) => state.x.value(member.at) !== null);
  const plainFront = state.x.key === "multiplies";
  const level = (member) => member[state.y];
  const spread = state.y === content.objective;
  const shownMembers = members.filter((member) => level(member) !== null);
  const landmarks = plainFront ? content.landmarks.filter((one) => one[state.y] !== null) : [];
  const xs = [...shown.map((at) => state.x.value(at)), ...members.map((member) => state.x.value(member.at)), ...landmarks.map((one) => one.multiplies)];
  if (plainFront) xs.push(content.high);
  const [from, to] = range(xs.map(log), 0.04);
  const ys = [...measured.map(heightOf), ...shownMembers.flatMap((m) => [level(m), ...(m.low === null || !spread ? [] : [m.low, m.high])]), ...landmarks.map((one) => one[state.y])];
  // Single marks far below the others would press those flat: they stand at the lower edge.
  const floor = Math.min(fence(ys), ...shownMembers.map((m) => (m.low === null || !spread ? level(m) : m.low)));
  let [bottom, top] = ys.length ? range(ys.map((y) => Math.max(y, floor)), 0.06) : [0, 1];
  [bottom, top] = [Math.max(bottom, -0.02), Math.min(top, 1.02)];
  const unmeasured = shown.filter((at) => heightOf(at) === null);
  frameBottom = bottom;
  belowFrame = [...measured.map(heightOf), ...landmarks.map((one) => one[state.y])].filter((y) => y < bottom).length;
  // Clear of the axis and its labels.
  const edge = belowFrame ? bottom + 0.04 * (top - bottom) : bottom;
  const inFrame = (y) => (y < bottom ? edge : y);
  const point = (at) => [log(state.x.value(at)), inFrame(heightOf(at) ?? bottom), at];
  const many = shown.length > 2000;
  const series = families.map((name, index) => ({
    type: "scatter", name, data: measured.filter((at) => familyOf(at) === index).map(point), symbol: shape(index),
    symbolSize: (value) => (full(value[2]) ? (many ? 5 : 9) : many ? 4 : 6),
    itemStyle: { color: hue(index), opacity: many ? 0.45 : 0.7 },
  }));
  if (unmeasured.length) series.push({
    type: "scatter", name: "without a result", data: unmeasured.map(point), symbol: "path://M1 0l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z",
    symbolSize: 8, itemStyle: { color: colour("muted") },
  });
  const path = shownMembers.map((member) => [log(state.x.value(member.at)), level(member), member.at]);
  if (plainFront) {
    series.push({
      type: "line", name: "front", step: "end", silent: true, showSymbol: false, z: 3,
      data: path.length ? [...path, [log(content.high), path[path.length - 1][1]]] : [],
      lineStyle: { color: colour("ink"), width: 2 },
      markLine: {
        symbol: "none", silent: true, data: [{ xAxis: log(content.high) }],
        lineStyle: { color: colour("muted"), type: "dashed", width: 1.5 },
        label: { formatter: `budget ${multiplies(content.high)}`, color: colour("muted"), position: "end", rotate: 0, align: "right" },
      },
    });
  }
  series.push({
    type: "scatter", name: "front members", data: path, z: 5, symbol: "circle", symbolSize: 14,
    itemStyle: { color: "transparent", borderColor: colour("ink"), borderWidth: 2 },
  });
  const bars = spread ? members.filter((member) => member.low !== null) : [];
  if (bars.length) series.push(errorBars(bars.map((m) => [log(state.x.value(m.at)), m.low, m.high]), colour("ink")));
  if (landmarks.length) series.push({
    type: "scatter", name: "known networks", z: 4, symbol: "diamond", symbolSize: 13,
    data: landmarks.map((one) => ({
      value: [log(one.multiplies), inFrame(one[state.y]), null], landmark: one, name: one.name,
      label: { position: log(one.multiplies) > (from + to) / 2 ? "left" : "right" } })),
    itemStyle: { color: colour("paper"), borderColor: colour("ink"), borderWidth: 1.5 },
    label: { show: true, distance: 8, formatter: (p) => (p.data.landmark[state.y] < bottom ? `${p.name} ${share(p.data.landmark[state.y])} ↓` : p.name),
      color: colour("ink"), textBorderColor: colour("paper"), textBorderWidth: 3, fontSize: 11, width: 160, overflow: "truncate" },
    labelLayout: { moveOverlap: "shiftY", hideOverlap: true },
  });
  if (chosen !== null && state.x.value(chosen) !== null && passes(chosen)) series.push({
    type: "scatter", data: [point(chosen)], z: 6, silent: true, symbol: "circle", symbolSize: 22,
    itemStyle: { color: "transparent", borderColor: colour("accent"), borderWidth: 3 },
  });
  return {
    grid: { left: 8, right: 24, top: 32, bottom: 30, containLabel: true },
    xAxis: logAxis(state.x.name, 10 ** from, 10 ** to, state.x.write),
    title: heading(content.unseen ? words(state.y) : `validation ${words(state.y)}`),
    yAxis: vertical({ min: bottom, max: top, axisLabel: {
      color: colour("muted"), formatter: (value) => (value > 1 || value < 0 ? "" : String(Number(value.toFixed(4)))), showMinLabel: false, showMaxLabel: false } }),
    tooltip: { trigger: "item", ...tooltip((p) => {
      if (p.data && p.data.landmark) return tip(p.data.landmark.name, [[`validation ${words(state.y)}`, share(p.data.landmark[state.y])], ["multiplies", whole(p.data.landmark.multiplies)]]);
      return Array.isArray(p.value) && Number.isInteger(p.value[2]) ? hover(p.value[2]) : null;
    }) },
    brush: { z: 100, xAxisIndex: 0, yAxisIndex: 0, brushStyle: { color: "rgba(120, 140, 160, 0.2)", borderColor: colour("accent") }, outOfBrush: { colorAlpha: 1 }, throttleType: "debounce", throttleDelay: 50 },
    series,
  };
}

function counted() {
  const found = everything.filter((at) => passes(at) && inRange(at));
  const below = belowFrame ? `; ${belowFrame === 1 ? "one mark lies" : `${belowFrame} marks lie`} below the frame, at its edge` : "";
  return `${whole(found.length)} of ${whole(trials.number.length)} trials shown${below}`;
}

const plot = chart(`Front: ${words(content.objective)} of every trial over its cost; use the buttons below, or the table, to walk it`, mainOption);
const cardBox = h("aside", { class: "card", id: "card", "aria-labelledby": "card-title" });
const status = h("span", { class: "muted", id: "shown" });

const beside = matchMedia("(min-width: 60rem)");
let wired = false;
function drawMain() {
  plot.draw();
  status.textContent = counted();
  if (!plot.instance || wired) return;
  wired = true;
  plot.instance.on("click", (p) => {
    // Where the card is not beside the chart, it is brought into view.
    if (Array.isArray(p.value) && Number.isInteger(p.value[2])) open(p.value[2], !beside.matches);
  });
  plot.instance.on("brushEnd", ({ areas }) => {
    state.range = areas.length ? areas[0].coordRange : null;
    refreshTable();
  });
}
new ResizeObserver(() => { if (!wired) drawMain(); }).observe(plot.host);

function open(at, focus = false) {
  chosen = at;
  cardBox.replaceChildren(...card(at).filter((child) => child !== null));
  drawMain();
  redrawIn(cardBox);
  const member = memberOf.get(trials.number[at]);
  const found = member ? member[content.objective] : trials[content.objective][at];
  announce(`${member ? "On the front" : "Trial"} ${networkOf(at).id}: ${words(content.objective)} ${orDash(found, share)}, ${whole(trials.multiplies[at])} multiplies`);
  if (focus) {
    document.getElementById("card-title").focus({ preventScroll: true });
    cardBox.scrollIntoView({ block: "nearest" });
  }
}

function redrawIn(box) {
  for (let at = drawn.length - 1; at >= 0; at -= 1) {
    if (!drawn[at].host.isConnected && drawn[at].instance) {
      drawn[at].instance.dispose();
      drawn.splice(at, 1);
    } else if (box.contains(drawn[at].host)) drawn[at].draw();
  }
}

function walk(step) {
  if (!membersHere.length) return;
  const now = membersHere.findIndex((member) => member.at === chosen);
  const next = now < 0 ? (step > 0 ? 0 : membersHere.length - 1) : Math.min(Math.max(now + step, 0), membersHere.length - 1);
  open(membersHere[next].at);
}

// Empty for what the searching process did itself.
const workerOf = (at) => trials.worker[trials.number[at]] || "";

const table = sortedTable("Trials", [
  { name: "network", text: true, key: (at) => networkOf(at).id, cell: (at) => h("button", {
    type: "button", class: "link", "aria-label": `Open ${networkOf(at).id}`, onclick: () => open(at, true) }, networkOf(at).id) },
  { name: "family", text: true, key: (at) => networkOf(at).family, cell: (at) => networkOf(at).family },
  { name: "blocks", key: (at) => networkOf(at).blocks, cell: (at) => String(networkOf(at).blocks) },
  { name: "multiplies", key: (at) => trials.multiplies[at], cell: (at) => whole(trials.multiplies[at]) },
  { name: "params", key: (at) => trials.params[at], cell: (at) => orDash(trials.params[at], whole) },
  { name: "memory", key: (at) => networkOf(at).memory, cell: (at) => orDash(networkOf(at).memory, whole) },
  ...HEIGHTS.map((name) => ({ name: words(name), key: (at) => trials[name][at], cell: (at) => orDash(trials[name][at], share) })),
  { name: "epochs", key: (at) => trials.epochs[at], cell: (at) => String(trials.epochs[at]) },
  { name: "seconds", key: (at) => trials.seconds[at], cell: (at) => trials.seconds[at].toFixed(1) },
  ...(Object.keys(trials.worker).length ? [{ name: "worker", text: true, key: workerOf, cell: workerOf }] : []),
  { name: "status", text: true, key: (at) => trials.status[at], cell: (at) => (memberOf.has(trials.number[at]) ? "front" : trials.status[at]) },
], (at) => (memberOf.has(trials.number[at]) ? "front" : null));

function refreshTable() {
  status.textContent = counted();
  table.update(everything.filter((at) => passes(at) && inRange(at)));
}

function refresh() { drawMain(); refreshTable(); }

function saved() {
  const rows = table.sorted().map((at) => {
    const network = networkOf(at);
    return [network.id, trials.number[at], network.family, network.blocks, trials.multiplies[at], trials.params[at], network.memory,
      trials.accuracy[at], trials.balanced_accuracy[at], trials.loss[at], trials.epochs[at], trials.seed[at], trials.seconds[at],
      trials.status[at], memberOf.has(trials.number[at]) ? 1 : 0, network.short, trials.error[trials.number[at]], workerOf(at)];
  });
  return csv([["arch_id", "trial", "family", "blocks", "multiplies", "params", "memory", "accuracy", "balanced_accuracy", "loss", "epochs",
    "seed", "seconds", "status", "front", "decisions", "error", "worker"], ...rows]);
}

function headline() {
  const best = content.front.length ? content.front[content.front.length - 1] : null;
  const rows = [["trials", whole(trials.number.length)], ["on the front", String(content.front.length)]];
  if (best) rows.push([`best ${words(content.objective)}`, share(best[content.objective])], ["area of the front", share(content.hypervolume)]);
  rows.push(["budget", `${content.low ? `${multiplies(content.low)} to ` : ""}${multiplies(content.high)}`]);
  return h("header", {}, h("h1", {}, content.title), h("p", { class: "muted" }, content.summary), pairs(rows, "chips"));
}

const walker = h("div", { class: "row walk", tabindex: 0, role: "group", "aria-label": "Along the front: left and right arrow keys", onkeydown: (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  walk(step);
} },
  h("button", { type: "button", onclick: () => walk(-1) }, "← cheaper"),
  h("button", { type: "button", onclick: () => walk(1) }, "costlier →"), status);

if (trials.number.length) {
  setControls();
  main.replaceChildren(...[
    headline(), announcer,
    h("div", { class: "board" },
      h("div", {}, h("figure", {}, h("h2", {}, "The front"), controls, plot.host, walker,
        h("figcaption", {}, "Each mark is a trial, each ring a member of the front, the line what the front reaches within a cost",
          content.confirmed ? `; bars are Student's 95 % intervals of the mean ${words(content.objective)} over fresh seeds` : "",
          content.unseen ? `. Trials are scored on the validation images, rings${others}` : "", ". Point at one for its figures, choose one for its card."),
        h("ul", { class: "notes muted" }, ...content.notes.map((note) => h("li", {}, ...prose(note))))),
      ...[overTime(), byFamily(), latencyOverMultiplies()].filter((part) => part !== null)),
      cardBox),
    section("Trials", h("div", { class: "row" }, h("button", { type: "button", onclick: () => download(`${content.study}.csv`, "text/csv", saved()) }, "Download as CSV"),
      h("span", { class: "muted" }, "as filtered and sorted here")), table.element),
    whatWasRun(),
  ].filter((part) => part !== null));
  table.by(6 + HEIGHTS.indexOf(content.objective), false);
  refresh();
  const first = membersHere.length ? membersHere[membersHere.length - 1].at : 0;
  open(first);
} else {
  main.replaceChildren(...[headline(), h("p", {}, "No trial has ended yet."), whatWasRun()].filter((part) => part !== null));
}
redraw();
