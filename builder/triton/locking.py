"""A repository's disk: one writer at a time, and what it refuses said with the repository's name."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.errors import TritonbuildError, Unreachable

LOCK = ".tritonbuild.lock"
"""A file that stays. In a repository's root Triton reads folders alone, but it looks at each name that it listed, and
where one has gone meanwhile, it takes the whole root for unreadable and lets go of every model until the next poll."""
PATIENCE_S = 600.0


@contextmanager
def alone(repository: Path, patience_s: float = PATIENCE_S, lock: str = LOCK) -> Iterator[None]:
    """The repository's lock: one writer at a time; it ends with the process that holds it. Raises Unreachable."""
    path, until = repository / lock, time.monotonic() + patience_s
    while True:
        handle = _open(path)
        try:
            _take(handle, path, until)
            if _is(handle, path):
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # somebody took the file away
    try:
        yield
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not path.exists():
            raise
        return os.open(path, os.O_RDONLY)  # another user's; on a local disk that is enough to hold it


def _take(handle: int, path: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise Unreachable(
                    f"another publisher has held {path} all this time.",
                    fix="see what it is doing, and end it if it hangs; the lock goes with its process.",
                ) from None
            time.sleep(0.02)


def _is(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def disk_errors(repository: Path) -> Iterator[None]:
    """What the disk refuses inside of the block is Unreachable, with the repository's name."""
    try:
        yield
    except TritonbuildError:
        raise
    except OSError as error:
        raise Unreachable(
            f"{repository} cannot be read or written: {error}",
            fix="check the path, its permissions and the free space, or give another --repository.",
        ) from error
