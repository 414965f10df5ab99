"use strict";
// Building blocks: elements, numbers, colours, tables, plots. What the report says only ever goes in as text or as the value of an attribute
// that is text; names from the report are keys of Maps, never of plain objects.

// ---------------------------------------------------------------- elements

const SVG = "http://www.w3.org/2000/svg";

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
}
const el = (tag, attributes, ...children) => dress(document.createElement(tag), attributes, children);
const sv = (tag, attributes, ...children) => dress(document.createElementNS(SVG, tag), attributes, children);
const at = id => document.getElementById(id);
/** A name of the report: its direction of writing does not touch what stands beside it. */
const named = text => el("bdi", {class: /\S{25}/.test(text) ? "long" : null}, text);

let saying = 0;
/** Tell a screen reader. */
function say(text) {
  clearTimeout(saying);
  at("said").textContent = text;
  saying = setTimeout(() => {
    at("said").textContent = "";
  }, 4000);
}

// ---------------------------------------------------------------- numbers

const MINUS = "\u2212",
  NONE = "\u2013";
const isNumber = value => typeof value === "number" && Number.isFinite(value);
const mean = values => values.reduce((sum, one) => sum + one, 0) / values.length;
function deviation(values) {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (values.length - 1));
}
function bounds(values) {
  let low = Infinity,
    high = -Infinity;
  for (const one of values) {
    if (one < low) low = one;
    if (one > high) high = one;
  }
  return [low, high];
}
function quantile(sorted, q) {
  const place = (sorted.length - 1) * q,
    low = Math.floor(place);
  return sorted[low] + (place - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}
function fixed(value, digits) {
  if (!isNumber(value)) return NONE;
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? MINUS : "") + text;
}
function signed(value, digits) {
  if (!isNumber(value)) return NONE;
  return (value > 0 && Number(value.toFixed(digits)) !== 0 ? "+" : "") + fixed(value, digits);
}
/** A share of one, as percent. */
function share(value) {
  if (!isNumber(value)) return NONE;
  const percent = 100 * value;
  if (percent > 0 && percent < 0.005) return "<0.01 %";
  return fixed(percent, percent >= 10 || percent === 0 ? 1 : 2) + " %";
}
/** A difference of shares, in percentage points. */
const shift = value => (isNumber(value) ? signed(100 * value, Math.abs(value) >= 0.1 || Math.abs(value) < 5e-5 ? 1 : 2) : NONE);
const count = value => (isNumber(value) ? value.toLocaleString("en-US", {maximumFractionDigits: 0}) : NONE);
const COMPACT = new Intl.NumberFormat("en-US", {notation: "compact", compactDisplay: "long", maximumSignificantDigits: 3});
const compact = value => (isNumber(value) ? COMPACT.format(value) : NONE);
const epochs = value => (isNumber(value) ? fixed(value, value >= 10 ? 1 : 2) : NONE);
const plural = (n, one, many) => count(n) + " " + (n === 1 ? one : many || one + "s");

/** Round numbers for an axis: [values, digits after the point]. */
function ticks(low, high, about) {
  const raw = (high - low) / Math.max(1, about);
  if (!(raw > 0)) return [[low], 3];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(one => one * power).find(one => one >= raw * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (Math.abs(step / power - 2.5) < 1e-9 ? 1 : 0));
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) values.push(i * step);
  return [values, Math.min(digits, 8)];
}
/** A range with room at both ends. */
function roomy([low, high], room) {
  const pad = (high - low || Math.abs(high) * 0.02 || 1) * room;
  return [low - pad, high + pad];
}
function scale([low, high], [from, to]) {
  const span = high - low || 1;
  return value => from + ((value - low) / span) * (to - from);
}

// ---------------------------------------------------------------- colours

const VIRIDIS = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"].map(hex =>
  [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16)),
);
const dark = matchMedia("(prefers-color-scheme: dark)"),
  paper = matchMedia("print");
