// What each mix does to each metric.

/** What is known of a mix in a metric: {value, n, predicted, run}, what was trained for it before single runs, those before predictions. */
function known(mix, name) {
  const observed = values => ({value: mean(values), n: values.length, predicted: false});
  if (mix.best) {
    const run = runs.reduce((best, one) => {
      const value = column(name)[one.index];
      return isNumber(value) &&
        (best === null || (metric(name).lower ? value < column(name)[best.index] : value > column(name)[best.index]))
        ? one
        : best;
    }, null);
    return run && {value: column(name)[run.index], n: 1, predicted: false, run};
  }
  const keys = mix.proposal ? [mix.proposal.name, ...(mix.proposal.index ? [] : ["proposed"])] : [mix.kind];
  const values = keys.flatMap(key => trainedValues(words(key), name));
  if (values.length) return observed(values);
  const same = run =>
    mix.proposal
      ? run.kind === "proposed" && run.weights.every((weight, i) => Math.abs(weight - mix.proposal.weights[i]) < 1e-4)
      : run.kind === mix.kind;
  const single = runs
    .filter(same)
    .map(run => column(name)[run.index])
    .filter(isNumber);
  if (single.length) return observed(single);
  const predicted = mix.proposal
    ? numberIn(mix.proposal.predicted, name)
    : mix.kind === "prior" && proposals.length
      ? numberIn(proposals[0].prior_predicted, name)
      : null;
  return isNumber(predicted) ? {value: predicted, n: 0, predicted: true} : null;
}
/** Two standard deviations of the difference that seeds alone make, null where the noise is not known. */
function noiseOf(name, a, b) {
  const fit = fits.get(name),
    noise = fit && isNumber(fit.noise) ? fit.noise : null;
  return noise === null ? null : 2 * noise * Math.sqrt(1 / Math.max(1, a.n) + 1 / Math.max(1, b.n));
}

