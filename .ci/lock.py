"""Make the locks: every package that the Makefile installs, at one version, with the sha256 of each of its files.

``make lock`` resolves all extras together, for every platform and Python we support, into ``constraints.txt`` (versions), and from it
writes ``locks/``, which ``pip install --require-hashes --no-deps`` takes:

- ``base.txt``: what ``wellmix`` needs, and what it is built with;
- ``dev.txt``, ``ablate.txt``, ``train.txt``, ``ner.txt``, ``s3.txt``: what an extra adds to it;
- ``torch.txt``, ``torch-cpu.txt``: torch as the package index has it, with the CUDA libraries it asks for, and its CPU build without them.
  They are files of their own because the two need different packages, which no marker of a requirement can tell;
- ``teacher.txt``: the pieces of the teacher's encoder, whose own requirements are not wanted;
- ``tools.txt``: what makes and audits locks, for an environment of its own.

Versions stay as they are in ``constraints.txt`` unless ``--upgrade`` or ``--upgrade-package NAME`` is given, or the line is edited.
Runs in the environment of ``tools.txt``, and needs the network.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / ".ci" / "locks"
CONSTRAINTS = ROOT / "constraints.txt"
TEACHER, TOOLS = ROOT / "classifiers" / "teacher.txt", ROOT / ".ci" / "tools.in"

#: Lock -> the extras it adds to the base.
SETS = {
    "base": [],
    "dev": ["dev"],
    "ablate": ["ablate"],
    "train": ["train", "evaluate", "finetune", "ablate"],
    "ner": ["ner"],
    "s3": ["s3"],
}
#: Sets that are installed on top of torch, and need not list what comes with it. The others list it, too.
ON_TORCH = {"ablate", "train"}
#: What comes with torch only where it is built for CUDA.
CUDA = re.compile(r"(nvidia|cuda|triton)\b")

#: Package -> its lines in a lock, the first being the requirement.
Lock = dict[str, list[str]]


def compiled(*inputs: str, known: str = "") -> Lock:
    """Resolve requirements.

    :param inputs: arguments of ``uv pip compile``.
    :param known: an earlier result, to whose versions it keeps where it can.
    :raises SystemExit: they cannot be resolved; uv has said why.
    """
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    python = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"].removeprefix(
        ">="
    )
    shared = ["--quiet", "--universal", "--python-version", python, "--no-header", "--no-annotate"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.txt"
        out.write_text(known, "utf-8")
        command = [uv, "pip", "compile", *shared, *inputs, "--output-file", out]
        if code := subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit(code)
        lines = out.read_text("utf-8").splitlines()
    lock: Lock = {}
    for line in lines:
        if not line.startswith(" "):
            name = line.partition("==")[0]
            lock[name] = []
        lock[name].append(line)
    return lock


def write(name: str, lock: Lock, about: str) -> None:
    """Write a lock."""
    lines = [line for package in sorted(lock) for line in lock[package]]
    (LOCKS / f"{name}.txt").write_text("\n".join([f"# {about} Made by `make lock`.", *lines, ""]), "utf-8")


def cpu_build(version: str) -> list[str]:
    """The CPU build of torch as a requirement with hashes: of the wheel that pip finds here, and of those known before."""
    requirement = f"torch=={version}+cpu"
    file = LOCKS / "torch-cpu.txt"
    before = file.read_text("utf-8") if file.exists() else ""
    found = re.search(rf"(?m)^{re.escape(requirement)} (?:.*\n)(?:    .*\n)*", before)
    hashes = set(re.findall(r"sha256:[0-9a-f]{64}", found[0] if found else ""))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, requirement]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        hashes |= {f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" for wheel in Path(folder).iterdir()}
    if not hashes:
        sys.exit(f"pip finds no {requirement}: add the index of CPU builds to its settings, then run this again")
    return " \\\n".join([requirement, *(f"    --hash={each}" for each in sorted(hashes))]).split("\n")


def main() -> None:
    """Write ``constraints.txt`` and all locks."""
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build.in"
        needs = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
        build.write_text("\n".join(needs), "utf-8")
        versions = compiled(
            "pyproject.toml", str(build), "--all-extras", *sys.argv[1:], known=CONSTRAINTS.read_text("utf-8")
        )
        about = "# Versions of everything, all extras together: `pip install -c constraints.txt` takes these. Made by `make lock`."
        CONSTRAINTS.write_text(
            "\n".join([about, *(line for lines in versions.values() for line in lines), ""]), "utf-8"
        )

        pinned = ["--generate-hashes", "--constraint", str(CONSTRAINTS)]
        torch_in = Path(folder) / "torch.in"
        torch_in.write_text("torch", "utf-8")
        base = compiled("pyproject.toml", str(build), *pinned)
        torch = {name: lines for name, lines in compiled(str(torch_in), *pinned).items() if name not in base}
        LOCKS.mkdir(exist_ok=True)
        for name, extras in SETS.items():
            of_set = (
                base
                if name == "base"
                else compiled("pyproject.toml", *(f"--extra={extra}" for extra in extras), *pinned)
            )
            there = {} if name == "base" else base | torch if name in ON_TORCH else base
            kept = {p: lines for p, lines in of_set.items() if p not in there}
            write(
                name, kept, f"What the extras {', '.join(extras)} add to base.txt." if extras else "What wellmix needs."
            )
        write("torch", torch, "torch, with the CUDA libraries it asks for.")
        version = torch["torch"][0].split("==")[1].split()[0]
        cpu = {name: lines for name, lines in torch.items() if not CUDA.match(name)} | {"torch": cpu_build(version)}
        write("torch-cpu", cpu, "torch's CPU build.")
        write(
            "teacher", compiled(str(TEACHER), "--no-deps", "--generate-hashes"), "The pieces of the teacher's encoder."
        )
        before = (LOCKS / "tools.txt").read_text("utf-8") if (LOCKS / "tools.txt").exists() else ""
        write(
            "tools",
            compiled(str(TOOLS), "--generate-hashes", *sys.argv[1:], known=before),
            "What makes and audits locks.",
        )


if __name__ == "__main__":
    main()
