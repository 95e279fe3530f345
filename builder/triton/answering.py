"""Which version of a model answers, and under which settings: what lies at model level, and how it changes.

The settings there are those that one version keeps, its owner; their configs name the versions that Triton may load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from builder.errors import UsageError
from builder.triton.content import as_json, holds
from builder.triton.layout import CONFIG, MANIFEST, Files, is_setting
from builder.triton.policy import Policy, allowed, parse, policy_of, rendered
from builder.triton.stores import Store


def policy_at(store: Store, name: str) -> Policy:
    path = f"{name}/{CONFIG}"
    return policy_of(parse(text_of(store.read(path)), store.at(path))) if store.has(path) else Policy()


def highest_loaded(policy: Policy, there: Sequence[int]) -> int:
    """The highest that the policy lets Triton load; where none of those is there, the highest."""
    return max([one for one in policy.loaded if one in there] or there)


def following(current: Policy, beside: Files, version: int, there: Sequence[int]) -> Policy:
    """The policy where a version's settings are placed because it was published."""
    loaded = allowed(parse(text_of(beside[CONFIG]), CONFIG), version, there)
    return _succeeding(current, loaded, version, there)


def turned_to(current: Policy, kept: Files, version: int, there: Sequence[int]) -> Policy:
    """The policy where a version shall answer because somebody wants it to: whatever its settings name, nothing above it."""
    loaded = allowed(parse(text_of(kept[CONFIG]), CONFIG), version, there)
    return _succeeding(current, tuple(sorted({*(one for one in loaded if one < version), version})), version, there)


def _succeeding(current: Policy, loaded: tuple[int, ...], version: int, there: Sequence[int]) -> Policy:
    known = tuple(one for one in there if current.owner != version and one != version)
    before = current.before if current.owner == version else highest_loaded(current, known) if known else None
    return Policy(loaded, version, before, held=version < there[-1])


def name_again(store: Store, name: str, current: Policy, there: Sequence[int]) -> bool:
    """The same settings where the versions beside their owner have changed; whether that changes anything."""
    if current.owner is None or current.owner not in there:
        return False
    kept = kept_by(store, name, current.owner)
    loaded = allowed(parse(text_of(kept[CONFIG]), CONFIG), current.owner, there)
    if current.owner not in loaded:
        return False
    return place(store, name, kept, Policy(loaded, current.owner, current.before, held=current.owner < there[-1]))


def place(store: Store, name: str, beside: Files, policy: Policy) -> bool:
    """Make these settings the model's: config.pbtxt last, for it names the others. Whether that changes anything."""
    wanted = shown(beside, policy)
    changed = put(store, name, wanted)
    for path in store.files(name):
        if is_setting(path) and path not in wanted:
            store.remove(f"{name}/{path}")
    return changed


def shown(beside: Files, policy: Policy) -> dict[str, bytes | memoryview]:
    """The settings as they lie at model level: each config names its versions."""
    return {
        path: rendered(text_of(content), policy).encode() if path.endswith(".pbtxt") else content
        for path, content in config_last(beside).items()
    }


def kept_by(store: Store, name: str, version: int) -> dict[str, bytes]:
    """The settings that a version keeps, as they were published. Raises UsageError where they are not there or not true."""
    path = f"{name}/{version}"
    found = {one: store.read(f"{path}/{one}") for one in store.files(path) if is_setting(one)}
    manifest = as_json(store.read(f"{path}/{MANIFEST}")) if MANIFEST in store.files(path) else {}
    published = manifest.get("config") if isinstance(manifest, dict) else None
    wanted = published["files"] if published else {one: digest_of(content) for one, content in found.items()}
    if CONFIG not in found or {one: digest_of(content) for one, content in found.items()} != wanted:
        raise UsageError(
            f"{store.at(path)} does not hold the settings that it was published with.",
            fix=f"publish version {version} of {name} again: its content is the same, and its settings are written anew.",
        )
    return found


def digest_of(content: bytes | memoryview) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def put(store: Store, folder: str, files: Files) -> bool:
    """Make these files of a folder so; whether that changes any."""
    known = store.files(folder)
    other = {
        path: content
        for path, content in files.items()
        if known.get(path) != len(content) or not holds(store, f"{folder}/{path}", content)
    }
    if other:
        store.replace(folder, other)
    return bool(other)


def config_last(beside: Files) -> Files:
    return {**{name: content for name, content in beside.items() if name != CONFIG}, CONFIG: beside[CONFIG]}


def text_of(content: bytes | memoryview) -> str:
    return bytes(content).decode("utf-8", "replace")


def named_by(store: Store, name: str) -> tuple[int, ...]:
    """Versions that the author of the settings names, where the settings name any."""
    current = policy_at(store, name)
    path = f"{name}/{current.owner}/{CONFIG}"
    config = parse(text_of(store.read(path)), store.at(path)) if current.owner and store.has(path) else None
    return tuple(config.version_policy.specific.versions) if config is not None else current.loaded
