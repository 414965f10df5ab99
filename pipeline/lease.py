"""Who has a remote store: a lock of small objects that works on anything that lists what was just written.

A run announces itself (an object of its own name below ``locks/``), then looks who else did. Another announcement that is alive wins
and this one is withdrawn; so two that come at the same moment may both be refused, and never are both let in. A thread renews the
announcement every minute. One that was not renewed for :data:`STALE` seconds is dead: its machine is gone, or cut off. Times are those the
store stamps on the objects, so no two clocks are compared. On one machine nothing has to be waited for: a run holds a file lock on its
cache, too, which ends with its process.

What it guarantees: of runs that reach the store, one at a time. A run that is cut off for longer than :data:`STALE` may lose the store
to another and finds out at its next renewal; until then both may write, which harms no artifact (each is committed whole, under a key of
its content), and is why :meth:`Lease.check` is asked before anything is removed or an output is replaced.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sources.errors import UserError

if TYPE_CHECKING:
    from pipeline.remote import RemoteFolder

#: Seconds between renewals, and after how many without one a run counts as dead.
RENEW, STALE = 60, 600


class Lease:
    """An announcement that this run has the store.

    :param folder: the store.
    :param cache: names this machine's cache, which the caller has locked: an older announcement of the same cache is of a dead run.
    """

    def __init__(self, folder: RemoteFolder, cache: str) -> None:
        self._folder = folder
        self._name = f"locks/{uuid.uuid4().hex}.json"
        self._facts = {
            "cache": cache,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._lost: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def take(self) -> list[str]:
        """Announce this run and look who else is there.

        :returns: which dead runs had it and did not give it back.
        :raises UserError: another run has the store.
        """
        self._write()
        try:
            dead = self._look()
        except BaseException:
            self._folder.remove([self._name])
            raise
        self._folder.remove([name for name, _ in dead])
        self._thread.start()
        return [text for _, text in dead]

    def check(self) -> None:
        """Go on only while this run has the store.

        :raises UserError: it was taken for dead, and another run has it.
        """
        if self._lost:
            raise UserError(
                f"this run was cut off from its store for more than {STALE // 60} minutes, and {self._lost}",
                where=self._folder.url,
                fix="wait until that run is done, and start this one again: it goes on from what is there",
            )

    def release(self) -> None:
        """Give the store back."""
        self._stop.set()
        self._thread.join()
        # where the store is out of reach, the run failed for that reason, and this one counts as dead before long
        with suppress(Exception):  # each client library has errors of its own
            self._folder.forget(self._name)

    def _write(self) -> None:
        self._folder.write(self._name, json.dumps(self._facts, indent=1).encode())

    def _look(self) -> list[tuple[str, str]]:
        """Name and description of each dead announcement."""
        stamps = self._folder.stamps("locks")
        if self._name not in stamps:
            raise UserError(
                "the store does not list what was just written, so runs cannot exclude each other",
                where=self._folder.url,
                fix="use a store that is consistent, as S3, GCS, Azure and file systems are",
            )
        now = stamps.pop(self._name)
        dead = []
        for name, stamp in stamps.items():
            facts: dict[str, Any] = {}
            try:
                facts = json.loads(self._folder.read(name))
            except FileNotFoundError:
                continue  # given back just now
            except ValueError:
                pass  # half-written by a run that was killed
            text = f"a run on {facts.get('host')}, process {facts.get('process')}, since {facts.get('since')}"
            age = (now - stamp).total_seconds()
            if age > STALE or facts.get("cache") == self._facts["cache"]:
                dead.append((name, text))
                continue
            raise UserError(
                f"another run is using this store: {text}, last heard of {max(age, 0):.0f} s ago",
                where=self._folder.url,
                fix=f"wait for it; if it died, it counts as gone {STALE // 60} minutes after it was last heard of",
            )
        return dead

    def _renew(self) -> None:
        while not self._stop.wait(RENEW):
            try:
                if self._name not in self._folder.stamps("locks"):
                    self._lost = "another run took its place"
                    return
                self._write()
            except OSError:
                continue  # cut off just now; the next renewal tells
