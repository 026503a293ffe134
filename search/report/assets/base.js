"use strict";
// What every page uses: elements, numbers, tables, copying. Texts enter the page as text nodes and
// attributes alone, so nothing in them can act.

const content = JSON.parse(document.getElementById("content").textContent);
const main = document.getElementById("main");

function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function svg(tag, properties, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(properties || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// As `search.units.format_multiplies` writes them.
function multiplies(value) {
  for (const [suffix, scale] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (value >= scale) return `${Number((value / scale).toPrecision(4))}${suffix}`;
  }
  return String(value);
}

const whole = (value) => value.toLocaleString("en-US");
const share = (value) => value.toFixed(4);
const orDash = (value, write) => (value === null || value === undefined ? "–" : write(value));

// A sentence, in which what stands between backticks is code.
function prose(text) {
  const parts = text.split("`");
  return parts.map((part, at) => {
    if (at % 2 === 0) return part;
    return at < parts.length - 1 ? h("code", {}, part) : `\`${part}`;
  });
}

function section(title, ...children) {
  const id = `section-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

function pairs(rows, kind = "pairs") {
  return h("dl", { class: kind }, ...rows.flatMap(([name, value]) =>
    kind === "pairs"
      ? [h("dt", {}, name), h("dd", {}, value)]
      : [h("div", {}, h("dt", {}, name), h("dd", {}, value))]));
}

const announcer = h("div", { class: "hidden", role: "status", "aria-live": "polite" });
function announce(text) { announcer.textContent = text; }

function copyLine(label, text) {
  const button = h("button", { type: "button", "aria-label": `Copy: ${label}`, onclick: copy }, "Copy");
  async function copy() {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without permission, or in a page that is not trusted with the clipboard.
      const area = h("textarea", { class: "hidden" });
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    button.textContent = done ? "Copied" : "Select it";
    announce(done ? `Copied: ${label}` : "Copying is not allowed here; select the line");
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }
  return h("div", { class: "copy" }, h("code", {}, text), button);
}

function download(name, type, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function csv(rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

// A plain table of texts, the head first; column 0 is text, the others numbers.
function plainTable(caption, rows) {
  const kind = (index) => (index === 0 ? "text wrap" : null);
  return scrolling(caption, h("table", {}, h("caption", { class: "hidden" }, caption),
    h("thead", {}, h("tr", {}, ...rows[0].map((cell, index) =>
      h("th", { scope: "col", class: kind(index) }, cell)))),
    h("tbody", {}, ...rows.slice(1).map((row) => h("tr", {}, ...row.map((cell, index) =>
      h("td", { class: kind(index) }, cell)))))));
}

// What is wider than a small screen scrolls by itself, and by the keyboard.
function scrolling(label, child) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, child);
}

// A table that sorts by its heads and grows by a button. `columns`: name, key(row) to sort by,
// cell(row) what is shown, text (whether it is text); `mark(row)` is the class of a row.
function sortedTable(caption, columns, mark) {
  const step = 50;
  let rows = [], sort = null, shown = step;
  const body = h("tbody");
  const more = h("button", { type: "button", onclick: () => { shown += 4 * step; fill(); } }, "Show more");
  const count = h("span", { class: "muted" });
  const heads = columns.map((column, index) => h("th", { scope: "col", class: column.text ? "text" : null },
    h("button", { type: "button", onclick: () => by(index) }, column.name)));
  const table = h("table", {}, h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, ...heads)), body);

  function by(index, rising = null) {
    const up = rising ?? !(sort && sort.index === index && sort.up);
    sort = { index, up };
    heads.forEach((head, at) => {
      if (at === index) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    fill();
  }

  function sorted() {
    if (!sort) return rows;
    const key = columns[sort.index].key, sign = sort.up ? 1 : -1;
    return [...rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      // What was not measured comes last, whichever way.
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (x < y ? -1 : x > y ? 1 : 0);
    });
  }

  function fill() {
    body.replaceChildren(...sorted().slice(0, shown).map((row) => h("tr", { class: mark(row) },
      ...columns.map((column) => h("td", { class: column.text ? "text" : null }, column.cell(row))))));
    more.hidden = rows.length <= shown;
    count.textContent = `${whole(Math.min(shown, rows.length))} of ${whole(rows.length)}`;
  }

  return {
    element: h("div", {}, scrolling(caption, table), h("div", { class: "row" }, more, count)),
    by,
    sorted,
    update(found) { rows = found; shown = step; fill(); },
  };
}
