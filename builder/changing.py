"""What a rollout does to the repository, and how that is taken back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import UsageError
from builder.types import Servable

if TYPE_CHECKING:
    from builder.evidence import Evidence
    from builder.publishing import Prepared
    from builder.triton.layout import Files, Repository
    from builder.triton.repository import Published


@dataclass(frozen=True)
class Change:
    """A version that shall answer under a name.

    `commit` makes the repository serve it, `undo` (given its number) what it served before. `version`: its number where
    the repository serves exactly this already. `before`: what the repository serves now; None where it has no such model.
    `evidence` None: there is nothing to compare with. `every`: the graph with every stage's column as an output.
    """

    name: str
    repository: Repository
    files: Files
    beside: Files
    manifest: Mapping[str, Any]
    evidence: Evidence | None
    commit: Callable[[], Published]
    undo: Callable[[int], None]
    before: int | None
    version: int | None = None
    every: Callable[[], Servable] | None = None


def publishing(repository: Repository, prepared: Prepared, every: Callable[[], Servable] | None) -> Change:
    """A prepared version that becomes the one that answers."""
    from builder.publishing import place
    from builder.triton.repository import versions

    name, before = prepared.name, served(repository, prepared.name)
    there = versions(repository, name)
    number = prepared.version or (there[-1] if there else 1)
    same = number in there and _same(repository, prepared, number)
    if prepared.version in there and not same:
        place(repository, prepared)  # refuses, with its reason, before any server is asked
    old = _as_it_is(repository, prepared, number) if same else None
    settled = (
        old is not None and before == number and old[1] == {path: bytes(one) for path, one in prepared.beside.items()}
    )
    return Change(
        name,
        repository,
        prepared.files,
        prepared.beside,
        prepared.manifest,
        prepared.proof.evidence if prepared.proof else None,
        partial(_place, repository, prepared),
        partial(_undo, repository, name, old, before),
        before,
        number if settled else None,
        every,
    )


def turning(repository: Repository, name: str, version: int) -> Change:
    """A version of the repository that becomes the one that answers. Raises UsageError where it is not there."""
    from builder.triton.repository import read_manifest

    manifest = read_manifest(repository, name, version)
    files, beside = content_of(repository, name, version)
    before = served(repository, name)
    return Change(
        name,
        repository,
        files,
        beside,
        manifest,
        rows_of(repository, name, version),
        partial(turn, repository, name, version),
        partial(_undo, repository, name, (files, beside), before),
        before,
        version if before == version else None,
    )


def turn(repository: Repository, name: str, version: int) -> Published:
    """Let the repository serve a version that it has. Raises UsageError, Unreachable."""
    from builder.triton.repository import Published, serve_version, serving
    from builder.triton.stores import store_of

    changed = serving(repository, name) != version
    if changed:
        serve_version(repository, name, version)
    return Published(store_of(repository).at(f"{name}/{version}"), version, changed, version)


def served(repository: Repository, name: str) -> int | None:
    """The version that the repository serves; None where it has no such model."""
    from builder.triton.repository import serving, versions

    return serving(repository, name) if versions(repository, name) else None


def older(repository: Repository, name: str) -> int:
    """The version that answered before the one served, where it is a lower one; else the highest below.

    Raises UsageError where there is none.
    """
    from builder.triton.repository import policy, serving, versions

    current, before = serving(repository, name), policy(repository, name).before
    below = [version for version in versions(repository, name) if version < current]
    if not below:
        raise UsageError(
            f"{repository} holds no version of {name} below {current}, which it serves.",
            fix=f"it has {', '.join(map(str, versions(repository, name)))}; name one with --to.",
        )
    return before if before in below else below[-1]


def rows_of(repository: Repository, name: str, version: int) -> Evidence | None:
    """The evidence that a version keeps; None where it was published unproven, or all of its rows were a user's."""
    from builder.triton.layout import EVIDENCE
    from builder.triton.stores import store_of

    store, path = store_of(repository), f"{name}/{version}/{EVIDENCE}"
    with store.errors():
        return _evidence(store.read(path)) if store.has(path) else None


def _evidence(content: bytes) -> Evidence | None:
    from builder.evidence import load

    with tempfile.TemporaryDirectory(prefix="tritonbuild-") as folder:
        file = Path(folder) / "evidence.parquet"
        file.write_bytes(content)
        evidence = load(file)
    return evidence if evidence.rows else None


def content_of(repository: Repository, name: str, version: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """A version's files, and the settings that it keeps. Raises UsageError where these are not there, Unreachable."""
    from builder.triton.answering import kept_by
    from builder.triton.layout import is_setting
    from builder.triton.stores import store_of

    store, folder = store_of(repository), f"{name}/{version}"
    with store.errors():
        files = {path: store.read(f"{folder}/{path}") for path in store.files(folder) if not is_setting(path)}
        return files, kept_by(store, name, version)


def _same(repository: Repository, prepared: Prepared, version: int) -> bool:
    from builder.triton.content import joins, same
    from builder.triton.stores import store_of

    store, path = store_of(repository), f"{prepared.name}/{version}"
    with store.errors():
        return same(store, path, prepared.files) or joins(store, path, prepared.files)


def _as_it_is(repository: Repository, prepared: Prepared, version: int) -> tuple[Files, dict[str, bytes]]:
    """The content of a version that is the same as was prepared, under its own manifest, and the settings that it keeps."""
    from builder.triton.answering import kept_by
    from builder.triton.layout import MANIFEST
    from builder.triton.stores import store_of

    store = store_of(repository)
    with store.errors():
        manifest = store.read(f"{prepared.name}/{version}/{MANIFEST}")
        return {**prepared.files, MANIFEST: manifest}, kept_by(store, prepared.name, version)


def _place(repository: Repository, prepared: Prepared) -> Published:
    from builder.publishing import place
    from builder.triton.repository import serve_version

    placed = place(repository, prepared)
    if placed.serving != placed.version:  # somebody went back to another one, or it is an older one: now it is wanted
        serve_version(repository, prepared.name, placed.version)
        return replace(placed, changed=True, serving=placed.version, notes=())
    return placed


def _undo(repository: Repository, name: str, old: tuple[Files, Files] | None, before: int | None, version: int) -> None:
    """`old`: the version's content and settings where it was there before."""
    from builder.triton.repository import serve_version, serving, withdraw, write_version

    if old is None:
        withdraw(repository, name, version)
    else:
        write_version(repository, name, version, *old)
    if before is not None and serving(repository, name) != before:
        serve_version(repository, name, before)
