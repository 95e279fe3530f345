"""The temporary folder of an embedded server: private to its user, and named so that a shell reads its path as one word.

Triton's Python backend starts its stub through a shell without quoting the path. So where TMPDIR has a space in it the
folder is made elsewhere.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from builder.errors import Unreachable

PREFIX = "tritonbuild-server-"
_WORD = re.compile(r"[\w/.,@%+=-]+")  # no colon: LD_LIBRARY_PATH is split there
_ELSEWHERE = ("/tmp", "/var/tmp")


def is_word(path: str) -> bool:
    """Whether a shell reads the path as one word."""
    return _WORD.fullmatch(path) is not None


def make() -> Path:
    """A new folder that only this user can read. Raises Unreachable where none can be made."""
    reasons = []
    for parent in _parents():
        try:
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        except OSError as error:
            reasons.append(str(error))
    raise Unreachable(
        f"no folder for tritonserver's files: {'; '.join(reasons) or 'TMPDIR has characters that a shell splits at'}.",
        fix="set TMPDIR to a folder that can be written, with neither space nor colon in its path.",
    )


def folders() -> Iterator[Path]:
    """The folders of servers that run here, this user's and others'."""
    for parent in _parents():
        yield from Path(parent).glob(f"{PREFIX}*")


def _parents() -> tuple[str, ...]:
    usual = tempfile.gettempdir()
    return tuple(dict.fromkeys([*([usual] if is_word(usual) else []), *_ELSEWHERE]))
