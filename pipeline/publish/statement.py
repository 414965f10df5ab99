"""``DATA_STATEMENT.md`` after Bender and Friedman (2018): what is known of whose language this is, and "not known" for the rest.

A person who knows more writes it into the page; an edited section stays (:mod:`pipeline.publish.merge`).
"""

from __future__ import annotations

from collections import defaultdict

from pipeline.publish.facts import Publication
from pipeline.publish.setcard import held
from pipeline.publish.words import many

_FAMILIES = {
    "forum": "posts and replies of public communities and question-and-answer sites: written, asynchronous, to strangers",
    "biography": "lives told by those who lived them or by biographers, and short first-person moments: written, mostly edited or prompted",
    "psychology": "textbooks and guides about mind and conduct: written, edited, to students and readers",
    "transcript": "supportive talk between two people: chats, spoken talk written down, dialogues written as examples",
    "general": "other texts, for breadth: written, mostly edited",
}
_ORIGINS = {
    "human": "people",
    "expert": "professionals, or people with professionals answering them",
    "crowd": "paid or recruited contributors, writing on request",
    "simulated": "language models, scripts, or authors inventing speakers: no real person speaks",
}
_CONSENTS = {
    "published": "published by their authors as works",
    "public_post": "posted in public, not for this use; the people were not asked",
    "research_participant": "given to a study or a paid task",
    "public_domain": "in the public domain",
    "synthetic": "no real person's words",
}


def statement_sections(pub: Publication) -> dict[str, str]:
    """The statement, a section each."""
    return {
        "title": f"# Data statement of {pub.title}\n\n"
        "After Bender and Friedman, *Data Statements for Natural Language Processing* (TACL 2018). What is not known "
        "is said to be not known; whoever knows more may write it into a section, and it stays.",
        "curation": _curation(pub),
        "language": _language(pub),
        "speakers": _speakers(pub),
        "annotators": _annotators(pub),
        "situation": _situation(pub),
        "texts": _texts(pub),
        "recording": "## Recording quality\n\nNothing was recorded for this dataset. Sources that write down speech came as text; how good "
        "their transcription is, is not known.",
        "provenance": "## Provenance\n\nThe sources are datasets of their own; `ATTRIBUTION.md` names each with its "
        "citation, where its makers say "
        "more. `provenance.json` holds the recipe, every threshold and where every document went.",
    }


def _curation(pub: Publication) -> str:
    said = pub.recipe.get("description") or "The recipe gives no description of its purpose."
    how = (
        f"Texts come from {many(len(pub.sources), 'source')} chosen by hand, in the shares the recipe sets. Which "
        "documents of a source are in is decided by a hash of their ids, not by anybody's taste, after duplicates, "
        "unsafe texts, other languages and texts of poor form were left out."
        if pub.kind == "mix"
        else f"Conversations come from {many(len(pub.sources), 'source')} chosen by hand. Examples were ranked by the "
        "measures the recipe names, spread over situations, and held to quotas; prompts that say the same count once."
    )
    return f"## Curation rationale\n\n{said}\n\n{how}"


def _language(pub: Publication) -> str:
    if pub.tally.languages:
        parts = ", ".join(
            f"`{code}` ({number:,} {pub.noun}s)" for code, number in list(pub.tally.languages.items())[:10]
        )
        found = f"As detected in the texts: {parts}."
    else:
        found = f"As the recipe asks and the sources state: {', '.join(f'`{code}`' for code in pub.languages)}."
    return (
        f"## Language variety\n\n{found} Which regional and social varieties of these languages is not known: the "
        "sources do not say, and nothing here tries to tell."
    )


def _speakers(pub: Publication) -> str:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name, facts in sorted(pub.sources.items()):
        by_kind[facts["origin"]].append(name)
    lines = [f"- {_ORIGINS.get(kind, kind)}: {', '.join(names)}" for kind, names in sorted(by_kind.items())]
    if kinds := pub.tally.values.get("author_kind"):
        lines += [
            "",
            "Who wrote the reply, by examples: " + ", ".join(f"{kind} {n:,}" for kind, n in kinds.items()) + ".",
        ]
    grounds: dict[str, list[str]] = defaultdict(list)
    for name, facts in sorted(pub.sources.items()):
        grounds[facts["consent"]].append(name)
    consent = [f"- {_CONSENTS.get(basis, basis)}: {', '.join(names)}" for basis, names in sorted(grounds.items())]
    return "\n".join(
        [
            "## Speaker demographic",
            "",
            "Age, gender, ethnicity, native language and socio-economic status of the speakers: not known. Authors' "
            "names are not in the rows.",
            "",
            "Who speaks, by source:",
            "",
            *lines,
            "",
            "On what ground their words are here:",
            "",
            *consent,
        ]
    )


def _annotators(pub: Publication) -> str:
    reviewed = sum(pub.decisions.values())
    who = (
        f"{many((pub.manifest.get('reviews') or {}).get('reviewers') or 0, 'person', 'people')} reviewed examples "
        f"({many(reviewed, 'decision')}); who they are is not known. Nobody else annotated these rows for this dataset."
        if reviewed
        else "Nobody annotated these rows for this dataset."
    )
    text = (
        f"## Annotator demographic\n\n{who} Scores come from classifiers that "
        "learnt from labels of language models reading with a rubric (classifiers/MODEL_CARD.md of wellmix); "
        "whatever those models take for wellbeing, support or harm is in the scores."
    )
    if why := pub.tally.values.get("why"):
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in why.items())
        text += (
            f" Beside them, evidence of the quality of replies is the sources' own ({kinds}); who gave those votes, "
            "ranks and codes is not known beyond what the sources' papers say."
        )
    return text


def _situation(pub: Publication) -> str:
    families: dict[str, list[str]] = defaultdict(list)
    for name, facts in sorted(pub.sources.items()):
        families[facts["family"]].append(name)
    lines = [
        f"- {family} ({', '.join(names)}): {_FAMILIES.get(family, 'not known')}"
        for family, names in sorted(families.items())
    ]
    return "\n".join(
        ["## Speech situation", "", *lines, "", "When the texts were written: not in the rows; see the sources."]
    )


def _texts(pub: Publication) -> str:
    lines = [f"{held(pub)} ({pub.recipe.get('tokenizer', 'not known')})."]
    facets = pub.manifest.get("facets") or []
    if facets:
        lines.append(
            "What they are about, as the classifiers see it (share of tokens): "
            + ", ".join(f"{line['facet'].replace('_', ' ')} {line['mix']:.0%}" for line in facets)
            + "."
        )
    if situations := pub.tally.values.get("situation"):
        shown = list(situations.items())[:15]
        lines.append(
            f"Situations the sources name, the {len(shown)} most frequent of {len(situations)}: "
            + ", ".join(f"{name} ({number:,})" for name, number in shown)
            + "."
        )
    return "## Text characteristics\n\n" + "\n\n".join(lines)
