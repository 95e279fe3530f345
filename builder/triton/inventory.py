"""What a repository holds, whether it still is what was published, and how old versions leave it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import UsageError
from builder.triton.locking import alone, disk_errors
from builder.triton.repository import MANIFEST, models, versions

_PIECE = 1 << 24  # bytes digested at once
_LEAVING = "tmp.pruned."


@dataclass(frozen=True)
class Held:
    """A version in the repository. `manifest` is empty where tritonbuild did not write it. `serving`: it is the highest."""

    name: str
    version: int
    path: Path
    bytes: int
    serving: bool
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Untrue:
    """Something in the repository that is not as it was published."""

    path: Path
    why: str


def held(repository: Path, names: Sequence[str] = ()) -> tuple[Held, ...]:
    """Every version of these models, or of all, in order of name and number. Raises UsageError, Unreachable."""
    return tuple(one for name in _chosen(repository, names) for one in _held(repository, name))


def audit(repository: Path, names: Sequence[str] = ()) -> tuple[tuple[Held, ...], tuple[Untrue, ...]]:
    """The versions, and what of them no longer is what was published: every file is read and digested."""
    found = held(repository, names)
    with disk_errors(repository):
        untrue = tuple(problem for one in found for problem in _untrue(one))
    return found, untrue


def prune(repository: Path, keep: int, names: Sequence[str] = (), *, dry_run: bool = False) -> tuple[Held, ...]:
    """Remove all but the `keep` highest versions of each model; those removed, or with `dry_run` that would be.

    Versions that tritonbuild did not write stay, and do not count. A version leaves Triton's sight by one rename.
    """
    if keep < 1:
        raise UsageError(f"to keep {keep} versions would leave nothing to serve.", fix="give --keep 1 or more.")
    chosen = _chosen(repository, names)
    if dry_run:
        return _old(repository, chosen, keep)
    with disk_errors(repository), alone(repository):
        old = _old(repository, chosen, keep)
        for one in old:
            leaving = one.path.with_name(f"{_LEAVING}{one.version}")
            shutil.rmtree(leaving, ignore_errors=True)
            one.path.rename(leaving)
            shutil.rmtree(leaving)
    return old


def _old(repository: Path, names: Sequence[str], keep: int) -> tuple[Held, ...]:
    """The versions of each model that are neither among its `keep` highest nor the one that Triton serves."""
    ours = ([one for one in _held(repository, name) if one.manifest] for name in names)
    return tuple(one for versions in ours for one in versions[:-keep] if not one.serving)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def _chosen(repository: Path, names: Sequence[str]) -> tuple[str, ...]:
    there = models(repository)
    absent = [name for name in names if name not in there]
    if absent:
        raise UsageError(
            f"{repository} holds no model {', '.join(absent)}.", fix=f"it has {', '.join(there) or 'none'}."
        )
    return tuple(names) or there


def _held(repository: Path, name: str) -> Iterator[Held]:
    numbers = versions(repository, name)
    for number in numbers:
        path = repository / name / str(number)
        with disk_errors(repository):
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        yield Held(name, number, path, size, number == numbers[-1], _manifest(path))


def _manifest(path: Path) -> Mapping[str, Any]:
    """The manifest beside a version's model; empty where there is none that tritonbuild wrote."""
    try:
        document = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) and isinstance(document.get("files"), dict) else {}


def _untrue(one: Held) -> Iterator[Untrue]:
    if not one.manifest:
        yield Untrue(one.path, f"has no {MANIFEST} of tritonbuild's: nobody knows what it should be")
        return
    there = {str(file.relative_to(one.path)) for file in one.path.rglob("*") if file.is_file()} - {MANIFEST}
    wanted = one.manifest["files"]
    for name in sorted(there | wanted.keys()):
        if name not in there:
            yield Untrue(one.path / name, "is missing")
        elif name not in wanted:
            yield Untrue(one.path / name, "was not published")
        elif digest(one.path / name) != wanted[name]:
            yield Untrue(one.path / name, "has other content than was published")
