// Head and answer.

// ---------------------------------------------------------------- head

function head() {
  at("name").append(named(words(data.name) || "Ablation"));
  if (data.description) at("description").append(named(words(data.description)));
  else at("description").remove();
  const reused = runs.filter(run => run.reused).length,
    seeds = [...new Set(runs.map(run => run.seed).filter(isNumber))].sort((a, b) => a - b);
  const proxy = data.proxy || {};
  const facts = [
    ["base recipe", words(data.base)],
    ["target run", isNumber(data.budget) ? compact(data.budget) + " tokens" : ""],
    ["domains", domains.length ? count(domains.length) : ""],
    ["metrics", metrics.size ? count(metrics.size) + (targets.length ? ", " + plural(targets.length, "target") : "") : ""],
    ["runs", count(runs.length) + ": " + count(runs.length - reused) + " trained, " + count(reused) + " reused"],
    ["seeds of the runs", seeds.length > 6 ? count(seeds.length) : seeds.join(", ")],
    ["seed of the ablation", words(data.seed)],
    ["proxy", words(proxy.kind)],
    ...list(proxy.facts).map(([name, value]) => [words(name), words(value)]),
  ];
  at("facts").append(
    ...facts.filter(one => one[1] !== "").map(([name, value]) => el("div", {}, el("dt", {}, named(name)), el("dd", {}, named(value)))),
  );
  for (const section of document.querySelectorAll("main > section")) {
    at("contents").append(el("li", {}, el("a", {href: "#" + section.id}, section.querySelector("h2").textContent)));
  }
}

// ---------------------------------------------------------------- the answer

const priorEpochs = (() => {
  const run = runs.find(one => one.kind === "prior" && list(one.epochs).length === domains.length);
  return domains.map((one, i) =>
    isNumber(data.budget) && one.supply > 0 ? (data.budget * prior[i]) / one.supply : run ? run.epochs[i] : null,
  );
})();

