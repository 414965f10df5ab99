"""What all tests share: the sample mix, made once, and the real corpora where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.threads import one_thread

ROOT = Path(__file__).parent.parent

# As the command line does, and before any library that looks.
os.environ.update(one_thread())
# No test asks the Hugging Face hub for anything.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session", autouse=True)
def _private_config(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests neither read nor make the user's key for author hashes, and forget nothing that the user forgot."""
    os.environ["WELLMIX_AUTHOR_KEY"] = "tests-only-key-of-thirty-two-bytes!"
    os.environ.pop("WELLMIX_RETIRED_AUTHOR_KEYS", None)
    os.environ["WELLMIX_TOMBSTONES"] = str(tmp_path_factory.mktemp("tombstones") / "tombstones.jsonl")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real corpora; the test is skipped where there are none."""
    from sources.card import data_root

    root = data_root()
    if root is None or not root.is_dir():
        pytest.skip("needs the real corpora: WELLMIX_DATA is not set and ../shared/data is not there")
    return root


@pytest.fixture(scope="session")
def sample_mix(tmp_path_factory: pytest.TempPathFactory):
    """The sample recipe, run once with one worker: (result, store folder)."""
    from pipeline.mix import run_mix

    folder = tmp_path_factory.mktemp("sample")
    result = run_mix(
        ROOT / "recipes/sample.yaml", out=folder / "out", store_root=folder / "store", workers=1, show_progress=False
    )
    return result, folder / "store"
