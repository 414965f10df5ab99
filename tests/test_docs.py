"""The pages keep up with the code: what is not described here does not exist for a user, and what is described must hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipeline.ablate.design import Bounds, Design, Dirichlet, OneAtATime, Sobol
from pipeline.ablate.recipe import (
    Ablation,
    Domain,
    Evaluation,
    External,
    Limits,
    Ngram,
    QuestionSet,
    Transformer,
    load_ablation,
)
from pipeline.cli import app
from pipeline.curate.recipe import (
    Diversity,
    Duplicates,
    Lengths,
    Pairs,
    Quota,
    SetFilters,
    SetRecipe,
    SetShards,
    Take,
    load_set_recipe,
)
from pipeline.emit import SHARD_SCHEMA
from pipeline.formats import FORMATS
from pipeline.mix import MixResult
from pipeline.recipe import Amount, DropRule, Filters, Group, Ingest, Recipe, Selector, Shards, Upweight, load_recipe
from sources.card import Card, Consent, LicenseTerms, Where
from sources.licenses import NEEDS
from sources.readers import READERS, get_reader
from sources.readers.base import StreamOptions
from sources.readers.fields import Fields

ROOT = Path(__file__).parent.parent

#: Model -> beginning of the section of recipes/README.md that describes its own fields.
SECTIONS: dict[type[BaseModel], str] = {
    Recipe: "Fields",
    Amount: "Amounts",
    Selector: "Selectors",
    Group: "Selectors",
    Upweight: "Selectors",
    Filters: "Filters",
    DropRule: "Filters",
    Ingest: "Ingest",
    Shards: "Ingest",
}

#: The same of recipes/SETS.md.
SET_SECTIONS: dict[type[BaseModel], str] = {
    SetRecipe: "Fields of a set",
    Take: "Sources and quotas",
    Quota: "Sources and quotas",
    SetFilters: "Filters of a set",
    Lengths: "Lengths",
    Duplicates: "Lengths",
    Diversity: "Lengths",
    Pairs: "Pairs",
    SetShards: "Files of a set",
}

#: The same of recipes/ABLATIONS.md.
ABLATION_SECTIONS: dict[type[BaseModel], str] = {
    Ablation: "Fields of an ablation",
    Domain: "Domains",
    Design: "Design",
    OneAtATime: "Design",
    Dirichlet: "Design",
    Sobol: "Design",
    Transformer: "Proxies",
    Ngram: "Proxies",
    External: "Proxies",
    Evaluation: "Evaluation",
    QuestionSet: "Evaluation",
    Limits: "Constraints",
}

#: Not written by people, or not part of the repository.
SKIPPED = {"__pycache__", "build", "dist", "node_modules"}

#: Absolute paths of the machine this was written on. In two pieces each, so that this file does not match.
MACHINE = re.compile(rb"(?<![\w.-])/" + rb"work/|(?<![\w-])far" + rb"m-")


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def section(text: str, title: str) -> str:
    """What stands below ``## title...``."""
    parts = [part for part in re.split(r"(?m)^## ", text)[1:] if part.startswith(title)]
    assert len(parts) == 1, f"{len(parts)} sections begin with {title!r}"
    return parts[0]


