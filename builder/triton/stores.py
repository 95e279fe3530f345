"""Where a repository's files lie: what the repository asks of a disk, and of a bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from builder.errors import UsageError
from builder.triton.layout import Files, Repository

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]+):/{1,2}(?P<rest>.*)", re.DOTALL)  # a Path has lost a slash


class Store(Protocol):
    """Files below one root, each under its path from there (`flights/3/model.onnx`).

    Raises FileNotFoundError where a file to read is not there, and OSError where the store refuses; within `errors()`
    the latter becomes Unreachable. Only who is `alone()` writes.
    """

    @property
    def exists(self) -> bool:
        """Whether there is a root to read."""

    def at(self, path: str) -> Path | str:
        """Where a file or folder lies, for people and for whoever opens it."""

    @property
    def for_triton(self) -> str:
        """What tritonserver's --model-repository takes. Raises UsageError where it takes nothing of the kind."""

    def folders(self, path: str = "") -> tuple[str, ...]:
        """The names of the folders in a folder; none where it is not there. Half-written ones are left out."""

    def files(self, path: str) -> Mapping[str, int]:
        """Every file below a folder that is not half-written: its path from there → its size."""

    def has(self, path: str) -> bool:
        """Whether a file is there."""

    def read(self, path: str) -> bytes: ...

    def pieces(self, path: str) -> Iterator[bytes]:
        """A large file, a piece at a time."""

    def local(self, path: str) -> AbstractContextManager[Path]:
        """A file or folder on this machine: itself, or a copy for as long as the block lasts."""

    def add_model(self, name: str, version: int, files: Files, beside: Files) -> None:
        """A new model with its first version: whole, or not there."""

    def add_version(self, name: str, version: int, files: Files) -> None:
        """A new version's folder: whole, or not there."""

    def replace(self, folder: str, files: Files) -> None:
        """Some files of a folder, in this order, each the old one or the new at any moment."""

    def remove(self, path: str) -> None:
        """One file; nothing happens where it is not there."""

    def remove_folder(self, path: str) -> None:
        """A model or a version: out of Triton's sight first."""

    def heal(self, name: str) -> None:
        """Remove what writers who were killed left half-written."""

    def try_writing(self) -> None:
        """Take the lock where there is a root, else only see whether one could be made; nothing else stays."""

    def alone(self, rollout: str = "") -> AbstractContextManager[None]:
        """The repository's lock, and a root to write into; or the lock of one model's rollouts. Neither holds the other.

        Raises Unreachable where another keeps it.
        """

    def errors(self) -> AbstractContextManager[None]:
        """What the store refuses inside of the block is Unreachable, with the repository's name."""


def store_of(repository: Repository) -> Store:
    """The store that a repository's files lie in. Raises UsageError on an address of a kind that is not known."""
    from builder.triton.disk import Disk
    from builder.triton.remote import SCHEMES, Bucket

    found = _ADDRESS.match(str(repository))
    if found is None:
        return Disk(Path(repository))
    if found["scheme"] not in SCHEMES:
        raise UsageError(
            f"{repository} is no repository: {found['scheme']}:// is not known here.",
            fix=f"give a folder, or an address that begins with {', '.join(f'{one}://' for one in SCHEMES)}.",
        )
    return Bucket(f"{found['scheme']}://{found['rest']}")
