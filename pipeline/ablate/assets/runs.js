// The runs: weights as lines and in a triangle, one run close up, all as a table.

function design() {
  if (!runs.length || !domains.length) return instead("weights", "There are no runs.");
  const controls = at("design-controls"),
    told = el("span", {role: "status", "data-is": "matching"});
  if (state.metric !== null) controls.append(metricChooser("Colour by metric", "colour-metric"));
  controls.append(
    chooser(
      "Scale of the axes",
      [
        [
          "",
          [
            ["same", "the same for all domains"],
            ["own", "each domain's own range"],
          ],
        ],
      ],
      "same",
      value => {
        state.own = value === "own";
        lines.redraw();
      },
      "axis-scale",
    ).node,
  );
  const vary = domains
    .map((one, i) => [deviation([...runs.map(run => run.weights[i] || 0), prior[i]]) || 0, i])
    .sort((a, b) => b[0] - a[0] || a[1] - b[1])
    .map(one => one[1]);
  const FEW = 16;
  if (domains.length > FEW + 4) {
    controls.append(
      chooser(
        "Domains",
        [
          [
            "",
            [
              ["few", "the " + FEW + " that vary most"],
              ["all", "all " + domains.length],
            ],
          ],
        ],
        "few",
        value => {
          state.few = value === "few";
          lines.redraw();
        },
        "axis-domains",
      ).node,
    );
  }
  // the same filter as dragging along an axis, for the keyboard and for exact numbers
  let which = 0;
  const low = el("input", {type: "number", min: 0, max: 100, step: "any", id: "range-low", change: () => fromFields()}),
    high = el("input", {type: "number", min: 0, max: 100, step: "any", id: "range-high", change: () => fromFields()});
  const domainChooser = chooser(
    "Only runs with a share of",
    [["", domains.map(one => [String(one.index), one.title])]],
    "0",
    value => {
      which = Number(value);
      toFields();
    },
    "range-domain",
  );
  const fromFields = () => {
    const from = low.value === "" ? 0 : Number(low.value) / 100,
      to = high.value === "" ? 1 : Number(high.value) / 100;
    if (low.value === "" && high.value === "") state.ranges.delete(which);
    else state.ranges.set(which, [from, to]);
    tell("ranges");
  };
  const toFields = () => {
    const [from, to] = state.ranges.get(which) || [];
    low.value = isNumber(from) ? Number((100 * from).toFixed(2)) : "";
    high.value = isNumber(to) ? Number((100 * to).toFixed(2)) : "";
  };
  controls.append(
    el(
      "fieldset",
      {},
      el("legend", {class: "hidden"}, "Filter of the runs"),
      domainChooser.node,
      el("label", {}, "from, %", low),
      el("label", {}, "to, %", high),
      el(
        "button",
        {
          type: "button",
          id: "range-clear",
          click: () => {
            state.ranges.clear();
            toFields();
            tell("ranges");
          },
        },
        "All runs",
      ),
    ),
  );
  at("weights").append(el("p", {class: "remark"}, told));
  const counted = () => {
    told.textContent =
      count(runs.filter(matches).length) +
      " of " +
      plural(runs.length, "run") +
      " shown" +
      (state.ranges.size
        ? ", filtered by " +
          [...state.ranges].map(([i, [from, to]]) => domains[i].title + " " + share(from) + " to " + share(to)).join(" and ")
        : ". Drag along an axis to keep a range; a click or Enter keeps a run marked in all plots, Escape lets it go") +
      ".";
  };
  const references = () => [
    ...proposals
      .filter(one => one.weights.length === domains.length)
      .map(one => [one.weights, one.css, null])
      .reverse(),
    [prior, "prior", "7 4"],
  ];
  at("weights").append(
    legend([[stroke("prior", "7 4"), "weights of the prior"], ...proposals.map(one => [stroke(one.css), named(one.title)])]),
  );
  scaleBar(at("weights"));
  const lines = weightLines(vary, FEW, references, (i, range) => {
    if (range) state.ranges.set(i, range);
    else state.ranges.delete(i);
    which = i;
    domainChooser.select.value = String(i);
    toFields();
    tell("ranges");
  });
  ternary(vary);
  runCard(vary);
  runTable();
  hearers.ranges.push(counted);
  hearers.metric.push(lines.redraw);
  hearers.ranges.push(lines.redraw);
  counted();
}

