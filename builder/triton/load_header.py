"""The header that a client must send to change a server: load and unload models, shared memory, logging, tracing.

A web page can POST to 127.0.0.1, and a load can carry code. So a server of ours asks for a header, NAME=VALUE. Its value
stands in the server's command line, where `ps` shows it to every user of this machine: tritonserver takes it no other way.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.errors import UsageError
from builder.triton import temporary

VARIABLE = "TRITONBUILD_LOAD_HEADER"
"""The environment variable with the header's NAME=VALUE; `--load-header` reads it too."""

FLAGS = ("--http-restricted-api", "--grpc-restricted-protocol")
_RESTRICTED = "model-repository,shared-memory,trace,logging"
_HEADER = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)=([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
_FILE = "control.json"
_HERE = ("127.0.0.1", "localhost")


def drawn() -> str:
    """A header that nobody guesses."""
    return f"triton-control={secrets.token_hex(16)}"


def checked(header: str) -> str:
    """The header as given. Raises UsageError where HTTP or gRPC could not carry it."""
    if not _HEADER.fullmatch(header):
        raise UsageError(
            "the header for loading is no NAME=VALUE that HTTP and gRPC carry.",
            fix=f'set {VARIABLE} or --load-header to such as "triton-control=$(openssl rand -hex 16)".',
        )
    return header


def guards(header: str) -> list[str]:
    """tritonserver's flags that ask for the header. `header`: NAME=VALUE, or a shell's variable that holds it."""
    return [f"{flag}={_RESTRICTED}:{header}" for flag in FLAGS]


def keep(folder: Path, pid: int, ports: Sequence[int], header: str) -> None:
    """Leave the header where this user's other commands find it, for as long as the server's folder stands."""
    known = {"pid": pid, "ports": list(ports), "header": header}
    file = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        json.dump(known, opened)


def found(address: str) -> str:
    """The header of this user's own embedded server at `host:port`; empty where there is none on this machine."""
    host, _, port = address.rpartition(":")
    if host not in _HERE:
        return ""
    for folder in temporary.folders():
        known = _read(folder / _FILE)
        if known and int(port) in known["ports"] and Path(f"/proc/{known['pid']}").exists():
            return str(known["header"])
    return ""


def _read(path: Path) -> dict[str, Any] | None:
    """What a server of this user left; None for anybody else's file, or none."""
    try:
        with path.open(encoding="utf-8") as opened:
            about = os.fstat(opened.fileno())
            if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
                return None
            known: dict[str, Any] = json.load(opened)
    except (OSError, ValueError):  # none, another user's, or one that is being written
        return None
    return known
