"""The model card, written by training so that its figures are those of the weights beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from classifiers.corpora import LEARNED_HARM
from classifiers.scorer import SHORT_WORDS
from classifiers.student import Settings
from classifiers.taxonomy import HARMFUL

if TYPE_CHECKING:
    from classifiers.train import TrainReport

#: Licences of the corpora trained on, as their repositories state them; by the name before a colon.
LICENCES: dict[str, str] = {
    "ag-news": "none stated (academic, non-commercial use asked for)",
    "brief-cbt": "none stated for the text (believed a US federal work)",
    "code-docs": "BSD-3-Clause, Apache-2.0",
    "counsel-chat": "MIT",
    "crump-cognition": "CC BY-SA 4.0",
    "crumplab-cognition": "CC BY-SA 4.0",
    "davidson": "MIT",
    "diasafety": "Apache-2.0",
    "dolly": "CC BY-SA 3.0",
    "dreaddit": "none stated",
    "edos": "CC BY 4.0",
    "emobank": "CC BY-SA 4.0",
    "empathetic": "CC BY-NC 4.0",
    "empatheticdialogues": "CC BY-NC 4.0",
    "empathic-reactions": "CC BY 4.0",
    "epitome-reddit": "none stated",
    "esconv": "CC BY-NC 4.0",
    "goemotions": "Apache-2.0",
    "gutenberg": "US public domain (Project Gutenberg licence)",
    "gutenberg-general": "US public domain (Project Gutenberg licence)",
    "happydb": "none stated",
    "mts-dialog": "CC BY 4.0",
    "multiwd": "none stated",
    "nltk-brown": "free for non-commercial use",
    "nltk-movie_reviews": "CC BY 4.0",
    "offmychest": "CC BY 4.0",
    "openassistant": "Apache-2.0",
    "openstax": "CC BY 4.0 at the pinned commits",
    "positive-frames": "CC BY-SA 4.0",
    "rmhd": "PDDL 1.0, subject to Reddit's API terms",
    "sdcnl": "none stated",
    "standardebooks": "US public domain, markup CC0 1.0",
    "surge-toxicity": "MIT",
    "tweeteval-emotion": "released without restrictions; Twitter's terms apply",
    "tweeteval-hate": "released without restrictions; Twitter's terms apply",
    "tweeteval-offensive": "released without restrictions; Twitter's terms apply",
    "wellnessdimensions": "none stated",
}

#: Figures worth a line, with what they mean.
_FIGURES = {
    "relevance_spearman": "relevance, Spearman",
    "relevance_auroc_3": "relevance at 3 or more, AUROC",
    "relevance_f1_3": "relevance at 3 or more, F1 at the threshold",
    "relevance_mae": "relevance, mean absolute error (of 5)",
    "facets_macro_auroc": "facets, macro AUROC",
    "auroc_safety_harm": "any harm, AUROC",
    "hatecheck_auroc": "HateCheck (never trained on), `safety_harm`, AUROC",
    "auroc_safety_disclosure": "disclosure, AUROC",
    "auroc_safety_discusses_harm": "discusses harm, AUROC",
    "auroc_responds": "somebody responds, AUROC",
    "support_spearman": "support (0 where nobody responds), Spearman",
    "support_spearman_of_answered": "support among texts in which somebody responds, Spearman",
}


def write_card(path: Path, report: TrainReport, settings: Settings) -> None:
    """Write the model card of freshly trained weights.

    :param path: the Markdown file to write.
    """
    by_corpus: Counter[str] = Counter()
    for corpus, count in report.corpora.items():
        by_corpus[corpus.split(":")[0]] += count
    rows = "\n".join(
        f"| {corpus} | {count:,} | {LICENCES.get(corpus, 'see the corpus')} |"
        for corpus, count in sorted(by_corpus.items())
    )
    measured = "\n".join(
        f"| {title} | {report.figures[name]:.3f} |" for name, title in _FIGURES.items() if name in report.figures
    )
    heads = "\n".join(
        f"| {name.removeprefix('auroc_')} | {value:.3f} | {_cut(report.thresholds.get(name.removeprefix('auroc_')))} |"
        for name, value in report.figures.items()
        if name.startswith("auroc_")
    )
    by_length = "\n".join(f"| {name} | {removed} | {missed} |" for name, (removed, missed) in report.by_length.items())
    tradeoff = "\n".join(f"| {cut:.2f} | {removed} | {missed} |" for cut, removed, missed in report.tradeoff)
    unlearned = ", ".join(name for name in HARMFUL if name not in LEARNED_HARM)
    missing = f"\nNot found when these weights were trained: {', '.join(report.missing)}.\n" if report.missing else ""
    taught = (
        "A frozen sentence encoder (all-MiniLM-L6-v2, Apache-2.0) with logistic heads learnt from the annotated texts\n"
        "labelled what the distant texts do not say; its vectors of single words are where the student's rows start."
        if report.taught
        else "No teacher was used: heads a distant text does not label learnt nothing from it."
    )
    chosen = ", ".join(f"{name} {value}" for name, value in asdict(settings).items())
    card = f"""# Model card: wellmix text classifiers