const isDark = () => dark.matches && !paper.matches;
/** Viridis for a goodness from 0 (worst) to 1 (best): the best stands out most, from a light page and from a dark one, and the worst is still seen. */
function colour(goodness) {
  const place = (isDark() ? 0.26 + 0.74 * goodness : 0.78 * (1 - goodness)) * (VIRIDIS.length - 1);
  const low = Math.min(VIRIDIS.length - 2, Math.max(0, Math.floor(place))),
    part = place - low;
  return "rgb(" + [0, 1, 2].map(i => Math.round(VIRIDIS[low][i] + part * (VIRIDIS[low + 1][i] - VIRIDIS[low][i]))).join(",") + ")";
}

/** A mark of a shape about (x, y). */
function shape(kind, x, y, r) {
  if (kind === "circle") return sv("circle", {cx: x, cy: y, r});
  const corners = {
    square: [
      [-0.9, -0.9],
      [0.9, -0.9],
      [0.9, 0.9],
      [-0.9, 0.9],
    ],
    diamond: [
      [0, -1.3],
      [1.3, 0],
      [0, 1.3],
      [-1.3, 0],
    ],
    up: [
      [0, -1.25],
      [1.15, 0.85],
      [-1.15, 0.85],
    ],
    down: [
      [0, 1.25],
      [1.15, -0.85],
      [-1.15, -0.85],
    ],
    star: Array.from({length: 10}, (_, i) => {
      const angle = Math.PI * (i / 5 - 0.5),
        size = i % 2 ? 0.65 : 1.5;
      return [size * Math.cos(angle), size * Math.sin(angle)];
    }),
    cross: [
      [-1.2, -0.5],
      [-0.5, -0.5],
      [-0.5, -1.2],
      [0.5, -1.2],
      [0.5, -0.5],
      [1.2, -0.5],
      [1.2, 0.5],
      [0.5, 0.5],
      [0.5, 1.2],
      [-0.5, 1.2],
      [-0.5, 0.5],
      [-1.2, 0.5],
    ],
  }[kind];
  return sv("path", {d: "M" + corners.map(([dx, dy]) => (x + r * dx).toFixed(1) + " " + (y + r * dy).toFixed(1)).join("L") + "Z"});
}

const MEASURE = document.createElement("canvas").getContext("2d");
const FAMILY = getComputedStyle(document.documentElement).fontFamily;
function measure(text, size) {
  MEASURE.font = (size || 12) + "px " + FAMILY;
  return MEASURE.measureText(text).width;
}
/** A text cut so that it fits a width in pixels. */
function fitted(text, width, size) {
  if (measure(text.slice(0, 300), size) <= width && text.length <= 300) return text;
  const letters = Array.from(text.slice(0, 300));
  let low = 0,
    high = letters.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(letters.slice(0, middle).join("") + "\u2026", size) <= width) low = middle;
    else high = middle - 1;
  }
  return letters.slice(0, low).join("") + "\u2026";
}

// ---------------------------------------------------------------- controls

/** A labelled choice. groups: [[title or "", [[value, text], ...]], ...] */
function chooser(title, groups, value, change, id) {
  const select = el("select", {id, change: () => change(select.value)});
  for (const [group, options] of groups) {
    const home = group ? el("optgroup", {label: group}) : select;
    for (const [name, text] of options) home.append(el("option", {value: name}, text));
    if (group) select.append(home);
  }
  select.value = value;
  return {node: el("label", {}, title, select), select};
}

