"""Triton's model repository: `<repository>/<name>/config.pbtxt`, `<repository>/<name>/<version>/…`.

What Triton reads for a model lies in two places. A version's folder holds the model, its weights, the evidence and
manifest.json, and never changes. Beside it, at model level, lie the settings: config.pbtxt, labels.txt, the rows of
warmup/, the other configs; they are those of the version that answers. Each version keeps a copy of its own, so that it
can answer again exactly as it did.

Settings may change without a new version; `content` says what makes other content.

Order is what keeps a server safe: a new version's files first, then the settings, config.pbtxt last. That one file names
the versions that Triton may load (see `policy`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builder.documents import parse_json
from builder.errors import TritonbuildError, UsageError
from builder.triton.answering import (
    following,
    highest_loaded,
    kept_by,
    name_again,
    place,
    policy_at,
    shown,
    text_of,
    turned_to,
)  # fmt: skip
from builder.triton.content import joins, same
from builder.triton.keeping import heal, keep
from builder.triton.layout import (
    CONFIG,
    CONFIGS,
    EVIDENCE,
    LABELS,
    MANIFEST,
    WARMUP,
    Files,
    Repository,
    check_files,
    check_name,
    check_version,
    is_name,
    is_setting,
    is_version,
)  # fmt: skip
from builder.triton.policy import Policy, parse
from builder.triton.stores import Store, store_of

__all__ = [
    "CONFIG", "CONFIGS", "LABELS", "MANIFEST", "WARMUP", "Files", "Published", "Repository", "check_name", "drop", "models", "on_this_machine",
    "policy", "read_manifest", "serve_version", "serving", "settings_of", "versions", "withdraw", "write_version",
]  # fmt: skip


@dataclass(frozen=True)
class Published:
    """Where a version lies. `changed` is False where the same was there already.

    `serving`: the version that answers who asks for none. `notes`: what a person should know.
    """

    path: Path | str  # <repository>/<name>/<version>
    version: int
    changed: bool
    serving: int
    notes: tuple[str, ...] = ()


def models(repository: Repository) -> tuple[str, ...]:
    """The models in a repository, in order of name: folders that hold a config.pbtxt. Raises UsageError, Unreachable."""
    store = store_of(repository)
    with store.errors():
        if not store.exists:
            raise UsageError(f"{store.at('')} is no folder.", fix="publish a model there first, or give --repository.")
        return tuple(sorted(name for name in store.folders() if is_name(name) and store.has(f"{name}/{CONFIG}")))


def versions(repository: Repository, name: str) -> tuple[int, ...]:
    """The versions that are there, lowest first; none where the model is not."""
    store = store_of(repository)
    with store.errors():
        return _versions(store, check_name(name))


def serving(repository: Repository, name: str) -> int:
    """The version that answers a request without a number. Raises UsageError where there is none."""
    store = store_of(repository)
    with store.errors():
        there = _known(store, name)
        return highest_loaded(policy_at(store, name), there)


def settings_of(repository: Repository, name: str) -> dict[str, bytes]:
    """What lies at model level. Raises UsageError where the model is not there."""
    store = store_of(repository)
    with store.errors():
        _known(store, name)
        return {path: store.read(f"{name}/{path}") for path in store.files(name) if is_setting(path)}


def policy(repository: Repository, name: str) -> Policy:
    """What the model's config.pbtxt says of its versions. Raises UsageError where the model is not there."""
    store = store_of(repository)
    with store.errors():
        _known(store, name)
        return policy_at(store, name)


def read_manifest(repository: Repository, name: str, version: int | None = None) -> dict[str, Any]:
    """The manifest beside a version's model; None is the one that answers. Raises UsageError where it is not there or not ours."""
    store = store_of(repository)
    with store.errors():
        there = _known(store, name, version)
        path = f"{name}/{version or highest_loaded(policy_at(store, name), there)}/{MANIFEST}"
        try:
            document = parse_json(store.read(path))
        except (FileNotFoundError, ValueError) as error:
            raise UsageError(
                f"{store.at(path)} cannot be read: {error}", fix="publish this version again into a new folder."
            ) from error
    if not isinstance(document, dict):
        raise UsageError(f"{store.at(path)} is no manifest: it holds a JSON {type(document).__name__}.")
    lacking = [key for key in ("source", "stages", "inputs", "outputs") if key not in document]
    if lacking:
        raise UsageError(
            f"{store.at(path)} lacks {', '.join(lacking)}: tritonbuild did not write it.",
            fix="publish the model with tritonbuild.",
        )
    return document


@contextmanager
def on_this_machine(repository: Repository, path: str) -> Iterator[Path]:
    """A file or folder of the repository, by its path there; out of a store it is a copy that goes with the block."""
    store = store_of(repository)
    with ExitStack() as stack:
        with store.errors():
            found = stack.enter_context(store.local(path))
        yield found


def try_writing(repository: Repository) -> None:
    """Whether the repository can be written, before any work is done for it; nothing that a server sees comes or goes.

    Raises Unreachable where it cannot, or where another publisher keeps it.
    """
    store = store_of(repository)
    with store.errors():
        store.try_writing()