/** The colours' meaning. */
function scaleBar(home) {
  const text = el("p", {class: "caveat"});
  home.append(text);
  const drawing = plot(home, "Scale of the colours", (svg, width) => {
    const one = metric(state.metric),
      good = goodness();
    text.textContent = !one
      ? "Nothing was measured: lines are grey."
      : !isNumber(good.low)
        ? "No run has a value of " + one.title + ": lines are grey."
        : "Colour: " +
          one.axis +
          (one.lower ? " (lower is better)" : " (higher is better)") +
          (good.cut ? "; the ends of the scale are the 5th and 95th percentile." : ".");
    if (!isNumber(good.low)) return 1;
    const length = Math.min(width, 420),
      x = scale([good.low, good.high], [0, length]);
    for (let i = 0; i < 48; i++)
      svg.append(
        sv("rect", {
          x: (i * length) / 48,
          y: 0,
          width: length / 48 + 0.6,
          height: 10,
          fill: colour(one.lower ? 1 - (i + 0.5) / 48 : (i + 0.5) / 48),
        }),
      );
    const [values, places] = ticks(good.low, good.high, length / 80);
    for (const value of values) {
      const middle = Math.min(length - 14, Math.max(14, x(value)));
      svg.append(
        sv("line", {class: "axis", x1: x(value), x2: x(value), y1: 10, y2: 14}),
        sv("text", {x: middle, y: 26, "text-anchor": "middle"}, fixed(value, places)),
      );
    }
    return 30;
  });
  hearers.metric.push(drawing.redraw);
}

