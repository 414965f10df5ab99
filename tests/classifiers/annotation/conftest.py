"""The server that is annotated by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.classifiers.annotation.fake_llm import FakeLLM


@pytest.fixture
def llm() -> Iterator[FakeLLM]:
    """A model that answers, until told otherwise."""
    with FakeLLM() as server:
        yield server
