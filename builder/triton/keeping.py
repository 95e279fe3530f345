"""The settings that each version keeps beside its content: how they change, and what a killed publisher left is mended."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

from builder.documents import parse_json
from builder.errors import UsageError
from builder.triton.answering import config_last, kept_by, place, policy_at, put
from builder.triton.content import as_json
from builder.triton.layout import CONFIG, MANIFEST, PENDING, Files, is_setting
from builder.triton.stores import Store
from builder.types import to_json


def keep(store: Store, path: str, beside: Files, manifest: bytes | memoryview | None) -> bool:
    """Make these settings a version's kept ones, and its manifest tell them. Whether that changes anything.

    They are several files. So all are written down in one, which the next publisher takes up where this one is killed.
    """
    wanted = dict(config_last(beside))
    old = as_json(store.read(f"{path}/{MANIFEST}")) if store.has(f"{path}/{MANIFEST}") else None
    new = as_json(manifest) if manifest is not None else None
    if isinstance(old, dict) and isinstance(new, dict) and old.get("config") != new.get("config"):
        wanted[MANIFEST] = to_json(old | {"config": new.get("config")}).encode()
    before = {name: store.read(f"{path}/{name}") for name in store.files(path) if is_setting(name) or name in wanted}
    if before == wanted:
        return False
    noted = {name: base64.b64encode(content).decode() for name, content in wanted.items()}
    store.replace(path, {PENDING: json.dumps(noted).encode()})
    try:
        _finish(store, path, wanted)
    except OSError:
        if all(store.read(f"{path}/{name}") == content for name, content in before.items()):
            store.remove(f"{path}/{PENDING}")  # a full disk: nothing has begun, so nobody shall take it up
        raise
    return True


def _noted(store: Store, path: str) -> Files:
    """Raises UsageError where the note is not as `keep` writes it: then nothing says what was meant."""
    try:
        return {name: base64.b64decode(text, validate=True) for name, text in parse_json(store.read(path)).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{store.at(path)} is not as a publisher writes it ({error}).",
            fix="remove that file and publish the version again: its settings are written anew.",
        ) from error


def _finish(store: Store, path: str, wanted: Files) -> None:
    put(store, path, wanted)
    for name in sorted(store.files(path), key=lambda name: name == PENDING):
        if is_setting(name) and name not in wanted:
            store.remove(f"{path}/{name}")


def heal(store: Store, name: str) -> bool:
    """Remove or finish what writers who were killed left, and place the settings as their owner keeps them.

    Whether those were others: half-written, or edited by hand.
    """
    store.heal(name)
    for found in [path for path in store.files(name) if path.endswith(f"/{PENDING}")]:
        _finish(store, f"{name}/{found.removesuffix(f'/{PENDING}')}", _noted(store, f"{name}/{found}"))
    current = policy_at(store, name)
    if current.owner is None or not store.has(f"{name}/{current.owner}/{CONFIG}"):
        return False
    with suppress(UsageError):  # they are not as they were published: audit tells
        return place(store, name, kept_by(store, name, current.owner), current)
    return False