/** Parallel coordinates, one row a domain: names can be read, and a phone has room for as many domains as there are. */
function weightLines(vary, few, references, brush) {
  let canvas = null,
    over = null,
    current = null,
    items = new Map();
  const drawing = plot(at("weights"), "Weights of the runs, one axis a domain", (svg, width) => {
    canvas = svg;
    const shown = state.few && domains.length > few + 4 ? vary.slice(0, few).sort((a, b) => a - b) : domains.map(one => one.index);
    const tight = width < 620,
      left = tight ? 10 : Math.min(200, 18 + Math.max(...shown.map(i => measure(domains[i].title.slice(0, 60))))),
      right = width - (tight ? 12 : 30);
    const pitch = tight ? 50 : shown.length > 12 ? 30 : shown.length > 6 ? 44 : 58,
      top = tight ? 28 : 14,
      bottom = top + pitch * (shown.length - 1) + 14,
      good = goodness();
    const most = Math.max(
      1e-9,
      ...shown.map(i => Math.max(prior[i], ...proposals.map(one => one.weights[i] || 0), bounds(runs.map(run => run.weights[i] || 0))[1])),
    );
    const ranges = new Map(
      shown.map(i => [
        i,
        state.own
          ? roomy(bounds([...runs.map(run => run.weights[i] || 0), prior[i], ...proposals.map(one => one.weights[i] || 0)]), 0)
          : [0, most],
      ]),
    );
    const x = new Map(shown.map(i => [i, scale(ranges.get(i), [left, right])])),
      y = new Map(shown.map((i, row) => [i, top + pitch * row]));
    const back = sv("g", {"aria-hidden": "true"}),
      labels = sv("g", {"aria-hidden": "true", class: "labels"});
    if (!state.own)
      axisX(svg, value => x.get(shown[0])(value / 100), [0, 100 * most], [left, right, top - 6, bottom], "share of the mix, %");
    for (const i of shown) {
      const limit = domains[i].max_weight;
      back.append(sv("line", {class: "rail", x1: left, x2: right, y1: y.get(i), y2: y.get(i)}));
      labels.append(
        sv(
          "text",
          {class: "strong", x: tight ? left : left - 10, y: tight ? y.get(i) - 11 : y.get(i) + 4, "text-anchor": tight ? "start" : "end"},
          fitted(domains[i].title, tight ? (state.own ? 0.6 : 1) * (right - left) : left - 12),
        ),
      );
      if (state.own)
        labels.append(
          sv("text", {x: left, y: y.get(i) + 14, "font-size": 10.5}, share(ranges.get(i)[0])),
          sv("text", {x: right, y: y.get(i) + 14, "text-anchor": "end", "font-size": 10.5}, share(ranges.get(i)[1])),
        );
      if (isNumber(limit) && limit <= ranges.get(i)[1])
        back.append(sv("line", {class: "cap", x1: x.get(i)(limit), x2: x.get(i)(limit), y1: y.get(i) - 6, y2: y.get(i) + 6}));
      const range = state.ranges.get(i);
      if (range) {
        const clip = value => Math.min(right, Math.max(left, x.get(i)(value)));
        back.append(
          sv("rect", {class: "brush", x: clip(range[0]), width: Math.max(2, clip(range[1]) - clip(range[0])), y: y.get(i) - 9, height: 18}),
        );
      }
    }
    const path = weights =>
      "M" +
      shown
        .map(
          i =>
            x
              .get(i)(weights[i] || 0)
              .toFixed(1) +
            " " +
            y.get(i),
        )
        .join("L");
    const layer = sv("g", {class: "base"}),
      order = ranked(runs.filter(matches)),
      css = "line" + (runs.length > 200 ? " many" : "");
    const far = sv(
      "g",
      {"aria-hidden": "true"},
      runs.filter(run => !matches(run)).map(run => sv("path", {class: "line out", d: path(run.weights), stroke: "var(--muted)"})),
    );
    items = new Map();
    for (const run of order) {
      const is = good.of(run),
        node = sv("path", {class: css + (is === null ? " missing" : ""), d: path(run.weights), stroke: is === null ? null : colour(is)});
      items.set(run, {key: run.id, label: describe(run), x: 0, y: 0, node, run});
    }
    layer.append(...[...items.values()].reverse().map(item => item.node));
    const fixedLines = sv(
      "g",
      {"aria-hidden": "true"},
      references().map(([weights, kind, dash]) => [
        sv("path", {class: "casing", d: path(weights)}),
        sv("path", {class: "reference as-line " + kind, d: path(weights), "stroke-dasharray": dash}),
      ]),
    );
    over = sv("g", {"aria-hidden": "true"});
    svg.append(back, far, layer, fixedLines, over, labels);
    const all = [...items.values()];
    const near = (px, py) => {
      const row = Math.min(shown.length - 2, Math.max(0, Math.floor((py - top) / pitch))),
        part = Math.min(1, Math.max(0, (py - top) / pitch - row));
      const a = shown[Math.max(0, row)],
        b = shown[Math.min(shown.length - 1, row + 1)];
      if (px < left - 16 || px > right + 16) return null;
      let best = null,
        least = 14;
      for (const item of all) {
        const distance = Math.abs((1 - part) * x.get(a)(item.run.weights[a] || 0) + part * x.get(b)(item.run.weights[b] || 0) - px);
        if (distance < least) [best, least] = [item, distance];
      }
      return best;
    };
    const steps = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -all.length, End: all.length};
    pickable(svg, layer, "Runs from the best to the worst in the chosen metric; arrow keys move, Enter marks", all, {
      nearest: near,
      show: item => light(item && item.run),
      pick: item => pin(item.run),
      move: (item, key) => all[Math.min(all.length - 1, Math.max(0, all.indexOf(item) + steps[key]))],
    });
    // a drag along an axis keeps a range; without a drag the pointer picks a run
    let start = null,
      live = null;
    const value = (i, px) => {
      const [low, high] = ranges.get(i);
      // at the end of an axis is all that lies there
      return px <= left + 3 ? 0 : px >= right - 3 ? 1 : low + ((px - left) / (right - left)) * (high - low);
    };
    svg.onpointerdown = event => {
      const [px, py] = place(svg, event),
        row = Math.min(shown.length - 1, Math.max(0, Math.round((py - top) / pitch)));
      start = {px, py, i: shown[row]};
      light((item => item && item.run)(near(px, py)));
    };
    svg.onpointermove = event => {
      const [px, py] = place(svg, event);
      if (start && event.buttons && (live || Math.abs(px - start.px) > 6)) {
        if (!live) {
          live = sv("rect", {class: "brush", y: y.get(start.i) - 9, height: 18});
          back.append(live);
          svg.setPointerCapture(event.pointerId);
          light(null);
        }
        dress(live, {x: Math.max(left, Math.min(px, start.px)), width: Math.abs(px - start.px)}, []);
      } else light((item => item && item.run)(near(px, py)));
    };
    svg.onpointerup = event => {
      const [px, py] = place(svg, event),
        began = start,
        dragged = live;
      start = live = null;
      if (dragged) {
        const ends = [value(began.i, px), value(began.i, began.px)].sort((a, b) => a - b);
        brush(began.i, ends);
      } else if (began) {
        const item = near(px, py);
        if (item) pin(item.run);
        else if (state.ranges.has(began.i)) brush(began.i, null);
      }
    };
    svg.onpointercancel = () => {
      start = null;
      if (live) live.remove();
      live = null;
    };
    svg.onclick = null;
    current = null;
    mark();
    return bottom + (state.own ? 18 : 42);
  });
  function mark() {
    const run = lit();
    for (const each of items.values())
      if (each.node.getAttribute("aria-selected") !== String(each.run === state.pinned))
        each.node.setAttribute("aria-selected", String(each.run === state.pinned));
    if (run === current && over.childNodes.length === (run ? 3 : 0)) return;
    current = run;
    canvas.classList.toggle("faded", Boolean(run));
    const item = run && items.get(run);
    over.setAttribute("stroke", (item && item.node.getAttribute("stroke")) || "var(--muted)");
    // ink, page, colour: one line that is seen on any others
    over.replaceChildren(...(item ? [0, 1, 2].map(() => sv("path", {class: "lit", d: item.node.getAttribute("d")})) : []));
  }
  hearers.run.push(mark);
  return drawing;
}