/** Two bars, one over the other, in units of percent of the cell: prior above, the mix below; a tick where supply ends. */
function pair(i, weight, css, most) {
  const width = value => Math.max(0, Math.min(100, (100 * value) / most)).toFixed(2) + "%",
    limit = domains[i].max_weight;
  return sv(
    "svg",
    {"aria-hidden": "true"},
    sv("rect", {x: 0, y: 2, width: width(prior[i]), height: 9, class: "as-fill prior"}),
    sv("rect", {x: 0, y: 13, width: width(weight), height: 9, class: "as-fill " + css}),
    isNumber(limit) && limit < most ? sv("line", {class: "cap", x1: width(limit), x2: width(limit), y1: 0, y2: 25}) : null,
  );
}
function direction(difference) {
  return el(
    "span",
    {class: difference > 0 ? "better" : difference < 0 ? "worse" : "muted"},
    difference > 0 ? "better" : difference < 0 ? "worse" : "no change",
  );
}
function sentence(proposal) {
  const [name] = entries(proposal.objective).sort((a, b) => b[1] - a[1])[0] || [],
    one = name !== undefined && metric(name);
  const value = one && numberIn(proposal.predicted, name),
    base = one && numberIn(proposal.prior_predicted, name),
    moved = domains
      .map((each, i) => [proposal.weights[i] - prior[i], each])
      .filter(each => Math.abs(each[0]) >= 0.0005)
      .sort((a, b) => b[0] - a[0]);
  const part = (moves, word) =>
    moves.length ? [word + " ", moves.map(([by, each], i) => [i ? ", " : "", named(each.title), " (" + shift(by) + " points)"])] : [];
  const up = moved.filter(each => each[0] > 0).slice(0, 3),
    down = moved
      .filter(each => each[0] < 0)
      .reverse()
      .slice(0, 3);
  const said = [
    part(up, "More"),
    up.length && down.length ? "; " : "",
    part(down, up.length ? "less" : "Less"),
    up.length || down.length ? ". " : "The weights of the prior. ",
  ];
  if (isNumber(value) && isNumber(base)) {
    const better = gain(one, value, base),
      sd = numberIn(proposal.deviation, name),
      relative = base ? " (" + fixed(Math.abs((100 * better) / base), 1) + " %) " : " ";
    said.push(
      "Predicted ",
      named(one.title),
      " ",
      withUnit(fixed(value, digits(name)), one),
      isNumber(sd) ? " (sd " + fixed(sd, digits(name)) + ")" : "",
      ", with the prior " + fixed(base, digits(name)) + ": ",
      el(isNumber(proposal.gain) ? "span" : "strong", {}, fixed(Math.abs(better), digits(name)) + relative, direction(better)),
      ". ",
    );
  }
  // what is left of it when luck is taken off counts; a look at predictions alone is too hopeful
  if (isNumber(proposal.gain)) {
    const asked = entries(proposal.objective).map(each => metric(each[0])),
      unit = asked.length && asked.every(each => each.unit === asked[0].unit) ? asked[0].unit : "",
      places = asked.length ? Math.max(...asked.map(each => digits(each.name))) : 4;
    said.push(
      "Less what choosing the best of many adds by chance: ",
      el(
        "strong",
        {},
        fixed(Math.abs(proposal.gain), places) + " ",
        unit ? [named(unit), " "] : asked.length > 1 ? "of the weighted objective " : "",
        direction(proposal.gain),
      ),
      isNumber(proposal.gain_low) && isNumber(proposal.gain_high)
        ? " (95 % interval " + signed(proposal.gain_low, places) + " to " + signed(proposal.gain_high, places) + ")."
        : ".",
    );
  }
  return el("p", {class: "statement"}, said);
}
function answer() {
  const home = at("proposals");
  if (!proposals.length) {
    instead(
      "proposals",
      fits.size
        ? "No mix is proposed. The fits below say what can be known from the runs."
        : "No mix is proposed: nothing was fitted. Below are the runs themselves.",
    );
  }
  for (const proposal of proposals) {
    const asked = entries(proposal.objective),
      most = Math.max(1e-9, ...prior, ...proposal.weights.filter(isNumber)) * 1.02;
    const known = [...new Set([...asked.map(one => one[0]), ...targets.map(one => one.name)])].filter(
      name => metric(name) && isNumber(numberIn(proposal.predicted, name)),
    );
    // the first is the answer; the others are there for who asks
    const title = el("h3", {}, sample(proposal.shape, proposal.css), " ", named(proposal.title)),
      verdict = el(
        "span",
        {class: "verdict " + (proposal.distinguishable ? "yes" : "no")},
        proposal.distinguishable ? "distinguishable from the prior" : "not distinguishable from the prior",
      ),
      first = proposal === proposals[0],
      part = first ? el("div", {class: "proposal"}, title) : el("details", {class: "proposal"}, el("summary", {}, title, " ", verdict));
    const said = el(
      "div",
      {},
      first ? el("p", {}, verdict) : null,
      sentence(proposal),
      proposal.statement ? el("p", {}, named(words(proposal.statement))) : null,
      asked.length
        ? el(
            "p",
            {class: "remark"},
            "Asked for: ",
            asked.map(([name, weight], i) => [
              i ? ", " : "",
              named(metric(name).title),
              asked.length > 1 && isNumber(weight) ? " (weight " + fixed(weight, 2) + ")" : "",
            ]),
            ".",
          )
        : null,
      list(proposal.binding).length
        ? el(
            "p",
            {class: "remark"},
            "Held back by: ",
            proposal.binding.map((each, i) => [i ? "; " : "", named(words(each))]),
            ".",
          )
        : null,
      list(proposal.trades).length
        ? [
            el("p", {}, "What it trades away:"),
            el(
              "ul",
              {class: "trades"},
              proposal.trades.map(one => el("li", {}, named(words(one)))),
            ),
          ]
        : null,
    );
    home.append(part);
    const columns = el("div", {class: "two"}, said);
    part.append(columns);
    if (known.length > 1) {
      columns.append(
        el(
          "div",
          {},
          table(
            "Predicted for the targets, by the chosen model of each.",
            [
              {
                title: "target",
                plain: true,
                cell: name => [named(metric(name).title), el("span", {class: "muted"}, metric(name).unit ? ", " + metric(name).unit : "")],
              },
              {title: "prior", plain: true, number: true, cell: name => fixed(numberIn(proposal.prior_predicted, name), digits(name))},
              {title: "proposed", plain: true, number: true, cell: name => fixed(numberIn(proposal.predicted, name), digits(name))},
              {
                title: "sd",
                says: "standard deviation of the prediction",
                plain: true,
                number: true,
                cell: name => fixed(numberIn(proposal.deviation, name), digits(name)),
              },
              {
                title: "gain",
                plain: true,
                number: true,
                cell: name => {
                  const better = gain(metric(name), numberIn(proposal.predicted, name), numberIn(proposal.prior_predicted, name));
                  return isNumber(better) ? [fixed(Math.abs(better), digits(name)), " ", direction(better)] : NONE;
                },
              },
            ],
            known,
          ).node,
        ),
      );
    }
    if (proposal.weights.length && domains.length) {
      const MANY = 25,
        change = i => Math.abs(proposal.weights[i] - prior[i]),
        all = domains.map(one => one.index),
        byChange = all.length > MANY ? all.sort((a, b) => change(b) - change(a)) : all;
      part.append(
        el("h4", {}, "Weights"),
        legend([
          [sample("square", "prior"), "prior"],
          [sample("square", proposal.css), named(proposal.title)],
          ...(domains.some(one => isNumber(one.max_weight) && one.max_weight < most)
            ? [
                [
                  sv("svg", {width: 8, height: 16, "aria-hidden": "true"}, sv("line", {class: "cap", x1: 4, x2: 4, y1: 1, y2: 15})),
                  "most that supply and epochs allow",
                ],
              ]
            : []),
        ]),
      );
      part.append(
        table(
          "Shares of the mix, prior and proposed; epochs are passes over what a domain has, in the target run.",
          [
            {title: "domain", value: i => domains[i].title, cell: i => named(domains[i].title)},
            {
              title: "0 to " + share(most),
              wide: true,
              plain: true,
              value: () => null,
              cell: i => pair(i, proposal.weights[i], proposal.css, most),
            },
            {title: "prior", number: true, value: i => prior[i], cell: i => share(prior[i])},
            {title: "proposed", number: true, value: i => proposal.weights[i], cell: i => share(proposal.weights[i])},
            {
              title: "change, points",
              number: true,
              value: i => proposal.weights[i] - prior[i],
              cell: i => shift(proposal.weights[i] - prior[i]),
            },
            {
              title: "epochs",
              says: "of the proposal, sorted by it",
              number: true,
              value: i => list(proposal.epochs)[i],
              cell: i => epochs(priorEpochs[i]) + " \u2192 " + epochs(list(proposal.epochs)[i]),
            },
            {title: "tokens there are", number: true, value: i => domains[i].supply, cell: i => compact(domains[i].supply)},
          ],
          byChange,
          {limit: MANY, note: domains.length > MANY ? "Where it changes most comes first." : null},
        ).node,
      );
    }
  }
  verified();
}

