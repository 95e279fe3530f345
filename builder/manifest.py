"""manifest.json: what a published version is, where it comes from and how equal it is to Spark.

It holds no clock and no machine: publishing the same model twice gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from builder.types import UNSAID, Servable, Session

if TYPE_CHECKING:
    from builder.graph.placing import Placement
    from builder.proving import Proof
    from builder.releases import Target
    from builder.source import FetchedModel
    from builder.triton.settings import Chosen

FORMAT = 1
UNPROVEN = "unproven"
_TOOLS = {
    "tritonbuild": ("tritonbuild",),
    "onnx": ("onnx",),
    "spox": ("spox",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),  # the one that the proof ran on
}


def manifest(
    name: str,
    model: FetchedModel,
    servable: Servable,
    spark_version: str,
    proof: Proof | None,
    target: Target,
    files: Mapping[str, bytes | memoryview],
    session: Session = UNSAID,
    *,
    placement: Placement,
    beside: Mapping[str, bytes | memoryview],
    settings: Chosen,
) -> dict[str, Any]:
    """`files`: what lies beside it, for their digests. `proof` None: published on its owner's word.

    `beside`: what lies beside the versions, made of `settings`. These may change without a new version: `config` alone
    tells of them.
    `session`: in which session Spark gives these answers, where they hang on it. `placement`: what a GPU can run of it.
    """
    told: dict[str, Any] = {} if session == UNSAID else {"session": session.json()}
    if servable.packs:
        told["packed"] = [pack.json() for pack in servable.packs]
    return told | {
        "format": FORMAT,
        "name": name,
        "written_by": f"tritonbuild {_own_version()}",
        "source": {
            "uri": canonical(model),
            "name": model.name,
            "version": model.version,
            "run_id": model.run_id,
            "alias": alias_of(model),
            "digest": model.digest,
            "saved_by_spark": spark_version,
        },
        "cuda": placement.json(),
        "converter": servable.converter,
        "target": {"triton": target.name, "onnxruntime": target.onnxruntime},
        "inputs": [spec.json() | {"triton": spec.triton} for spec in servable.inputs],
        "outputs": [spec.json() | {"triton": spec.triton} for spec in servable.outputs],
        "invalid": [reason.json() for reason in servable.invalid],
        "stages": [verdict.json() for verdict in servable.stages],
        "files": _digests(files),
        "config": {"files": _digests(beside), "settings": settings.json()},
        "tools": {library: _version_of(*names) for library, names in _TOOLS.items()},
        "proof": UNPROVEN if proof is None else _proof(model, proof),
    }


def provenance(model: FetchedModel, proof: Proof | None, target: Target) -> dict[str, str]:
    """The manifest's gist, for config.pbtxt's parameters: a server tells it to whoever asks."""
    told = {"source": canonical(model), "digest": model.digest, "written_by": f"tritonbuild {_own_version()}"}
    told["target"] = f"Triton {target.name} and newer"
    if model.run_id:
        told["run_id"] = model.run_id
    if proof is None:
        return told | {UNPROVEN: "true"}
    return told | {"proven_rows": str(proof.report.rows), "proven_against": f"Spark {proof.evidence.spark_version}"}


def canonical(model: FetchedModel) -> str:
    """One name for one model, however it was asked for: an alias moves, a folder lies elsewhere tomorrow."""
    if model.name and model.version:
        return f"models:/{model.name}/{model.version}"
    return model.uri if model.uri.startswith("runs:") else model.root.resolve().name


def _proof(model: FetchedModel, proof: Proof) -> dict[str, Any]:
    assert model.evidence is not None, "a proof comes of evidence"
    evidence = proof.evidence
    return {
        "parity": proof.report.json(),
        "spark_version": evidence.spark_version,
        "rows": evidence.rows,
        "derived_rows": int(evidence.derived.sum()),
        "left_out_rows": evidence.left_out,
        "coverage": evidence.coverage,
        "evidence_sha256": hashlib.sha256(model.evidence.read_bytes()).hexdigest(),
    }


def alias_of(model: FetchedModel) -> str | None:
    """The alias that it was asked for by; it may have moved since."""
    return model.uri.rpartition("@")[2] if model.uri.startswith("models:") and "@" in model.uri else None


def _digests(files: Mapping[str, bytes | memoryview]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def _own_version() -> str:
    return _version_of("tritonbuild") or "(not installed)"


def _version_of(*names: str) -> str | None:
    """Of the first distribution that is installed."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