def named(text: str) -> set[str]:
    """Everything in backticks, outside blocks of code."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text)))


def example(text: str) -> Any:
    """The first block of YAML."""
    found = re.search(r"(?ms)^```yaml\n(.*?)^```", text)
    assert found, "no block of YAML"
    return yaml.safe_load(found[1])


def own_fields(model: type[BaseModel]) -> dict[str, Any]:
    """Fields a model adds to those of its bases."""
    inherited = {name for base in model.__mro__[1:] for name in getattr(base, "model_fields", {})}
    return {name: field for name, field in model.model_fields.items() if name not in inherited}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models an annotation mentions, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from models_in(part)


def test_every_folder_has_a_page() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    folders = {name for name in folders - SKIPPED if not name.endswith(".egg-info")}
    assert folders >= {"sources", "classifiers", "pipeline", "recipes", "shards", "tests"}
    assert [name for name in sorted(folders) if not (ROOT / name / "README.md").is_file()] == []


def test_every_command_is_in_the_readme() -> None:
    commands = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(commands) > 5
    text = page("README.md")
    assert [name for name in commands if not re.search(rf"\bwellmix {re.escape(name)}\b", text)] == []


@pytest.mark.parametrize(
    ("top", "sections"),
    [
        (Recipe, SECTIONS),
        (SetRecipe, SECTIONS | SET_SECTIONS),
        (Ablation, ABLATION_SECTIONS | dict.fromkeys((Bounds,), "Design")),
    ],
)
def test_every_recipe_model_is_checked(top: type[BaseModel], sections: dict[type[BaseModel], str]) -> None:
    known: set[type[BaseModel]] = set()
    todo: list[type[BaseModel]] = [top]
    while todo:
        model = todo.pop()
        if model not in known:
            known.add(model)
            todo += [part for field in model.model_fields.values() for part in models_in(field.annotation)]
    assert known <= set(sections), "name the section of the page that describes it"


PAGES = [
    *((model, "recipes/README.md", title) for model, title in SECTIONS.items()),
    *((model, "recipes/SETS.md", title) for model, title in SET_SECTIONS.items()),
    *((model, "recipes/ABLATIONS.md", title) for model, title in ABLATION_SECTIONS.items()),
]
_IDS = [model.__name__ for model, *_ in PAGES]


@pytest.mark.parametrize(("model", "where", "title"), PAGES, ids=_IDS)
def test_every_recipe_field_is_described(model: type[BaseModel], where: str, title: str) -> None:
    assert sorted(set(own_fields(model)) - named(section(page(where), title))) == []


@pytest.mark.parametrize(("model", "where", "title"), PAGES, ids=_IDS)
def test_defaults_in_the_tables_are_those_of_the_code(model: type[BaseModel], where: str, title: str) -> None:
    if model in (Group, Upweight, DropRule) or (model in ABLATION_SECTIONS and model not in (Ablation, Evaluation)):
        return  # told in words
    text = section(page(where), title)
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| ([^|]+) \|", text))
    wrong = {}
    for name, field in own_fields(model).items():
        if field.is_required():
            told: Any = "required"
        elif isinstance(field.default, BaseModel):
            continue
        else:
            told = list(field.default) if isinstance(field.default, tuple) else field.default
        cell = rows.get(name, "no row")
        # filled in from the file; every kind there is; what a quota is about is told in words
        if name in ("name", "weight_basis", "reasons") or (model is Quota and name not in ("at_least", "at_most")):
            continue
        if (cell if told == "required" else yaml.safe_load(cell.strip("`"))) != told:
            wrong[name] = f"{cell} in the page, {told!r} in the code"
    assert wrong == {}


def test_every_shipped_recipe_is_named() -> None:
    folder = ROOT / "recipes"
    recipes = [str(path.relative_to(folder)) for path in [*folder.glob("*.yaml"), *folder.glob("ablation/*.yaml")]]
    assert recipes and sorted(set(recipes) - named(page("recipes/README.md"))) == []


def test_the_example_of_a_set_is_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(example(page("recipes/SETS.md"))))
    recipe, cards, _ = load_set_recipe(tmp_path / "mine.yaml", ["size=10"])
    assert recipe.size == 10 and len(cards) == 2


def test_the_example_of_an_ablation_is_one(tmp_path: Path) -> None:
    raw = example(page("recipes/ABLATIONS.md"))
    raw["base"] = str(ROOT / "recipes/sample.yaml")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(raw))
    resolved = load_ablation(tmp_path / "mine.yaml", ["seed=3"])
    assert resolved.ablation.seed == 3 and len(resolved.domains) == 5


def test_the_example_recipe_is_one(tmp_path: Path) -> None:
    (tmp_path / "lives-first.yaml").write_text(yaml.safe_dump(example(page("recipes/README.md"))))
    recipe, cards = load_recipe(
        tmp_path / "lives-first.yaml", ["groups.0.tokens=1000", "shards.formats=[parquet, mds]"]
    )
    assert recipe.groups[0].tokens == 1000 and len(cards) == 3


def test_the_example_card_is_one_and_names_every_field() -> None:
    raw = example(page("sources/README.md"))
    card = Card(**raw)
    assert card.make_reader
    assert card.refusal("publish") is None and card.refusal("commercial")
    assert sorted(set(Card.model_fields) - set(raw)) == []


def test_every_reader_has_a_row_with_its_options() -> None:
    text = page("sources/README.md")
    rows = dict(re.findall(r"(?m)^\| `(\w+)`(?: \*)? \|(.*)$", section(text, "Readers")))
    assert sorted(set(READERS) - set(rows)) == []
    missing = {}
    for name in READERS:
        options = get_reader(name).Options
        # what all field mappings, and all that stream, share is told once
        shared = next((set(base.model_fields) for base in (Fields, StreamOptions) if issubclass(options, base)), set())
        told = named(rows[name]) | (named(rows["html"]) if "html" in named(rows[name]) else set())
        if lost := set(options.model_fields) - shared - told:
            missing[name] = sorted(lost)
    assert missing == {}


def test_the_field_mapping_and_the_gate_are_described() -> None:
    text = page("sources/README.md")
    assert sorted(set(Fields.model_fields) - named(section(text, "Readers"))) == []
    assert sorted(set(NEEDS) - named(section(text, "The gate"))) == []
    for model in (Where, LicenseTerms, Consent):
        assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", text)] == [], model.__name__


def test_every_column_and_format_is_described() -> None:
    text = page("shards/README.md")
    assert [name for name in SHARD_SCHEMA.names if name not in named(section(text, "Columns"))] == []
    assert [name for name in FORMATS if f"{name}/train" not in text] == []


def test_every_key_of_an_output_is_described(sample_mix: tuple[MixResult, Path]) -> None:
    result, _ = sample_mix
    text = page("shards/README.md")
    manifest, ledger = result.manifest, result.ledger
    keys = [
        *manifest,
        *manifest["lineage"],
        *manifest["thresholds"],
        *manifest["files"][0],
        *next(iter(manifest["sources"].values())),
        *(key for key in manifest["entries"][0] if key != "entry"),
    ]
    told = named(section(text, "manifest.json"))
    assert sorted(set(keys) - told) == []
    lines = [line for stage in ledger["stages"].values() for line in stage.values()]
    keys = [
        *(f"stages.{name}" for name in ledger["stages"]),
        *ledger["dedup"],
        *(key for line in lines for key in line),
    ]
    told = named(section(text, "ledger.json"))
    assert sorted(set(keys) - told) == []
    assert sorted(set(ledger) - {"stages"} - told) == []
    assert sorted({path.name for path in result.out.iterdir()} - {name.split("/")[0] for name in FORMATS}) == sorted(
        name for name in ("manifest.json", "ledger.json", "quarantine.jsonl") if name in text
    )


def files() -> Iterator[Path]:
    """Every file of the repository; what git ignores is left out by name."""
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        kept = (name for name in folders if name not in SKIPPED and not name.endswith(".egg-info"))
        folders[:] = sorted(name for name in kept if not name.startswith(".") or name == ".ci")
        if here == ROOT / "shards":
            folders.clear()
        yield from (here / name for name in sorted(names))


def test_no_file_names_this_machine() -> None:
    found = [str(path.relative_to(ROOT)) for path in files() if MACHINE.search(path.read_bytes())]
    assert found == []
    assert MACHINE.search(b"see file:///" + b"work/main") and MACHINE.search(b"at /" + b"work/x")
    assert not MACHINE.search(b"https://example.org/work/x")
