"""The dataset card: its sections for people, written from manifest, ledger and counted rows. Its header is in ``header.py``."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import classifiers
from pipeline.publish.citations import bibtex
from pipeline.publish.facts import Publication
from pipeline.publish.samples import CHOICE, SHOWN, TOKENS
from pipeline.publish.setcard import counted, crisis_rule, held, review, set_rules, set_tables
from pipeline.publish.words import cell, linked, many

_FORMATS = {
    "messages": "`messages`: a list of `role` and `content`; conversations to imitate (TRL `SFTTrainer`)",
    "prompt_completion": "`prompt` and `completion`, each a list of messages; the loss is on the completion only",
    "preference": "`prompt`, `chosen`, `rejected`, each a list of messages (TRL `DPOTrainer`, reward models)",
    "unpaired": "`prompt`, `completion` and `label`, true for a good reply (TRL `KTOTrainer`)",
    "sharegpt": "`conversations`: a list of `from` and `value`, the same rows as `messages` for trainers that read ShareGPT",
    "default": "`text`, one document a row",
}
#: What of a set's recipe examples were judged and chosen by, beside the thresholds of the manifest.
_SET_LIMITS = ("filters", "lengths", "duplicates", "diversity", "pairs", "simulated", "validation")


def sections(pub: Publication) -> dict[str, str]:
    """The body of the card, a section each, in order."""
    parts = {
        "title": f"# {pub.title}",
        "summary": _summary(pub),
        "use": _use(pub),
        "composition": _composition(pub),
        "making": _making(pub),
        "review": review(pub) if pub.kind == "set" else "",
        "scores": _scores(pub),
        "licence": _licence(pub),
        "biases": _biases(pub),
        "privacy": _privacy(pub),
        "crisis": _crisis(pub),
        "takedown": _takedown(pub),
        "examples": _examples(pub),
        "limitations": _limitations(pub),
        "citation": _citation(pub),
        "versions": _versions(pub),
    }
    return {name: text for name, text in parts.items() if text}


def description(pub: Publication) -> str:
    """What the dataset is, in plain words; also the description in ``croissant.json``."""
    count = f"{held(pub)}, from {many(len(pub.sources), 'source')}"
    if pub.kind == "mix":
        what = "Texts about people's lives, chosen and weighted to let language models learn of human wellbeing"
    elif pub.recipe.get("task") == "preference":
        what = "Replies to people, with what speaks for one over another, chosen to let language models learn to help"
    else:
        what = "Conversations in which somebody is supported, chosen to let language models learn to help"
    said = pub.recipe.get("description") or ""
    return " ".join(part for part in (said.strip(), f"{what}: {count}.") if part)


def _summary(pub: Publication) -> str:
    lines = [description(pub), ""]
    lines.append(
        "Made with wellmix, which keeps licence, consent and place of origin with every row: `provenance.json` holds "
        "the recipe and the ledger, `ATTRIBUTION.md` names every work, `LICENSE.md` the terms, `DATA_STATEMENT.md` "
        "what is known of the language and its speakers, `croissant.json` the same for machines; `sha256sum -c "
        "checksums.sha256` checks the files."
    )
    lines += [
        "",
        "**Why.** Models learn of people's lives, of pain and of support from whatever text they are given. This "
        "dataset makes a choice of such text that can be seen, questioned and changed.",
        "",
        "**Meant for** "
        + training_use(pub)
        + ", and research on either. **Not meant for** judging, diagnosing, profiling or finding people, for crisis "
        "triage, or as a model of clinical care.",
    ]
    return "\n".join(lines)


def training_use(pub: Publication) -> str:
    """What it is for; also in ``croissant.json``."""
    if pub.kind == "mix":
        return "pretraining and continued pretraining"
    return "preference training" if pub.recipe.get("task") == "preference" else "supervised fine-tuning"


def _use(pub: Publication) -> str:
    place = pub.repo or "owner/name"
    calls = [f'data = load_dataset("{place}")  # or the path of this folder; streaming=True reads as it goes']
    calls += [f'{name} = load_dataset("{place}", "{name}")' for name in list(pub.schemas)[1:]]
    lines = ["## Loading", "", "```python", "from datasets import load_dataset", "", *calls, "```", ""]
    lines += ["| config | split | rows | a row holds |", "|---|---|---:|---|"]
    for config in pub.schemas:
        for split in pub.splits(config):
            lines.append(f"| `{config}` | {split} | {pub.rows(config, split):,} | {_FORMATS.get(config, '')} |")
    if pub.kind == "mix":
        copies = pub.rows(pub.default) - pub.tally.distinct[pub.default]
        if copies:
            lines += [
                "",
                f"{copies:,} rows are further copies of a document, drawn more than once because of its weight: "
                "`epoch` numbers them, and `epoch == 0` leaves each document once.",
            ]
        lines += [
            "",
            "Beside `text`: `id`, `source`, `kind`, `language`, `license`, `origin` (place in the source), `tokens`, "
            "`epoch`, `cluster_size` (near-duplicates found), `quality` (0-1), and the classifiers' `relevance` "
            "(0-5), `stance`, `support` (0-3), `facet_*` and `safety_disclosure` (probabilities). Scores are null "
            "where the classifiers abstain.",
        ]
    else:
        lines += [
            "",
            "Beside the conversation: `id`, `source`, `license`, `origin` (place in the source), `author_kind` (who "
            "wrote the reply), `simulated`, `why` (what speaks for the reply), `principles` (of the constitution it "
            "shows), `situation`, `facets`, `behaviours`, `risk` (somebody may be in danger), `tokens` and `support` "
            "(0-3).",
        ]
    return "\n".join(lines)


def _composition(pub: Publication) -> str:
    counts, tokens = pub.tally.of(pub.default), pub.tally.tokens_of(pub.default)
    total = sum(tokens.values()) or 1
    lines = ["## Composition", ""]
    order = sorted(counts, key=lambda name: (-tokens[name], name))
    if pub.kind == "mix":
        lines += [
            f"| source | what it is | family | written by | {pub.noun}s | tokens | share | asked for | passes |",
            "|---|---|---|---|---:|---:|---:|---|---:|",
        ]
        rates = {entry["entry"]: entry for entry in pub.manifest.get("entries", [])}
        for name in order:
            facts, entry = pub.sources[name], rates.get(name)
            passes = f"{entry['tokens'] / entry['supply']:.2f}" if entry and entry.get("supply") else ""
            lines.append(
                f"| `{name}` | {cell(facts['title'])} | {facts['family']} | {facts['origin']} | {counts[name]:,} | "
                f"{tokens[name]:,} | {tokens[name] / total:.1%} | {_amount(pub.recipe['sources'].get(name, {}))} | "
                f"{passes} |"
            )
        lines += _groups(pub)
    else:
        lines += _set_sources(pub)
        lines += set_tables(pub)
    if facets := pub.manifest.get("facets"):
        lines += ["", "Facets of wellbeing (share of tokens in which each is present, as the classifiers see it):", ""]
        lines += ["| facet | of all that qualified | in this mix |", "|---|---:|---:|"]
        lines += [f"| {row['facet'].replace('_', ' ')} | {row['eligible']:.1%} | {row['mix']:.1%} |" for row in facets]
    if notes := pub.manifest.get("notes"):
        lines += ["", "What the run noted:", "", *(f"- {cell(note)}" for note in notes)]
    return "\n".join(lines)


def _amount(entry: dict[str, Any]) -> str:
    return next(
        (f"{name} {entry[name]:,}" for name in ("weight", "tokens", "epochs") if entry.get(name) is not None), ""
    )


def _groups(pub: Publication) -> list[str]:
    lines: list[str] = []
    if groups := pub.recipe.get("groups"):
        lines += [
            "",
            "Groups of documents with an amount of their own:",
            "",
            "| group | which | asked for |",
            "|---|---|---|",
        ]
        for group in groups:
            which = ", ".join(
                f"{name} {value}" for name, value in group.items()
                if value is not None and name not in ("name", "weight", "tokens", "epochs", "max_epochs")
            )  # fmt: skip
            lines.append(f"| {cell(group['name'])} | {cell(which)} | {_amount(group)} |")
    if rules := pub.recipe.get("upweight"):
        lines += ["", "Drawn more or less often within their source:", "", "| which | times |", "|---|---:|"]
        for rule in rules:
            which = ", ".join(
                f"{name} {value}" for name, value in rule.items() if value is not None and name != "multiply"
            )
            lines.append(f"| {cell(which)} | {rule['multiply']} |")
    return lines


def _set_sources(pub: Publication) -> list[str]:
    """Sources of a set: by pairs and single replies where it holds both."""
    forms = counted(pub)
    counts = {config: pub.tally.of(config) for config in forms}
    tokens = {config: pub.tally.tokens_of(config) for config in forms}
    heads = " | ".join(f"{noun} | share" for noun in forms.values())
    lines = [
        "All splits; each config holds the same examples, laid out in another way:"
        if len(pub.schemas) > 1 and len(forms) == 1
        else "All splits:",
        "",
        f"| source | what it is | family | written by | {heads} | tokens |",
        "|---|---|---|---|" + "---:|---:|" * len(forms) + "---:|",
    ]
    order = sorted(pub.sources, key=lambda name: (*(-counts[config].get(name, 0) for config in forms), name))
    for name in order:
        facts = pub.sources[name]
        cells = []
        for config in forms:
            number = counts[config].get(name, 0)
            cells.append(f"{number:,} | {number / (pub.rows(config) or 1):.1%}")
        total = sum(tokens[config].get(name, 0) for config in forms)
        lines.append(
            f"| `{name}` | {cell(facts['title'])} | {facts['family']} | {facts['origin']} | {' | '.join(cells)} | {total:,} |"
        )
    return lines


def _making(pub: Publication) -> str:
    lines = ["## How it was made", ""]
    steps = [
        "Each source was read from its original files; what could not be read is counted, and was left out.",
        "Texts were cleaned, personal data was replaced by placeholders before anything was written, and long texts "
        "were cut at paragraph ends.",
    ]
    if pub.kind == "mix":
        steps.append(
            "Language was detected, form was measured (Gopher and C4 rules), classifiers scored every text, "
            "near-duplicates were found across all sources, and overlaps with benchmarks were looked for."
        )
        steps.append(
            f"What passed was drawn to the recipe's weights, by a hash of seed {pub.recipe.get('seed')} and each "
            f"document's id, up to {pub.recipe.get('max_epochs')} passes; held-out documents share no near-duplicate "
            "with the rest."
        )
    else:
        order = ", ".join(f"`{name}` ({weight})" for name, weight in (pub.recipe.get("order") or {}).items())
        steps.append(
            "Threads became conversations with chat roles; each reply is a candidate. Classifiers scored the prompt, the "
            "reply and both together; rules looked for danger, methods of harm, help pointed to and voice; overlaps with "
            "benchmarks were looked for."
        )
        steps.append(
            "Candidates were judged by the "
            f"filters below and by the principles of the constitution, ranked by {order or 'the recipe'}, freed of "
            "near-duplicate prompts, spread over situations, and held to quotas."
        )
    lines += [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    lines += ["", *_thresholds(pub), *(set_rules(pub) if pub.kind == "set" else []), *_ledger(pub)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).rstrip())


def _thresholds(pub: Publication) -> list[str]:
    limits = dict(pub.manifest.get("thresholds") or {})
    if pub.kind == "set":
        if limits.get("harm") is None:  # the classifiers' own, by length of the reply
            cuts = pub.figures.thresholds[pub.effort]
            limits["harm"] = {name: cuts[f"safety_{name}"] for name in ("harm", "harm_short", "harm_long")}
        limits |= {name: pub.recipe[name] for name in _SET_LIMITS if name in pub.recipe}
        for name in ("prompt_similarity", "tokens"):  # said by `duplicates` and `lengths`
            limits.pop(name, None)
        told = {*limits, "drop"}  # rules have a table of their own
        limits["filters"] = {name: value for name, value in limits["filters"].items() if name not in told}
        if pub.recipe["task"] == "sft":
            limits.pop("pairs", None)
    quality, languages = limits.pop("quality", {}), limits.pop("languages", {})
    lines = ["Thresholds:", "", "| threshold | value |", "|---|---|"]
    if isinstance(languages, dict):
        kept: dict[str, list[str]] = defaultdict(list)
        for source, codes in languages.items():
            kept[" ".join(codes or ["any"])].append(source)
        languages = "; ".join(f"{codes}: {', '.join(sources)}" for codes, sources in kept.items())
    lines += [f"| languages kept | {cell(str(languages))} |"] if languages else []
    for name, value in _flat(limits):
        lines.append(f"| {cell(name)} | {cell(str(value))} |")
    if quality:
        groups: dict[str, list[str]] = defaultdict(list)
        for source, rules in quality.items():
            said = ", ".join(f"{name} {value:g}" for name, value in rules.items() if value is not None)
            groups[said].append(source)
        lines += ["", "<details><summary>Rules of form, by source</summary>", ""]
        lines += [f"- {', '.join(f'`{name}`' for name in sources)}: {said}" for said, sources in groups.items()]
        lines += ["", "</details>"]
    return [*lines, ""] if len(lines) > 4 else []


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [item for name, part in value.items() for item in _flat(part, f"{path}.{name}" if path else str(name))]
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        return [(path, ", ".join(map(str, value)) or "none")]
    return [
        (path, json.dumps(value, ensure_ascii=False) if isinstance(value, list) else "none" if value is None else value)
    ]


def _ledger(pub: Publication) -> list[str]:
    """Where everything went: each stage of the ledger, by source."""
    lines: list[str] = []
    for stage, by_source in pub.ledger.get("stages", {}).items():
        rows = {name: line for name, line in by_source.items() if isinstance(line, dict)}
        if not rows:
            continue
        columns = [
            name for name in dict.fromkeys(key for line in rows.values() for key, value in line.items() if isinstance(value, int))
            if not name.startswith(("bytes", "chars"))
        ]  # fmt: skip
        lines += ["", f"Where everything went, stage `{stage}`:", ""]
        heads = [name.replace("_", " ") for name in columns]
        lines += [
            "| source | " + " | ".join(heads) + " | left out, by reason |",
            "|---|" + "---:|" * len(columns) + "---|",
        ]
        for name, line in rows.items():
            out: dict[str, int] = {}
            for key, counts in line.items():
                if isinstance(counts, dict) and key != "redactions":
                    for reason, number in counts.items():
                        out[reason] = out.get(reason, 0) + number
            reasons = sorted(out.items(), key=lambda item: (-item[1], item[0]))
            told = ", ".join(f"{reason} {number:,}" for reason, number in reasons)
            lines.append(
                f"| `{name}` | " + " | ".join(f"{line.get(column, 0):,}" for column in columns) + f" | {told} |"
            )
    return lines


def _scores(pub: Publication) -> str:
    figures, effort = pub.figures, pub.effort
    lines = ["## The classifiers and their errors", ""]
    lines.append(
        "English texts were scored by the classifiers of wellmix. The figures are those of its model card "
        "(`classifiers/MODEL_CARD.md`) and evaluation, measured on corpora that were held out whole."
    )
    if (measured := figures.versions.get(effort)) != pub.scored_by:
        lines += [
            "",
            f"The scores here have version `{pub.scored_by}`, the figures were measured on version `{measured}`: read them for "
            "the kind of errors rather than their exact size.",
        ]
    lines += ["", f"| measure, effort `{effort}` | value |", "|---|---:|"]
    lines += [f"| {measure} | {values[effort]} |" for measure, values in figures.quality.items() if effort in values]
    if effort in figures.safety:
        removed, missed = figures.safety[effort]
        lines += [f"| lived experience wrongly removed as harm | {removed} |", f"| harmful texts missed | {missed} |"]
    lines += [
        "",
        "Their labels were written by language models reading with a rubric: good, not truth. Other languages are not scored.",
    ]
    return "\n".join(lines)


def _licence(pub: Publication) -> str:
    terms = pub.terms
    lines = ["## Licence", ""]
    if terms.by_row:
        lines.append(
            "A collection: **each row stands under the licence in its column `license`**; there is no licence for the whole."
        )
    else:
        lines.append(
            f"As a whole: **{linked(terms.license_id, terms.url)}**. Whoever keeps to it keeps to the terms of every "
            "row; each row's own licence is in its column `license`."
        )
    counts: dict[str, int] = defaultdict(int)
    for work in pub.tally.works:  # of all configs: a source may be in one only
        counts[work.source] += work.rows
    lines += [
        "",
        "| source | licence of its texts | attribution | share-alike | non-commercial | "
        f"{'rows, all configs' if len(pub.schemas) > 1 else 'rows'} |",
        "|---|---|---|---|---|---:|",
    ]
    for row in terms.rows:
        flags = " | ".join("yes" if flag else "" for flag in (row.attribution, row.share_alike, row.noncommercial))
        lines.append(f"| `{row.source}` | {linked(row.license, row.url)} | {flags} | {counts[row.source]:,} |")
    if terms.notes:
        lines += ["", *(f"- {note}" for note in terms.notes)]
    lines += [
        "",
        "Terms as the sources state them: `LICENSE.md`. Whom to name: `ATTRIBUTION.md`. None of it is legal advice.",
    ]
    return "\n".join(lines)


def _biases(pub: Publication) -> str:
    mix = pub.kind == "mix"
    # as the table of sources has it: of a mix what a model reads, of a set what it is shown
    counts = pub.tally.tokens_of(pub.default) if mix else pub.tally.of(pub.default)
    unit = "tokens" if mix else {"preference": "pairs"}.get(pub.default, "rows")
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    total = sum(counts.values()) or 1
    simulated = sum(number for name, number in counts.items() if pub.sources[name]["origin"] == "simulated")
    largest = ", ".join(f"`{name}` ({number / total:.0%})" for name, number in top)
    lines = [
        "## Known biases",
        "",
        f"- **Whose voices.** {many(len(counts), 'source')}; the largest by {unit}: {largest}. Languages: "
        f"{', '.join(pub.languages) or 'not known'}. Who the writers are is not known (`DATA_STATEMENT.md`).",
        f"- **Invented speakers.** {simulated / total:.0%} of the {unit} come from sources whose speakers are simulated.",
        "- **What the classifiers prefer.** Their errors become this dataset's: a group whose texts they remove more "
        "often speaks less here. Gaps measured that are larger than their interval (test corpus, group: difference "
        "from the rest; *marked* tweets show features of African American English):",
    ]
    lines += [f"  - {gap}" for gap in pub.figures.gaps] or ["  - none are on record"]
    lines += [f"- {limit}" for limit in pub.figures.limits]
    return "\n".join(lines)


def _privacy(pub: Publication) -> str:
    found = pub.redactions
    total = sum(found.values())
    lines = ["## Personal data", ""]
    if found:
        looked_for = (pub.recipe.get("ingest") or {}).get("names")
        kinds = ", ".join(
            f"{'name of the author of a post' if name == 'name' and not looked_for else name} {number:,}"
            for name, number in found.items()
        )
        lines.append(
            f"Before anything was written, {total:,} pieces of personal data in the sources were replaced by typed "
            f"placeholders such as `[EMAIL_1]`: {kinds}. (Counted in all that was read, not only in what is here.) "
            "The same value has the same number within a text."
        )
    else:
        lines.append(
            "Personal data is replaced by typed placeholders such as `[EMAIL_1]` before anything is written. The "
            "ledger of this output counts none."
        )
    names = (pub.recipe.get("ingest") or {}).get("names")
    lines += [
        "",
        "Authors' handles are not in the rows. "
        + (
            "Names of private persons were looked for and replaced, too; some will have been missed."
            if names
            else "**Names of private persons in the text itself were not looked for**, beyond the handles of a thread's authors."
        ),
        "",
        "Rules find most, not all. Do not try to find out who wrote a text. Do not link rows with other data to do so.",
    ]
    if pub.private:
        lines += [
            "",
            f"Identifying somebody would do high harm in: {', '.join(f'`{name}`' for name in pub.private)}. Consider "
            "gating the repository: the header holds the words for it.",
        ]
    return "\n".join(lines)


#: What the ledger of a set calls what it leaves out for danger.
_DANGERS = {
    "gives_method": "somebody gives a method of self-harm",
    "harm_in_reply": "the reply may do harm",
    "harm_in_prompt": "the prompt attacks or may do harm",
    "crisis_no_help": "somebody may be in danger, and the reply does not point to help",
    "crisis_abandons": "somebody may be in danger, and the reply sends them away",
}


def _crisis(pub: Publication) -> str:
    flags = pub.tally.flags
    rows = pub.rows(pub.default)
    lines = [
        "## Texts about suicide, self-harm and other danger",
        "",
        "What a text does decides, not what it is about: people who tell of their pain are kept and marked; texts "
        "that encourage harm or do it are left out, as far as the filters see it.",
        "",
    ]
    if "disclosure" in flags:
        cut = pub.figures.thresholds[pub.effort]["safety_disclosure"]
        lines.append(
            f"- **{flags['disclosure']:,} of {rows:,} rows** hold a disclosure of somebody's own suicidal thoughts, "
            f"self-harm, abuse, eating disorder or addiction (`safety_disclosure` of {cut} or more)."
        )
    if "risk" in flags:
        lines.append(
            f"- In **{flags['risk']:,} of {rows:,} rows** of `{pub.default}` somebody may be in danger (`risk`)."
        )
    if pub.kind == "mix":
        lines.append(
            f"- Left out as harmful: {pub.left_out('safety_'):,} documents. How often that is wrong, and how much is "
            "missed, stands above."
        )
    else:
        lines += crisis_rule(pub)
        lines += [
            f"- Left out because {said}: {many(number, 'candidate')}."
            for name, said in _DANGERS.items()
            if (number := pub.left_out(name))
        ]
        if (classifiers_home() / "CONDUCT.md").is_file():
            lines.append("- How often these rules err is measured in `classifiers/CONDUCT.md` of wellmix.")
    if "preference" in pub.schemas or "unpaired" in pub.schemas:
        lines.append(
            "- **Rejected and poor replies are there to be told apart from good ones.** Some dismiss, judge or send "
            "away. They are not to be imitated."
        )
    lines += [
        "",
        "A model trained on this is no crisis service. Whoever puts one before people must say so, and give them a "
        "way to people who help.",
    ]
    return "\n".join(lines)


def classifiers_home() -> Path:
    """Where the classifiers' pages are."""
    return Path(classifiers.__file__).parent


