"""What a repository holds, whether it still is what was published, and how old versions leave it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.documents import parse_json
from builder.errors import UsageError
from builder.triton.answering import named_by, shown
from builder.triton.layout import CONFIG, MANIFEST, Repository, is_setting
from builder.triton.repository import drop, models, policy, serving, versions
from builder.triton.stores import Store, store_of


@dataclass(frozen=True)
class Held:
    """A version in the repository. `manifest` is empty where tritonbuild did not write it.

    `highest`: of its model. `serving`: it answers a request that names no version.
    """

    name: str
    version: int
    path: Path | str
    bytes: int
    highest: bool
    serving: bool
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Untrue:
    """Something in the repository that is not as it was published."""

    path: Path | str
    why: str


def held(repository: Repository, names: Sequence[str] = ()) -> tuple[Held, ...]:
    """Every version of these models, or of all, in order of name and number. Raises UsageError, Unreachable."""
    chosen, store = _chosen(repository, names), store_of(repository)
    with store.errors():
        return tuple(one for name in chosen for one in _held(repository, store, name))


def audit(repository: Repository, names: Sequence[str] = ()) -> tuple[tuple[Held, ...], tuple[Untrue, ...]]:
    """The versions, and what of them no longer is what was published: every file is read and digested."""
    found, store = held(repository, names), store_of(repository)
    with store.errors():
        untrue = [problem for one in found for problem in _untrue(store, one)]
        for name in dict.fromkeys(one.name for one in found if one.manifest):
            untrue += _untrue_settings(repository, store, name)
    return found, tuple(untrue)


def prune(repository: Repository, keep: int, names: Sequence[str] = (), *, dry_run: bool = False) -> tuple[Held, ...]:
    """Remove all but the `keep` highest versions of each model; those removed, or with `dry_run` that would be.

    The version that answers stays, and so does each that the settings name. Versions that tritonbuild did not write stay,
    and do not count.
    """
    if keep < 1:
        raise UsageError(f"to keep {keep} versions would leave nothing to serve.", fix="give --keep 1 or more.")
    chosen, store = _chosen(repository, names), store_of(repository)
    with store.errors():
        if dry_run:
            return _old(repository, store, chosen, keep)
        with store.alone():
            old = _old(repository, store, chosen, keep)
            for name in chosen:
                store.heal(name)
                drop(store, name, [one.version for one in old if one.name == name])
    return old


def _old(repository: Repository, store: Store, names: Sequence[str], keep: int) -> tuple[Held, ...]:
    """The versions of each model that are neither among its `keep` highest nor meant to answer."""
    found = []
    for name in names:
        ours, named = [one for one in _held(repository, store, name) if one.manifest], named_by(store, name)
        found += [one for one in ours[:-keep] if not one.serving and one.version not in named]
    return tuple(found)


def _chosen(repository: Repository, names: Sequence[str]) -> tuple[str, ...]:
    there = models(repository)
    absent = [name for name in names if name not in there]
    if absent:
        raise UsageError(
            f"{repository} holds no model {', '.join(absent)}.", fix=f"it has {', '.join(there) or 'none'}."
        )
    return tuple(names) or there


def _held(repository: Repository, store: Store, name: str) -> Iterator[Held]:
    numbers = versions(repository, name)
    answering = serving(repository, name) if numbers else None
    for number in numbers:
        path = f"{name}/{number}"
        size = sum(store.files(path).values())
        yield Held(
            name, number, store.at(path), size, number == numbers[-1], number == answering, _manifest(store, path)
        )


def _manifest(store: Store, path: str) -> Mapping[str, Any]:
    """The manifest beside a version's model; empty where there is none that tritonbuild wrote."""
    try:
        document = parse_json(store.read(f"{path}/{MANIFEST}"))
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) and isinstance(document.get("files"), dict) else {}


def _untrue(store: Store, one: Held) -> Iterator[Untrue]:
    """What in a version's folder is not as its manifest says, its kept settings included."""
    if not one.manifest:
        yield Untrue(one.path, f"has no {MANIFEST} of tritonbuild's: nobody knows what it should be")
        return
    path = f"{one.name}/{one.version}"
    there = store.files(path).keys() - {MANIFEST}
    wanted = one.manifest["files"] | one.manifest.get("config", {}).get("files", {})
    for name in sorted(there | wanted.keys()):
        if name not in there:
            yield Untrue(store.at(f"{path}/{name}"), "is missing")
        elif name not in wanted:
            yield Untrue(store.at(f"{path}/{name}"), "was not published")
        elif _digest(store, f"{path}/{name}") != wanted[name]:
            yield Untrue(store.at(f"{path}/{name}"), "has other content than was published")


def _untrue_settings(repository: Repository, store: Store, name: str) -> Iterator[Untrue]:
    """What at model level is not what the version that owns these settings keeps."""
    now = policy(repository, name)
    if now.owner is None or now.owner not in versions(repository, name):
        yield Untrue(store.at(f"{name}/{CONFIG}"), "was not written by tritonbuild for a version that is here")
        return
    path = f"{name}/{now.owner}"
    kept = {one: store.read(f"{path}/{one}") for one in store.files(path) if is_setting(one)}
    if CONFIG not in kept:
        return  # told of the version already
    wanted = shown(kept, now)
    there = {one for one in store.files(name) if is_setting(one)}
    for one in sorted(there | wanted.keys()):
        if one not in there:
            yield Untrue(store.at(f"{name}/{one}"), "is missing")
        elif one not in wanted:
            yield Untrue(store.at(f"{name}/{one}"), "was not published")
        elif store.read(f"{name}/{one}") != wanted[one]:
            yield Untrue(store.at(f"{name}/{one}"), f"is not what version {now.owner} was published with")


def _digest(store: Store, path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    found = hashlib.sha256()
    for piece in store.pieces(path):
        found.update(piece)
    return found.hexdigest()