/** How a mix that was trained is called and drawn: [title, css, shape]. */
function mixOf(name) {
  const proposal = proposals.find(one => one.name === name) || (name === "proposed" ? proposals[0] : null);
  return proposal ? [proposal.title, proposal.css, proposal.shape] : [name, cssOf(name), shapeOf(name)];
}
const trainedValues = (mix, name) =>
  trained
    .filter(one => words(one.mix) === mix)
    .map(one => numberIn(one.metrics, name))
    .filter(isNumber);

function verified() {
  if (!proposals.length && !trained.length) return;
  const home = at("verified");
  home.append(el("h3", {}, "Trained to verify it"));
  const rank = name => {
    const place = ["prior", "proportional", "uniform"].indexOf(name);
    return place < 0 ? -1 : place;
  };
  const mixes = [...new Set(trained.map(one => words(one.mix)))].sort((a, b) => rank(a) - rank(b));
  const names = [...metrics.values()].filter(one => trained.some(row => isNumber(numberIn(row.metrics, one.name))));
  if (!mixes.length || !names.length) return remark("verified", "Nothing was trained to verify it: the figures above are predictions.");
  const seeds = new Set(trained.map(one => one.seed)).size;
  let shown = (names.find(one => one.target) || names[0]).name;
  const text = el("p", {"data-is": "verified"}),
    controls = el(
      "div",
      {class: "controls"},
      chooser(
        "Metric",
        metricGroups(names),
        shown,
        name => {
          shown = name;
          update();
        },
        "verified-metric",
      ).node,
    );
  home.append(
    el(
      "p",
      {class: "see"},
      "The proxy trained on each mix with " +
        plural(seeds, "seed") +
        ". Dots are seeds, bars their means: mixes whose dots overlap cannot be told apart by one run.",
    ),
    controls,
    text,
  );
  const readout = reading();
  const drawing = plot(home, "Trained mixes, one dot a seed", (svg, width) => {
    const one = metric(shown),
      all = mixes.flatMap(mix => trainedValues(mix, shown)),
      tight = width < 520;
    const labels = mixes.map(mix => mixOf(mix)[0]);
    const left = tight ? 8 : Math.min(170, 16 + Math.max(...labels.map(label => measure(label.slice(0, 60))))),
      right = width - 12,
      top = 10,
      pitch = tight ? 46 : 34,
      bottom = top + pitch * mixes.length + 4;
    if (!all.length) return 20;
    const range = roomy(bounds(all), 0.08),
      x = scale(range, [left, right]);
    axisX(svg, x, range, [left, right, top, bottom], one.axis + (one.lower ? " (lower is better)" : " (higher is better)"));
    const layer = sv("g", {}),
      over = sv("g", {"aria-hidden": "true"}),
      items = [];
    mixes.forEach((mix, row) => {
      const [title, css, kind] = mixOf(mix),
        y = top + pitch * (row + (tight ? 0.68 : 0.5)),
        values = trainedValues(mix, shown);
      svg.append(
        sv(
          "text",
          {
            x: left - (tight ? 0 : 10),
            y: tight ? y - 14 : y + 4,
            "text-anchor": tight ? "start" : "end",
            class: "strong",
            "aria-hidden": "true",
          },
          fitted(title, tight ? right : left - 12),
        ),
      );
      if (!values.length) return;
      svg.append(
        sv("line", {
          x1: x(bounds(values)[0]),
          x2: x(bounds(values)[1]),
          y1: y,
          y2: y,
          class: "as-line " + css,
          "stroke-width": 2,
          opacity: 0.6,
        }),
        sv("line", {x1: x(mean(values)), x2: x(mean(values)), y1: y - 11, y2: y + 11, class: "as-line " + css, "stroke-width": 4}),
      );
      trained
        .filter(each => words(each.mix) === mix)
        .forEach((each, i) => {
          const value = numberIn(each.metrics, shown);
          if (!isNumber(value)) return;
          const node = dress(shape(kind, x(value), y, 5), {class: "as-fill " + css, stroke: "var(--page)"}, []);
          layer.append(node);
          items.push({
            key: mix + "/" + i,
            x: x(value),
            y,
            node,
            label: title + ", seed " + each.seed + ": " + withUnit(fixed(value, digits(shown)), one),
          });
        });
    });
    svg.append(layer, over);
    pickable(svg, layer, "Trained mixes by seed; arrow keys move", items, {
      show: item => {
        over.replaceChildren(...(item ? [sv("circle", {class: "ring", cx: item.x, cy: item.y, r: 10})] : []));
        readout.show(item && item.label);
      },
    });
    return bottom + 42;
  });
  home.append(readout.node);
  const meanOf = mix => {
    const values = trainedValues(mix, shown);
    return values.length ? mean(values) : null;
  };
  const spreadOf = mix => {
    const values = trainedValues(mix, shown);
    return values.length > 1 ? deviation(values) : null;
  };
  const rows = table(
    "Mean and standard deviation (sd) over the seeds.",
    [
      {title: "mix", value: mix => mixOf(mix)[0], cell: mix => named(mixOf(mix)[0])},
      {title: "mean", number: true, value: mix => meanOf(mix), cell: mix => fixed(meanOf(mix), digits(shown))},
      {
        title: "sd",
        says: "standard deviation over the seeds",
        number: true,
        value: mix => spreadOf(mix),
        cell: mix => fixed(spreadOf(mix), digits(shown)),
      },
      {
        title: "against the prior",
        number: true,
        value: mix => gain(metric(shown), meanOf(mix), meanOf("prior")),
        cell: mix => {
          const better = gain(metric(shown), meanOf(mix), meanOf("prior"));
          return mix === "prior" || !isNumber(better) ? NONE : [fixed(Math.abs(better), digits(shown)), " ", direction(better)];
        },
      },
      {title: "seeds", number: true, value: mix => trainedValues(mix, shown).length},
    ],
    mixes,
    {narrow: true},
  );
  home.append(rows.node);
  function update() {
    drawing.redraw();
    rows.update(mixes);
    const bySeed = new Map(trained.filter(one => words(one.mix) === "prior").map(one => [one.seed, numberIn(one.metrics, shown)]));
    text.replaceChildren(
      ...mixes
        .filter(mix => mixOf(mix)[1].startsWith("proposed"))
        .flatMap(mix => {
          const differences = trained
            .filter(one => words(one.mix) === mix && isNumber(bySeed.get(one.seed)) && isNumber(numberIn(one.metrics, shown)))
            .map(one => gain(metric(shown), numberIn(one.metrics, shown), bySeed.get(one.seed)));
          if (!differences.length) return [];
          const won = differences.filter(one => one > 0).length,
            by = mean(differences);
          return [
            named(mixOf(mix)[0]),
            " is better than the prior with " + won + " of " + plural(differences.length, "seed") + "; on average ",
            el("strong", {}, withUnit(fixed(Math.abs(by), digits(shown)), metric(shown)), " ", direction(by)),
            differences.length > 1 ? " (sd of the difference " + fixed(deviation(differences), digits(shown)) + "). " : ". ",
          ];
        }),
    );
  }
  update();
}