def _takedown(pub: Publication) -> str:
    lines = ["## Removal of a text", ""]
    if pub.contact:
        lines.append(
            f"Write to **{pub.contact}** with the `id` of the row, or with the text. It is taken out of the next "
            "version; `origin` leads to it in its source."
        )
    else:
        lines.append("The publisher names no contact of its own. Sources take requests for their texts:")
    lines += ["", "| source | whom to write to |", "|---|---|"]
    lines += [f"| `{name}` | {cell(facts['takedown'])} |" for name, facts in sorted(pub.sources.items())]
    return "\n".join(lines)


def _examples(pub: Publication) -> str:
    lines = ["## Examples", ""]
    chosen = f"Up to {SHOWN} training rows of {TOKENS[0]} to {TOKENS[1]} tokens, {CHOICE}."
    if not pub.samples:
        return "\n".join([*lines, f"None: no row qualifies to be shown. ({chosen})"])
    pair = " Of a pair only the chosen reply is shown." if pub.default == "preference" else ""
    lines += [f"{chosen} They are not typical: the rest is longer, and harder.{pair}"]
    for sample in pub.samples:
        text = "\n\n".join(f"{role}: {what}" if role else what for role, what in sample.turns)
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        lines += ["", f"`{sample.source}`, {sample.license}, id `{sample.id}`:", "", f"{fence}text", text, fence]
    return "\n".join(lines)