/** Three domains as a triangle: a run near a corner is nearly all of that domain. */
function ternary(vary) {
  if (domains.length < 3) return;
  const chosen = vary.slice(0, 3).sort((a, b) => a - b),
    home = at("ternary");
  home.append(el("h3", {}, domains.length === 3 ? "All three domains at once" : "Three domains at once"));
  if (domains.length > 3) {
    const options = [["", domains.map(one => [String(one.index), one.title])]];
    home.append(
      el(
        "div",
        {class: "controls"},
        ["Top", "Left", "Right"].map(
          (corner, place) =>
            chooser(
              corner,
              options,
              String(chosen[place]),
              value => {
                chosen[place] = Number(value);
                drawing.redraw();
              },
              "ternary-" + corner.toLowerCase(),
            ).node,
        ),
      ),
    );
  }
  const caveat = el("p", {class: "caveat"});
  let over = null,
    marks = [];
  const mark = () => {
    const item = marks.find(one => one.run === lit());
    over.replaceChildren(...(item ? [sv("circle", {class: "ring", cx: item.x, cy: item.y, r: 10})] : []));
    for (const each of marks) each.node.setAttribute("aria-selected", String(each.run === state.pinned));
  };
  const drawing = plot(home, "Triangle of three domains", (svg, width) => {
    const side = Math.min(width - 40, 470),
      high = (side * Math.sqrt(3)) / 2,
      left = (width - side) / 2,
      top = 30,
      good = goodness();
    const corners = [
      [left + side / 2, top],
      [left, top + high],
      [left + side, top + high],
    ];
    const spot = parts => [0, 1].map(axis => parts.reduce((sum, part, i) => sum + part * corners[i][axis], 0));
    const parts = weights => {
      const three = chosen.map(i => weights[i] || 0),
        sum = three[0] + three[1] + three[2];
      return sum > 1e-6 ? three.map(one => one / sum) : null;
    };
    const frame = sv("g", {"aria-hidden": "true"});
    for (let i = 1; i < 5; i++) {
      const t = i / 5;
      for (let corner = 0; corner < 3; corner++) {
        const a = [0, 0, 0],
          b = [0, 0, 0];
        a[corner] = b[corner] = t;
        a[(corner + 1) % 3] = 1 - t;
        b[(corner + 2) % 3] = 1 - t;
        const [x1, y1] = spot(a),
          [x2, y2] = spot(b);
        frame.append(sv("line", {x1, y1, x2, y2, stroke: "var(--grid)"}));
        if (corner === 0) frame.append(sv("text", {x: x2 + 6, y: y2 + 4, "font-size": 10.5}, 100 * t + " %"));
      }
    }
    frame.append(
      sv("path", {d: "M" + corners.map(one => one.join(" ")).join("L") + "Z", fill: "none", stroke: "var(--muted)"}),
      sv("text", {class: "strong", x: corners[0][0], y: top - 12, "text-anchor": "middle"}, fitted(domains[chosen[0]].title, width)),
      sv("text", {class: "strong", x: Math.max(0, left - 16), y: top + high + 20}, fitted(domains[chosen[1]].title, width / 2 - 10)),
      sv(
        "text",
        {class: "strong", x: Math.min(width, left + side + 16), y: top + high + 20, "text-anchor": "end"},
        fitted(domains[chosen[2]].title, width / 2 - 10),
      ),
    );
    const layer = sv("g", {}),
      lost = [];
    marks = [];
    for (const run of [...ranked(runs)].reverse()) {
      const at = parts(run.weights),
        is = good.of(run);
      if (!at) {
        lost.push(run);
        continue;
      }
      const [x, y] = spot(at),
        node = dress(
          shape(shapeOf(run.kind), x, y, runs.length > 200 ? 3.5 : 5),
          {
            fill: is === null ? "none" : colour(is),
            stroke: is === null ? "var(--muted)" : "var(--page)",
            "stroke-width": 1,
            class: matches(run) ? null : "out",
          },
          [],
        );
      layer.append(node);
      if (matches(run)) marks.push({key: run.id, x, y, node, run, label: describe(run)});
    }
    const fixedMarks = sv("g", {"aria-hidden": "true"});
    for (const [weights, css, kind] of [[prior, "prior", "diamond"], ...proposals.map(one => [one.weights, one.css, one.shape])]) {
      const at = parts(weights);
      if (at) fixedMarks.append(dress(shape(kind, ...spot(at), 7), {class: "as-line " + css, fill: "none", "stroke-width": 2.4}, []));
    }
    over = sv("g", {"aria-hidden": "true"});
    svg.append(frame, layer, fixedMarks, over);
    pickable(svg, layer, "Runs in the triangle; arrow keys move, Enter marks", marks, {
      show: item => light(item && item.run),
      pick: item => pin(item.run),
    });
    mark();
    const sums = runs.map(run => chosen.reduce((sum, i) => sum + (run.weights[i] || 0), 0)),
      [least, most] = bounds(sums);
    caveat.textContent =
      (domains.length > 3
        ? "Each point is placed by the shares among these three alone; together they are " +
          share(least) +
          " to " +
          share(most) +
          " of the mixes. "
        : "") +
      "Outlined marks are the prior (diamond) and what is proposed." +
      (lost.length ? " Not shown: " + plural(lost.length, "run") + " with none of the three." : "");
    return top + high + 28;
  });
  home.append(caveat);
  hearers.run.push(mark);
  hearers.metric.push(drawing.redraw);
  hearers.ranges.push(drawing.redraw);
}

