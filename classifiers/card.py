"""The model card, written by training so that its figures are those of the weights beside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from classifiers import encoder, teacher
from classifiers.corpora import HEADS, LEARNED_HARM
from classifiers.evaluate import HEADLINES, headlines, safety_errors
from classifiers.fitting import GO_ON
from classifiers.scorer import EFFORTS, SHORT_WORDS
from classifiers.taxonomy import HARMFUL
from sources.card import load_cards

if TYPE_CHECKING:
    from classifiers.tiers import Settings
    from classifiers.train import TrainReport

#: Licences of corpora that no source card describes under that name, as their repositories state them.
LICENCES: dict[str, str] = {
    "code-docs": "BSD-3-Clause, Apache-2.0",
    "synthetic-contrast": "written for this project, Apache-2.0",
    "coconot": "MIT",
    "crumplab-cognition": "CC BY-SA 4.0",
    "davidson": "MIT",
    "diasafety": "Apache-2.0",
    "epitome-reddit": "none stated",
    "gutenberg": "US public domain (Project Gutenberg licence)",
    "nltk-movie_reviews": "CC BY 4.0",
    "openstax": "CC BY 4.0 at the pinned commits",
    "standardebooks": "US public domain, markup CC0 1.0",
    "surge-toxicity": "MIT",
    "tweeteval-emotion": "released without restrictions; Twitter's terms apply",
    "tweeteval-hate": "released without restrictions; Twitter's terms apply",
    "tweeteval-offensive": "released without restrictions; Twitter's terms apply",
}


def licence_of(corpus: str, cards: dict[str, str]) -> str:
    """The licence of a corpus as stated: by its card, or by :data:`LICENCES`."""
    return LICENCES.get(corpus) or cards.get(corpus) or "see the corpus"


def allows(licence: str) -> str:
    """What a licence lets weights learnt from the corpus be used for; they hold none of its text."""
    if "none" in licence.lower() or "unconfirmed" in licence or "third-party" in licence or "per-article" in licence:
        return "research inside the house (nothing stated)"
    return "non-commercial" if "NC" in licence or licence.endswith("brown") else "any"


def write_card(path: Path, report: TrainReport, settings: Settings) -> None:
    """Write the model card of freshly trained weights.

    :param path: the Markdown file to write.
    """
    judgement, truth = report.judgement, report.material.targets
    annotators = [example.annotator for example in report.material.examples[: len(truth)]]
    founders = np.array([name == "founders" for name in annotators])
    picked = sum(example.picked != "" for example in report.material.examples[: len(truth)])
    short = np.array([len(e.text.split()) < SHORT_WORDS for e in report.material.examples[: len(truth)]])
    figures = "\n".join(
        f"| {title} | " + " | ".join(_figures(name, judgement.scores, truth, judgement.thresholds, founders)) + " |"
        for name, title in HEADLINES.items()
    )
    errors = []
    for effort in EFFORTS:
        cuts = judgement.thresholds[effort]
        harm = np.where(short, cuts["safety_harm_short"], cuts["safety_harm"])
        removed, missed = safety_errors(truth, judgement.scores[effort], harm)
        errors.append(
            f"| {effort} | {cuts['safety_harm']:g} | {cuts['safety_harm_short']:g} | {cuts['safety_harm_long']:g} | "
            f"{removed} | {missed} |"
        )
    thresholds = judgement.thresholds["balanced"]
    positives = (truth > 0.5).sum(axis=0)
    labels = "\n".join(
        f"| {head} | {positives[i]:,} | {_cut(thresholds.get(head))} |"
        for i, head in enumerate(HEADS)
        if not head.startswith(("relevance_", "support_"))
    )
    cards = {name: card.license.id for name, card in load_cards().items()}
    by_corpus: Counter[str] = Counter()
    for corpus, count in report.corpora.items():
        by_corpus[corpus.split(":")[0]] += count
    rows = "\n".join(
        f"| {corpus} | {count:,} | {licence_of(corpus, cards)} | {allows(licence_of(corpus, cards))} |"
        for corpus, count in sorted(by_corpus.items())
    )
    unlearned = ", ".join(name for name in HARMFUL if name not in LEARNED_HARM)
    learners = settings.students
    static = f"mean and maximum of word pieces' vectors, {learners.dim} numbers each, a hidden layer of {learners.static_hidden}"
    encoded = (
        f"{encoder.MODEL} (Apache-2.0) in eight bits, {_layers(encoder.LAYERS)}, a hidden layer of {learners.hidden}"
    )
    taught = f"{teacher.MODEL} (Apache-2.0), {_layers(teacher.LAYERS)}, kernel ridge regression"
    card = f"""# Model card: wellmix text classifiers

Written by `wellmix train`; the figures are those of the weights in `weights/` (version `{report.version}` at the default
effort). How they come about, field by field and corpus by corpus, against baselines, with intervals: `EVALUATION.md`.

## What it is

Three students of one teacher score English text against `taxonomy.py`: relevance to human wellbeing (0-5), facets,
stance, register, whether somebody responds to somebody's situation, how well (0-3) and by what behaviours, and safety.

