"""Items are found however they are spelled, and ordinary texts are not taken for them. All texts are made up."""

from __future__ import annotations

import json
import os
import random
import string
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import contamination
from pipeline.contamination import ContaminationIndex, HashList, build_hash_list, shipped
from sources.errors import UserError

rng = random.Random(3)
VOCABULARY = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 9))) for _ in range(3_000)]
INSTRUCTION = "Please read the following question with care and then choose the one best answer from those below"


def prose(words: int) -> str:
    """Random words: no two stretches of eight are alike."""
    return " ".join(rng.choices(VOCABULARY, k=words))


ITEMS = [f"{INSTRUCTION}: {prose(rng.randint(9, 120))}?" for _ in range(200)]


@pytest.fixture(scope="module")
def index() -> ContaminationIndex:
    return ContaminationIndex([build_hash_list("other", [prose(30)]), build_hash_list("made_up", ITEMS)])


def hits(index: ContaminationIndex, texts: list[str]) -> list[list[str]]:
    return [index.names(mask) for mask in index.scan(pa.array(texts))["contamination"].to_pylist()]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        str.upper,
        lambda text: text.replace(" ", " -- "),
        lambda text: "\n".join(text.split()),
        lambda text: " ".join(word.capitalize() + "," for word in text.split()),
    ],
    ids=["verbatim", "upper", "dashes", "lines", "commas"],
)
def test_every_planted_item_is_found(index: ContaminationIndex, change) -> None:
    texts = [f"{prose(200)} {change(item)} {prose(200)}" for item in ITEMS]
    assert hits(index, texts) == [["made_up"]] * len(ITEMS)


def test_an_item_without_the_instruction_is_found(index: ContaminationIndex) -> None:
    texts = [f"{prose(50)}. {item.removeprefix(INSTRUCTION)} {prose(50)}" for item in ITEMS]
    assert hits(index, texts) == [["made_up"]] * len(ITEMS)


def test_unrelated_texts_and_instructions_alone_are_clean(index: ContaminationIndex) -> None:
    batch = index.scan(pa.array([prose(500) for _ in range(300)] + [f"{INSTRUCTION}: {prose(20)}", "", "a"]))
    assert sum(batch["contamination"].to_pylist()) == 0
    assert sum(batch["contamination_ngrams"].to_pylist()) == 0


def test_a_quotation_inside_an_item_is_no_hit() -> None:
    saying = prose(12)
    index = ContaminationIndex(
        [build_hash_list("made_up", [f"Who is known to have said, {saying}, and to whom and when?"])]
    )
    batch = index.scan(pa.array([f"{prose(40)} {saying} {prose(40)}"]))
    assert batch["contamination"].to_pylist() == [0]
    # It is not hidden either.
    assert batch["contamination_ngrams"].to_pylist() == [5]
    assert 0 < batch["contamination_cover"][0].as_py() < 0.8


def test_a_long_part_of_a_long_item_is_enough() -> None:
    words = prose(300).split()
    index = ContaminationIndex([build_hash_list("made_up", [" ".join(words)])])
    assert hits(index, [" ".join(words[100:127]), " ".join(words[100:120])]) == [["made_up"], []]


def test_one_changed_word_does_not_hide_an_item_of_fifty() -> None:
    words = prose(50).split()
    index = ContaminationIndex([build_hash_list("made_up", [" ".join(words)])])
    assert hits(index, [" ".join([*words[:30], "changed", *words[31:]])]) == [["made_up"]]


def test_short_items_are_left_out_unless_a_form_is_long_enough() -> None:
    made = build_hash_list("made_up", ["how are you today", ["which is it", "which is it " + prose(10)], prose(30)])
    assert (made.items, made.indexed) == (3, 2)
    assert hits(ContaminationIndex([made]), ["how are you today", "which is it"]) == [[], []]


def test_forms_of_an_item_are_one_item() -> None:
    # Were forms counted as items, what they share would look like an instruction.
    question = prose(12)
    made = build_hash_list("made_up", [[f"{question} {prose(9)}" for _ in range(30)]])
    assert hits(ContaminationIndex([made]), [f"{prose(9)} {question} {prose(9)}"]) == [[]]
    assert made.indexed == 1 and int(made.lengths.min()) == 14


def test_an_ngram_of_two_benchmarks_counts_for_both() -> None:
    item = prose(30)
    index = ContaminationIndex([build_hash_list(name, [item]) for name in ("one", "two")])
    assert hits(index, [item]) == [["one", "two"]]
    assert index.scan(pa.array([item + " " + item]))["contamination_ngrams"].to_pylist() == [23]


def test_scripts_without_spaces() -> None:
    item = "她在雨中等了很久却没有等到那个答应要来的人于是一个人慢慢走回家去"
    index = ContaminationIndex([build_hash_list("made_up", [item])])
    assert hits(index, [f"昨天，{item}。", "昨天她在家里看书。"]) == [["made_up"], []]


