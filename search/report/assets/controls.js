"use strict";
// The filters, axes and the selection of a range above the chart of a front.

function choices(name, options, set, mark) {
  return h("fieldset", {}, h("legend", {}, name), h("div", { class: "choices" }, ...options.map((option, index) => h("label", {},
    h("input", { type: "checkbox", checked: true, "data-filter": option, onchange: (event) => {
      if (event.target.checked) set().add(option); else set().delete(option);
      refresh();
    } }), mark ? mark(index) : null, option))));
}

function select(name, options, value, change) {
  const element = h("select", { "aria-label": name, onchange: (event) => { change(options[event.target.selectedIndex][0]); refresh(); } },
    ...options.map(([key, text]) => h("option", { selected: key === value }, text)));
  return h("label", {}, h("span", {}, name), element);
}

function number(name, value, change) {
  return h("label", {}, h("span", {}, name), h("input", { type: "number", value, min: fewest, max: most, onchange: (event) => {
    change(event.target.value === "" ? value : Number(event.target.value));
    refresh();
  } }));
}

const controls = h("form", { class: "controls", "aria-label": "What is shown" });
controls.addEventListener("submit", (event) => event.preventDefault());

const brushButton = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
  brushing = !brushing;
  if (!brushing) clearBrush();
  arm();
} }, "Select a range");

function arm() {
  brushButton.setAttribute("aria-pressed", String(brushing));
  plot.instance.dispatchAction({ type: "takeGlobalCursor", key: "brush", brushOption: { brushType: brushing ? "rect" : false, brushMode: "single", z: 100 } });
}

function clearBrush() {
  state.range = null;
  plot.instance.dispatchAction({ type: "brush", areas: [] });
  refreshTable();
}

function setControls() {
  const items = [];
  if (AXES.length > 1) items.push(select("across", AXES.map((one) => [one, one.name]), state.x, (one) => { state.x = one; brushing = false; clearBrush(); arm(); }));
  if (HEIGHTS.length > 1) items.push(select("up", HEIGHTS.map((name) => [name, words(name)]), state.y, (name) => { state.y = name; }));
  if (lengths.length > 1) items.push(select("epochs", [[null, "all"], ...lengths.map((length) => [length, length === content.epochs ? `${length}, the whole` : String(length)])], state.epochs, (length) => { state.epochs = length; }));
  if (most > fewest) items.push(number("fewest blocks", fewest, (value) => { state.fewest = value; }), number("most blocks", most, (value) => { state.most = value; }));
  if (families.length) items.push(choices("family", families, () => state.families, swatch));
  if (statuses.length > 1) items.push(choices("status", statuses, () => state.statuses));
  controls.replaceChildren(...items, brushButton, h("button", { type: "button", onclick: () => {
    state = start();
    brushing = false;
    clearBrush();
    arm();
    setControls();
    refresh();
  } }, "Reset"));
}
