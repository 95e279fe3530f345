"""A bucket's lock: one writer at a time, and a dead writer's lock is taken over.

A lock is an object that is made only where there is none (`If-None-Match: *` on S3, a generation of 0 on GCS, no
overwriting on Azure), so of many who try one gets it. Its holder rewrites it every few seconds. Who waits, and sees the
same words for longer than a living holder needs, takes over: it makes the object of the next number, and has the lock if
the old one still says the same words then. The highest number holds. No clock is compared with another's.

What this does not protect from: a holder that is suspended for longer than `EXPIRY_S` right between looking whether it
still holds the lock and writing one object. What it then writes is one whole object, of content that was proven; it can
put an older config.pbtxt in the place of a newer one, and a version's files stay apart by `remote`'s mark. And a store
that ignores the condition (some that only resemble S3 do) locks nobody out.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from builder.errors import TritonbuildError, Unreachable

LOCK = ".tritonbuild.lock."  # objects in the repository's root, where Triton reads folders alone
PATIENCE_S = 600.0
EXPIRY_S = 30.0
BEAT_S = 5.0
_LOG = logging.getLogger(__name__)


class Objects(Protocol):
    """What a lock needs of a bucket; each raises what the bucket's errors become."""

    def numbers(self) -> list[int]:
        """Of the lock objects that are there, lowest first."""

    def read(self, number: int) -> bytes | None: ...

    def make(self, number: int, words: bytes) -> bool:
        """Whether there was none before."""

    def rewrite(self, number: int, words: bytes) -> None: ...

    def remove(self, number: int) -> None: ...


class Lease:
    """A lock that is held, until it is given back or another takes it over."""

    def __init__(self, objects: Objects, number: int, name: str, where: str) -> None:
        self._objects, self._number, self._name, self._where = objects, number, name, where
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="tritonbuild-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises Unreachable where the lock is another's by now."""
        if self._lost.is_set():
            raise Unreachable(
                f"the lock of {self._where} was lost: this publisher did not run for a while, and another took over.",
                fix="publish again.",
            )

    def give_back(self) -> None:
        self._ended.set()
        self._thread.join(EXPIRY_S)  # its request may hang; what it still writes is a dead holder's
        try:
            self._objects.remove(self._number)
        except TritonbuildError as error:  # whoever comes next takes it over
            _LOG.warning("the lock of %s is left behind: %s", self._where, error.message)

    def _beat(self) -> None:
        count, beaten = 0, time.monotonic()
        while not self._ended.wait(BEAT_S):
            count += 1
            try:
                if self._objects.numbers()[-1:] == [self._number]:
                    self._objects.rewrite(self._number, _words(self._name, count))
                    beaten = time.monotonic()
                    continue
                self._lost.set()
            except TritonbuildError as error:
                _LOG.warning("the lock of %s was not renewed: %s", self._where, error.message)
                if time.monotonic() - beaten > EXPIRY_S:
                    self._lost.set()
            if self._lost.is_set():
                return


@contextmanager
def leased(objects: Objects, where: str, patience_s: float = PATIENCE_S) -> Iterator[Lease]:
    """The lock of a bucket's repository. Raises Unreachable where another keeps it all this time."""
    name, until = uuid.uuid4().hex, time.monotonic() + patience_s
    watched: tuple[int, bytes] | None = None
    since = time.monotonic()
    while True:
        top = (objects.numbers() or [0])[-1]
        words = objects.read(top) if top else None
        seen = None if words is None else (top, words)
        if seen != watched:
            watched, since = seen, time.monotonic()
        free, dead = top == 0, seen is not None and time.monotonic() - since > EXPIRY_S
        if (free or dead) and _take(objects, top, words, name):
            break
        if time.monotonic() > until:
            raise Unreachable(
                f"another publisher has held the lock of {where} all this time.",
                fix=f"see what it is doing; a dead one's lock is taken over after {EXPIRY_S:g} s.",
            )
        time.sleep(random.uniform(0.05, 0.3))
    lease = Lease(objects, top + 1, name, where)
    try:
        yield lease
    finally:
        lease.give_back()


def _take(objects: Objects, top: int, words: bytes | None, name: str) -> bool:
    """Try to hold the next number; the dead holder's object goes."""
    number = top + 1
    if not objects.make(number, _words(name, 0)):
        return False
    holds = objects.numbers()[-1:] == [number] and (top == 0 or objects.read(top) == words)
    if not holds:
        objects.remove(number)
    elif top:
        objects.remove(top)
    return holds


def _words(name: str, count: int) -> bytes:
    return f"{name} {count}\n".encode()
