"""A proven graph → files in the repository."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import UsageError
from builder.manifest import manifest, provenance
from builder.outcomes import Publication
from builder.packing import packing_of
from builder.triton.layout import EVIDENCE, MANIFEST
from builder.types import INVALID, NULL_TEXT, Servable, Session, Table, TensorSpec, to_json

if TYPE_CHECKING:
    from builder.evidence import Evidence
    from builder.graph.placing import Placement
    from builder.proving import Proof
    from builder.releases import Target
    from builder.rollouts import Rollout
    from builder.source import FetchedModel
    from builder.sparkml.reader import SavedPipeline
    from builder.triton.layout import Files, Repository
    from builder.triton.repository import Published
    from builder.triton.settings import Chosen, Settings, Wish

MODEL = "model.onnx"


def choose_name(given: str | None, model: FetchedModel) -> str:
    """The name given, else the registered one, else the folder's. Raises UsageError where Triton cannot have it."""
    from builder.triton.candidate import check_free
    from builder.triton.repository import check_name

    return check_free(check_name(given if given is not None else model.name or model.root.resolve().name))


def check_null(text: str) -> str:
    """The null marker, where strings can still be told from it. Raises UsageError."""
    if not text or "\0" in text:
        raise UsageError(
            f"{text!r} cannot stand for null: the empty string is a value, and Triton cuts strings at NUL.",
            fix=f"choose a text that no column holds; the default is {NULL_TEXT}.",
        )
    return text


@dataclass(frozen=True)
class Prepared:
    """A version, all of it in memory; nothing is written yet.

    `version`: the one given, else MLflow's; None: the next free integer. `files`: what lies in the version's folder.
    `beside`: what lies beside the versions, made of `settings`. `rows`: those of the evidence that go into the repository,
    as the `tensors` that travel; None where there is none.
    """

    name: str
    version: int | None
    files: Files
    beside: Files
    manifest: Mapping[str, Any]
    proof: Proof | None
    settings: Chosen
    notes: tuple[str, ...]
    tensors: tuple[TensorSpec, ...] = ()
    rows: Table | None = None


def prepare(
    name: str,
    version: int | None,
    model: FetchedModel,
    pipeline: SavedPipeline,
    servable: Servable,
    proof: Proof | None,
    evidence_in_repository: bool,
    target: Target,
    session: Session,
    wish: Wish,
) -> Prepared:
    """Config, model, manifest and evidence. `session`: in which Spark gives these answers, where they hang on it."""
    from builder.graph.needs import graph_of
    from builder.graph.weights import files_of
    from builder.triton.settings import choose

    files: dict[str, bytes | memoryview] = {MODEL: servable.model, **files_of(servable.weights)}
    kept = None
    if proof is not None:
        kept = proof.evidence if evidence_in_repository else proof.evidence.only_derived()
        files[EVIDENCE] = _bytes(kept)
    chosen = choose(name, wish, len(servable.model) + sum(array.nbytes for array in servable.weights.values()))
    placement = graph_of(servable.model, target).placement
    labels = _labels(pipeline, servable)
    beside = _beside(name, model, labels, servable, proof, kept, target, chosen.settings, placement)
    document = manifest(
        name,
        model,
        servable,
        pipeline.spark_version,
        proof,
        target,
        files,
        session,
        placement=placement,
        beside=beside,
        settings=chosen,
    )
    notes = (*model.notes, *servable.null_notes, *_on_gpu(chosen.settings, placement))
    everything = {**files, MANIFEST: to_json(document).encode()}
    rows = None if kept is None else Table(packing_of(servable.inputs, servable.packs)(kept.inputs))
    return Prepared(
        name, version or model.version, everything, beside, document, proof, chosen, notes, servable.travelling, rows
    )


def leave_perf_data(file: Path, prepared: Prepared) -> Prepared:
    """Write the rows where perf_analyzer shall read them. Raises UsageError where there are none, or no such place."""
    from builder.triton.perf_data import perf_data

    if prepared.rows is None or not prepared.rows.rows:
        raise UsageError(
            f"{prepared.name} has no rows for --perf-data: it is made of the evidence that goes into the repository.",
            fix="record evidence; where all of it is a user's, publish with --evidence-in-repository.",
        )
    try:
        file.write_bytes(perf_data(prepared.tensors, prepared.rows))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error}", fix="give --perf-data another file.") from error
    return replace(prepared, notes=(*prepared.notes, f"{prepared.rows.rows:,} rows for perf_analyzer are in {file}"))


