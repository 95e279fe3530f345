"""When a version in a repository is "the same again": what is compared, and what is not.

Settings are not content: they may change without a new version. Compared is every other file, byte for byte, and of the
manifest what it means: name, converter, target release, session, tensors, reasons of `invalid`, the digest of the source
pipeline, and which evidence it was proven with; a version that is not proven takes a proof (`joins`). Not compared, and left as the first publication had it: the versions of
tools and libraries, the address and alias that it was asked for by, the parity figures that those libraries gave, notes on
stages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from builder.documents import parse_json
from builder.triton.layout import EVIDENCE, MANIFEST, Files, is_setting
from builder.triton.stores import Store

_DECIDING = ("name", "converter", "target", "session", "inputs", "outputs", "invalid", "files")


def same(store: Store, path: str, files: Files) -> bool:
    """Whether a version's folder holds this content (see the top of this module); sizes first, models are large."""
    found = {name: size for name, size in store.files(path).items() if not is_setting(name)}
    content = {name: one for name, one in files.items() if name != MANIFEST}
    return (
        found.keys() == files.keys()
        and all(found[name] == len(one) for name, one in content.items())
        and (MANIFEST not in files or _meaning(store.read(f"{path}/{MANIFEST}")) == _meaning(files[MANIFEST]))
        and all(holds(store, f"{path}/{name}", one) for name, one in content.items())
    )


def joins(store: Store, path: str, files: Files) -> bool:
    """Whether a version's folder holds this very model, and just one of the two is proven: they may stand under one number."""
    model, there = _without_proof(files), _without_proof(store.files(path))
    if MANIFEST not in files or there.keys() != model.keys() or not store.has(f"{path}/{MANIFEST}"):
        return False
    old, new = as_json(store.read(f"{path}/{MANIFEST}")), as_json(files[MANIFEST])
    if not isinstance(old, dict) or not isinstance(new, dict) or _is_proven(old) == _is_proven(new):
        return False
    alike = _unproven(old) == _unproven(new)
    return alike and all(holds(store, f"{path}/{name}", one) for name, one in files.items() if name in model)


def _is_proven(manifest: dict[str, Any]) -> bool:
    return isinstance(manifest.get("proof"), dict)


def _without_proof(files: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in files.items() if name not in (MANIFEST, EVIDENCE) and not is_setting(name)}


def _unproven(manifest: dict[str, Any]) -> Any:
    """What a manifest means, its proof aside."""
    digests = manifest.get("files")
    files = {name: one for name, one in digests.items() if name != EVIDENCE} if isinstance(digests, dict) else digests
    return _meaning(json.dumps(manifest | {"proof": None, "files": files}).encode())


def holds(store: Store, path: str, content: bytes | memoryview) -> bool:
    """Whether a file is this content: a piece at a time, for it may be gigabytes."""
    whole, at = memoryview(content), 0
    for piece in store.pieces(path):
        if piece != whole[at : at + len(piece)]:
            return False
        at += len(piece)
    return at == len(whole)


def _meaning(manifest: bytes | memoryview) -> Any:
    """What of a manifest decides whether a version is the same; of one that is not tritonbuild's, all."""
    told = as_json(manifest)
    if not isinstance(told, dict) or not isinstance(told.get("source"), dict) or "files" not in told:
        return told
    proof = told.get("proof")
    return [
        *(told.get(key) for key in _DECIDING),
        told["source"].get("digest"),
        (proof.get("evidence_sha256"), proof.get("spark_version")) if isinstance(proof, dict) else proof,
    ]


def as_json(content: bytes | memoryview) -> Any:
    try:
        return parse_json(bytes(content))
    except ValueError:
        return bytes(content)
