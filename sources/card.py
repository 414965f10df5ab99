"""Source cards: one YAML file a corpus, saying what it is, where it lies and what may be done with it.

A card is checked when it is loaded, so that a recipe fails before a byte is read. The fields are documented on the models
below; ``sources/README.md`` has a worked example.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sources.document import Family
from sources.errors import UserError
from sources.licenses import ALL, NEEDS, SPDX, License, Purpose, Use
from sources.readers import get_reader
from sources.readers.base import Reader
from sources.skill import Evidence, Moves, Skill  # noqa: F401 - a card is where one looks for them
from sources.yaml_text import read_yaml_file

CARDS_DIR = Path(__file__).parent / "cards"
SAMPLE_DIR = Path(__file__).parent / "sample"


#: What a ``url`` may begin with. fsspec knows more; some of it runs what a file says (templates of ``reference``).
_PROTOCOLS = frozenset(
    {
        "file",
        "memory",
        "s3",
        "s3a",
        "gs",
        "gcs",
        "az",
        "abfs",
        "abfss",
        "adl",
        "oci",
        "oss",
        "hf",
        "http",
        "https",
        "ftp",
        "sftp",
        "hdfs",
    }
    | {"webhdfs", "github", "gitlab", "zip", "tar", "simplecache", "filecache", "blockcache"}
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Where(_Strict):
    """Where the raw files are: exactly one of ``path``, ``url`` and ``hub``.

    :param path: glob (or list of globs, ``**`` allowed) relative to WELLMIX_DATA, or to ``root``.
    :param exclude: globs of files to leave out.
    :param root: ``data`` (WELLMIX_DATA) or ``sample`` (the synthetic texts in this package).
    :param url: fsspec URL or list of URLs, globs allowed: ``s3://bucket/x/*.parquet``, ``https://...``, ``file:///...``.
    :param hub: Hugging Face dataset id ``owner/name``, read through the ``huggingface`` reader.
    :param config, split, revision, streaming: passed to ``datasets.load_dataset``.
    """

    path: str | list[str] | None = None
    exclude: list[str] = []
    root: Literal["data", "sample"] = "data"
    url: str | list[str] | None = None
    hub: str | None = None
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    streaming: bool = True

    @model_validator(mode="after")
    def _one_place(self) -> Where:
        given = [name for name in ("path", "url", "hub") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of path, url and hub (found: {', '.join(given) or 'none'})")
        for glob in [self.path] if isinstance(self.path, str) else self.path or []:
            if Path(glob).is_absolute() or ".." in Path(glob).parts:
                raise ValueError(
                    f"path {glob!r} must stay below the data root: no leading '/', no '..'; use url for others"
                )
            if Path(glob).parts.count("**") > 2:
                raise ValueError(f"path {glob!r} holds more than two '**'; walking it would take for ever")
        if self.hub is not None and "/" not in self.hub:
            # A bare word may also be one of the loaders that datasets brings along.
            raise ValueError(f"hub {self.hub!r} is no dataset: write owner/name")
        for url in [self.url] if isinstance(self.url, str) else self.url or []:
            for part in url.split("::"):
                protocol = part.partition("://")[0] if "://" in part else part
                if protocol.lower() not in _PROTOCOLS:
                    raise ValueError(
                        f"url {url!r}: wellmix does not read {protocol!r}; use {', '.join(sorted(_PROTOCOLS))}"
                    )
        return self


class LicenseTerms(_Strict):
    """The licence, by SPDX id, or a declared custom term.

    :param id: SPDX identifier, ``LicenseRef-public-domain-US``, ``none-stated``, or ``LicenseRef-<name>`` with ``allows``.
    :param allows: required for a ``LicenseRef-`` term; which of pretraining, finetuning, publishing, commercial it allows.
    :param attribution, share_alike: terms of a custom licence.
    :param url: where the terms are stated.
    :param note: in words, what the repository says.
    """

    id: str
    allows: frozenset[Use] | None = None
    attribution: bool = False
    share_alike: bool = False
    url: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _known(self) -> LicenseTerms:
        if self.id in SPDX or self.id == "none-stated":
            if self.allows is not None:
                raise ValueError(f"allows is fixed by {self.id}; remove it, or narrow the card with `refuse`")
        elif not self.id.startswith("LicenseRef-"):
            raise ValueError(
                f"unknown licence {self.id!r}; use an SPDX id ({', '.join(sorted(SPDX))}), none-stated, or LicenseRef-NAME"
            )
        elif self.allows is None:
            raise ValueError(f"{self.id} is a custom term: say what it allows, e.g. allows: [pretraining]")
        return self

    @property
    def terms(self) -> License:
        """The permissions; ``none-stated`` allows internal pretraining research only."""
        if self.id in SPDX:
            return SPDX[self.id]
        allows: frozenset[Use] = frozenset({"pretraining"}) if self.id == "none-stated" else self.allows or frozenset()
        return License(self.id, allows, self.attribution, self.share_alike, openness=1 if "publishing" in allows else 0)


class Consent(_Strict):
    """On what ground people's words are in this corpus.

    :param basis: ``published`` (author published it as a work), ``public_post`` (posted in public, not for this),
        ``research_participant`` (gave it to a study or a paid task), ``public_domain``, ``synthetic``, ``unknown``.
    """

    basis: Literal["published", "public_post", "research_participant", "public_domain", "synthetic", "unknown"]
    note: str | None = None


class ReaderSpec(BaseModel):
    """``name`` of the reader, and its options beside it."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class Card(_Strict):
    """One corpus.

    :param name: how recipes call it; lower case, equals the file's name.
    :param family: forum, biography, psychology, transcript or general.
    :param sensitivity: how much harm re-identification would do: ``low``, ``medium``, ``high``.
    :param origin: who wrote it: human, expert, crowd or simulated.
    :param language: ISO 639-1 codes expected; documents in others are dropped by language.
    :param refuse: narrows the licence: use -> the reason it is refused although the licence would allow it.
    :param quality: overrides of the family's quality thresholds.
    :param names: ``keep`` for published authors and figures, ``private`` where the NER extra should replace names.
    :param takedown: whom to write to for removal.
    :param skill: how its own labels speak of the quality of help; without it, no examples of help are made of this corpus.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    family: Family
    where: Where
    reader: ReaderSpec
    license: LicenseTerms
    consent: Consent
    sensitivity: Literal["low", "medium", "high"]
    origin: Literal["human", "expert", "crowd", "simulated"] = "human"
    language: list[str]
    citation: str
    takedown: str
    homepage: str | None = None
    refuse: dict[Use, str] = {}
    quality: dict[str, float | None] = {}
    names: Literal["keep", "private"] = "private"
    notes: str | None = None
    skill: Skill | None = None

    @field_validator("language")
    @classmethod
    def _languages(cls, value: list[str]) -> list[str]:
        if not value or any(not (2 <= len(code) <= 3 and code.isalpha() and code.islower()) for code in value):
            raise ValueError("language is a list of ISO 639 codes such as [en]")
        return value

    @cached_property
    def make_reader(self) -> Reader:
        """The configured reader.

        :raises UserError: unknown reader, or an option it does not know.
        """
        try:
            cls = get_reader(self.reader.name)
        except UserError as error:
            raise UserError(error.what, where=f"card {self.name}: reader.name", fix=error.fix) from None
        try:
            return cls(cls.Options(**self.reader.options))
        except ValidationError as error:
            raise UserError(
                _first(error),
                where=f"card {self.name}: reader.{_path(error)}",
                fix=f"see the options of the {self.reader.name} reader in sources/README.md",
            ) from None

    def refusal(self, purpose: Purpose) -> str | None:
        """Why this source may not serve ``purpose``, or None if it may."""
        for use in NEEDS[purpose]:
            if use in self.refuse:
                return f"its card refuses {use}: {self.refuse[use]}"
            if use not in self.license.terms.allows:
                stated = (
                    "a corpus without a stated licence"
                    if self.license.id == "none-stated"
                    else f"licence {self.license.id}"
                )
                return f"{stated} does not allow {use}{' use' if use == 'commercial' else ''}" + (
                    f" ({self.license.note})" if self.license.note else ""
                )
        return None

    @property
    def allowed(self) -> frozenset[str]:
        """The uses left after licence and ``refuse``."""
        return frozenset(u for u in ALL if u in self.license.terms.allows and u not in self.refuse)


def data_root() -> Path | None:
    """Folder of the real corpora: WELLMIX_DATA, else ``../shared/data`` where that exists."""
    if named := os.environ.get("WELLMIX_DATA"):
        return Path(named)
    default = Path("../shared/data")
    return default.resolve() if default.is_dir() else None


_FIX = "sources/README.md says what a card holds; start from one in sources/cards"


def load_card(path: Path) -> Card:
    """Read and check one card.

    :raises UserError: not readable, not YAML, or a field is wrong.
    """
    raw, _ = read_yaml_file(path, "card", _FIX)
    if not isinstance(raw, dict):
        raise UserError("a card is a mapping of fields", where=path, fix=_FIX)
    try:
        card = Card.model_validate(raw)
    except ValidationError as error:
        raise UserError(_first(error), where=f"{path}: {_path(error)}", fix=_FIX) from None
    if card.name != path.stem:
        raise UserError(
            f"the card is named {card.name!r} but its file {path.stem!r}", where=path, fix="make them equal"
        )
    card.make_reader  # noqa: B018 - checks the reader and its options now, not in the middle of a run
    return card


def find_cards(*directories: Path) -> dict[str, Path]:
    """Card files in the given folders (default: the shipped ones) by name; a later folder wins."""
    return {path.stem: path for directory in directories or (CARDS_DIR,) for path in sorted(directory.glob("*.yaml"))}


def load_cards(*directories: Path) -> dict[str, Card]:
    """All cards in the given folders (default: the shipped ones), by name."""
    return {name: load_card(path) for name, path in find_cards(*directories).items()}


def _path(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.errors()[0]["loc"])


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    if problem["type"] == "extra_forbidden":
        return f"unknown field {problem['loc'][-1]!r}"
    if problem["type"] == "missing":
        return f"field {problem['loc'][-1]!r} is missing"
    return problem["msg"].removeprefix("Value error, ")
