// The front of best compromises, to choose from.

function front() {
  const names = list(pareto.targets).map(words),
    points = list(pareto.front).map((one, index) => ({...one, index, weights: list(one.weights)})),
    others = list(pareto.others);
  if (names.length < 2 || !points.length) {
    return instead(
      "pareto-plot",
      names.length === 1 || targets.length === 1
        ? "There is one target only, so there is nothing to trade: the proposal above is the choice."
        : "No front was computed.",
    );
  }
  let [first, second] = names,
    chosen = 0;
  const options = [["", names.map(name => [name, metric(name).title])]];
  const one = chooser(
      "Across",
      options,
      first,
      value => {
        first = value;
        turned();
      },
      "pareto-x",
    ),
    two = chooser(
      "Up",
      options,
      second,
      value => {
        second = value;
        turned();
      },
      "pareto-y",
    );
  at("pareto-controls").append(one.node, two.node);
  const priorAt = name => {
    const predicted = proposals.length ? numberIn(proposals[0].prior_predicted, name) : null,
      seen = known({kind: "prior"}, name);
    return isNumber(predicted) ? predicted : seen ? seen.value : null;
  };
  const home = at("pareto-plot"),
    side = at("pareto-mix");
  home.append(
    legend([
      [sample("circle", "own"), "front"],
      [sample("circle", "plain", false), "other mixes"],
      [sample("diamond", "prior"), "prior"],
      ...proposals.map(each => [sample(each.shape, each.css), named(each.title)]),
    ]),
  );
  let order = [],
    marks = [],
    over = null,
    edges = [0, 0, 0, 0],
    axes = null;
  const drawing = plot(home, "Predicted targets of mixes", (svg, width) => {
    const at = each => [numberIn(each.predicted, first), numberIn(each.predicted, second)],
      shown = each => at(each).every(isNumber);
    const references = [
      [[priorAt(first), priorAt(second)], "prior", "diamond", "prior"],
      ...proposals.map(each => [at(each), each.css, each.shape, each.title]),
    ].filter(each => each[0].every(isNumber));
    const all = [...points.filter(shown).map(at), ...others.filter(shown).map(at), ...references.map(each => each[0])];
    marks = [];
    over = null;
    if (!all.length) return 1;
    const across = roomy(bounds(all.map(each => each[0])), 0.07),
      up = roomy(bounds(all.map(each => each[1])), 0.07),
      [labels, places] = ticks(up[0], up[1], 8);
    const left = 14 + Math.max(...labels.map(value => measure(fixed(value, places)))),
      right = width - 10,
      top = 26,
      bottom = top + Math.min(420, Math.max(260, (right - left) * 0.8));
    const x = scale(across, [left, right]),
      y = scale(up, [bottom, top]),
      wanted = name => (metric(name).lower ? " (lower is better)" : " (higher is better)");
    axisX(svg, x, across, [left, right, top, bottom], metric(first).axis + wanted(first));
    axisY(svg, y, up, [left, right, top, bottom], metric(second).axis + wanted(second));
    const crowd = sv(
      "g",
      {"aria-hidden": "true"},
      others
        .filter(shown)
        .map(each =>
          sv("circle", {cx: x(at(each)[0]), cy: y(at(each)[1]), r: 3, fill: "none", stroke: "var(--muted)", "stroke-opacity": 0.55}),
        ),
    );
    const walk = order.map(i => points[i]).filter(shown),
      layer = sv("g", {});
    // with more than two targets the front is no line in two of them
    if (names.length === 2)
      crowd.append(sv("path", {class: "front", d: "M" + walk.map(each => x(at(each)[0]) + " " + y(at(each)[1])).join("L")}));
    for (const each of walk) {
      const [u, v] = at(each),
        node = sv("circle", {cx: x(u), cy: y(v), r: 5, class: "as-fill own", stroke: "var(--page)"});
      layer.append(node);
      marks.push({
        key: String(each.index),
        x: x(u),
        y: y(v),
        node,
        point: each,
        label:
          "mix " +
          (order.indexOf(each.index) + 1) +
          " of the front: " +
          names
            .map(name => metric(name).title + " " + withUnit(fixed(numberIn(each.predicted, name), digits(name)), metric(name)))
            .join(", "),
      });
    }
    const fixedMarks = sv(
      "g",
      {"aria-hidden": "true"},
      references.map(([[u, v], css, kind]) =>
        dress(shape(kind, x(u), y(v), 7), {class: "as-fill " + css, stroke: "var(--page)", "stroke-width": 1.5}, []),
      ),
    );
    over = sv("g", {"aria-hidden": "true"});
    edges = [left, right, top, bottom];
    axes = [x, y];
    svg.append(crowd, layer, fixedMarks, over);
    pickable(svg, layer, "Mixes of the front; arrow keys walk along it", marks, {
      show: item => {
        if (item) choose(order.indexOf(item.point.index), true);
      },
      nearest: (px, py) => null,
      move: (item, key) => {
        const place = marks.indexOf(item),
          by = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -marks.length, End: marks.length}[key];
        return marks[Math.min(marks.length - 1, Math.max(0, place + by))];
      },
    });
    svg.onclick = event => {
      const [px, py] = place(svg, event),
        item = marks.reduce(
          (best, each) =>
            (each.x - px) ** 2 + (each.y - py) ** 2 < (best ? (best.x - px) ** 2 + (best.y - py) ** 2 : 24 * 24) ? each : best,
          null,
        );
      if (item) choose(order.indexOf(item.point.index), true);
    };
    ring();
    return bottom + 42;
  });
  home.append(
    el(
      "p",
      {class: "caveat"},
      "All values are predictions of the fitted models. Crosshairs: one standard deviation of the prediction of the chosen mix.",
    ),
  );
  const slider = el("input", {
    type: "range",
    min: 0,
    max: points.length - 1,
    step: 1,
    id: "pareto-slider",
    input: () => choose(Number(slider.value)),
  });
  const title = el("h3", {"aria-live": "off"}),
    weights = weightTable("Its weights.", "own"),
    pre = el("pre", {tabindex: 0, role: "group", "aria-label": "Weights as YAML"});
  const predicted = table(
    "What it is predicted to do.",
    [
      {
        title: "target",
        plain: true,
        cell: name => [named(metric(name).title), el("span", {class: "muted"}, metric(name).unit ? ", " + metric(name).unit : "")],
      },
      {title: "predicted", plain: true, number: true, cell: name => fixed(numberIn(points[order[chosen]].predicted, name), digits(name))},
      {title: "sd", plain: true, number: true, cell: name => fixed(numberIn(points[order[chosen]].deviation, name), digits(name))},
      {
        title: "against the prior",
        plain: true,
        number: true,
        cell: name => {
          const by = gain(metric(name), numberIn(points[order[chosen]].predicted, name), priorAt(name));
          return isNumber(by) ? [fixed(Math.abs(by), digits(name)), " ", direction(by)] : NONE;
        },
      },
    ],
    [],
  );
  side.append(
    el("label", {class: "remark"}, "Walk along the front", slider),
    title,
    predicted.node,
    weights.node,
    el("h4", {}, "As lines of a recipe"),
    el(
      "div",
      {class: "buttons"},
      copyButton(() => pre.textContent, "these weights"),
    ),
    pre,
  );
  function ring() {
    if (!over) return;
    const item = marks.find(each => each.point.index === order[chosen]);
    if (!item) return over.replaceChildren();
    const bars = [first, second].map((name, axis) => {
      const value = numberIn(item.point.predicted, name),
        sd = numberIn(item.point.deviation, name);
      if (!isNumber(sd)) return null;
      const [from, to] = [value - sd, value + sd].map(end => Math.min(edges[2 * axis + 1], Math.max(edges[2 * axis], axes[axis](end))));
      return axis
        ? sv("line", {class: "zero", x1: item.x, x2: item.x, y1: from, y2: to})
        : sv("line", {class: "zero", x1: from, x2: to, y1: item.y, y2: item.y});
    });
    over.replaceChildren(
      ...bars.filter(Boolean),
      sv("circle", {class: "ring", cx: item.x, cy: item.y, r: 10}),
      beside("mix " + (chosen + 1), item.x, item.y, edges[0], edges[1]),
    );
    for (const each of marks) each.node.setAttribute("aria-selected", String(each === item));
  }
  function choose(place) {
    chosen = Math.min(points.length - 1, Math.max(0, place));
    const point = points[order[chosen]],
      far = domains.reduce((sum, each, i) => sum + Math.abs((point.weights[i] || 0) - prior[i]), 0) / 2;
    slider.value = chosen;
    slider.setAttribute(
      "aria-valuetext",
      "mix " +
        (chosen + 1) +
        " of " +
        points.length +
        ": " +
        names.map(name => metric(name).title + " " + fixed(numberIn(point.predicted, name), digits(name))).join(", "),
    );
    title.textContent = "Mix " + (chosen + 1) + " of " + points.length + ", " + share(far) + " of the weight moved";
    predicted.update(names);
    weights.update(point.weights);
    pre.textContent = yamlOf(domains.map((each, i) => point.weights[i] || 0));
    ring();
  }
  function turned() {
    const keep = order.length ? order[chosen] : null;
    order = points
      .map((each, i) => i)
      .sort((a, b) => (numberIn(points[a].predicted, first) ?? Infinity) - (numberIn(points[b].predicted, first) ?? Infinity));
    drawing.redraw();
    choose(keep === null ? start() : order.indexOf(keep));
  }
  /** Begin at the mix of the front that is nearest to what is proposed. */
  function start() {
    if (!proposals.length) return Math.floor(points.length / 2);
    const far = i => points[i].weights.reduce((sum, weight, j) => sum + Math.abs(weight - (proposals[0].weights[j] || 0)), 0);
    return order.reduce((best, i, place) => (far(i) < far(order[best]) ? place : best), 0);
  }
  turned();
}
