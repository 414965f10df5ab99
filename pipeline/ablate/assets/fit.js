// How good the fit is, and what goes with each domain.

const POWERS = new Map([..."0123456789-"].map((one, i) => [one, "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b"[i]]));
/** Three figures, with a power of ten where that is shorter. */
function brief(value) {
  if (!isNumber(value)) return NONE;
  if (value === 0) return "0";
  const power = Math.floor(Math.log10(Math.abs(value)));
  if (power >= -3 && power < 6) return fixed(value, Math.max(0, 2 - power));
  return fixed(value / 10 ** power, 2) + " \u00d7 10" + Array.from(String(power), one => POWERS.get(one)).join("");
}
/** A value and its interval on an axis from low to high, in percent of a cell; a line at zero. */
function interval(value, from, to, low, high, css) {
  const x = one => ((100 * (Math.min(high, Math.max(low, one)) - low)) / (high - low)).toFixed(2) + "%";
  return sv(
    "svg",
    {"aria-hidden": "true"},
    sv("line", {x1: 0, x2: "100%", y1: 13, y2: 13, stroke: "var(--grid)"}),
    low < 0 && high > 0 ? sv("line", {x1: x(0), x2: x(0), y1: 2, y2: 24, stroke: "var(--muted)"}) : null,
    isNumber(from) && isNumber(to)
      ? sv("line", {x1: x(from), x2: x(to), y1: 13, y2: 13, class: "as-line " + css, "stroke-width": 11, "stroke-opacity": 0.35})
      : null,
    isNumber(value) ? sv("circle", {cx: x(value), cy: 13, r: 4, class: "as-fill " + css}) : null,
  );
}