| tier | what it is | who reads what, when `balanced` |
|---|---|---|
| fasttext | averaged rows of words and word pairs, {settings.fasttext.dim} numbers each | every text |
| static | {static} | about {GO_ON["fasttext"]:.0%} of a mixture of all corpora |
| encoder | {encoded} | about {GO_ON["static"]:.0%} |
| teacher | {taught} | training only; not shipped |

A later tier's probabilities are a calibrated combination of its own logits and those before it. Scores are probabilities;
relevance and support are expected values, with a standard deviation for relevance.

Meant for: choosing and weighting documents of training data. Not meant for: judging people, clinical or crisis triage,
moderation of a live service, or any decision about a single person.

**Language: English only.** Texts in other languages get no score (`abstain` = `language`), nor do texts of fewer than two
known words (`too_short`). The language model takes about 1 % of one-line English comments for something else, and 2 % of
lines of a few words in other languages for English. No multilingual encoder could be had that runs here, so none is
pretended: Chinese corpora stay unscored.

## Figures

Held out by corpus: groups of corpora were left out in turn, together with every training text that shares ten running
words with them; teacher and students were trained again without them. Calibration, doubt and thresholds are fitted on the same
held-out scores, so read rates at thresholds as slightly flattering. {int(founders.sum()):,} texts annotated by the
project's founders; in brackets all {len(truth):,}, {picked:,} of which were picked because an earlier model was unsure of them
or are synthetic.

| measure | fast | balanced | best | teacher |
|---|---|---|---|---|
{figures}

Two annotators agree on relevance at Spearman .93 and F1 .86-.90. All annotators are language models that read with the
rubric: their labels are good, not truth.

**Safety, both errors**, at the recommended thresholds, with 95 % Wilson intervals. They are set by what they may cost in lived
experience (1 % of texts of {SHORT_WORDS} words or more, 3 % of shorter ones); what they miss is the price. Long texts (over
1,800 bytes) take their worst window, so their threshold is set on chapters of published books, of which 1 % may go.

| effort | `harm` | `harm_short` | `harm_long` | lived experience wrongly removed | harmful texts missed |
|---|---|---|---|---|---|
{chr(10).join(errors)}

Recommended cut for "wellbeing is a real theme" (rubric 3 or more): relevance >= {thresholds["relevance"]:g}. Labels, the number of
texts that show them, and the cut of best F1 (`balanced`):

| label | texts | cut |
|---|---|---|
{labels}

## Limits

- Not learned at all, for want of texts anyone should hold: {unlearned}. `selfharm_harm` and `bad_advice` were learned from few
  texts, none of which gives a method. A low score is not an all-clear.
- `safety_harm` pools all harm; use it rather than a single class.
- Political insult, crude slang among friends, and fellow sufferers who agree with despair divide annotators too: there the
  scores are least sure.
- HateCheck, made of pairs that differ in a word, is where bag-of-words tiers are near chance: `EVALUATION.md` has the
  functions one by one. Do not use `fast` to judge hate.
- **Dialect:** short tweets with markers of African American English that their own corpora call harmless are removed as harm
  about twice as often as others (`EVALUATION.md`, slices). Do not use `harm_short` on such text without a look at what it takes.
- **Quoted hate and counter-speech** are still removed often (HateCheck: more than half), threats and bad advice in a reply's last
  words are missed often.
- Harm was learned mostly from tweets, forum comments and chat replies; older or literary prose is judged by analogy.
- Eight-bit arithmetic differs a little between kinds of processors: scores are the same on one kind, and differ in the
  third decimal between kinds.

## Texts learnt from

{report.texts["annotated"]:,} texts annotated with the rubric (`annotations/`, and two rounds of our own whose labels lie in
`labels/` without their texts: language-model readers, the second round picked by an earlier model's doubt; `second.jsonl`
are blind second readings; `contrast.jsonl` are synthetic benign texts that filters take for hate), and
{report.texts["unlabelled"]:,} that the teacher labelled. The weights hold words and numbers, no texts. The last
column is what each corpus's licence allows weights learnt from it: **as a whole they are for research**; for other
uses train again without the corpora that say less than "any" (`wellmix train` takes what lies under WELLMIX_DATA).

| corpus | texts | licence as stated | allows |
|---|---|---|---|
{rows}

Never trained on: `evals/`, HateCheck, `guard.jsonl`. But `contrast.jsonl` was written to show the same kinds of benign texts (mentions
of groups, counter-speech, reclaimed words, swearing), so those two are no evidence of how other kinds fare. Chapters of the
books that long texts' thresholds were set on were among the unlabelled texts.
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card, encoding="utf-8")


def _figures(
    name: str,
    scores: dict[str, np.ndarray],
    truth: np.ndarray,
    thresholds: dict[str, dict[str, float]],
    founders: np.ndarray,
) -> list[str]:
    cells = []
    for column in (*EFFORTS, "teacher"):
        cut = thresholds[column]["relevance"]
        own = headlines(truth[founders], scores[column][founders], cut)[name]
        every = headlines(truth, scores[column], cut)[name]
        cells.append(f"{own:.3f} ({every:.3f})")
    return cells


def _layers(layers: tuple[int, ...]) -> str:
    return f"means of layers {', '.join(map(str, layers))}"


def _cut(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
