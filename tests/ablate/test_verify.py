"""What training says of a proposal."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from pipeline.ablate.verify import Trained, differences, gains, interval, verdict

LOSS = {"prior": [2.0, 2.1, 2.2], "proposed": [1.8, 1.95, 2.0], "worse": [2.4, 2.5, 2.6], "alike": [1.9, 2.2, 2.1]}


def rows() -> list[dict]:
    """Rows of three seeds; ``acc`` is what the loss leaves of 3."""
    return [
        {"mix": mix, "seed": seed, "metrics": {"loss": value, "acc": 3 - value, "missing": None}}
        for mix, values in LOSS.items()
        for seed, value in enumerate(values)
    ]


def ask(mix: str, **objective: float) -> tuple[str, bool]:
    trained = Trained(rows(), [], np.empty((0, 2)), {}, {})
    return verdict(SimpleNamespace(objective=objective), mix, trained, {"loss": True, "acc": False, "missing": True})


def test_gains_are_paired_by_seed_and_know_which_way_is_better() -> None:
    assert gains(rows(), "proposed", "prior", "loss", True) == pytest.approx([0.2, 0.15, 0.2])
    assert gains(rows(), "proposed", "prior", "acc", False) == pytest.approx([0.2, 0.15, 0.2])
    few = [row for row in rows() if (row["mix"], row["seed"]) != ("prior", 1)]
    assert gains(few, "proposed", "prior", "loss", True) == pytest.approx([0.2, 0.2])
    assert len(gains(rows(), "proposed", "prior", "missing", True)) == 0
    assert len(gains(rows(), "proposed", "prior", "no such", True)) == 0


def test_the_interval_is_students() -> None:
    values = np.array([0.2, 0.15, 0.4, 0.1])
    mean, low, high = interval(values)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), expected.low, expected.high))
    assert np.isnan(interval(values[:1])[1:]).all()


def test_a_claim_stands_only_where_training_bears_it_out() -> None:
    told, stands = ask("proposed", loss=1.0)
    assert stands and "Trained with 3 seeds, it is better than the prior by 0.1833" in told and "bears it out" in told
    told, stands = ask("worse", loss=1.0)
    assert not stands and "worse than the prior by 0.4000" in told and "keep the prior" in told
    told, stands = ask("alike", loss=1.0)
    assert not stands and "does not tell them apart" in told
    # two targets: 0.1833 each, of which one is better when higher
    assert "by 0.5500" in ask("proposed", loss=1.0, acc=2.0)[0]
    # what training does not measure it says nothing of
    assert ask("proposed", missing=1.0) == ("", True)
    assert ask("not trained", loss=1.0) == ("", True)


def test_differences_are_over_every_other_mix() -> None:
    report = {"trained": rows(), "metrics": [{"name": "loss", "lower_is_better": True}]}
    told = differences(report, "loss")
    assert [mix for mix, *_ in told] == ["prior", "worse", "alike"]
    assert told[0][1] == pytest.approx(0.55 / 3)
