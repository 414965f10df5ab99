"""What once broke a reader or parser is tried again, and each target on a few new inputs; ``python -m tests.fuzz.run`` tries many."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.cases import Case, corpus
from tests.fuzz.targets import TARGETS, Broken, run

#: Targets that need a mix or set, or seconds for an input, are left to ``run.py``.
QUICK = sorted(
    set(TARGETS) - {"diff", "explain", "review_import", "set_recipe", "ablation", "recipe", "override", "xlsx"}
)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in corpus()])
def test_what_once_broke_holds(case: Case) -> None:
    run(case)


@pytest.mark.parametrize("target", QUICK)
def test_a_few_new_inputs(target: str) -> None:
    test = given(TARGETS[target].cases())(TARGETS[target].check)
    settings(
        max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
    )(test)()  # fmt: skip


def test_the_fuzzer_sees_what_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    from sources.readers.jsonl import JsonlReader

    case = Case("jsonl", {"a.jsonl": b'{"t": "a"}'}, {"text": "t"})
    run(case)

    def read(self, split):
        raise KeyError("t")
        yield

    monkeypatch.setattr(JsonlReader, "read", read)
    with pytest.raises(KeyError):
        run(case)
    monkeypatch.setattr(JsonlReader, "read", lambda self, split: iter(["no record"]))
    with pytest.raises(Broken):
        run(case)
