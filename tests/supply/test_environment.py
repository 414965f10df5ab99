"""The check of an environment sees what differs from the locks, what was changed after installing, and licences that do not fit."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from tests.supply.environment import altered, differences, installed, unfit

LICENSE = "License-Expression: MIT"


def install(folder: Path, name: str, version: str, license: str = LICENSE) -> Path:
    """A package of one module in a made-up ``site-packages``; the module's path."""
    module = folder / f"{name}.py"
    module.write_text("x = 1\n")
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{license}\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(module.read_bytes()).digest()).rstrip(b"=").decode()
    (about / "RECORD").write_text(f"{name}.py,sha256={digest},6\n{about.name}/METADATA,,\n{about.name}/RECORD,,\n")
    return module


def test_an_environment_as_locked_passes(tmp_path: Path) -> None:
    install(tmp_path, "one", "1.0")
    found = installed(tmp_path)
    assert differences(found, {"one": "1.0"}) == [] and altered(tmp_path, found) == ([], 1) and unfit(found) == []


def test_other_versions_strangers_and_gaps_are_told(tmp_path: Path) -> None:
    install(tmp_path, "one", "1.0")
    install(tmp_path, "stranger", "3")
    told = differences(installed(tmp_path), {"one": "1.1", "absent": "2"})
    assert told == [
        "absent is locked at 2; it is not here",
        "one is locked at 1.1; 1.0 is here",
        "stranger 3 is in no lock",
    ]


def test_changed_lost_and_planted_files_are_told(tmp_path: Path) -> None:
    changed, lost = install(tmp_path, "one", "1.0"), install(tmp_path, "two", "1.0")
    changed.write_text("x = 2\n")
    lost.unlink()
    (tmp_path / "planted.pth").write_text("import os\n")
    told, files = altered(tmp_path, installed(tmp_path))
    assert files == 2 and len(told) == 3
    assert any("one.py was changed" in line for line in told)
    assert any("two.py is gone" in line for line in told)
    assert any("planted.pth belongs to no package" in line for line in told)


@pytest.mark.parametrize(
    ("license", "fits"),
    [
        (LICENSE, True),
        ("Classifier: License :: OSI Approved :: BSD License", True),
        ("License: Apache 2.0", True),
        ("License-Expression: MPL-2.0 AND MIT", True),
        ("License-Expression: AGPL-3.0-only", False),
        ("License-Expression: MIT AND GPL-2.0-only", False),
        ("License: CC BY-NC 4.0", False),
        ("Summary: says nothing", False),
    ],
)
def test_licences_that_do_not_fit_are_told(tmp_path: Path, license: str, fits: bool) -> None:
    install(tmp_path, "one", "1.0", license)
    assert (unfit(installed(tmp_path)) == []) is fits
