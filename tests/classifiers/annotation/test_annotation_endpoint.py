"""What endpoints do to us: a real HTTP server that fails in all the ways such servers do."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path

import pytest

from classifiers.annotation import annotate
from classifiers.annotation.run import GIVE_UP
from sources.errors import UserError
from tests.classifiers.annotation.fake_llm import (
    KEY,
    FakeLLM,
    Fault,
    answer,
    drops,
    error,
    finishes,
    rows_of,
    run,
    sends,
    slow,
    texts_of,
)


@pytest.mark.parametrize(
    "fault", [error(500), error(503), error(429, "rate_limit_exceeded"), drops], ids=["500", "503", "429", "dropped"]
)
def test_passing_trouble_is_waited_out(llm: FakeLLM, tmp_path: Path, fault: Fault):
    llm.faults = deque([None, fault, fault])
    report = run(llm, texts_of(tmp_path), tmp_path / "out.jsonl")
    assert (report.annotated, report.failed, len(llm.bodies)) == (6, 0, 8)


def test_a_slow_answer_is_asked_again(llm: FakeLLM, tmp_path: Path):
    llm.faults = deque([None, slow(1.0)])
    report = run(llm, texts_of(tmp_path, 3), tmp_path / "out.jsonl", timeout=0.4)
    assert (report.annotated, report.failed) == (3, 0)


def test_a_wait_that_is_asked_for_is_kept(llm: FakeLLM, tmp_path: Path):
    llm.faults = deque([error(429, retry_after_ms="400")])
    assert run(llm, texts_of(tmp_path, 2), tmp_path / "out.jsonl").annotated == 2
    assert llm.times[1] - llm.times[0] >= 0.4


def test_a_page_instead_of_a_completion_is_no_answer(llm: FakeLLM, tmp_path: Path):
    llm.faults = deque([sends({}, content_type="text/html"), sends({"error": {"message": "overloaded"}})])
    report = run(llm, texts_of(tmp_path), tmp_path / "out.jsonl")
    assert (report.annotated, report.failed) == (4, 2)


@pytest.mark.parametrize(
    ("status", "code", "what"),
    [
        (401, "invalid_api_key", "does not take the key"),
        (402, None, "no credit left"),
        (403, None, "may not use"),
        (404, "model_not_found", "does not know the model"),
        (429, "insufficient_quota", "no credit left"),
    ],
)
def test_what_cannot_be_waited_out_stops_at_once(llm: FakeLLM, tmp_path: Path, status: int, code: str, what: str):
    llm.reply = error(status, code, message="about: I have been lonely for 0 weeks.")
    with pytest.raises(UserError, match=what) as caught:
        run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", max_retries=2)
    assert len(llm.bodies) == (3 if status == 429 else 1) and caught.value.fix and "lonely" not in str(caught.value)
    # Nothing was begun: another model may write this file.
    llm.reply = answer
    assert run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", model="other").annotated == 6


def test_the_key_is_sent_and_no_other(llm: FakeLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    llm.needs_key = True
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UserError, match="does not take the key"):
        run(llm, texts_of(tmp_path), tmp_path / "out.jsonl")
    with pytest.raises(UserError, match="does not take the key"):
        run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", api_key="wrong")
    assert KEY not in str(llm.keys)
    assert run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", api_key=KEY + "\n").annotated == 6
    assert KEY not in "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    with pytest.raises(UserError, match="characters that no key has"):
        run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", api_key="“key”")


def test_options_the_endpoint_does_not_take_are_left_out(llm: FakeLLM, tmp_path: Path):
    llm.takes_response_format = llm.takes_temperature = False
    report = run(llm, texts_of(tmp_path), tmp_path / "out.jsonl")
    assert report.annotated == 6 and len(llm.bodies) == 6 + 2
    assert not {"temperature", "response_format"} & llm.bodies[-1].keys()


def test_a_refusal_that_only_mentions_an_option_changes_nothing(llm: FakeLLM, tmp_path: Path):
    llm.faults = deque([None, error(400, message="not about body temperature")])
    report = run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", concurrency=1)
    assert (report.annotated, report.failed) == (5, 1)
    assert "temperature" in llm.bodies[-1]


def test_an_endpoint_that_never_answers_stops_the_run(llm: FakeLLM, tmp_path: Path):
    llm.reply = error(500)
    with pytest.raises(UserError, match=f"the last {GIVE_UP} texts had no answer: HTTP 500"):
        run(llm, texts_of(tmp_path, 30), tmp_path / "out.jsonl", max_retries=0)
    assert len(llm.bodies) < 20 and not rows_of(f"{tmp_path}/out.jsonl.rejected.jsonl")


def test_an_endpoint_that_takes_no_request_stops_the_run(llm: FakeLLM, tmp_path: Path):
    llm.reply = error(400, "invalid_model")
    with pytest.raises(UserError, match="HTTP 400, invalid_model"):
        run(llm, texts_of(tmp_path, 30), tmp_path / "out.jsonl")
    assert not rows_of(f"{tmp_path}/out.jsonl.rejected.jsonl")


def test_refusals_of_an_endpoint_that_never_worked_are_not_held_against_texts(llm: FakeLLM, tmp_path: Path):
    llm.reply = error(400, "invalid_model")
    assert run(llm, texts_of(tmp_path, 3), tmp_path / "out.jsonl", model="wrogn").failed == 3
    llm.reply = answer
    assert run(llm, texts_of(tmp_path, 3), tmp_path / "out.jsonl", model="right").annotated == 3


def test_a_text_without_an_answer_is_asked_by_the_next_run(llm: FakeLLM, tmp_path: Path):
    llm.faults = deque([None, *[error(500)] * 2])
    report = run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", max_retries=1, concurrency=1)
    assert (report.annotated, report.failed) == (5, 1)
    report = run(llm, texts_of(tmp_path), tmp_path / "out.jsonl")
    assert (report.annotated, report.resumed, report.asked) == (1, 5, 1)


def test_nobody_there(tmp_path: Path):
    with FakeLLM() as gone:
        pass
    report = run(gone, texts_of(tmp_path, 2), tmp_path / "out.jsonl", max_retries=0)
    assert (report.failed, report.annotated) == (2, 0)


@pytest.mark.parametrize(
    "endpoint",
    ["localhost:8000/v1", "", "ftp://host/v1", "http:///v1", "https://u:secret@host/v1", "https://host/v1?key=secret"],
)
def test_what_is_no_address_is_said(tmp_path: Path, endpoint: str):
    with pytest.raises(UserError) as caught:
        annotate(texts_of(tmp_path), tmp_path / "out.jsonl", endpoint=endpoint, model="m")
    assert "secret" not in str(caught.value)


def test_the_whole_address_is_taken_too(llm: FakeLLM, tmp_path: Path):
    endpoint = llm.endpoint + "/chat/completions"
    assert run(llm, texts_of(tmp_path), tmp_path / "out.jsonl", endpoint=endpoint).annotated == 6


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(UserError, match=r'pip install "wellmix\[annotate\]"'):
        annotate(texts_of(tmp_path), tmp_path / "out.jsonl", endpoint="http://localhost/v1", model="m")


@pytest.mark.parametrize(
    "fault",
    [
        finishes("content_filter"),
        finishes("stop", refusal="I cannot"),
        error(400, "content_filter"),
        error(403, message="input was flagged"),
    ],
    ids=["filtered", "refused", "400", "403"],
)
def test_refusals_are_not_asked_again(llm: FakeLLM, tmp_path: Path, fault: Fault):
    llm.faults = deque([None, fault])
    report = run(llm, texts_of(tmp_path), tmp_path / "out.jsonl")
    assert (report.annotated, report.refused, len(llm.bodies)) == (5, 1, 6)
    assert rows_of(f"{tmp_path}/out.jsonl.rejected.jsonl")[0]["reason"].startswith("refused: ")