def _limitations(pub: Publication) -> str:
    lines = [
        "## Limitations",
        "",
        "- Filters miss harmful texts and remove harmless ones, at the rates above. Look before you train on a part "
        "of this.",
        "- Near-duplicates are found by overlap of words; paraphrases of one text can be on both sides of the split."
        if pub.kind == "mix"
        else "- Prompts that say the same are found by sentence embeddings; some will have been missed.",
        "- Benchmarks were kept out by overlap of words with lists of hashes; a paraphrased item would not be met.",
        "- Licences and consent are as the sources state them. Nobody asked the writers again.",
        "- Wellbeing is scored on several measures that follow PERMA and self-determination theory: one view among "
        "others.",
    ]
    if pub.kind == "set":
        lines.append(
            "- Votes, ranks and codes of the sources say what their readers preferred, which is not the same as what "
            "helps. No outcome for anybody was measured."
        )
    if pub.terms.noncommercial:
        lines.append("- Parts of it may not be used commercially.")
    return "\n".join(lines)


def _citation(pub: Publication) -> str:
    own = [f"@misc{{{re.sub(r'[^A-Za-z0-9-]', '-', pub.name)}-{pub.version},"]
    own += [f"  author       = {{{pub.creator}}},"] if pub.creator else []
    own += [f"  title        = {{{pub.title}}},", f"  note         = {{Version {pub.version}, made with wellmix}},"]
    own += [f"  year         = {{{pub.date[:4]}}},"] if pub.date else []
    own += [f"  url          = {{https://huggingface.co/datasets/{pub.repo}}},"] if pub.repo else []
    own.append("}")
    entries = "\n\n".join(bibtex(name, facts) for name, facts in sorted(pub.sources.items()))
    return "\n".join(
        [
            "## Citation", "", "This dataset:", "", "```bibtex", *own, "```", "", "Its sources; cite those you use:", "",
            "<details><summary>BibTeX</summary>", "", "```bibtex", entries, "```", "", "</details>",
        ]
    )  # fmt: skip


def _versions(pub: Publication) -> str:
    lines = [
        "## Versions",
        "",
        f"Version **{pub.version}**, content `{pub.identity[:16]}`" + (f", {pub.date}" if pub.date else "") + ".",
    ]
    if pub.parent:
        told = pub.parent.get("repo")
        place = f"`{told}@{pub.parent['revision']}`" if told else ""
        content = f"content `{pub.parent['id'][:16]}`" if pub.parent.get("id") else ""
        number = f"version {pub.parent['version']}" if pub.parent.get("version") else ""
        lines.append(f"It follows {', '.join(part for part in (place, number, content) if part)}.")
    else:
        lines.append("It is the first version.")
    versions = pub.manifest.get("versions", {})
    made = [f"{name} {value}" for name, value in versions.items() if isinstance(value, str)]
    lines += ["", f"Made with {', '.join(made)}.", ""]
    lines.append("Sections between `wellmix` comments are written by wellmix; edit them, and your words stay.")
    return "\n".join(lines)
