"""Imported in the server process that workers are forked from, nowhere else.

What every task needs is loaded here once instead of in each worker: imports, the models, and the compiled kernels, which one text
calls up from their cache. Nothing here may start a pool of threads (polars would, if used): a fork would lose it. A test looks.
"""

import signal
import sys
from types import TracebackType

# Ctrl-C reaches every process of a terminal; the main one stops the run and its workers, so these have nothing to say about it, not
# even while they load.
signal.signal(signal.SIGINT, signal.SIG_IGN)


def _unless_main_is_gone(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A worker that is being born when the main process leaves fails at what that one took with it, and has nothing to say about it."""
    if not issubclass(kind, EOFError | FileNotFoundError | ConnectionError):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _unless_main_is_gone

import pyarrow as pa  # noqa: E402

import pipeline.mix  # noqa: E402, F401 - the stages
from classifiers.scorer import Scorer  # noqa: E402
from pipeline.deidentify import scan_bytes  # noqa: E402
from pipeline.ingest import language_id  # noqa: E402
from pipeline.minhash import shingle_sets, signatures  # noqa: E402
from pipeline.quality import measure  # noqa: E402
from pipeline.tokens import load_tokenizer  # noqa: E402

_text = pa.array(["One text, to call up the kernels; 12 words are enough for all of them."])
Scorer.load().warm_up()
language_id().detect(_text)
load_tokenizer().count(_text)
for _kernel in (signatures, shingle_sets, measure, scan_bytes):
    _kernel(_text)
