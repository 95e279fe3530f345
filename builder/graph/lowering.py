"""Stages + schema → one ONNX graph.

Walks backwards to learn which stages the outputs need, then forwards, asking each stage's rule once. Every refusal is
gathered; one exception tells them all. Rules compute `slack` beside their values; only the proof graph keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import spox.opset.ai.onnx.v21 as op
from spox import build

from builder.errors import ConversionRefused
from builder.graph import liveness
from builder.graph.columns import Column, Texts
from builder.graph.forests import plant
from builder.graph.idioms import constant
from builder.graph.needs import settle_versions
from builder.graph.neutral import keep_nearly_neutral
from builder.graph.refusing import blanked, code_of, reasons_of
from builder.graph.resolution import resolved
from builder.graph.rules import Rule
from builder.graph.sharing import sharing
from builder.graph.tracing import Trace, walk
from builder.graph.weights import add_initializers
from builder.packing import planned
from builder.releases import DEFAULT, Target
from builder.sparkml.attributes import vector_width
from builder.sparkml.reader import SavedPipeline
from builder.types import (
    INVALID,
    NULL_TEXT,
    SLACK,
    Array,
    Field,
    Pack,
    Probe,
    Schema,
    Servable,
    StageVerdict,
    TensorSpec,
    TextArray,
    VectorType,
    tensors_of,
)


def lower(
    pipeline: SavedPipeline,
    schema: Schema,
    rules: Mapping[str, Rule],
    outputs: Sequence[str] | None = None,
    *,
    proof: bool = False,
    every_column: bool = False,
    null_text: str = NULL_TEXT,
    target: Target = DEFAULT,
    pack: str = "never",
) -> Servable:
    """Compile the pipeline into one ONNX graph over the schema's columns.

    `outputs`: columns to answer with; None takes the last predictor's and what follows it. `proof` adds, for each
    output that is not Spark's to the bit, `<output>__slack`: its absolute tolerance per value (float64).
    `every_column` answers with every column that a kept stage writes, to find the first that differs. `null_text` is the
    string that stands for null on the wire. `target` is the Triton release that shall run it (and those after it).
    `pack`: one of packing.CHOICES; which inputs the graph reads is known when it is built, so a packed one is built twice.
    Raises ConversionRefused with every stage's reason, or with what the release lacks; UsageError where an output or input column is not there; SourceError
    where a stage's data is not what its class saves.
    """
    with sharing():
        trace = walk(pipeline, schema, rules, outputs, null_text, target)
        if trace.refusals:
            raise ConversionRefused(trace.refusals, len(pipeline.stages))
        made = tuple(name for name in trace.made if name not in trace.specs)  # a stage may write onto its input
        servable = _build(trace, made if every_column else trace.outputs, proof)
    packs = planned(servable.inputs, servable.outputs, pack)
    if not packs:
        return servable
    del servable, trace  # a forest's tables are hundreds of megabytes
    with sharing():
        trace = walk(pipeline, schema, rules, outputs, null_text, target, packs)
        return _build(trace, made if every_column else trace.outputs, proof, packs)


def judge(
    pipeline: SavedPipeline,
    schema: Schema,
    rules: Mapping[str, Rule],
    outputs: Sequence[str] | None = None,
    target: Target = DEFAULT,
) -> tuple[tuple[StageVerdict, ...], Servable | None]:
    """What `check` says: a verdict a stage, and the Servable where nothing is refused."""
    with sharing():
        trace = walk(pipeline, schema, rules, outputs, NULL_TEXT, target)
        if trace.refusals:
            return tuple(trace.verdicts), None
        try:
            return tuple(trace.verdicts), _build(trace, trace.outputs, proof=False)
        except ConversionRefused as refused:  # every stage is fine, the release is not
            told = [StageVerdict(one.stage, "", "refused", note=one.reason, fix=one.fix) for one in refused.refusals]
            return (*trace.verdicts, *told), None


def asked_for(
    pipeline: SavedPipeline, schema: Schema, rules: Mapping[str, Rule], outputs: Sequence[str] | None = None
) -> tuple[TensorSpec, ...]:
    """The input columns that the outputs need, as far as is known without a graph: a vector's width may be -1."""
    live = liveness.plan(resolved(pipeline.stages, schema, rules), schema, rules, outputs).live
    return tuple(
        TensorSpec(given.name, given.type, given.nullable, _known_width(given))
        for given in tensors_of(schema)
        if given.name in live
    )


