"""The transformer proxy: deterministic, learns what it reads, and measures what it is asked to."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.ablate.held_out import HeldOut
from pipeline.ablate.recipe import SIZES, Transformer

pytest.importorskip("torch", reason="the transformer proxy needs the extra `ablate`")
pytest.importorskip("transformers", reason="the transformer proxy needs the extra `ablate`")
pytestmark = pytest.mark.slow

SETTINGS = Transformer(size="0.25M", tokens=20_000, vocabulary=300, sequence=32, batch=4)
EOS = 299


def _pattern(n: int, step: int) -> np.ndarray:
    """A text in which each token is the one before plus ``step``."""
    return ((np.arange(n) * step) % 250).astype(np.uint16)


def _held_out(ids: np.ndarray, counted: np.ndarray | None = None) -> HeldOut:
    half = len(ids) // 2
    return HeldOut(
        ids,
        np.array([0, half, len(ids)]),
        np.ones(len(ids), bool) if counted is None else counted,
        np.zeros(2, bool),
        {},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from pipeline.ablate.transformer import train

    folder = tmp_path_factory.mktemp("model")
    return folder, train(_pattern(20_001, 3), SETTINGS, 1, folder)


def test_it_learns_what_it_reads(trained):
    from pipeline.ablate.transformer import measure

    folder, facts = trained
    assert facts["loss"][-1] < 1 < facts["loss"][0]
    same = measure(folder, SETTINGS, _held_out(_pattern(640, 3)), EOS).sum() / 640
    other = measure(folder, SETTINGS, _held_out(_pattern(640, 7)), EOS).sum() / 640
    assert same < 1.5
    assert other > 5


def test_the_same_again(trained, tmp_path):
    from pipeline.ablate.transformer import measure, train

    folder, facts = trained
    assert train(_pattern(20_001, 3), SETTINGS, 1, tmp_path) == facts
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    held_out = _held_out(_pattern(640, 3))
    assert (measure(folder, SETTINGS, held_out, EOS) == measure(tmp_path, SETTINGS, held_out, EOS)).all()


def test_another_seed_is_another_model(trained, tmp_path):
    from pipeline.ablate.transformer import train

    train(_pattern(20_001, 3), SETTINGS, 2, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() != (trained[0] / "model.safetensors").read_bytes()


def test_only_counted_tokens_count(trained):
    from pipeline.ablate.transformer import measure

    ids = _pattern(640, 7)
    counted = np.zeros(640, dtype=bool)
    counted[10:20] = True
    whole = measure(trained[0], SETTINGS, _held_out(ids), EOS)
    part = measure(trained[0], SETTINGS, _held_out(ids, counted), EOS)
    assert part[1] == 0
    assert 0 < part[0] < whole[0]


def test_sizes_are_about_what_they_are_called():
    from pipeline.ablate.transformer import parameters

    for size in SIZES:
        n = parameters(Transformer(size=size))
        assert n == pytest.approx(float(size.removesuffix("M")) * 1e6, rel=0.2), size


def test_a_question_has_a_window_of_its_own():
    from pipeline.ablate.transformer import windows
    from sources.errors import UserError

    starts = np.array([0, 5, 9, 16])
    counted = np.ones(16, dtype=bool)
    counted[[5, 6, 8, 9, 10, 11, 12, 15]] = False  # answers: token 7; tokens 13 and 14
    held_out = HeldOut(np.arange(16, dtype=np.uint16), starts, counted, np.array([False, True, True]), {})
    assert windows(held_out, 4).tolist() == [[0, 1, 2, 3], [4, -1, -1, -1], [5, 6, 7, 8], [12, 13, 14, 15]]
    with pytest.raises(UserError, match="an answer has 2 tokens"):
        windows(held_out, 2)
