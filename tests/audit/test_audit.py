"""The audit itself: every format and layout, rates and intervals, samples, verdicts, and that it prints no text."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from typer.testing import CliRunner

from pipeline.audit.make import Audit, Seen, audit
from pipeline.cli import app
from pipeline.formats import FORMATS, shard_writer
from pipeline.formats.text import ParquetWriter
from pipeline.tokens import DEFAULT, load_tokenizer
from sources.errors import UserError

SECRETS = ("zorvanequill@example.org", "212-555-0187", "4111 1111 1111 1111")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a mix writes it, in all formats: 40 rows, of which rows 3, 17 and 31 hold one secret each; row 5 only a placeholder."""
    folder = tmp_path_factory.mktemp("audit") / "out"
    texts = [f"An ordinary line, the number {i} of them, with nothing to hide." for i in range(40)]
    for row, secret in zip((3, 17, 31), SECRETS, strict=True):
        texts[row] += f" Call or pay: {secret} now."
    texts[5] = "[EMAIL_1] wrote to [PHONE_2]"
    tokenizer = load_tokenizer()
    table = pa.table(
        {
            "id": [f"{i:032x}" for i in range(40)],
            "text": texts,
            "source": ["a", "b"] * 20,
            "tokens": pa.array(tokenizer.count(pa.array(texts)), pa.int32()),
        }
    )
    for name in FORMATS:
        place = folder / name / "train"
        place.mkdir(parents=True)
        writer = shard_writer(name, tokenizer)
        writer.finish(place, writer.write(table, place, "00000"))
    (folder / "manifest.json").write_text(
        json.dumps(
            {"recipe": {"tokenizer": DEFAULT}, "sources": {"a": {"takedown": "data@example.org", "consent": "unknown"}}}
        )
    )
    return folder


def test_every_format_tells_the_same(output: Path) -> None:
    found = audit([output], workers=1)
    rows = {row["surface"]: (row["rows"], row["documents"]) for row in found.surfaces()}
    assert {rows[f"{name}/train"] for name in FORMATS} == {(40, 3)}
    assert rows["by-products"][1] == 0, "the takedown contact of a card is public"
    places: dict[str, set[int]] = {}
    for row in found.rates():
        if row["grade"] == "certain":
            places.setdefault(row["surface"], set()).update(place["row"] for place in row["places"])
    assert {name: places[f"{name}/train"] for name in FORMATS} == {key: {3, 17, 31} for key in FORMATS}
    by_source = next(row["by_source"] for row in found.surfaces() if row["surface"] == "mds/train")
    assert by_source == {"b": 3}


def test_what_is_printed_holds_no_text(output: Path) -> None:
    ran = CliRunner().invoke(app, ["audit", str(output), "--show-shapes", "--json", "--workers", "1"])
    assert ran.exit_code == 1
    assert "a*@a*.org" in ran.output
    assert [secret for secret in (*SECRETS, "zorvanequill", "0187", "1111") if secret in ran.output] == []


def test_a_borne_rate_passes(output: Path) -> None:
    # 3 of 40 rows are 75,000 in a million
    for rate, code in ((75_000, 0), (74_999, 1)):
        assert (
            CliRunner().invoke(app, ["audit", str(output), "--max-rate", str(rate), "--workers", "1"]).exit_code == code
        )


def test_a_sample_reads_so_many_rows_and_repeats(output: Path) -> None:
    first, again, other = (audit([output], sample=20, seed=seed, workers=1) for seed in (1, 1, 2))
    assert {row["looked_at"] for row in first.surfaces() if row["surface"] != "by-products"} == {20}
    assert first.rates() == again.rates()
    assert first.rates() != other.rates()
    whole = audit([output], sample=1_000, workers=1)
    assert whole.surfaces() == audit([output], workers=1).surfaces()


def test_intervals_of_samples_cover_the_truth() -> None:
    """Samples of 300 from 1,000 rows, 10 to 90 with hits: about 95 % of the intervals hold the true share, and they are narrow."""
    random, covered, width, naive = np.random.default_rng(0), 0, 0.0, 0.0
    for truth in range(10, 91):
        for _ in range(40):
            hits = int(random.hypergeometric(truth, 1_000 - truth, 300))
            low, high = _audit(300, hits, 1_000).interval("x", hits)
            covered += low <= truth / 1_000 <= high
            width += high - low
            low, high = _audit(300, hits, 300).interval("x", hits)
            naive += high - low
    assert 0.93 <= covered / (81 * 40) <= 0.97
    assert width < 0.9 * naive, "the rest of the corpus is finite, and the interval knows"


