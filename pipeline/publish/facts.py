"""Everything a publication's pages are written from, gathered once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.publish.figures import Figures
from pipeline.publish.rewrite import DataFile
from pipeline.publish.samples import Sample
from pipeline.publish.tally import Tally
from pipeline.publish.terms import Effective


@dataclass(frozen=True)
class Publication:
    """What is published.

    :param kind: ``mix`` or ``set``.
    :param manifest: of the output, without paths of this machine.
    :param ledger: of the output.
    :param sources: card facts of the sources that have rows.
    :param schemas: config -> columns; the first config is the default one.
    :param data: the files of rows.
    :param identity: hash of the rows' files: the same rows are the same publication.
    :param version: ``MAJOR.0.0``, raised when rows change.
    :param parent: the publication this one follows, or None.
    :param contact: whom the publisher names for removals and questions.
    :param creator: who publishes.
    :param repo: ``owner/name`` on the hub, where known.
    :param date: ISO date of publication, only if it was given: a clock would make every run differ.
    """

    kind: str
    name: str
    manifest: dict[str, Any]
    ledger: dict[str, Any]
    sources: dict[str, dict[str, Any]]
    schemas: dict[str, pa.Schema]
    data: list[DataFile]
    tally: Tally
    terms: Effective
    figures: Figures
    samples: list[Sample]
    identity: str
    version: str
    parent: dict[str, Any] | None
    contact: str | None
    creator: str | None
    repo: str | None
    date: str | None

    @property
    def default(self) -> str:
        """The config ``load_dataset`` takes when none is named."""
        return next(iter(self.schemas))

    @property
    def title(self) -> str:
        """The name, as people write it."""
        words = self.name.replace("-", " ").replace("_", " ")
        return words[:1].upper() + words[1:]

    @property
    def recipe(self) -> dict[str, Any]:
        """As it was run."""
        return self.manifest["recipe"]

    @property
    def noun(self) -> str:
        """What a row is."""
        return "document" if self.kind == "mix" else "example"

    @property
    def languages(self) -> list[str]:
        """ISO codes: of the rows where they say so, else those the sources' cards expect."""
        if self.tally.languages:
            return sorted(code for code in self.tally.languages if code and code != "und")
        wanted = self.recipe.get("filters", {}).get("languages")
        return sorted(wanted or {code for facts in self.sources.values() for code in facts["language"]})

    def rows(self, config: str, split: str | None = None) -> int:
        """Rows of a config, or of one split of it."""
        return sum(file.rows for file in self.data if file.config == config and split in (None, file.split))

    def splits(self, config: str) -> list[str]:
        """Splits of a config, in order."""
        return list(dict.fromkeys(file.split for file in self.data if file.config == config))

    @property
    def effort(self) -> str:
        """How far the classifiers went."""
        return self.recipe["effort"]

    @property
    def scored_by(self) -> str | None:
        """Version of the scores, as the manifest has it."""
        stages = self.manifest["versions"]["stages"]
        found = stages.get("scores") or stages.get("candidate-scores")
        return found.split("-")[0] if found else None

    @property
    def redactions(self) -> dict[str, int]:
        """Personal data replaced while the sources were read, by kind; of all they hold, also what was not drawn."""
        total: dict[str, int] = {}
        for line in self.ledger.get("stages", {}).get("ingest", {}).values():
            for name, number in line.get("redactions", {}).items():
                total[name] = total.get(name, 0) + number
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    @property
    def decisions(self) -> dict[str, int]:
        """What people decided about examples, one by one."""
        total: dict[str, int] = {}
        for counts in ((self.manifest.get("reviews") or {}).get("decisions") or {}).values():
            for decision, number in counts.items():
                total[decision] = total.get(decision, 0) + number
        return dict(sorted(total.items()))

    def left_out(self, prefix: str) -> int:
        """How many were left out for reasons that begin so, in all stages of the ledger."""
        return sum(
            number
            for stage in self.ledger.get("stages", {}).values()
            for line in stage.values()
            for name, counts in line.items()
            if isinstance(counts, dict) and name != "redactions"
            for reason, number in counts.items()
            if reason.startswith(prefix)
        )

    @property
    def private(self) -> list[str]:
        """Sources of high sensitivity whose people are real."""
        return sorted(
            name
            for name, facts in self.sources.items()
            if facts["sensitivity"] == "high" and facts["consent"] != "synthetic"
        )
