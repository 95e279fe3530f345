"""Spark's reference answers, made and kept with the model: afterwards (`record`), or where it is trained (`log_model`)."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import UsageError
from builder.releases import DEFAULT
from builder.types import UNSAID, Progress, Session, Silent

if TYPE_CHECKING:
    from mlflow.models.model import ModelInfo

    from builder.evidence import Evidence
    from builder.source import FetchedModel
    from builder.types import Predict, Servable, Table


def record(
    source: str,
    rows: Path | None,
    *,
    schema: Path | None = None,
    nullable: Sequence[str] = (),
    outputs: Sequence[str] | None = None,
    evidence_rows: int = 1000,
    derived_rows: int = 2000,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
    converter: str = "",
    session: Session = UNSAID,
    notes: list[str] | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Let Spark answer the rows of a file, and rows derived from the model; keep its answers with the model.

    `nullable`: columns that may be null although the schema calls them required; the widened schema is kept, too.
    `notes` takes what a person should know: columns whose null a stage tells from NaN, and how many rows hold such NaN.
    `converter`: the one that shall convert it, where not ours; then every answer must be equal to the bit.
    `session`: what Spark is told meanwhile; what is not said is as the Spark that saved the model has it.
    For a registered version or a run they go among the model's artifacts, for a folder into its `tritonbuild/`.
    Raises UsageError, SourceError, ConversionRefused or Unreachable, as the steps do.
    """
    from builder.evidence.rows import read_rows
    from builder.source import BESIDE, SCHEMA_FILE, fetch, keep
    from builder.sparkml.nullability import schema_text, widened

    model = fetch(source, schema=schema, tracking_uri=tracking_uri, registry_uri=registry_uri)
    if nullable:
        model = replace(model, schema=widened(model.schema, nullable))
    servable, proof = _converted(model, outputs, converter) if converter else _proof(model, outputs, session)
    found: Counter[str] = Counter()
    given = read_rows(rows, servable.inputs, found) if rows is not None else None
    if notes is not None:
        notes.extend(
            note + f" {found[name]} values of your rows are NaN: Spark was asked null." * bool(found[name])
            for name, note in zip(servable.apart, servable.null_notes, strict=True)
        )
    evidence = _ask_spark(
        model, given, servable, proof, outputs, session, evidence_rows, derived_rows, progress or Silent()
    )
    with tempfile.TemporaryDirectory(prefix="tritonbuild-") as folder:
        files = [_save(evidence, Path(folder))]
        if nullable:
            stored = model.root / BESIDE / SCHEMA_FILE
            file = Path(folder) / SCHEMA_FILE
            file.write_text(schema_text(model.schema, schema or (stored if stored.is_file() else None)), "utf-8")
            files.append(file)
        elif schema is not None:
            files.append(Path(shutil.copy(schema, Path(folder) / SCHEMA_FILE)))
        keep(model, files, tracking_uri=tracking_uri, registry_uri=registry_uri)
    return evidence


def log_model(
    pipeline_model: Any,
    dataframe: Any,
    *,
    name: str = "model",
    registered_model_name: str | None = None,
    alias: str | None = None,
    outputs: Sequence[str] | None = None,
    evidence_rows: int = 1000,
    derived_rows: int = 2000,
    pip_requirements: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> ModelInfo:
    """What `mlflow.spark.log_model` does, and Spark's reference answers in the same breath.

    `dataframe` goes into `pipeline_model.transform`: its schema is kept to the letter, `evidence_rows` of its rows are
    drawn as evidence. The signature names the columns that the answers need. Registration comes last: where the
    pipeline cannot be converted (ConversionRefused), the model stays in the run, unregistered.
    """
    from builder.evidence.frames import sampled
    from builder.evidence.session import settings_of
    from builder.source import fetch
    from builder.source.training import complete, log_pipeline, register, sign

    progress = progress or Silent()
    progress.step("logging the pipeline")
    logged = log_pipeline(pipeline_model, dataframe.schema.json(), name=name, pip_requirements=pip_requirements)
    model = fetch(logged.uri)
    session = settings_of(dataframe.sparkSession)
    servable, proof = _proof(model, outputs, session)
    rows = sampled(dataframe, servable.inputs, evidence_rows)
    evidence = _ask_spark(model, rows, servable, proof, outputs, session, evidence_rows, derived_rows, progress)
    with tempfile.TemporaryDirectory(prefix="tritonbuild-") as folder:
        complete(logged, _save(evidence, Path(folder)))
    info = sign(logged, servable.inputs, servable.outputs)
    if registered_model_name is not None:
        info.registered_model_version = register(logged, registered_model_name, alias)
    return info


def _proof(
    model: FetchedModel, outputs: Sequence[str] | None, session: Session, *, every_column: bool = False
) -> tuple[Servable, Predict]:
    """The served graph's meaning, and the proof graph ready to run."""
    from builder.graph.lowering import lower
    from builder.graph.session import in_process
    from builder.sparkml.reader import read_pipeline
    from builder.stages import all_rules

    pipeline, rules = read_pipeline(model.path).under(session), all_rules()
    servable = lower(pipeline, model.schema, rules, outputs, proof=True, every_column=every_column)
    return servable, in_process(servable)


def _converted(model: FetchedModel, outputs: Sequence[str] | None, converter: str) -> tuple[Servable, Predict]:
    """The same of another converter's graph, which knows of no tolerance."""
    from builder.converting import convert
    from builder.graph.session import in_process

    servable = convert(model, outputs, DEFAULT, converter)
    return servable, in_process(servable)


def _ask_spark(
    model: FetchedModel,
    rows: Table | None,
    servable: Servable,
    proof: Predict,
    outputs: Sequence[str] | None,
    session: Session,
    evidence_rows: int,
    derived_rows: int,
    progress: Progress,
) -> Evidence:
    if not derived_rows and not (evidence_rows and rows is not None and rows.rows):
        raise UsageError("no rows are left to ask Spark.", fix="give --rows, or let --derived-rows be above 0.")
    from builder.evidence.recording import Every
    from builder.evidence.recording import record as ask
    from builder.graph.rules import session_of
    from builder.sparkml.reader import read_pipeline
    from builder.stages import all_rules

    ours = servable.converter == "tritonbuild"
    every = Every(*_proof(model, outputs, session, every_column=True)) if ours else None
    return ask(
        model.path,
        model.schema,
        rows,
        servable,
        proof,
        digest=model.digest,
        every=every,
        settings=session_of(read_pipeline(model.path).under(session).stages, all_rules()),
        derived=derived_rows,
        user_rows=evidence_rows,
        progress=progress,
    )


def _save(evidence: Evidence, folder: Path) -> Path:
    from builder.evidence import save
    from builder.source import EVIDENCE_FILE

    file = folder / EVIDENCE_FILE
    save(evidence, file)
    return file
