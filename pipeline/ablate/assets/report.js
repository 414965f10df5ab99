// The report as the page uses it, and what is chosen and pointed at.

const data = JSON.parse(at("data").textContent);

// ---------------------------------------------------------------- the report, as the page uses it

const list = value => (Array.isArray(value) ? value : []);
const words = value => (value === null || value === undefined ? "" : String(value));
const entries = value => (value && typeof value === "object" ? Object.entries(value) : []);
const numberIn = (object, name) => (object && Object.hasOwn(object, name) && isNumber(object[name]) ? object[name] : null);

const domains = list(data.domains).map((one, index) => ({
  ...one,
  index,
  name: words(one.name),
  title: words(one.title) || words(one.name) || "(no name)",
}));
const GROUPS = new Map([
  ["overall", "overall"],
  ["family", "by family"],
  ["source", "by source"],
  ["facet", "by facet"],
  ["question set", "by question set"],
  ["external", "external"],
]);
const metrics = new Map();
function addMetric(one) {
  const title = words(one.title) || words(one.name) || "(no name)",
    unit = words(one.unit),
    group = GROUPS.has(one.group) ? one.group : "other";
  metrics.set(words(one.name), {
    name: words(one.name),
    title,
    unit,
    group,
    lower: one.lower_is_better !== false,
    target: Boolean(one.target),
    axis: unit ? title + ", " + unit : title,
  });
}
list(data.metrics).forEach(addMetric);
const proposals = list(data.proposals).map((one, index) => ({
  ...one,
  index,
  title: words(one.name) || "proposal " + (index + 1),
  weights: list(one.weights),
  css: "proposed-" + (index % 3),
  shape: ["star", "cross", "circle"][index % 3],
}));
const pareto = data.pareto || {};
// what is spoken of anywhere is a metric, even if it was not declared
for (const name of [
  ...list(pareto.targets),
  ...entries(data.fits).map(one => one[0]),
  ...proposals.flatMap(one => entries(one.objective).map(each => each[0])),
]) {
  if (!metrics.has(words(name))) addMetric({name});
}
const metric = name => metrics.get(words(name));
const targets = [...metrics.values()].filter(one => one.target);
const runs = list(data.points).map((one, index) => ({
  ...one,
  index,
  id: String(index),
  kind: words(one.kind) || "swarm",
  title: "run " + words(one.run),
  weights: list(one.weights),
}));
const fits = new Map(entries(data.fits));
const trained = list(data.trained);
const prior = domains.map(one => (isNumber(one.prior) ? one.prior : 0));

const KINDS = new Map([
  ["swarm", "circle"],
  ["prior", "diamond"],
  ["uniform", "square"],
  ["proportional", "up"],
  ["proposed", "star"],
]);
const shapeOf = kind => KINDS.get(kind) || "circle";
const cssOf = kind => (kind === "proposed" ? "proposed-0" : KINDS.has(kind) && kind !== "swarm" ? kind : "plain");

