// Checks, recipes, keys; and drawing it all.

function checks() {
  const proxies = list(data.proxies).filter(one => list(one.rows).length);
  if (proxies.length) at("proxies").append(el("h3", {}, "Do proxies agree?"));
  for (const one of proxies) {
    at("proxies").append(
      table(
        words(one.title) || "Agreement of two proxies",
        [
          {
            title: "metric",
            value: row => (metric(row.metric) ? metric(row.metric).title : words(row.metric)),
            cell: row => named(metric(row.metric) ? metric(row.metric).title : words(row.metric)),
          },
          {
            title: MINUS + "1 to 1",
            wide: true,
            plain: true,
            value: () => null,
            cell: row => interval(row.spearman, null, null, -1, 1, "own"),
          },
          {title: "Spearman", number: true, value: row => row.spearman, cell: row => fixed(row.spearman, 3)},
          {title: "mixes", number: true, value: row => row.n, cell: row => count(row.n)},
        ],
        one.rows,
        {narrow: true, note: "Rank correlation of the mixes under both: near one, the cheaper can stand in for the dearer."},
      ).node,
    );
  }
  if (data.reuse) {
    at("reuse").append(
      el("h3", {}, "Reuse"),
      el(
        "p",
        {},
        count(data.reuse.runs_reused) + " of " + plural(data.reuse.runs_needed, "run") + " needed were there already. ",
        named(words(data.reuse.statement)),
      ),
    );
  }
  if (list(data.notes).length)
    at("notes").append(
      el("h3", {}, "Remarks"),
      el(
        "ul",
        {class: "notes"},
        data.notes.map(note => el("li", {}, named(words(note)))),
      ),
    );
  if (!proxies.length && !data.reuse && !list(data.notes).length) instead("notes", "Nothing to report.");
}

function recipes() {
  if (!proposals.length) return instead("yaml", "Nothing is proposed, so there is no recipe.");
  for (const proposal of proposals) {
    const text = words(proposal.recipe) || yamlOf(proposal.weights),
      name =
        (proposal.title
          .replace(/[^\w.-]+/g, "-")
          .replace(/^[-.]+|-+$/g, "")
          .slice(0, 60) || "proposal") + ".yaml";
    at("yaml").append(
      el("h3", {}, named(proposal.title)),
      el(
        "div",
        {class: "buttons"},
        copyButton(() => text, "recipe " + (proposal.index + 1)),
        el(
          "button",
          {
            type: "button",
            "data-do": "download",
            "aria-label": "Download recipe " + (proposal.index + 1),
            click: () => download(text, name),
          },
          "Download",
        ),
      ),
      el("pre", {tabindex: 0, role: "group", "aria-label": "Recipe " + (proposal.index + 1)}, text),
    );
  }
}

function provenance() {
  const home = at("provenance"),
    versions = entries(data.versions),
    part = el("details", {}, el("summary", {}, plural(runs.length, "run") + ": keys, seeds, times"));
  home.append(el("p", {}, "Seed of the ablation: ", words(data.seed) || NONE, "."));
  if (versions.length)
    home.append(
      table(
        "Versions.",
        [
          {title: "package", value: row => row[0], cell: row => named(row[0])},
          {title: "version", value: row => words(row[1]), cell: row => named(words(row[1]))},
        ],
        versions,
        {narrow: true},
      ).node,
    );
  if (!runs.length) return;
  home.append(part);
  // built when it is wanted: with a thousand runs it is most of the page
  part.addEventListener("toggle", () => {
    if (part.childNodes.length > 1) return;
    part.append(
      table(
        "A run's key says everything that made it: a run with the same key is not trained again.",
        [
          {title: "run", value: run => words(run.run), cell: run => named(words(run.run))},
          {title: "kind", value: run => run.kind},
          {title: "seed", number: true, value: run => (isNumber(run.seed) ? run.seed : null)},
          {title: "seconds", number: true, value: run => (isNumber(run.seconds) ? run.seconds : null), cell: run => fixed(run.seconds, 1)},
          {title: "reused", value: run => (run.reused ? "yes" : "no")},
          {title: "key", value: run => words(run.key), cell: run => el("code", {}, named(words(run.key)))},
        ],
        runs,
        {limit: 100, tall: true},
      ).node,
    );
  });
}

for (const part of [head, answer, design, losses, fit, front, checks, recipes, provenance]) part();