def keeping_proof(repository: Repository, prepared: Prepared) -> Prepared:
    """Where this very model is there and proven, what is not proven gives way to it: a version never loses its proof."""
    from builder.triton.answering import kept_by
    from builder.triton.content import as_json, joins
    from builder.triton.repository import versions
    from builder.triton.stores import store_of

    store, there = store_of(repository), versions(repository, prepared.name)
    number = prepared.version or (there[-1] if there else 0)
    path = f"{prepared.name}/{number}"
    with store.errors():
        if prepared.proof is not None or number not in there or not joins(store, path, prepared.files):
            return prepared
        files = {name: store.read(f"{path}/{name}") for name in store.files(path) if name in (MANIFEST, EVIDENCE)}
        note = f"version {number} is proven already, and stays so."
        return replace(
            prepared,
            version=number,
            files={**prepared.files, **files},
            beside=kept_by(store, prepared.name, number),
            manifest=as_json(files[MANIFEST]),
            notes=(*prepared.notes, note),
        )


def place(repository: Repository, prepared: Prepared) -> Published:
    """Write it as one version, whole or not at all.

    Raises UsageError where that version is there with other content, Unreachable where the store refuses.
    """
    from builder.triton.repository import write_version

    return write_version(repository, prepared.name, prepared.version, prepared.files, prepared.beside)


def publication(prepared: Prepared, placed: Published, rollout: Rollout | None = None) -> Publication:
    """What `publish` comes back with."""
    return Publication(
        prepared.name,
        placed.version,
        placed.path,
        placed.changed,
        prepared.proof.report if prepared.proof else None,
        prepared.manifest,
        (*prepared.notes, *placed.notes),
        prepared.settings,
        rollout,
    )


def _on_gpu(settings: Settings, placement: Placement) -> tuple[str, ...]:
    """What --device gpu asked for and what the graph gives."""
    if settings.device != "gpu":
        return ()
    return (f"it stays on the CPU: {placement.why_cpu}." if placement.why_cpu else f"on a GPU: {placement}",)


def _beside(
    name: str,
    model: FetchedModel,
    labels: Mapping[str, tuple[str, ...]],
    servable: Servable,
    proof: Proof | None,
    kept: Evidence | None,
    target: Target,
    settings: Settings,
    placement: Placement,
) -> dict[str, bytes]:
    """What lies beside a model's versions: config.pbtxt, configs/, labels.txt, the rows of warmup/."""
    from builder.triton.config import write_config, write_configs
    from builder.triton.layout import LABELS

    samples, rows = _warmup(servable, kept, settings.warmup)
    told = provenance(model, proof, target)
    configs = write_configs(placement, settings, partial(write_config, servable, name, settings, told, labels, samples))
    lines = "".join(f"{label}\n" for label in next(iter(labels.values()), ())).encode()
    return {**rows, **({LABELS: lines} if labels else {}), **configs}


def _labels(pipeline: SavedPipeline, servable: Servable) -> Mapping[str, tuple[str, ...]]:
    """Output → the names of its slots, which are classes; where outputs differ in them, the first one's alone."""
    from builder.sparkml.labels import class_names

    named = {spec.name: (class_names(pipeline.stages, spec.name), spec.width) for spec in servable.outputs}
    fitting = {name: names for name, (names, width) in named.items() if names and len(names) == width}
    return {name: names for name, names in fitting.items() if names == next(iter(fitting.values()))}


def _warmup(servable: Servable, kept: Evidence | None, wanted: int) -> tuple[Sequence[Any], Mapping[str, bytes]]:
    """Rows of what goes into the repository anyway, those that Spark answers first; without any, zeros."""
    from builder.triton.warming import samples, zeros

    if not wanted:
        return (), {}
    if kept is None or not kept.rows:
        return zeros(servable.travelling), {}
    order = np.argsort(kept.answers[INVALID.name][:, 0] != 0, kind="stable")
    rows = packing_of(servable.inputs, servable.packs)(kept.inputs.take(order[:wanted]))
    return samples(servable.travelling, Table(rows))


def _bytes(evidence: Evidence) -> bytes:
    from builder.evidence import save

    with tempfile.TemporaryDirectory(prefix="tritonbuild-") as folder:
        file = Path(folder) / EVIDENCE
        save(evidence, file)
        return file.read_bytes()