def test_a_row_does_not_depend_on_its_batch(index: ContaminationIndex) -> None:
    texts = pa.array([prose(30), ITEMS[0], "", f"{ITEMS[1]} {ITEMS[2]}", None, prose(5), ITEMS[0]])
    whole = index.scan(texts)
    assert whole.schema.equals(index.schema, check_metadata=True)
    alone = pa.Table.from_batches([index.scan(texts.slice(i, 1)) for i in range(len(texts))])
    assert pa.Table.from_batches([whole]).equals(alone)
    assert pa.Table.from_batches([index.scan(texts.cast(pa.large_string()))]).equals(alone)
    assert index.scan(texts.slice(0, 0)).num_rows == 0


def test_lists_are_saved_byte_for_byte_and_hold_no_text(tmp_path: Path) -> None:
    made = build_hash_list("made_up", ITEMS)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        build_hash_list("made_up", ITEMS).save(tmp_path / folder / "made_up.npz")
    content = (tmp_path / "a" / "made_up.npz").read_bytes()
    assert content == (tmp_path / "b" / "made_up.npz").read_bytes()
    assert not any(word.encode() in content for word in ITEMS[0].split() if len(word) > 5)
    read = HashList.open(tmp_path / "a" / "made_up.npz")
    np.testing.assert_array_equal(read.hashes, made.hashes)
    assert (read.name, read.items, read.indexed) == ("made_up", 200, 200)
    own = ContaminationIndex.load([tmp_path / "a" / "made_up.npz"])
    assert own.benchmarks == ["made_up"]
    assert hits(own, [ITEMS[5]]) == [["made_up"]]


def test_the_version_follows_what_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = [build_hash_list("made_up", ITEMS), build_hash_list("other", ITEMS[:50])]
    versions = {ContaminationIndex(lists).version, ContaminationIndex(lists[:1]).version}
    assert ContaminationIndex([build_hash_list("made_up", ITEMS)]).version in versions
    monkeypatch.setattr(contamination, "COVERAGE", 0.5)
    versions.add(ContaminationIndex(lists).version)
    assert len(versions) == 3


def test_nothing_to_look_for() -> None:
    index = ContaminationIndex([])
    assert index.scan(pa.array(["a b c " * 10]))["contamination"].to_pylist() == [0]
    assert build_hash_list("empty", []).indexed == 0


def test_errors_name_the_fix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no evaluation hash list is called 'mmlo'"):
        ContaminationIndex.load(["mmlo"])
    with pytest.raises(UserError, match="No such file"):
        ContaminationIndex.load([tmp_path / "none.npz"])
    (tmp_path / "text.npz").write_text("not a list")
    with pytest.raises(UserError, match="not a hash list"):
        ContaminationIndex.load([tmp_path / "text.npz"])
    np.savez(tmp_path / "other.npz", hashes=np.zeros(3))
    with pytest.raises(UserError, match="not a hash list"):
        ContaminationIndex.load([tmp_path / "other.npz"])
    facts = json.dumps({"version": "0-13", "items": 1, "indexed": 1})
    np.savez(tmp_path / "old.npz", hashes=np.zeros(1, np.uint64), lengths=np.ones(1, np.uint32), facts=np.array(facts))
    with pytest.raises(UserError, match="another version"):
        ContaminationIndex.load([tmp_path / "old.npz"])
    with pytest.raises(UserError, match="at most 64"):
        ContaminationIndex([build_hash_list(str(i), [prose(9)]) for i in range(65)])


def test_shipped_lists() -> None:
    assert {"humanebench", "eqbench", "eqbench3", "emobench", "truthfulqa", "mmlu_high_school_psychology"} <= set(
        shipped()
    )
    index = ContaminationIndex.load()
    assert index.benchmarks == shipped()
    assert json.loads(index.schema.metadata[b"benchmarks"]) == index.benchmarks
    assert ContaminationIndex.load(["mmlu", "emobench"]).benchmarks == [
        name for name in shipped() if name.startswith(("mmlu_", "emobench"))
    ]
    assert all(HashList.open(contamination.EVALS / f"{name}.npz").indexed > 0 for name in shipped())
    assert sum((contamination.EVALS / f"{name}.npz").stat().st_size for name in shipped()) < 3_000_000
    assert not any(hits(index, [prose(300), "The weather was fine and we all went for a long walk by the river."]))


@pytest.mark.skipif("WELLMIX_DATA" not in os.environ, reason="needs the evaluation sets under WELLMIX_DATA")
def test_shipped_lists_find_the_real_items() -> None:
    from pipeline.evals import build

    root = Path(os.environ["WELLMIX_DATA"]) / "evals"
    index = ContaminationIndex.load()
    for reader in (build.humanebench, build.eqbench, build.eqbench3, build.emobench, build.truthfulqa):
        name = reader.__name__
        # The longest form: the one that holds the answers where the question alone is too short.
        texts = [f"{prose(30)} {max(forms, key=len)} {prose(30)}" for forms in reader(root / name)]
        found = sum(name in names for names in hits(index, texts))
        assert found == HashList.open(contamination.EVALS / f"{name}.npz").indexed
