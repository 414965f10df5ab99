"""Steps for the tests: workers of a cluster import them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from pipeline.execute import Step
from pipeline.store import Store
from sources.errors import UserError


class Misbehave(Step):
    """Does what its task says: ends well, raises, or dies with its process."""

    name = "misbehave"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        mark = Path(task["mark"])
        match task["what"]:
            case "user":
                raise UserError("the third field is empty", where="cards/x.yaml", fix="fill it")
            case "defect":
                raise ValueError("My name is Ada Quill and I cannot sleep")
            case "die_once" if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
        mark.with_suffix(".done").touch()
