"""What a card says of a set: forms, quotas, principles, evidence, baselines of pairs, system prompts, rules and review."""

from __future__ import annotations

from typing import Any

from pipeline.publish.facts import Publication
from pipeline.publish.words import cell, many, percent

#: Form in the manifest -> what its examples are called.
_FORMS = {"sft": "replies to imitate", "pair": "pairs", "single": "single replies"}
#: Config whose rows are the examples of a form, and their name in a table.
_COUNTED = {"preference": "pairs", "unpaired": "single replies"}
#: Kinds of native evidence, in words.
_WHY = {
    "votes": "readers' votes", "rank": "readers' ranks", "levels": "coders' levels", "code": "verdict of a coder or of those who wrote it",
    "outcome": "how the conversation came out", "critique": "a critique of it", "expert": "an expert's judgement",
}  # fmt: skip
_BALANCE = "chosen has more: "
#: Pairs of one kind of evidence below which an accuracy tells nothing.
_FEW = 10


def counted(pub: Publication) -> dict[str, str]:
    """Config -> heading, of the configs that hold different examples: pairs and single replies, or one kind."""
    found = {config: title for config, title in _COUNTED.items() if config in pub.schemas}
    return found if len(found) > 1 else {pub.default: found.get(pub.default, "examples")}


def held(pub: Publication) -> str:
    """How much there is, of a mix or a set: ``128 pairs and 600 single replies, 144,236 tokens``."""
    forms = counted(pub) if pub.kind == "set" else {pub.default: f"{pub.noun}s"}
    tokens = sum(sum(pub.tally.tokens_of(config).values()) for config in forms)
    return " and ".join(f"{pub.rows(config):,} {noun}" for config, noun in forms.items()) + f", {tokens:,} tokens"


def set_tables(pub: Publication) -> list[str]:
    """Below the sources: what was asked, what came of it, and what speaks for it."""
    return [
        *_forms(pub), *_quotas(pub), *_balance(pub), *_simulated(pub), *_values(pub), *_systems(pub), *_principles(pub), *_baselines(pub),
    ]  # fmt: skip