def write_version(repository: Repository, name: str, version: int | None, files: Files, beside: Files) -> Published:
    """Write `<repository>/<name>/<version>/` with `files`, and `beside` at model level.

    `version` None: the highest one where its content is the same, else the next free integer. `beside`: config.pbtxt,
    labels.txt, `warmup/…`, `configs/…`; each version keeps them too. A version above all others answers from now on. One
    that is there already, and answered until an older one was served in its place, stays back: a note says so.

    Raises UsageError (bad name, number or path; other content under the same version), Unreachable (the store refuses).
    """
    check_name(name)
    if version is not None:
        check_version(version)
    check_files(files, beside)
    parse(text_of(beside[CONFIG]), CONFIG)
    store = store_of(repository)
    with store.errors(), store.alone():
        healed = heal(store, name)
        if name not in store.folders():
            number = version or 1
            settings = shown(beside, following(Policy(), beside, number, (number,)))
            store.add_model(name, number, _whole(files, beside), settings)
            return Published(store.at(f"{name}/{number}"), number, True, number)
        written = _write_into(store, name, version, files, beside)
        return replace(written, changed=written.changed or healed)


def serve_version(repository: Repository, name: str, version: int) -> None:
    """Let this version answer, under the settings it was published with. Raises UsageError, Unreachable."""
    store = store_of(repository)
    with store.errors(), store.alone():
        heal(store, name)
        there = _known(store, name, version)
        kept = kept_by(store, name, version)
        place(store, name, kept, turned_to(policy_at(store, name), kept, version, there))


def withdraw(repository: Repository, name: str, version: int) -> None:
    """Take a version away, and serve again what answered before it; the model goes where it was the only one.

    Raises UsageError, Unreachable.
    """
    store = store_of(repository)
    with store.errors(), store.alone():
        heal(store, name)
        left = tuple(one for one in _known(store, name, version) if one != version)
        if not left:
            store.remove_folder(name)
            return
        current = policy_at(store, name)
        if current.owner == version:
            instead = current.before if current.before in left else left[-1]
            kept = kept_by(store, name, instead)
            place(store, name, kept, turned_to(Policy(), kept, instead, left))
        else:
            name_again(store, name, current, left)
        store.remove_folder(f"{name}/{version}")


def drop(store: Store, name: str, gone: Sequence[int]) -> None:
    """Remove versions that nobody shall be answered by. For who is alone with the store."""
    current, left = policy_at(store, name), [one for one in _versions(store, name) if one not in gone]
    if set(current.loaded) & set(gone):
        name_again(store, name, current, left)
    for one in gone:
        store.remove_folder(f"{name}/{one}")


def _write_into(store: Store, name: str, version: int | None, files: Files, beside: Files) -> Published:
    """`write_version` into a model that is there."""
    there = _versions(store, name)
    newest = there[-1] if there else 0
    if version is None:
        fits = newest and (same(store, f"{name}/{newest}", files) or joins(store, f"{name}/{newest}", files))
        version = newest if fits else newest + 1
    path = f"{name}/{version}"
    changed = version not in there
    if changed:
        store.add_version(name, version, _whole(files, beside))
        there = tuple(sorted((*there, version)))
    elif same(store, path, files):
        changed = keep(store, path, beside, files.get(MANIFEST))
    elif joins(store, path, files):
        if EVIDENCE in files:  # a proof for what was not proven; the other way round it keeps the one it has
            store.replace(path, {EVIDENCE: files[EVIDENCE], MANIFEST: files[MANIFEST]})
            keep(store, path, beside, files[MANIFEST])
            changed = True
        else:
            beside = kept_by(store, name, version)
    else:
        raise UsageError(
            f"{store.at(path)} is there already, with other content.",
            fix=f"a version never changes: publish under another --version (next free: {newest + 1}), or remove that folder.",
        )
    notes: tuple[str, ...] = ()
    current = policy_at(store, name)
    try:
        if version > newest or version == current.owner or (version == newest and not current.held):
            changed |= place(store, name, beside, following(current, beside, version, there))
        else:
            changed |= name_again(store, name, current, there)
            notes = _held_back(name, version, current) if version == newest else ()
    except BaseException:
        if version > newest:
            with suppress(TritonbuildError), store.errors():
                if policy_at(store, name).owner != version:  # what nobody is answered by is not left behind
                    store.remove_folder(path)
        raise
    return Published(store.at(path), version, changed, highest_loaded(policy_at(store, name), there), notes)


def _held_back(name: str, version: int, current: Policy) -> tuple[str, ...]:
    return (
        f"version {current.owner} goes on answering, for somebody went back to it; "
        f"`tritonbuild rollback {name} --to {version}` serves this one.",
    )


def _whole(files: Files, beside: Files) -> dict[str, bytes | memoryview]:
    """All of a version's folder, the manifest last: where files come one by one, it says that the others are there."""
    rest = {name: content for name, content in files.items() if name != MANIFEST}
    return {**rest, **beside, **{name: files[name] for name in files if name == MANIFEST}}


def _versions(store: Store, name: str) -> tuple[int, ...]:
    return tuple(sorted(int(folder) for folder in store.folders(name) if is_version(folder)))


def _known(store: Store, name: str, version: int | None = None) -> tuple[int, ...]:
    """The model's versions. Raises UsageError where there is none, or not this one."""
    there = _versions(store, check_name(name))
    if not there or (version is not None and version not in there):
        which = name if version is None else f"version {version} of {name}"
        listed = f"there are {', '.join(map(str, there))}." if there else "publish it first, or give --repository."
        raise UsageError(f"{store.at('')} does not hold {which}.", fix=listed)
    return there