function losses() {
  const base = {kind: "prior", title: "prior"};
  const mixes = [
    ...proposals.map(one => ({proposal: one, title: one.title, css: one.css, shape: one.shape})),
    {kind: "uniform", title: "uniform", css: "uniform", shape: "square"},
    {best: true, title: "best run", css: "best", shape: "down"},
  ];
  const rows = [...metrics.values()]
    .map(one => ({metric: one, prior: known(base, one.name), mixes: mixes.map(mix => known(mix, one.name))}))
    .filter(row => row.prior || row.mixes.some(Boolean));
  if (!rows.length) return instead("loss-table", "Nothing was measured.");
  const present = mixes.map((mix, i) => i).filter(i => rows.some(row => row.mixes[i]));
  const difference = (row, i) => (row.prior && row.mixes[i] ? gain(row.metric, row.mixes[i].value, row.prior.value) : null);
  const loud = (row, i) => {
    const noise = row.prior && row.mixes[i] ? noiseOf(row.metric.name, row.prior, row.mixes[i]) : null;
    return noise === null ? null : Math.abs(difference(row, i)) > noise;
  };

  const groups = [...new Set(rows.filter(row => row.prior && present.some(i => row.mixes[i])).map(row => row.metric.group))];
  if (groups.length) {
    let group = ["family", "source", "facet"].find(one => groups.includes(one)) || groups[0],
      shownNow = null;
    const readout = reading(),
      home = at("loss-plot");
    home.append(
      el(
        "div",
        {class: "controls"},
        chooser(
          "Metrics",
          [["", groups.map(one => [one, GROUPS.get(one) || "other"])]],
          group,
          value => {
            group = value;
            drawing.redraw();
          },
          "loss-group",
        ).node,
      ),
      legend([
        ...present.map(i => [sample(mixes[i].shape, mixes[i].css), named(mixes[i].title)]),
        [
          sv("svg", {width: 26, height: 14, "aria-hidden": "true"}, sv("rect", {class: "band", width: 26, height: 14})),
          "what seeds alone do (2 sd), where it is known",
        ],
      ]),
    );
    const drawing = plot(home, "Difference from the prior by metric", (svg, width) => {
      const first = present[0],
        lines = rows
          .filter(row => row.metric.group === group && row.prior && present.some(i => row.mixes[i]))
          .sort((a, b) => (difference(b, first) ?? -Infinity) - (difference(a, first) ?? -Infinity));
      const tight = width < 560,
        left = tight ? 8 : Math.min(230, 18 + Math.max(...lines.map(row => measure(row.metric.title.slice(0, 80))))),
        right = width - 12,
        pitch = tight ? 42 : 30,
        top = 24,
        bottom = top + pitch * lines.length;
      const bands = lines.map(row => {
        const i = present.find(each => row.mixes[each]);
        return noiseOf(row.metric.name, row.prior, row.mixes[i]);
      });
      const all = [0, ...lines.flatMap(row => present.map(i => difference(row, i))).filter(isNumber)],
        range = roomy(bounds([...all, ...bands.filter(isNumber).flatMap(one => [one, -one])]), 0.06),
        x = scale(range, [left, right]);
      const units = [...new Set(lines.map(row => row.metric.unit))],
        unit = units.length === 1 ? units[0] : "each metric's own unit";
      axisX(
        svg,
        x,
        range,
        [left, right, top - 4, bottom],
        "better than the prior by" + (unit ? ", " + unit : "") + (tight ? "" : " (negative: worse)"),
      );
      svg.append(
        sv(
          "g",
          {"aria-hidden": "true"},
          sv("line", {class: "zero", x1: x(0), x2: x(0), y1: top - 8, y2: bottom}),
          x(0) - left > 58 ? sv("text", {x: x(0) - 8, y: 12, "text-anchor": "end"}, "\u2190 worse") : null,
          right - x(0) > 58 ? sv("text", {x: x(0) + 8, y: 12}, "better \u2192") : null,
        ),
      );
      const layer = sv("g", {}),
        over = sv("g", {"aria-hidden": "true"}),
        items = [];
      lines.forEach((row, place) => {
        const y = top + pitch * (place + (tight ? 0.72 : 0.5));
        svg.append(
          sv("line", {class: "grid", x1: left, x2: right, y1: y, y2: y, "aria-hidden": "true"}),
          sv(
            "text",
            {
              class: "strong",
              x: tight ? left : left - 10,
              y: tight ? y - 13 : y + 4,
              "text-anchor": tight ? "start" : "end",
              "aria-hidden": "true",
            },
            fitted(row.metric.title, tight ? right - left : left - 12),
          ),
        );
        if (isNumber(bands[place]))
          svg.append(
            sv("rect", {
              class: "band",
              x: x(-bands[place]),
              width: x(bands[place]) - x(-bands[place]),
              y: y - 9,
              height: 18,
              "aria-hidden": "true",
            }),
          );
        [...present].reverse().forEach(i => {
          const by = difference(row, i);
          if (!isNumber(by)) return;
          const node = dress(shape(mixes[i].shape, x(by), y, 5.5), {class: "as-fill " + mixes[i].css, stroke: "var(--page)"}, []),
            known = row.mixes[i];
          layer.append(node);
          items.push({
            key: row.metric.name + "\n" + i,
            x: x(by),
            y,
            node,
            row: place,
            mix: i,
            label:
              row.metric.title +
              ", " +
              mixes[i].title +
              (known.run ? " (" + known.run.title + ")" : "") +
              (known.predicted ? " (predicted)" : "") +
              ": " +
              withUnit(fixed(known.value, digits(row.metric.name)), row.metric) +
              ", " +
              fixed(Math.abs(by), digits(row.metric.name)) +
              (by > 0 ? " better" : by < 0 ? " worse" : "") +
              " than the prior",
          });
        });
      });
      svg.append(layer, over);
      items.sort((a, b) => a.row - b.row || a.x - b.x);
      const show = item => {
        if (item === shownNow) return;
        shownNow = item;
        over.replaceChildren(...(item ? [sv("circle", {class: "ring", cx: item.x, cy: item.y, r: 10})] : []));
        readout.show(item && item.label);
      };
      pickable(svg, layer, "Differences from the prior; left and right move along, up and down to the same mix in the next metric", items, {
        show,
        move: (item, key) => {
          const place = items.indexOf(item),
            by = {ArrowUp: -1, ArrowDown: 1}[key];
          if (by)
            return (
              items
                .filter(one => one.mix === item.mix && (one.row - item.row) * by > 0)
                .sort((a, b) => Math.abs(a.row - item.row) - Math.abs(b.row - item.row))[0] || item
            );
          return items[
            Math.min(items.length - 1, Math.max(0, place + {ArrowRight: 1, ArrowLeft: -1, Home: -items.length, End: items.length}[key]))
          ];
        },
      });
      return bottom + 42;
    });
    home.append(readout.node);
  }
  const cellOf = (row, i) => {
    const one = row.mixes[i];
    return one
      ? [
          one.predicted
            ? el("span", {class: "said"}, fixed(one.value, digits(row.metric.name)))
            : fixed(one.value, digits(row.metric.name)),
          one.run ? el("span", {class: "tag muted"}, named(words(one.run.run))) : "",
        ]
      : NONE;
  };
  const units = rows.map(row => row.metric.unit),
    usual = [...new Set(units)].sort((a, b) => units.filter(one => one === b).length - units.filter(one => one === a).length)[0];
  const columns = [
    {
      title: "metric",
      value: row => row.metric.title,
      cell: row => [
        named(row.metric.title),
        el(
          "span",
          {class: "tag muted"},
          named([row.metric.unit === usual ? "" : row.metric.unit, row.metric.lower ? "" : "higher is better"].filter(Boolean).join("; ")),
        ),
      ],
    },
    {
      title: "prior",
      number: true,
      value: row => row.prior && row.prior.value,
      cell: row =>
        row.prior
          ? row.prior.predicted
            ? el("span", {class: "said"}, fixed(row.prior.value, digits(row.metric.name)))
            : fixed(row.prior.value, digits(row.metric.name))
          : NONE,
    },
  ];
  for (const i of present) {
    columns.push({
      title: mixes[i].title,
      number: true,
      value: row => difference(row, i),
      cell: row => {
        const by = difference(row, i),
          clear = loud(row, i);
        return [
          cellOf(row, i),
          isNumber(by)
            ? el(
                "span",
                {class: "tag aside " + (clear === false || by === 0 ? "muted" : by > 0 ? "better" : "worse")},
                signed(row.metric.lower ? -by : by, digits(row.metric.name)),
                " ",
                clear === false ? "noise" : by > 0 ? "better" : by < 0 ? "worse" : "the same",
              )
            : "",
        ];
      },
    });
  }
  columns.push({title: "kind", value: row => [...GROUPS.keys()].indexOf(row.metric.group), cell: row => row.metric.group});
  const several = rows.some(row => [row.prior, ...row.mixes].some(one => one && one.n > 1)),
    guessed = rows.some(row => [row.prior, ...row.mixes].some(one => one && one.predicted));
  at("loss-table").append(
    table("Every metric under each mix" + (usual ? ", in " + usual + " unless said otherwise." : "."), columns, rows, {
      tall: true,
      limit: 80,
      note:
        "The best run is the best of all runs in that metric, partly by luck: nothing says it would be best again." +
        (several ? " Where a mix was trained with several seeds, the mean stands." : "") +
        (guessed ? " Slanted figures are predictions." : "") +
        " \u201cNoise\u201d: less than two standard deviations of what seeds alone do. A mix's column is sorted by how much better than the prior it is.",
    }).node,
  );
}
