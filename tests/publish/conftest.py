"""Publications that several tests look at, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.curate import run_curate
from pipeline.publish.stage import Staged, stage
from tests.publish.outputs import document, facts, talk, write_mix, write_set

#: Sources of the mix below: one that may be shown and one that may not.
SOURCES = {
    "calm": facts(),
    "forum": facts("CC-BY-4.0", sensitivity="high", consent="public_post", title="A forum | of people"),
}


@pytest.fixture(scope="session")
def mix_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mix of 60 rows of two sources, with copies, a disclosure and two files."""
    rows = [document(n) for n in range(40)]
    rows += [document(100 + n, source="forum", license="CC-BY-4.0", origin=f"forum/2021.jsonl#{n}") for n in range(15)]
    rows += [document(n, epoch=1) for n in range(4)]
    rows += [
        document(200, safety_disclosure=0.9, text="I told nobody for a year what happened to me, and today I did.")
    ]
    held_out = [document(300 + n) for n in range(5)]
    return write_mix(tmp_path_factory.mktemp("mix") / "calm-days", rows, SOURCES, validation=held_out, shards=2)


@pytest.fixture(scope="session")
def staged_mix(mix_output: Path, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """The mix, published."""
    return stage(
        mix_output,
        tmp_path_factory.mktemp("hub") / "calm-days",
        contact="mailto:data@example.org",
        repo="team/calm-days",
    )


@pytest.fixture(scope="session")
def set_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 40 examples in every format."""
    return write_set(tmp_path_factory.mktemp("set") / "calm-talks", [talk(n) for n in range(40)])


@pytest.fixture(scope="session")
def staged_set(set_output: Path, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """The set, published."""
    return stage(set_output, tmp_path_factory.mktemp("hub") / "calm-talks", contact="mailto:data@example.org")


RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="session")
def curate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Curates a recipe of the synthetic sample, with changes, once for all tests; gives the folder of the set."""
    root = tmp_path_factory.mktemp("curated")
    made: dict[tuple[Path, tuple[str, ...]], Path] = {}

    def run(recipe: str | Path, *changes: str) -> Path:
        path = RECIPES / f"{recipe}.yaml" if isinstance(recipe, str) else recipe
        if (path, changes) not in made:
            made[path, changes] = run_curate(
                path,
                out=root / f"{len(made)}" / path.stem,
                store_root=root / "store",
                workers=1,
                overrides=["effort=fast", *changes],
                show_progress=False,
            ).out
        return made[path, changes]

    return run
