"""De-identification: recall and precision on the planted set, consistency, helplines, author hashes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline import deidentify as d
from sources.errors import UserError
from tests.hygiene.planted import negatives, planted
from tests.hygiene.report import measure


def _one(text: str, **options: object) -> str:
    return d.Deidentifier(**options).deidentify([text])[0][0].as_py()


def test_recall_and_precision_stay_above_their_floors() -> None:
    texts = planted() + negatives()
    assert len(planted()) >= 300 and len(negatives()) >= 150
    scores, errors = measure(texts)
    for kind, score in scores.items():
        assert score.recall >= 0.95, (kind, [e for e in errors if kind in e[0]])
        assert score.precision >= 0.95, (kind, [e for e in errors if kind in e[0]])


@pytest.mark.parametrize(
    "text",
    [
        "Thank you all xoxo-----------------------",
        "xoxo-everybodywholovesyoumorethananything",
        "See https://example.org/sk-nejaky-dlhy-titulok-clanku-o-niecom for it.",
        "sk-________________________________________",
    ],
)
def test_what_only_begins_like_a_key_stays(text: str) -> None:
    assert _one(text) == text


def test_a_number_alone_on_its_line_is_a_signature() -> None:
    assert _one("Please write.\n\nJo Maple\n3125550148\n") == "Please write.\n\nJo Maple\n[PHONE_1]\n"


def test_hard_negatives_are_left_as_they_are() -> None:
    texts = pa.array([item.text for item in negatives()])
    out, counts = d.Deidentifier().deidentify(texts)
    changed = [(a, b) for a, b in zip(texts.to_pylist(), out.to_pylist(), strict=True) if a != b]
    assert len(changed) <= 2, changed
    assert counts.num_rows == len(texts)


def test_the_scan_never_hides_what_the_finders_would_find() -> None:
    everything = (1 << 14) - 1
    finder = d.Deidentifier()
    texts = [item.text for item in planted() + negatives()]
    for text, flags in zip(texts, d.scan(pa.array(texts)).tolist(), strict=True):
        assert finder.find(text, flags) == finder.find(text, everything), text


def test_turns_of_a_document_share_numbers_and_documents_do_not() -> None:
    out, counts = d.Deidentifier().deidentify(
        ["I am jo@example.org", "and I am al@example.org, not jo@example.org", "jo@example.org", None, ""],
        groups=[0, 0, 1, 1, 2],
    )
    assert out.to_pylist() == ["I am [EMAIL_1]", "and I am [EMAIL_2], not [EMAIL_1]", "[EMAIL_1]", None, ""]
    assert counts["email"].to_pylist() == [1, 2, 1, 0, 0]


def test_placeholders_of_the_corpus_stay_and_their_numbers_are_not_used_again() -> None:
    out, _ = d.Deidentifier().deidentify(
        ["[EMAIL_2] wrote to al@example.org and @USER", "[EMAIL_7] too"], groups=[3, 3]
    )
    assert out.to_pylist() == ["[EMAIL_2] wrote to [EMAIL_8] and @USER", "[EMAIL_7] too"]


def test_it_changes_nothing_the_second_time() -> None:
    first, _ = d.Deidentifier().deidentify([item.text for item in planted()])
    second, counts = d.Deidentifier().deidentify(first)
    assert second.equals(first)
    assert sum(sum(column.to_pylist()) for column in counts.columns) == 0


def test_known_names_and_their_parts_are_one_person() -> None:
    out, _ = d.Deidentifier().deidentify(
        ["Thanks Mira! Mira Tolland helped. @heron_41 too", "HERON_41: I hope Mira rests", "Mira"],
        groups=[0, 0, 1],
        known_names=[["Mira Tolland, LCSW", "heron_41"], []],
    )
    assert out.to_pylist() == [
        "Thanks [NAME_1]! [NAME_1] helped. [USER_1] too",
        "[USER_1]: I hope [NAME_1] rests",
        "Mira",
    ]


def test_ordinary_words_are_no_names() -> None:
    for name in ("Hope Small", "hope", "[deleted]", "Anonymous", "x"):
        out, _ = d.Deidentifier().deidentify(["I hope it is a small thing, anonymous."], known_names=[[name]])
        assert out[0].as_py() == "I hope it is a small thing, anonymous."


def test_authors_of_published_works_stay() -> None:
    out, _ = d.Deidentifier(keep_names=True).deidentify(["Mira Tolland wrote it."], known_names=[["Mira Tolland"]])
    assert out[0].as_py() == "Mira Tolland wrote it."


def test_types_can_be_left_alone_and_wrong_settings_are_explained() -> None:
    assert (
        _one("No, 123 Maple Street, ask jo@example.org", skip=frozenset({"ADDRESS"}))
        == "No, 123 Maple Street, ask [EMAIL_1]"
    )
    with pytest.raises(UserError, match="STREET"):
        d.Deidentifier(skip=frozenset({"STREET"}))
    with pytest.raises(UserError, match="XX"):
        d.Deidentifier(countries=("XX",))


def test_names_from_the_recogniser_become_placeholders() -> None:
    class Finder:
        def find(self, texts: list[str]) -> list[list[tuple[int, int]]]:
            return [[(text.index("Mira"), text.index("Mira") + 4)] if "Mira" in text else [] for text in texts]

    out, _ = d.Deidentifier(ner=Finder()).deidentify(["I told Mira.", "No one."])
    assert out.to_pylist() == ["I told [NAME_1].", "No one."]
