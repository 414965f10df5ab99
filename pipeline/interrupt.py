"""Stopping on request: Ctrl-C, SIGTERM (schedulers, containers) and SIGHUP (a terminal that closes) are one and the same.

The main thread unwinds, so that temporary folders go and workers end. There are cases in which it cannot: it waits within a library that
does not look at signals, or for a worker that is stopped, or for the lock of a pool whose owner was killed. Then the process leaves without
it, as after a SIGKILL: what is half-done is swept by the next run.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Seconds the main thread has to unwind.
PATIENCE = 2.0

STOPPED = "stopped; the same command goes on from here"

_requested = False
_words = STOPPED


def requested() -> bool:
    """Whether this process was told to stop: an exception that comes up then is of the unwinding."""
    return _requested


def last_words() -> str:
    """What to say at the end."""
    return _words


def stop_main(words: str) -> None:
    """Have the main thread unwind, from another thread.

    :param words: said at the end, in place of :data:`STOPPED`.
    """
    global _words
    _words = words
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]


@contextmanager
def stoppable() -> Iterator[None]:
    """While the block runs, signals stop the process within :data:`PATIENCE` and a moment. Only in the main thread."""
    global _requested, _words
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _requested, _words = False, STOPPED
    read, write = os.pipe()
    os.set_blocking(write, False)
    # nohup ignores SIGHUP, and that is to be respected
    before = {number: signal.getsignal(number) for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, _raise)
    # The C handler writes here even while the main thread is within a library.
    wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read,), daemon=True).start()
    try:
        yield
    finally:
        if not _requested:  # else the process is leaving, and may still wait for something at its exit
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(write)


def _raise(number: int, frame: FrameType | None) -> None:
    """Once: a second Ctrl-C must not break into the unwinding."""
    global _requested
    if not _requested:
        _requested = True
        raise KeyboardInterrupt


def _watch(pipe: int) -> None:
    """Leave if the main thread has not left some seconds after a signal."""
    while (told := os.read(pipe, 1)) and told[0] not in SIGNALS:
        pass
    if not told:  # closed: the block has ended
        os.close(pipe)
        return
    time.sleep(PATIENCE)
    if "multiprocess" in sys.modules:  # else there is no worker
        import multiprocess

        for worker in multiprocess.active_children():
            worker.kill()  # a process that is stopped knows of no other signal
    with suppress(OSError):
        # the progress display hides the cursor
        os.write(2, (("\x1b[?25h" if os.isatty(2) else "") + _words + "\n").encode())
    os._exit(1)


def _as_it_was() -> None:
    """A forked helper takes signals as any process does."""
    if signal.getsignal(signal.SIGTERM) is _raise:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)


os.register_at_fork(after_in_child=_as_it_was)