const columnsOf = new Map();
/** A metric's values by run, null where missing. */
function column(name) {
  if (!columnsOf.has(name))
    columnsOf.set(
      name,
      runs.map(run => numberIn(run.metrics, name)),
    );
  return columnsOf.get(name);
}
const digitsOf = new Map();
/** Digits that show the differences between the runs to about three figures, the same for all metrics of a unit. */
function digits(name) {
  const unit = metric(name).unit;
  if (!digitsOf.has(unit)) {
    digitsOf.set(
      unit,
      Math.max(
        ...[...metrics.values()]
          .filter(one => one.unit === unit)
          .map(one => {
            const known = [
              ...column(one.name),
              ...trained.map(row => numberIn(row.metrics, one.name)),
              ...proposals.map(row => numberIn(row.predicted, one.name)),
            ].filter(isNumber);
            const [low, high] = known.length ? bounds(known) : [0, 0];
            return high > low ? Math.min(6, Math.max(2, Math.ceil(-Math.log10(high - low)) + 2)) : 3;
          }),
      ),
    );
  }
  return digitsOf.get(unit);
}
const withUnit = (text, one) => (one.unit ? text + " " + one.unit : text);
/** How much better a value is than another, in the metric's unit; negative if worse. */
const gain = (one, value, base) => (isNumber(value) && isNumber(base) ? (one.lower ? base - value : value - base) : null);
/** Sums that are exact to the last digit shown: shares rounded so that they still add up to one. */
function rounded(weights, places) {
  const units = 10 ** places,
    total = weights.reduce((sum, one) => sum + one, 0) || 1;
  const whole = weights.map(one => Math.floor((one / total) * units + 1e-9));
  const rest = weights.map((one, i) => [(one / total) * units - whole[i], i]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  for (let i = 0, left = units - whole.reduce((sum, one) => sum + one, 0); i < left; i++) whole[rest[i % rest.length][1]]++;
  return whole.map(one => (one / units).toFixed(places));
}
/** A text as a YAML scalar: plain where it is surely a string, else in double quotes with everything unusual escaped. */
function scalar(text) {
  if (/^[A-Za-z][\w./-]*$/.test(text) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text)) return text;
  return JSON.stringify(text).replace(
    /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g,
    one => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}
const yamlOf = weights =>
  rounded(weights, 5)
    .map((weight, i) => scalar(domains[i].name) + ": " + weight + "\n")
    .join("");

// ---------------------------------------------------------------- what is chosen and pointed at

const state = {
  metric: (targets[0] || [...metrics.values()][0] || {name: null}).name,
  over: null,
  pinned: null,
  ranges: new Map(),
  own: false,
  few: true,
};
const hearers = {metric: [], run: [], ranges: []};
const tell = topic => hearers[topic].forEach(hear => hear());
const lit = () => state.over || state.pinned;
function light(run) {
  if (state.over === run) return;
  state.over = run;
  tell("run");
}
function pin(run) {
  state.pinned = state.pinned === run ? null : run;
  tell("run");
  say(state.pinned ? run.title + " stays marked in all plots" : "no run is marked");
}
addEventListener("keydown", event => {
  if (event.key === "Escape" && state.pinned) pin(state.pinned);
});
const matches = run =>
  [...state.ranges].every(([i, [low, high]]) => (run.weights[i] || 0) >= low - 1e-9 && (run.weights[i] || 0) <= high + 1e-9);

const metricGroups = names => {
  const groups = new Map();
  for (const one of names) {
    const title = GROUPS.get(one.group) || "other";
    if (!groups.has(title)) groups.set(title, []);
    groups.get(title).push([one.name, one.title]);
  }
  return [...groups];
};
const choosers = [];
function metricChooser(title, id) {
  const one = chooser(
    title,
    metricGroups([...metrics.values()]),
    state.metric,
    name => {
      state.metric = name;
      choosers.forEach(each => {
        each.value = name;
      });
      tell("metric");
    },
    id,
  );
  choosers.push(one.select);
  return one.node;
}

/** goodness of a run in the chosen metric, 0 to 1, and the ends of the scale. */
function goodness() {
  const one = metric(state.metric),
    values = one ? column(one.name) : runs.map(() => null),
    known = values.filter(isNumber).sort((a, b) => a - b);
  if (!known.length) return {of: () => null, low: null, high: null};
  const cut = known.length >= 20 ? 0.05 : 0,
    low = quantile(known, cut),
    high = quantile(known, 1 - cut);
  return {
    low,
    high,
    cut,
    of: run => {
      if (!isNumber(values[run.index])) return null;
      const part = high > low ? Math.min(1, Math.max(0, (values[run.index] - low) / (high - low))) : 0.5;
      return one.lower ? 1 - part : part;
    },
  };
}
/** Runs from the best in the chosen metric to the worst, those without a value last. */
function ranked(all) {
  const good = new Map(),
    one = metric(state.metric),
    values = one ? column(one.name) : [];
  all.forEach(run => good.set(run, isNumber(values[run.index]) ? (one.lower ? -1 : 1) * values[run.index] : -Infinity));
  return [...all].sort((a, b) => (good.get(b) === good.get(a) ? a.index - b.index : good.get(b) - good.get(a)));
}
function describe(run) {
  const one = metric(state.metric),
    value = one ? column(one.name)[run.index] : null;
  const most = run.weights
    .map((weight, i) => [weight, i])
    .sort((a, b) => b[0] - a[0])
    .slice(0, 4)
    .map(([weight, i]) => (domains[i] ? domains[i].title : "?") + " " + share(weight));
  return (
    run.title +
    ", " +
    run.kind +
    (isNumber(run.seed) ? ", seed " + run.seed : "") +
    (one ? ", " + one.title + " " + (isNumber(value) ? withUnit(fixed(value, digits(one.name)), one) : "missing") : "") +
    ": " +
    most.join(", ")
  );
}

/** items: [drawing, text] */
function legend(items) {
  return el(
    "ul",
    {class: "legend"},
    items.map(([drawing, text]) => el("li", {}, drawing, text)),
  );
}
const sample = (kind, css, filled = true) =>
  sv(
    "svg",
    {width: 16, height: 16, "aria-hidden": "true"},
    dress(
      shape(kind, 8, 8, 5),
      {class: (filled ? "as-fill " : "as-line ") + css, fill: filled ? null : "none", "stroke-width": filled ? null : 1.8},
      [],
    ),
  );
const stroke = (css, dash) =>
  sv(
    "svg",
    {width: 26, height: 12, "aria-hidden": "true"},
    sv("line", {x1: 1, x2: 25, y1: 6, y2: 6, class: "as-line " + css, "stroke-width": 3, "stroke-dasharray": dash}),
  );
const remark = (home, text) => {
  at(home).append(el("p", {class: "remark"}, text));
};
/** What a section says when it has nothing to show: then there is nothing to say about how to read it. */
function instead(home, text) {
  at(home).closest("section").querySelector(".see").hidden = true;
  remark(home, text);
}