/** Weights beside those of the prior, the biggest first. */
function weightTable(caption, css) {
  const SHOWN = 12;
  const rows = weights =>
    domains
      .map((one, i) => ({i, weight: weights[i] || 0}))
      .sort((a, b) => Math.max(b.weight, prior[b.i]) - Math.max(a.weight, prior[a.i]))
      .slice(0, domains.length > SHOWN + 2 ? SHOWN : domains.length)
      .sort((a, b) => a.i - b.i);
  let most = 1;
  const one = table(
    caption +
      (domains.length > SHOWN + 2 ? " The " + SHOWN + " biggest of " + domains.length + " domains." : "") +
      " The thin bar is the prior.",
    [
      {title: "domain", plain: true, cell: row => named(domains[row.i].title)},
      {
        title: "bar",
        plain: true,
        wide: true,
        cell: row =>
          sv(
            "svg",
            {"aria-hidden": "true"},
            sv("rect", {x: 0, y: 4, width: ((100 * row.weight) / most).toFixed(2) + "%", height: 12, class: "as-fill " + css}),
            sv("rect", {x: 0, y: 18, width: ((100 * prior[row.i]) / most).toFixed(2) + "%", height: 3, class: "as-fill prior"}),
          ),
      },
      {title: "share", plain: true, number: true, cell: row => share(row.weight)},
      {title: "change, points", plain: true, number: true, cell: row => shift(row.weight - prior[row.i])},
    ],
    [],
  );
  return {
    node: one.node,
    update(weights) {
      most = Math.max(1e-9, ...prior, ...weights.filter(isNumber));
      one.update(rows(weights));
    },
  };
}