async function toClipboard(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    // no permission, or a browser that does not count a file as safe: the old way
    const field = el("textarea", {class: "hidden", "aria-hidden": "true"});
    field.value = text;
    const before = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (before) before.focus();
    if (!done) {
      say("The browser does not let this page copy; select the text and copy it by hand.");
      return false;
    }
  }
  say(what + " copied");
  return true;
}
function download(text, name) {
  const link = el("a", {download: name});
  link.href = URL.createObjectURL(new Blob([text], {type: "application/yaml"}));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(name + " downloaded");
}
function copyButton(text, what) {
  const button = el(
    "button",
    {
      type: "button",
      "data-do": "copy",
      click: async () => {
        button.textContent = (await toClipboard(text(), what)) ? "Copied" : "Not copied";
        setTimeout(() => {
          button.textContent = "Copy";
        }, 2000);
      },
    },
    "Copy",
  );
  button.setAttribute("aria-label", "Copy " + what);
  return button;
}

// ---------------------------------------------------------------- tables

const boxes = new ResizeObserver(entries =>
  requestAnimationFrame(() => {
    for (const {target} of entries) {
      target.style.setProperty("--box", target.clientWidth + "px");
      // a box that scrolls must be reached by keyboard; one that does not must not be in the way
      if (target.scrollWidth > target.clientWidth + 1 || target.scrollHeight > target.clientHeight + 1) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  }),
);

/**
 * A table that can be sorted by the buttons in its head.
 * columns: {title, value(row) to sort by, cell(row) or text of the value, number: bool, wide: bool, says: hint}; the first names the row.
 * options: limit (rows shown before "show all"), tall, narrow, key(row), mark(row) -> class, pick(key), light(key).
 */
function table(caption, columns, rows, options = {}) {
  const body = el("tbody"),
    heads = [];
  let sorted = null,
    shown = options.limit || Infinity,
    current = 0;
  const more = el("button", {
      type: "button",
      click: () => {
        shown = Infinity;
        render();
      },
    }),
    rest = el("div", {class: "buttons"}, more);
  const cell = (column, row) => {
    const inside = column.cell ? column.cell(row) : column.value(row);
    return inside === null || inside === undefined ? NONE : inside;
  };
  function render() {
    let list = rows;
    if (sorted) {
      const value = new Map(rows.map(row => [row, columns[sorted.column].value(row)]));
      list = [...rows].sort((a, b) => {
        const x = value.get(a),
          y = value.get(b),
          gone = one => one === null || one === undefined;
        if (gone(x) || gone(y)) return gone(x) - gone(y);
        return (typeof x === "string" ? x.localeCompare(y, "en", {numeric: true}) : x - y) * sorted.way;
      });
    }
    current = 0;
    body.replaceChildren(
      ...list.slice(0, shown).map((row, i) =>
        el(
          "tr",
          {
            class: options.mark && options.mark(row),
            "data-key": options.key && options.key(row),
            tabindex: options.key ? (i ? -1 : 0) : null,
          },
          columns.map((column, j) =>
            j
              ? el("td", {class: (column.number ? "n" : "") + (column.wide ? " bars" : "")}, cell(column, row))
              : el("th", {scope: "row"}, cell(column, row)),
          ),
        ),
      ),
    );
    more.parentNode.hidden = list.length <= shown;
    more.textContent = "Show all " + count(list.length) + " rows";
    heads.forEach((head, i) => {
      if (sorted && sorted.column === i) head.setAttribute("aria-sort", sorted.way > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }
  columns.forEach((column, i) => {
    heads.push(
      el(
        "th",
        {scope: "col", class: column.number ? "n" : null, title: column.says},
        column.plain
          ? named(column.title)
          : el(
              "button",
              {
                type: "button",
                click: () => {
                  sorted = {column: i, way: sorted && sorted.column === i ? -sorted.way : 1};
                  render();
                },
              },
              named(column.title),
            ),
      ),
    );
  });
  if (options.key) {
    const rowOf = event => event.target.closest("tr");
    body.addEventListener("keydown", event => {
      const all = [...body.children],
        step = {ArrowDown: 1, ArrowUp: -1, Home: -all.length, End: all.length}[event.key];
      if (event.target.tagName !== "TR") return;
      if (step) {
        all[current].tabIndex = -1;
        current = Math.min(all.length - 1, Math.max(0, all.indexOf(event.target) + step));
        all[current].tabIndex = 0;
        all[current].focus();
        event.preventDefault();
      } else if (event.key === "Enter" || event.key === " ") {
        options.pick(event.target.dataset.key);
        event.preventDefault();
      }
    });
    body.addEventListener("click", event => {
      const row = rowOf(event);
      if (row) options.pick(row.dataset.key);
    });
    for (const [enter, leave] of [
      ["pointerover", "pointerleave"],
      ["focusin", "focusout"],
    ]) {
      body.addEventListener(enter, event => {
        const row = rowOf(event);
        if (row) options.light(row.dataset.key);
      });
      body.addEventListener(leave, () => options.light(null));
    }
  }
  const box = el(
    "div",
    {class: "box" + (options.tall ? " tall" : ""), role: "group", "aria-label": caption},
    el(
      "table",
      {class: options.narrow ? "narrow" : null},
      el("caption", {}, caption, options.note ? [el("br"), options.note] : null),
      el("thead", {}, el("tr", {}, heads)),
      body,
    ),
  );
  boxes.observe(box);
  render();
  return {
    node: el("div", {}, box, rest),
    update(next) {
      rows = next;
      render();
    },
    light(key) {
      for (const row of body.children) row.classList.toggle("lit-row", key !== null && row.dataset.key === key);
    },
  };
}

// ---------------------------------------------------------------- plots

const plots = [];
/** A figure that draws itself for the width it has. draw(svg, width) -> height. */
function plot(home, label, draw) {
  const svg = sv("svg", {class: "plot", role: "group", "aria-label": label});
  const node = el("figure", {}, svg);
  home.append(node);
  const one = {width: 0};
  one.redraw = () => {
    one.width = Math.floor(node.clientWidth) || 640;
    const width = Math.max(250, one.width),
      held = svg.contains(document.activeElement) && document.activeElement.dataset.key;
    svg.replaceChildren();
    svg.setAttribute("viewBox", "0 0 " + width + " " + draw(svg, width));
    if (held !== false) {
      const again = [...svg.querySelectorAll("[role=option]")].find(mark => mark.dataset.key === held);
      if (again) again.focus();
    }
  };
  plots.push(one);
  new ResizeObserver(() => {
    if (Math.floor(node.clientWidth) !== one.width) requestAnimationFrame(one.redraw);
  }).observe(node);
  one.redraw();
  return one;
}
const recolour = () => plots.forEach(one => one.redraw());
dark.addEventListener("change", recolour);
paper.addEventListener("change", recolour);

/** A line of text under a plot that says what is pointed at. */
function reading() {
  const hint = "Point at a mark, or reach it with Tab and walk with the arrow keys, to read it.",
    node = el("p", {class: "readout"}, hint);
  return {
    node,
    show: text => {
      node.textContent = text || hint;
      node.classList.toggle("told", Boolean(text));
    },
  };
}

function axisX(svg, x, range, [left, right, top, bottom], title) {
  const [values, digits] = ticks(range[0], range[1], (right - left) / 75);
  const group = sv("g", {"aria-hidden": "true"});
  for (const value of values) {
    group.append(
      sv("line", {class: "grid", x1: x(value), x2: x(value), y1: top, y2: bottom}),
      sv("text", {x: x(value), y: bottom + 16, "text-anchor": "middle"}, fixed(value, digits)),
    );
  }
  group.append(
    sv("line", {class: "axis", x1: left, x2: right, y1: bottom, y2: bottom}),
    sv("text", {x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle", class: "strong"}, fitted(title, right - left + 40)),
  );
  svg.append(group);
}
function axisY(svg, y, range, [left, right, top, bottom], title) {
  const [values, digits] = ticks(range[0], range[1], (bottom - top) / 45);
  const group = sv("g", {"aria-hidden": "true"});
  for (const value of values) {
    group.append(
      sv("line", {class: "grid", x1: left, x2: right, y1: y(value), y2: y(value)}),
      sv("text", {x: left - 6, y: y(value) + 4, "text-anchor": "end"}, fixed(value, digits)),
    );
  }
  group.append(
    sv("line", {class: "axis", x1: left, x2: left, y1: top, y2: bottom}),
    sv("text", {x: 0, y: top - 9, class: "strong"}, fitted(title, right)),
  );
  svg.append(group);
}

/**
 * Marks that can be pointed at, walked with the arrow keys and picked.
 * items: {key, label, x, y, node}; options: nearest(x, y) -> item, move(item, key) -> item, show(item or null), pick(item).
 */
function pickable(svg, layer, label, items, options) {
  layer.setAttribute("role", "listbox");
  layer.setAttribute("aria-label", label);
  if (!items.length) return layer.removeAttribute("role");
  const byNode = new Map(items.map(item => [item.node, item]));
  items.forEach((item, i) =>
    dress(item.node, {role: "option", tabindex: i ? -1 : 0, "aria-label": item.label, "aria-selected": "false", "data-key": item.key}, []),
  );
  let tab = items[0];
  const across = [...items].sort((a, b) => a.x - b.x || a.y - b.y),
    down = [...items].sort((a, b) => a.y - b.y || a.x - b.x);
  const step = (list, item, by) => list[Math.min(list.length - 1, Math.max(0, list.indexOf(item) + by))];
  const moves = {
    ArrowRight: [across, 1],
    ArrowLeft: [across, -1],
    ArrowDown: [down, 1],
    ArrowUp: [down, -1],
    Home: [across, -items.length],
    End: [across, items.length],
  };
  layer.addEventListener("keydown", event => {
    const item = byNode.get(event.target);
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) {
      const next = (options.move && options.move(item, event.key)) || step(moves[event.key][0], item, moves[event.key][1]);
      tab.node.setAttribute("tabindex", -1);
      tab = next;
      tab.node.setAttribute("tabindex", 0);
      tab.node.focus();
    } else if ((event.key === "Enter" || event.key === " ") && options.pick) options.pick(item);
    else return;
    event.preventDefault();
  });
  layer.addEventListener("focusin", event => {
    const item = byNode.get(event.target);
    if (!item) return;
    tab.node.setAttribute("tabindex", -1);
    tab = item;
    tab.node.setAttribute("tabindex", 0);
    options.show(item);
  });
  layer.addEventListener("focusout", () => options.show(null));
  const near =
    options.nearest ||
    ((x, y) => {
      let best = null,
        least = 24 * 24;
      for (const item of items) {
        const far = (item.x - x) ** 2 + (item.y - y) ** 2;
        if (far < least) [best, least] = [item, far];
      }
      return best;
    });
  // The svg outlives what is drawn in it: one handler each, replaced at the next drawing.
  svg.onpointermove = svg.onpointerdown = event => options.show(near(...place(svg, event)));
  svg.onpointerleave = () => options.show(null);
  svg.onclick = event => {
    const item = near(...place(svg, event));
    if (item && options.pick) options.pick(item);
  };
}
/** Where a pointer is, in the units of a drawing. */
function place(svg, event) {
  const box = svg.getBoundingClientRect(),
    view = svg.viewBox.baseVal;
  return [((event.clientX - box.left) * view.width) / box.width, ((event.clientY - box.top) * view.height) / box.height];
}
/** A label beside a mark, inside the drawing. */
function beside(text, x, y, left, right) {
  const short = fitted(text, right - left),
    long = measure(short, 12) * 1.08;
  const start = x + 12 + long <= right ? x + 12 : Math.max(left, x - 12 - long);
  return sv("text", {class: "halo", x: start, y: Math.max(12, y - 9)}, short);
}
