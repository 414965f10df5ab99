"""Workers are processes, one a core, so libraries start no pools of threads in them. Importing this costs nothing: it comes first."""

from __future__ import annotations

import os

NAMES = ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKIE_NUM_THREADS")


def one_thread() -> dict[str, str]:
    """The variables that say so, unless the user set them otherwise."""
    return {name: os.environ.get(name, "1") for name in NAMES}
