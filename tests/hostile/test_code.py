"""Nothing that is read may run: no pickles, no code of models and datasets, nothing evaluated. A test that fails when somebody adds one."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sources.errors import UserError
from tests.hostile.conftest import ROOT

FILES = sorted(path for package in ("sources", "classifiers", "pipeline") for path in (ROOT / package).rglob("*.py"))
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "jsonpickle",
    "xmlrpc",
    "telnetlib",
}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "read_pickle",
    "unsafe_load",
    "full_load",
    "load_all",
    "system",
    "popen",
    "XSLT",
}
#: Calls that load a model or data set, and what must stand beside them, word for word.
SAFE: dict[str, tuple[str, str]] = {
    "np.load": ("allow_pickle", "False"),
    "torch.load": ("weights_only", "True"),
    "from_pretrained": ("trust_remote_code", "False"),
    "SentenceTransformer": ("trust_remote_code", "False"),
    "yaml.load": ("Loader", "loader"),  # one of two safe ones, in sources/yaml_text.py
}
#: One place each where a forbidden word is something else.
ALLOWED = {("pipeline/ablate/transformer.py", "eval"), ("classifiers/distil.py", "eval")}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def problems(path: Path, name: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        modules = (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        found += [f"imports {module}" for module in modules if module.partition(".")[0] in FORBIDDEN_MODULES]
    for called, node in calls(path):
        last = called.rpartition(".")[2]
        # x.eval() of a model and re.compile are other things than the built-in functions.
        if (
            last in FORBIDDEN_CALLS
            and (called == last or last not in ("eval", "exec", "compile"))
            and (name, last) not in ALLOWED
        ):
            found.append(f"line {node.lineno}: {called}")
        for loader, (option, value) in SAFE.items():
            if called == loader or (("." not in loader or loader == "from_pretrained") and last == loader):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if given.get(option) != value:
                    found.append(f"line {node.lineno}: {called} without {option}={value}")
        if any(
            keyword.arg == "trust_remote_code" and ast.unparse(keyword.value) != "False" for keyword in node.keywords
        ):
            found.append(f"line {node.lineno}: {called} trusts remote code")
        if any(keyword.arg == "shell" and ast.unparse(keyword.value) != "False" for keyword in node.keywords):
            found.append(f"line {node.lineno}: {called} through a shell")
    return found


def test_no_module_loads_what_can_run():
    assert len(FILES) > 100
    assert {
        path.relative_to(ROOT).as_posix(): told
        for path in FILES
        if (told := problems(path, path.relative_to(ROOT).as_posix()))
    } == {}


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from joblib import load", "np.load(p)", "torch.load(p)", "AutoModel.from_pretrained(p)", "eval(x)", "pd.read_pickle(p)",
     "SentenceTransformer(p, trust_remote_code=True)", "yaml.load(x)", "subprocess.run(x, shell=True)", "os.system(x)"],
)  # fmt: skip
def test_the_check_sees_each_of_them(tmp_path, line):
    path = tmp_path / "a.py"
    path.write_text(line)
    assert problems(path, "a.py")


class _Runs:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_hash_lists_that_are_pickles_are_refused(tmp_path, monkeypatch):
    from pipeline.contamination import HashList

    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", hashes=np.array([_Runs()], dtype=object))
    Path("b.npz").write_bytes(pickle.dumps(_Runs()))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(UserError):
            HashList.open(Path(name))
    assert not Path("ran").exists()


def test_code_of_a_dataset_never_runs(tmp_path, monkeypatch):
    from sources.readers import get_reader
    from sources.readers.base import FileRef

    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "evil"
    folder.mkdir(parents=True)
    (folder / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    cls = get_reader("huggingface")
    with pytest.raises(UserError):
        cls(cls.Options(text="t")).splits([FileRef(f"hub://{folder}/default/train@main", "evil", 0, "x")], 1)
    assert not Path("ran").exists()


def test_a_bare_word_is_no_dataset():
    from sources.card import Where

    for name in ("pandas", "generator", "sql"):
        with pytest.raises(ValueError, match="owner/name"):
            Where(hub=name)
