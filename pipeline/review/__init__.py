"""Human review: a blinded sample of a set goes out to people, their decisions come back and are kept.

What people decide wins over every score: a *keep* is taken first, whatever the classifiers' thresholds, the quotas' ranking or the
choice for diversity say; a *drop* leaves; a *swap* turns a pair round; a *tie* takes it out of the pairs. What people decide never
wins over a licence, consent, a takedown, or the rule that nothing that gives a method of harm stands anywhere in a set: those are
not judgements of quality, and a decision about a text that they forbid has no effect.

Walk through it: :mod:`~pipeline.review.export` draws (:mod:`~pipeline.review.sample`) and writes the files,
:mod:`~pipeline.review.importing` checks what came back and merges it into a file of decisions (:mod:`~pipeline.review.decisions`),
which a recipe names under ``reviews:``. A decision carries a hash of the text it is about, so that it is not applied to a text that
has changed since, and no text.
"""

from pipeline.review.decisions import Decisions, Verdict, load_decisions, text_sha256
from pipeline.review.export import Exported, export_review
from pipeline.review.importing import Imported, import_review

__all__ = [
    "Decisions",
    "Exported",
    "Imported",
    "Verdict",
    "export_review",
    "import_review",
    "load_decisions",
    "text_sha256",
]