def _forms(pub: Publication) -> list[str]:
    forms = pub.manifest.get("forms") or {}
    if not forms:
        return []
    lines = [
        "",
        "How they were chosen: `fit` met every rule; the best of them were looked at; prompts that say the same count once.",
        "",
        "| of | wanted | fit | looked at | with a prompt of their own | chosen | nearest prompt | without spread |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for form, facts in forms.items():
        numbers = [facts.get(name) for name in ("wanted", "fit", "looked_at", "different_prompts", "chosen")]
        spread = [facts.get(name) for name in ("nearest_prompt", "nearest_prompt_by_quality")]
        cells = [f"{number:,}" if number is not None else "" for number in numbers]
        cells += [f"{value:.2f}" if value is not None else "" for value in spread]
        lines.append(f"| {_FORMS.get(form, form)} | {' | '.join(cells)} |")
    lines += [
        "",
        "`nearest prompt` is the mean cosine of what a person says to the nearest other in the set, less is more various; `without "
        "spread` is what taking the best-ranked alone would give.",
    ]
    return lines


def _quotas(pub: Publication) -> list[str]:
    quotas = [quota for quota in pub.manifest.get("quotas") or [] if not _of_balance(quota)]
    if not quotas:
        return []
    forms = {quota.get("form") for quota in quotas}
    several = len(forms) > 1
    lines = ["", "Quotas (shares of the examples):", ""]
    lines += [f"| {'of | ' if several else ''}quota | at least | at most | is | met |"]
    lines += [f"|---|{'---|' if several else ''}---:|---:|---:|---|"]
    for quota in quotas:
        least, most = quota.get("at_least"), quota.get("at_most")
        shares = [percent(least) if least else "", percent(most) if most is not None and most < 1 else ""]
        name = f"{_FORMS.get(str(quota.get('form')), '')} | " if several else ""
        lines.append(
            f"| {name}{cell(str(quota['name']))} | {' | '.join([*shares, percent(quota.get('share'))])} | "
            f"{'yes' if quota['met'] else '**no**'} |"
        )
    return lines


def _of_balance(quota: dict[str, Any]) -> bool:
    return (quota.get("at_least") or 0) < 0


def _balance(pub: Publication) -> list[str]:
    """Two quotas a feature, one each way, are one line here."""
    quotas = [quota for quota in pub.manifest.get("quotas") or [] if _of_balance(quota)]
    lines = []
    for quota in quotas:
        if (name := str(quota["name"])).startswith(_BALANCE):
            feature = name.removeprefix(_BALANCE)
            kept = all(other["met"] for other in quotas if str(other["name"]).endswith(f": {feature}"))
            kept_said = "yes" if kept else "**no**"
            lines.append(f"| {cell(feature)} | {quota['share']:+.1%} | {percent(quota['at_most'])} | {kept_said} |")
    if not lines:
        return []
    return [
        "",
        "Balance of style: pairs whose chosen reply has more of a feature, less those whose rejected reply has, as a share of all pairs:",
        "",
        "| feature | difference | at most, either way | met |",
        "|---|---:|---:|---|",
        *lines,
    ]


def _simulated(pub: Publication) -> list[str]:
    number = pub.tally.flags.get("simulated")
    if number is None:
        return []
    rows = pub.rows(pub.default)
    limit = pub.recipe.get("simulated")
    allowed = f"; the recipe allows {percent(limit)}" if limit is not None else ""
    return [
        "",
        f"**Simulated:** {number:,} of {many(rows, 'row')} ({number / (rows or 1):.1%}) of `{pub.default}` were written by a model or "
        f"invented by an author, and say so in the column `simulated`{allowed}.",
    ]


def _values(pub: Publication) -> list[str]:
    values = pub.tally.values
    rows = pub.rows(pub.default)
    lines: list[str] = []
    if kinds := values.get("author_kind"):
        lines += [
            "",
            "Who wrote the reply: " + ", ".join(f"{cell(str(kind))} {n:,}" for kind, n in kinds.items()) + ".",
        ]
    why = values.get("why")
    if why is not None:
        said = [f"`{cell(str(kind))}` ({_WHY.get(kind, 'of the source')}) {number:,}" for kind, number in why.items()]
        if none := rows - sum(why.values()):
            said.append(f"none {none:,}: for these speak the scores and rules alone")
        lines += ["", "Evidence of the source's own for the reply: " + ", ".join(said) + "."]
    if behaviours := values.get("behaviours"):
        said = [f"{cell(str(name)).replace('_', ' ')} {number:,}" for name, number in behaviours.items()]
        lines += [
            "",
            "What replies do, as the source codes it or else as the classifiers see it: " + ", ".join(said) + ".",
        ]
    return lines


def _systems(pub: Publication) -> list[str]:
    """The recipe's prompts word for word; a source's own are texts of it, and only counted."""
    prompts = pub.tally.values.get("system")
    if not prompts:
        return []
    given = pub.recipe.get("system") or []
    named = [given] if isinstance(given, str) else list(given)
    named += [entry["system"] for entry in pub.recipe["sources"].values() if entry.get("system")]
    ours = {" ".join(text.split()) for text in named}
    shown = {text: number for text, number in prompts.items() if " ".join(text.split()) in ours}
    others = {text: number for text, number in prompts.items() if text not in shown}
    lines = ["", f"{sum(prompts.values()):,} of {many(pub.rows(pub.default), 'row')} begin with a system prompt."]
    if shown:
        lines += ["", "| system prompt of the recipe | rows |", "|---|---:|"]
        lines += [f"| {cell(text).replace('<', '&lt;')} | {number:,} |" for text, number in shown.items()]
    if others:
        lines += [
            "",
            f"{many(len(others), 'prompt')} in {many(sum(others.values()), 'row')} came with the source or its card.",
        ]
    return lines


def _principles(pub: Publication) -> list[str]:
    principles = pub.manifest.get("principles")
    if not principles:
        return []
    constitution = pub.manifest.get("constitution") or {}
    named = f"the constitution `{constitution['name']}`" if constitution.get("name") else "the recipe's constitution"
    marks = [f"version {constitution['version']}"] if constitution.get("version") else []
    marks += [f"sha256 `{constitution['sha256'][:12]}`"] if constitution.get("sha256") else []
    told = f" ({', '.join(marks)})" if marks else ""
    lines = [
        "",
        f"Principles of {named}{told}, and the examples that show each. A rule a principle tags "
        "them, in the column `principles`; an example can show several, or none.",
        "",
        "| principle | what it says | after | examples |",
        "|---|---|---|---:|",
    ]
    for principle in principles:
        after = "; ".join(_after(source) for source in principle.get("sources") or [])
        lines.append(
            f"| `{principle['id']}` | {cell(str(principle.get('text') or ''))} | {cell(after)} | {principle.get('examples') or 0:,} |"
        )
    return lines


def _after(source: dict[str, Any]) -> str:
    """Whose thought a principle is: ``C. R. Rogers 1957``."""
    year = source.get("year")
    when = f"{-year} BCE" if isinstance(year, int) and year < 0 else year
    return " ".join(str(part) for part in (source.get("by"), when) if part)


def _baselines(pub: Publication) -> list[str]:
    baselines = pub.manifest.get("baselines") or {}
    if not baselines.get("all"):
        return []
    lines = [
        "",
        "How often a simple rule picks the chosen reply. Half is chance: a set that length or style predicts teaches "
        "those. For a feature of style the rule is to take the reply with more of it; `evidence shuffled` deals the "
        "evidence out anew among the replies to a prompt, and should be near a half; `support score` is the "
        "classifiers' own.",
        "",
        *_accuracies(baselines["all"]),
    ]
    reasons = baselines.get("by_reason") or {}
    told = {reason: rules for reason, rules in reasons.items() if rules and rules[0]["pairs"] >= _FEW}
    if told and len(reasons) > 1:
        lines += ["", "<details><summary>By kind of evidence</summary>"]
        for reason, rules in told.items():
            lines += ["", f"`{cell(reason)}`, {_WHY.get(reason, 'of the source')}:", "", *_accuracies(rules)]
        if few := [f"`{cell(reason)}`" for reason in reasons if reason not in told]:
            lines += ["", f"Fewer than {_FEW} pairs, so nothing can be told: {', '.join(few)}."]
        lines += ["", "</details>"]
    return lines


def _accuracies(rules: list[dict[str, Any]]) -> list[str]:
    lines = ["| rule | pairs | accuracy | 95 % interval |", "|---|---:|---:|---|"]
    for rule in rules:
        name = cell(rule["name"]).replace("_", " ")
        lines.append(
            f"| {name} | {rule['pairs']:,} | {rule['accuracy']:.1%} | {rule['low']:.1%} to {rule['high']:.1%} |"
        )
    return lines


def set_rules(pub: Publication) -> list[str]:
    """The recipe's own conditions: of which candidates of a source were considered, and what made a reply unfit."""
    lines: list[str] = []
    wheres = {name: entry["where"] for name, entry in pub.recipe["sources"].items() if entry.get("where")}
    if wheres:
        lines += ["Considered of a source:", "", "| source | where |", "|---|---|"]
        lines += [f"| `{name}` | {_code(where)} |" for name, where in wheres.items()]
        lines.append("")
    if drops := (pub.recipe.get("filters") or {}).get("drop"):
        lines += ["The recipe's own rules; each makes a reply unfit to be imitated or chosen:", ""]
        lines += ["| reason | where |", "|---|---|"]
        lines += [f"| {cell(rule['reason'])} | {_code(rule['where'])} |" for rule in drops]
        lines.append("")
    return lines


def _code(condition: str) -> str:
    """SQL in a cell; backticks inside, or none, would end it."""
    text = cell(condition)
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def crisis_rule(pub: Publication) -> list[str]:
    """The rule that cannot be switched off, in words."""
    sides = "chosen as a better or a good reply" if pub.recipe.get("task") == "preference" else "an example"
    return [
        f"- **The crisis rule.** Where the person may be at acute risk (`risk`), a reply is {sides} only if it, or a reply before it, "
        "points to help, and it does not send the person away. No recipe can switch this off. It is a rule of patterns: it misses veiled "
        "risk, and it cannot tell good help from poor."
    ]


def review(pub: Publication) -> str:
    """Whether people looked at the examples."""
    facts = pub.manifest.get("reviews") or {}
    counts = pub.decisions
    total = sum(counts.values())
    lines = ["## Review", ""]
    if not total:
        lines.append(
            "**No person has looked at these examples one by one.** Rules, scores and the sources' own evidence chose them. Read some "
            "before you train on them; `wellmix review` collects decisions, and a recipe applies them."
        )
        return "\n".join(lines)
    said = ", ".join(f"{cell(name)} {number:,}" for name, number in sorted(counts.items()))
    people = many(facts.get("reviewers") or 0, "person", "people")
    lines += [
        f"{people} made {many(total, 'decision')} about examples: {said}. Examples without a decision were chosen by "
        "rules, scores and the sources' own evidence.",
    ]
    for key, told in (
        ("stale", "about a text that has changed since, and counts no more"),
        ("not_found", "about an example that the sources no longer give"),
    ):
        if found := int(facts.get(key) or 0):
            lines.append(f"{many(found, 'decision')} {'is' if found == 1 else 'are'} {told}.")
    return "\n".join(lines)
