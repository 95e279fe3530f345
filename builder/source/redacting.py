"""Text that may name an address → the same without what opens it."""

from __future__ import annotations

import re

_USER = re.compile(r"(://)[^\s'\"<>]*@")  # to the last @: a password may hold one
_QUERY = re.compile(r"\?[^\s'\"<>]*=[^\s'\"<>]*")  # signed addresses carry their key there


def discreet(text: str) -> str:
    """`http://user:secret@host/a?signature=…` → `http://***@host/a?***`."""
    return _QUERY.sub("?***", _USER.sub(r"\1***@", text))
