"""The locks are whole: a version and a hash for everything, nothing installed past them, and they agree with each other."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.supply.environment import LOCKS, ROOT

NAMES = sorted(path.stem for path in LOCKS.glob("*.txt"))


def entries(name: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> version and hashes, whatever the platform."""
    text = (LOCKS / f"{name}.txt").read_text("utf-8")
    found = {}
    for block in re.split(r"(?m)^(?=[^\s#])", text)[1:]:
        package, version = re.match(r"([\w.-]+)==([^\s;]+)", block).groups()  # type: ignore[union-attr]
        found[canonicalize_name(package)] = version, re.findall(r"--hash=(sha256:[0-9a-f]{64})(?= \\\n|\n|$)", block)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_package_has_hashes(name: str) -> None:
    assert entries(name) and [package for package, (_, hashes) in entries(name).items() if not hashes] == []


def test_locks_have_the_versions_of_constraints() -> None:
    pins = dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text("utf-8")))
    pins = {canonicalize_name(package): version for package, version in pins.items()}
    for name in sorted(set(NAMES) - {"tools", "teacher"}):
        wrong = {p: v for p, (v, _) in entries(name).items() if v.removesuffix("+cpu") != pins.get(p)}
        assert wrong == {}, name


def test_every_requirement_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    base = entries("base")
    where = {
        "base": (project["dependencies"], base),
        "dev": (extras["dev"], base | entries("dev")),
        "ablate": (extras["ablate"], base | entries("torch") | entries("ablate")),
        "train": (
            extras["train"] + extras["evaluate"] + extras["finetune"],
            base | entries("torch") | entries("train"),
        ),
        "ner": (extras["ner"], base | entries("ner")),
        "s3": (extras["s3"], base | entries("s3")),
    }
    for name, (needs, lock) in where.items():
        for need in map(Requirement, needs):
            package = canonicalize_name(need.name)
            assert package in lock, f"{name}: {package}; run `make lock`"
            assert need.specifier.contains(lock[package][0]), f"{name}: {package}; run `make lock`"


@pytest.mark.parametrize(
    "names", [["base"], ["base", "dev"], ["base", "torch-cpu", "ablate"], ["base", "torch-cpu", "train"], ["base", "ner"], ["base", "s3"]]
)  # fmt: skip
def test_what_a_package_needs_is_locked_with_it(names: list[str]) -> None:
    # as the Makefile installs them, without torch where nothing asks for it; of packages that are installed here
    locked = {package for name in names for package in entries(name)}
    missing = {
        f"{package} needs {need.name}"
        for package in locked
        for need in map(Requirement, requires(package))
        if (need.marker is None or need.marker.evaluate({"extra": ""})) and canonicalize_name(need.name) not in locked
    }
    assert missing == set(), "run `make lock`"


def requires(package: str) -> list[str]:
    """What an installed package needs; nothing of one that is not installed."""
    try:
        return metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return []


def test_the_makefile_installs_nothing_else() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    text = text.replace("$(LOCKED)", "$(PIP) --require-hashes --no-deps -r .ci/locks")
    lines = [
        line for line in text.splitlines() if line.startswith("\t") and ("pip install" in line or "$(PIP)" in line)
    ]
    assert len(lines) >= 6
    for line in lines:
        assert "--require-hashes" in line or line.endswith("--no-deps --no-build-isolation -e ."), line