Written by `wellmix train`; the figures are those of the weights in `weights/` (version `{report.version}`).

## What it is

One fastText-style linear model (averaged word and word-bigram rows, a logistic output for each label) that scores
English text against `taxonomy.py`: relevance to human wellbeing (0-5), facets, stance, register, whether somebody
responds to somebody's situation, how much support that gives (0-3), and safety. Scores are calibrated
probabilities; relevance and support are expected values. Settings:
{chosen}.
{taught}

Meant for: choosing and weighting pretraining documents, as the first and cheapest of several tiers. Not meant for:
judging people, clinical or crisis triage, moderation of a live service, or any decision about a single person.

**Language: English only.** Other languages get no score (`abstain` = `language`), nor do texts of fewer than two
known words.

## Figures

Held out by corpus: groups of corpora were left out in turn, together with every training text that shares ten
running words with them; calibration and thresholds are fitted on the same held-out scores. The annotators are
language models that agree with each other at Spearman .93 for relevance; their labels are good, not truth.
Read the figures as slightly flattering: thresholds, and the choice among several settings, were made on these scores.
{report.texts["annotated"]:,} annotated texts.

| measure | held out |
|---|---|
{measured}

Safety at the recommended thresholds, `safety_harm` >= {report.thresholds["safety_harm"]:.3f} and, for texts of fewer than
{SHORT_WORDS} words, {report.thresholds["safety_harm_short"]:.3f}, with 95 % Wilson intervals. They were set by what they may
cost in lived experience (1 % of longer texts, 3 % of short ones); what they miss is the price.

| texts | lived experience wrongly removed | harmful texts missed |
|---|---|---|
| all | {report.lived_removed} | {report.harm_missed} |
{by_length}

With one threshold for all lengths:

| threshold of `safety_harm` | lived experience removed | harmful texts missed |
|---|---|---|
{tradeoff}

| label | AUROC | threshold |
|---|---|---|
{heads}

A relevance of {report.thresholds["relevance"]} or more is the recommended cut for "wellbeing is a real theme"
(rubric 3 or more).

## Limits

- A bag of words and word pairs: it does not read negation, irony, quotation or who does what to whom. HateCheck,
  made of pairs that differ in just that, shows it: near chance. At the harm threshold this is a coarse first sieve.
- Not learned at all, for want of texts anyone should hold: {unlearned}. Their absence from the scores is not an
  all-clear.
- `threat` had a handful of annotated texts: use `safety_harm`, which pools every class.
- `support` says that there is support; it hardly ranks good support above poor (last line of the first table).
  Behaviours of responders are not scored at all: a bag of words did not tell them apart on unseen corpora.
- Harm was learned mostly from tweets, forum comments and chat replies; older or literary prose is judged by
  analogy.
- Facets over-fire on texts about people in general; the top of relevance (4-5) is drawn towards the middle.
- A long text takes its highest window for safety: the longer the text, the likelier a false alarm. Cut books into
  pages.

## Texts learnt from

{report.texts["annotated"]:,} texts annotated with the rubric, {report.texts["distant"]:,} labelled by where they come
from. The weights hold words and numbers, no texts. Corpora marked NC or "none stated" make these weights fit for
research; retrain without them for other uses.
{missing}
| corpus | texts | licence as stated |
|---|---|---|
{rows}

Never trained on: `evals/`, HateCheck.
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card, encoding="utf-8")


def _cut(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