function runCard() {
  const home = at("run"),
    title = el("h3", {}),
    text = el("p", {class: "readout told"}),
    weights = weightTable("Its weights.", "own");
  home.append(title, text, weights.node);
  const show = () => {
    const run = lit() || ranked(runs)[0],
      one = metric(state.metric),
      value = one ? column(one.name)[run.index] : null;
    title.replaceChildren(
      named(run.title),
      lit() ? "" : isNumber(value) ? ", the best of all in " : "",
      lit() || !isNumber(value) ? "" : named(one.title),
    );
    text.replaceChildren(
      named(run.kind + (isNumber(run.seed) ? ", seed " + run.seed : "") + (run.reused ? ", reused" : "")),
      ". ",
      [...new Set([one, ...targets])]
        .filter(each => each && isNumber(column(each.name)[run.index]))
        .slice(0, 4)
        .flatMap((each, i) => [
          i ? "; " : "",
          named(each.title),
          " ",
          withUnit(fixed(column(each.name)[run.index], digits(each.name)), each),
        ])
        .reduce(
          (whole, part) => {
            whole.append(part);
            return whole;
          },
          el("span", {}),
        ),
    );
    weights.update(run.weights);
  };
  hearers.run.push(show);
  hearers.metric.push(show);
  show();
}

function runTable() {
  const home = at("runs-table"),
    part = el("details", {id: "runs-details"}, el("summary", {}, "The same runs as a table"));
  let rows = null;
  home.append(part);
  const shownMetrics = () => [...new Set([metric(state.metric), ...targets])].filter(Boolean);
  const build = () => {
    if (!part.open) return;
    const columns = [
      {title: "run", value: run => words(run.run), cell: run => named(words(run.run))},
      {title: "kind", value: run => run.kind},
      {title: "seed", number: true, value: run => (isNumber(run.seed) ? run.seed : null)},
      ...shownMetrics().map(one => ({
        title: one.title,
        number: true,
        value: run => column(one.name)[run.index],
        cell: run => fixed(column(one.name)[run.index], digits(one.name)),
      })),
      ...domains.map((one, i) => ({
        title: one.title + ", %",
        number: true,
        value: run => (isNumber(run.weights[i]) ? run.weights[i] : null),
        cell: run => (isNumber(run.weights[i]) ? fixed(100 * run.weights[i], 2) : NONE),
      })),
    ];
    rows = table(
      "Runs, their metrics and their weights in percent of the mix: " +
        shownMetrics()
          .map(one => one.axis)
          .join("; ") +
        ".",
      columns,
      runs.filter(matches),
      {limit: 100, tall: true, key: run => run.id, pick: key => pin(runs[key]), light: key => light(key === null ? null : runs[key])},
    );
    part.replaceChildren(part.firstChild, rows.node);
    mark();
  };
  const mark = () => {
    if (rows) rows.light(lit() ? lit().id : null);
  };
  part.addEventListener("toggle", build);
  hearers.metric.push(build);
  hearers.ranges.push(() => {
    if (part.open) {
      rows.update(runs.filter(matches));
      mark();
    }
  });
  hearers.run.push(mark);
}