function fit() {
  if (state.metric === null) return instead("fit-plot", "Nothing was measured, so nothing was fitted.");
  at("fit-controls").append(metricChooser("Metric", "fit-metric"));
  const plotHome = at("fit-plot"),
    modelsHome = at("fit-models"),
    absent = el("p", {class: "remark"}),
    noise = el("p", {class: "remark", "data-is": "noise"});
  plotHome.append(absent);
  const byRun = new Map(runs.map(run => [words(run.run), run]));
  let over = null,
    marks = [],
    edges = [0, 0];
  const mark = () => {
    if (!over) return;
    const item = marks.find(one => one.run === lit());
    over.replaceChildren(
      ...(item ? [sv("circle", {class: "ring", cx: item.x, cy: item.y, r: 10}), beside(item.run.title, item.x, item.y, ...edges)] : []),
    );
    for (const each of marks) each.node.setAttribute("aria-selected", String(each.run === state.pinned));
  };
  const drawing = plot(plotHome, "Predicted against observed", (svg, width) => {
    const one = metric(state.metric),
      fit = fits.get(state.metric) || {},
      pairs = [];
    list(fit.runs).forEach((id, i) => {
      const run = byRun.get(words(id)),
        predicted = list(fit.predicted)[i],
        observed = run && column(one.name)[run.index];
      if (run && isNumber(predicted) && isNumber(observed)) pairs.push([run, observed, predicted]);
    });
    marks = [];
    over = null;
    absent.textContent = pairs.length
      ? ""
      : fits.has(state.metric)
        ? "No run has both a value and a prediction of this metric."
        : "Nothing was fitted to this metric.";
    if (!pairs.length) return 1;
    const range = roomy(bounds(pairs.flatMap(pair => [pair[1], pair[2]])), 0.06),
      [labels, places] = ticks(range[0], range[1], 8);
    const left = 14 + Math.max(...labels.map(value => measure(fixed(value, places)))),
      right = width - 8,
      top = 26,
      bottom = top + Math.min(right - left, 440);
    const x = scale(range, [left, right]),
      y = scale(range, [bottom, top]),
      good = goodness();
    axisX(svg, x, range, [left, right, top, bottom], "observed: " + one.axis);
    axisY(svg, y, range, [left, right, top, bottom], "predicted, out of fold: " + one.axis);
    const clip = value => Math.min(range[1], Math.max(range[0], value)),
      wide = isNumber(fit.noise) ? 2 * fit.noise : 0;
    if (wide) {
      const [a, b] = range,
        corners = [
          [a, clip(a + wide)],
          [clip(b - wide), b],
          [b, b],
          [b, clip(b - wide)],
          [clip(a + wide), a],
          [a, a],
        ];
      svg.append(sv("path", {class: "band", "aria-hidden": "true", d: "M" + corners.map(([u, v]) => x(u) + " " + y(v)).join("L") + "Z"}));
    }
    svg.append(
      sv("line", {
        class: "axis",
        "shape-rendering": "auto",
        x1: left,
        y1: bottom,
        x2: right,
        y2: top,
        "stroke-dasharray": "4 4",
        "aria-hidden": "true",
      }),
    );
    const layer = sv("g", {});
    for (const [run, observed, predicted] of pairs) {
      const node = dress(shape(shapeOf(run.kind), x(observed), y(predicted), 5), {fill: colour(good.of(run)), stroke: "var(--page)"}, []);
      layer.append(node);
      marks.push({
        key: run.id,
        x: x(observed),
        y: y(predicted),
        node,
        run,
        label:
          run.title +
          ", " +
          run.kind +
          ": observed " +
          fixed(observed, digits(one.name)) +
          ", predicted " +
          withUnit(fixed(predicted, digits(one.name)), one),
      });
    }
    over = sv("g", {"aria-hidden": "true"});
    edges = [left, right];
    svg.append(layer, over);
    pickable(svg, layer, "Runs, predicted against observed; arrow keys move, Enter marks", marks, {
      show: item => light(item && item.run),
      pick: item => pin(item.run),
    });
    mark();
    return bottom + 42;
  });
  plotHome.append(
    el(
      "p",
      {class: "caveat", "data-is": "marks"},
      "Diamonds are runs of the prior, squares uniform, triangles proportional, stars proposed, circles all others. The band is two standard deviations of seed noise, where it is known.",
    ),
  );
  const models = table(
    "Models compared by cross-validation; intervals of Spearman's rank correlation are 95 %.",
    [
      {
        title: "model",
        value: row => words(row.model),
        cell: row => [named(words(row.model)), row.chosen ? el("span", {class: "tag better"}, "\u2713 chosen") : ""],
      },
      {
        title: "Spearman",
        number: true,
        value: row => row.spearman,
        cell: row => [
          fixed(row.spearman, 3),
          isNumber(row.spearman_low) && isNumber(row.spearman_high)
            ? el("div", {class: "tag muted"}, fixed(row.spearman_low, 2) + " to " + fixed(row.spearman_high, 2))
            : "",
        ],
      },
      {
        title: "0 to 1",
        wide: true,
        plain: true,
        value: () => null,
        cell: row => interval(row.spearman, row.spearman_low, row.spearman_high, 0, 1, row.chosen ? "proposed-0" : "own"),
      },
      {title: "MSE", says: "mean squared error", number: true, value: row => row.mse, cell: row => brief(row.mse)},
      {title: "R\u00b2", number: true, value: row => row.r2, cell: row => fixed(row.r2, 3)},
    ],
    [],
    {mark: row => (row.chosen ? "chosen" : null)},
  );
  modelsHome.append(el("h3", {}, "Models"), models.node, noise);

  const effects = table(
    "Effect of each domain on the metric, over all runs.",
    [
      {title: "domain", value: row => row.domain.title, cell: row => named(row.domain.title)},
      {
        title: "correlation, " + MINUS + "1 to 1",
        wide: true,
        plain: true,
        value: () => null,
        cell: row => interval(row.r, row.low, row.high, -1, 1, "own"),
      },
      {title: "correlation", number: true, value: row => row.r, cell: row => signed(row.r, 2)},
      {
        title: "interval",
        says: "95 %, Fisher",
        number: true,
        value: row => (isNumber(row.high) ? row.high - row.low : null),
        cell: row => (isNumber(row.low) ? signed(row.low, 2) + " to " + signed(row.high, 2) : NONE),
      },
      {
        title: "change for +10 points",
        number: true,
        value: row => row.slope,
        cell: row =>
          isNumber(row.slope)
            ? [
                signed(row.slope / 10, digits(state.metric)),
                " ",
                row.low > 0 || row.high < 0 ? direction(gain(metric(state.metric), row.slope, 0)) : el("span", {class: "muted"}, "unclear"),
              ]
            : NONE,
      },
      {title: "weights tried", number: true, value: row => row.range[1], cell: row => share(row.range[0]) + " to " + share(row.range[1])},
    ],
    [],
    {
      limit: 25,
      note: "Weights add up to one: what goes up makes something else go down, so a domain is credited with what it displaces. These are simple correlations, one domain at a time, not causes; the models above see all weights at once.",
    },
  );
  at("effects").append(el("h3", {}, "Domains"), effects.node);
  const show = () => {
    const fit = fits.get(state.metric),
      one = metric(state.metric),
      values = column(one.name),
      seen = values.filter(isNumber);
    models.update(list(fit && fit.models).map(row => ({...row, chosen: row.model === fit.chosen})));
    modelsHome.hidden = !fit;
    plotHome.lastChild.hidden = !marks.length;
    at("effects").hidden = !seen.length;
    const spread = seen.length > 1 ? deviation(seen) : null;
    noise.textContent =
      fit && isNumber(fit.noise)
        ? "Seeds alone move this metric by " +
          withUnit(brief(fit.noise), one) +
          " (sd, from repeated seeds); the runs differ by " +
          brief(spread) +
          (fit.noise > 0 ? ", " + fixed(spread / fit.noise, 1) + " times as much." : ".")
        : fit
          ? "Noise is not known: no mix was trained with several seeds."
          : "";
    effects.update(
      domains.map((domain, i) => {
        const pairs = runs
            .filter(run => isNumber(values[run.index]) && isNumber(run.weights[i]))
            .map(run => [run.weights[i], values[run.index]]),
          n = pairs.length;
        const row = {domain, r: null, slope: null, low: null, high: null, range: n ? bounds(pairs.map(pair => pair[0])) : [null, null]};
        if (n < 3) return row;
        const mx = mean(pairs.map(pair => pair[0])),
          my = mean(pairs.map(pair => pair[1]));
        const xx = pairs.reduce((sum, pair) => sum + (pair[0] - mx) ** 2, 0),
          yy = pairs.reduce((sum, pair) => sum + (pair[1] - my) ** 2, 0),
          xy = pairs.reduce((sum, pair) => sum + (pair[0] - mx) * (pair[1] - my), 0);
        if (xx < 1e-12 || yy < 1e-20) return row;
        row.r = Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
        row.slope = xy / xx;
        if (n > 3 && Math.abs(row.r) < 1)
          [row.low, row.high] = [-1, 1].map(side => Math.tanh(Math.atanh(row.r) + (side * 1.96) / Math.sqrt(n - 3)));
        return row;
      }),
    );
  };
  hearers.metric.push(drawing.redraw, show);
  hearers.run.push(mark);
  show();
}