def _audit(looked_at: int, hits: int, total: int) -> Audit:
    seen = Seen(rows=Counter(x=looked_at), certain=Counter(x=hits))
    return Audit(seen, {"x": total}, looked_at, 0, 0.0, [], 1, 1.0)


def test_sets_lists_and_logs_are_read(tmp_path: Path) -> None:
    message = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    rows = [
        [{"role": "user", "content": "hello"}],
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": f"mail {SECRETS[0]}"}],
    ]
    (tmp_path / "messages" / "train").mkdir(parents=True)
    ParquetWriter().write(
        pa.table({"messages": pa.array(rows, message), "tokens": pa.array([1, 2], pa.int32())}),
        tmp_path / "messages/train",
        "0",
    )
    (tmp_path / "quarantine.jsonl").write_text(
        json.dumps({"origin": "x#row=1", "detail": f"cannot read {SECRETS[1]}"}) + "\n"
    )
    (tmp_path / "ledger.json").write_text(json.dumps({"totals": {"by": [1, f"card {SECRETS[2]}"]}}))
    (tmp_path / "task_00000.log").write_text(f"Traceback\nValueError: {SECRETS[0]}\n")
    (tmp_path / "rows.bin").write_bytes(b"\0\1\2")
    places = {
        (place["file"], place["row"], place["column"], place.get("at"))
        for row in audit([tmp_path], workers=1).rates()
        for place in row["places"]
        if row["grade"] == "certain"
    }
    assert places == {
        ("messages/train/0.parquet", 1, "messages.content", None),
        ("quarantine.jsonl", 0, "detail", None),
        ("ledger.json", 2, "value", "/totals/by/1"),
        ("task_00000.log", 1, "line", None),
    }


def test_published_works_keep_their_letterheads(tmp_path: Path) -> None:
    (tmp_path / "parquet/train").mkdir(parents=True)
    text = "I live at 12 Newbury Street, Boston, MA 02116. Mail jo@example.org"
    table = pa.table({"text": [text] * 3, "source": ["book", "forum", "talk"], "tokens": pa.array([1] * 3, pa.int32())})
    ParquetWriter().write(table, tmp_path / "parquet/train", "0")
    (tmp_path / "manifest.json").write_text(
        json.dumps(
            {
                "sources": {
                    "book": {"consent": "public_domain", "names": "keep"},
                    "forum": {"consent": "public_post", "names": "keep"},
                    "talk": {"consent": "published", "names": "private"},
                }
            }
        )
    )
    grades = {
        (row["kind"], row["grade"], place["row"]) for row in audit([tmp_path], workers=1).rates() for place in row["places"]
        if row["detector"] == "wellmix"
    }  # fmt: skip
    assert grades == {
        ("ADDRESS", "possible", 0),
        ("ADDRESS", "certain", 1),
        ("ADDRESS", "certain", 2),
        ("EMAIL", "certain", 0),
        ("EMAIL", "certain", 1),
        ("EMAIL", "certain", 2),
    }


def test_the_sample_mix_and_its_store_pass(sample_mix) -> None:
    result, store = sample_mix
    found = audit([result.out, store], workers=1)
    assert found.problems() == []
    assert {row["surface"] for row in found.surfaces()} >= {"by-products", "out:parquet/train", "store:documents"}


def test_a_file_that_is_cut_off_is_no_clean_file(tmp_path: Path) -> None:
    line = json.dumps({"text": "An ordinary line."}).encode() + b"\n"
    packed = zstandard.ZstdCompressor().compress(line * 50_000)
    (tmp_path / "a.jsonl.zst").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UserError, match="broken"):
        audit([tmp_path], workers=1)


def test_mistakes_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to audit"):
        audit([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="nothing to audit"):
        audit([tmp_path])
    (tmp_path / "a.parquet").write_bytes(b"PAR1 zorvanequill@example.org")
    with pytest.raises(UserError, match="cannot read the file") as error:
        audit([tmp_path], workers=1)
    assert "zorvane" not in str(error.value)
    (tmp_path / "a.parquet").unlink()
    (tmp_path / "a.ds").write_bytes(bytes(8))
    (tmp_path / "a.ds.index").write_bytes((2).to_bytes(8, "little"))
    (tmp_path / "a.ds.metadata").write_text("x|4\n2\n")
    with pytest.raises(UserError, match="which tokenizer"):
        audit([tmp_path], workers=1)
    (tmp_path / "a.ds").write_bytes(bytes(7))
    with pytest.raises(UserError, match="cannot read the file"):
        audit([tmp_path], workers=1, sample=10, tokenizer=DEFAULT)