def _known_width(given: Field) -> int:
    match given.type:
        case VectorType(width):
            return width or vector_width(given.metadata) or -1
        case TextArray():
            return -1
    return 1


def _build(trace: Trace, outputs: Sequence[str], proof: bool, packs: tuple[Pack, ...] = ()) -> Servable:
    """Trace → ONNX model and what its tensors mean."""
    columns = {name: _travelling(trace.columns[name], trace.null_text) for name in outputs}
    code = code_of(trace.masks, trace.behind, next(iter(columns.values())).var)
    reasons, unfit = reasons_of(trace.masks), trace.unpacked.refused
    if unfit is not None:  # before any stage: what Spark would do with a row that it cannot hold, nobody can say
        reasons = (*reasons, trace.unpacked.reason(last := len(trace.verdicts) + 1))
        code = op.where(unfit, constant(np.array([[last]], dtype=np.int32)), code)
    results = {name: blanked(column, code if reasons else None) for name, column in columns.items()}
    specs = [TensorSpec(name, column.type, column.nullable, _width(column)) for name, column in columns.items()]
    if proof:
        for name, column in columns.items():
            if column.slack is not None:
                results[name + SLACK] = column.slack
    results[INVALID.name] = code
    widths = {spec.name: spec.width for spec in specs}
    widths |= {name + SLACK: width for name, width in widths.items()} | {INVALID.name: 1}
    tables = {f"table_{index}": var for index, (var, _) in enumerate(trace.tables)}
    model = build(trace.arguments | tables, results, drop_unused_inputs=True)
    settle_versions(model, trace.target)
    arrays = {f"table_{index}": array for index, (_, array) in enumerate(trace.tables)}
    weights = _settle_inputs(model, [*trace.unpacked.arguments, *trace.specs], arrays)
    plant(model, trace.forests)
    keep_nearly_neutral(model)
    for value in model.graph.output:
        _set_shape(value, widths[value.name])
    used = {value.name for value in model.graph.input}.union(*(one.columns for one in packs))
    return Servable(
        model.SerializeToString(deterministic=True),
        tuple(spec for name, spec in trace.specs.items() if name in used),
        (*specs, INVALID),
        reasons,
        _merge(trace.probes, used),
        tuple(trace.verdicts),
        weights=weights,
        packs=packs,
        apart={name: uid for name, uid in trace.apart.items() if name in used},
    )


def _travelling(column: Column, null_text: str) -> Column:
    return column.travelling(null_text) if isinstance(column, Texts) else column


def _width(column: Column) -> int:
    match column.type:
        case VectorType(width):
            assert width is not None
            return width
        case TextArray():
            return -1
        case _:
            return 1


def _settle_inputs(model: onnx.ModelProto, names: Sequence[str], tables: Mapping[str, Array]) -> Mapping[str, Array]:
    """Inputs in the schema's order (spox drops unused ones by way of a set); large constants become initializers.

    Those come back that are too large for the model's file.
    """
    used = {value.name: value for value in model.graph.input}
    kept = [used[name] for name in names if name in used]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return add_initializers(model, {name: tables[name] for name in tables if name in used})


def _set_shape(value: onnx.ValueInfoProto, width: int) -> None:
    """[N, width], whatever shape inference made of it: Triton wants output dims said exactly."""
    shape = value.type.tensor_type.shape
    shape.Clear()
    shape.dim.add().dim_param = "N"
    if width < 0:
        shape.dim.add()
    else:
        shape.dim.add().dim_value = width


def _merge(probes: Sequence[Probe], inputs: set[str]) -> tuple[Probe, ...]:
    """One probe an input: exact values and thresholds, each once, in the order met."""
    exact: dict[str, dict[object, None]] = {}
    thresholds: dict[str, set[float]] = {}
    for probe in probes:
        exact.setdefault(probe.input, {}).update(dict.fromkeys(probe.exact))
        thresholds.setdefault(probe.input, set()).update(probe.thresholds)
    return tuple(
        Probe(name, tuple(exact[name]), tuple(sorted(thresholds[name]))) for name in sorted(exact) if name in inputs
    )
