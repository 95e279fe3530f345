"""Vectors put together, measured, and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Column, Mask, Number, Vector, compressed, vector
from builder.graph.idioms import any_of, slots, without_sign_of_zero
from builder.graph.rules import converts
from builder.graph.sparse import Sparse, entries_of, side_by_side
from builder.graph.tolerance import beside
from builder.sparkml.attributes import NUMERIC, Attribute
from builder.sparkml.reader import SavedStage
from builder.types import Scalar, VectorType


@converts("org.apache.spark.ml.feature.VectorAssembler", word="bit", nulls=True, fixed=True)
def vector_assembler(stage: SavedStage, columns: Sequence[Column]) -> Vector:
    """Columns side by side, numbers as doubles.

    Shapes: [N, 1] and [N, width] each -> [N, sum of widths].
    Null, NaN: of scalars, and null vectors: error refuses, skip drops, keep answers NaN. NaN inside a vector passes.
    Order:  only values that are not 0 are stored, so -0.0 loses its sign.
    Source: VectorAssembler.transform, assemble (ml/feature/VectorAssembler.scala, Spark 4.0.1)
    """
    parts = [_part(column) for column in columns]
    width = sum(map(_width, columns))
    joined = without_sign_of_zero(op.concat(parts, axis=1) if len(parts) > 1 else parts[0])
    masks: tuple[Mask, ...] = ()
    handle = stage.params.text("handleInvalid")
    missing = _missing(columns, parts)
    if missing is not None and handle != "keep":
        masks = (Mask(missing, "null or NaN in a column to assemble", drops=handle == "skip"),)
    attributes = tuple(attribute for column in columns for attribute in _attributes(column))
    origins = [column.origin(slot) for column in columns for slot in range(_width(column))]
    return vector(
        joined,
        width,
        attributes=attributes,
        origins=tuple(origins),
        slack=beside([(column, _width(column)) for column in columns]),
        stored=compressed(joined, width),
        sparse=_entries(columns, parts),
    ).because(*masks)


def _entries(columns: Sequence[Column], parts: Sequence[Var]) -> Sparse | None:
    """The same vector as entries, where one that it is made of has few."""
    few = [column.sparse if isinstance(column, Vector) else None for column in columns]
    if not any(few) or any(column.slack is not None for column in columns):
        return None
    entries = zip(few, columns, parts, strict=True)
    return side_by_side([some or entries_of(part, _width(column)) for some, column, part in entries])


def _part(column: Column) -> Var:
    """float64 [N, width]; a null scalar is NaN."""
    match column:
        case Vector():
            column.width  # noqa: B018 (raises where it is not known)
            return column.var
        case Number(type=Scalar("date" | "timestamp" | "timestamp_ntz")):
            pass
        case Number():
            return column.double()
    raise Refused(
        f"column {column.name!r} is {column.type}; VectorAssembler reads numbers, booleans and vectors.",
        fix="Spark itself refuses this column: index or cast it first.",
    )


def _missing(columns: Sequence[Column], parts: Sequence[Var]) -> Var | None:
    """bool [N, 1]: rows in which a scalar is null or NaN, or a vector null; None where none can be."""
    numbers = [
        part
        for column, part in zip(columns, parts, strict=True)
        if isinstance(column, Number) and (column.floating or column.nullable)
    ]
    lost = (
        [op.isnan(op.concat(numbers, axis=1))] if numbers else []
    )  # one node for all: each costs a microsecond a request
    lost += [column.nulls for column in columns if isinstance(column, Vector) and column.nulls is not None]
    return any_of(op.concat(lost, axis=1)) if lost else None


def _width(column: Column) -> int:
    return column.width if isinstance(column, Vector) else 1


def _attributes(column: Column) -> tuple[Attribute, ...]:
    name = column.name
    match column:
        case Vector(attributes=None):
            return tuple(NUMERIC.named(f"{name}_{slot}") for slot in range(column.width))
        case Vector(attributes=tuple() as given):
            return tuple(
                attribute.named(f"{name}_{slot if attribute.name is None else attribute.name}")
                for slot, attribute in enumerate(given)
            )
        case Number(type=Scalar("double"), attribute=Attribute(kind="numeric" | "nominal" | "binary") as attribute):
            return (attribute.named(name),)
    return (NUMERIC.named(name),)


@converts("org.apache.spark.ml.feature.VectorSlicer", word="bit")
def vector_slicer(stage: SavedStage, x: Vector) -> Vector:
    """Chosen slots: first those of `indices`, then those of `names`, in the order given.

    Shapes: x [N, F] -> [N, number chosen].
    Source: VectorSlicer.transform, getSelectedFeatureIndices (ml/feature/VectorSlicer.scala, Spark 4.0.1)
    """
    indices = [int(index) for index in stage.params.numbers("indices")]
    named = _named(x, stage.params.texts("names"))
    chosen = indices + named
    if not chosen or len(set(chosen)) < len(chosen) or max(chosen) >= x.width:
        raise Refused(
            f"slots {chosen} of a vector of width {x.width}: none, one twice, or one that is not there.",
            fix="Spark itself refuses this: check the schema given, and the slicer's indices and names.",
        )
    return _sliced(x, chosen, None)


def _sliced(x: Vector, chosen: Sequence[int], attribute: Attribute | None) -> Vector:
    """The chosen slots with what is known of them; where x tells nothing of its slots, `attribute` is said of each."""
    picked = np.array(chosen)
    if x.sparse is not None and x.slack is None:
        few, ascending = x.sparse, bool((np.diff(picked) > 0).all())
        x = replace(
            x, var=few.at(picked), stored=few.stored_at(picked), sparse=few.picked(picked) if ascending else None
        )
        return replace(x, type=VectorType(len(chosen)), attributes=_told(x, chosen, attribute), origins=(), masks=())
    return vector(
        slots(x.var, picked),
        len(chosen),
        attributes=_told(x, chosen, attribute),
        origins=tuple(x.origin(slot) for slot in chosen),
        slack=None if x.slack is None else slots(x.slack, picked),
        stored=None if x.stored is None else slots(x.stored, picked),
    )


def _told(x: Vector, chosen: Sequence[int], attribute: Attribute | None) -> tuple[Attribute, ...] | None:
    if x.attributes is None:
        return (attribute,) * len(chosen) if attribute else None
    return tuple(x.attributes[slot] for slot in chosen)


def _named(x: Vector, names: Sequence[str]) -> list[int]:
    places = {attribute.name: slot for slot, attribute in enumerate(x.attributes or ()) if attribute.name is not None}
    unknown = [name for name in names if name not in places]
    if unknown:
        raise Refused(
            f"vector column {x.name!r} has no slot named {', '.join(map(repr, unknown))}.",
            fix="record the schema with df.schema.json(): it carries the slots' names (ml_attr).",
        )
    return [places[name] for name in names]


@converts("org.apache.spark.ml.feature.VectorSizeHint", word="bit", writes=("inputCol",), nulls=True)
def vector_size_hint(stage: SavedStage, x: Vector) -> Vector:
    """The vector as it is, its width known from here on.

    Shapes: x [N, size] -> [N, size].
    Null:   error refuses, skip drops, optimistic lets it pass.
    Raises: Refused where x is known to have another width. A row of another width is no tensor of this shape.
    Source: VectorSizeHint.transform, validateSchemaAndSize (ml/feature/VectorSizeHint.scala, Spark 4.0.1)
    """
    x = x.sized(stage.params.integer("size"))
    handle = stage.params.text("handleInvalid")
    if x.nulls is None or handle == "optimistic":
        return x
    lost = Mask(x.nulls, f"vector column {x.name!r} is null", drops=handle == "skip")
    return replace(x, nulls=None).because(lost)


_TESTS = ("fdr", "fpr", "fwe", "labelCol", "numTopFeatures", "percentile", "selectorType")


@converts(
    "org.apache.spark.ml.feature.ChiSqSelectorModel",
    word="bit",
    reads=("featuresCol",),
    writes=("outputCol",),
    ignores=_TESTS,
)
def chi_sq_selector(stage: SavedStage, x: Vector) -> Vector:
    """The slots selected in fitting, ascending; nominal where nothing else is known of them.

    Shapes: x [N, F] -> [N, number selected].
    Source: SelectorModel.transform, prepOutputField (ml/feature/Selector.scala), ChiSqSelector.scala, Spark 4.0.1
    """
    return _selected(stage, x, Attribute("nominal"))


@converts(
    "org.apache.spark.ml.feature.UnivariateFeatureSelectorModel",
    word="bit",
    reads=("featuresCol",),
    writes=("outputCol",),
    ignores=("featureType", "labelCol", "labelType", "selectionMode", "selectionThreshold"),
)
@converts(
    "org.apache.spark.ml.feature.VarianceThresholdSelectorModel",
    word="bit",
    reads=("featuresCol",),
    writes=("outputCol",),
    ignores=("varianceThreshold",),
)
def feature_selector(stage: SavedStage, x: Vector) -> Vector:
    """The slots selected in fitting, ascending; numeric where nothing else is known of them.

    Shapes: x [N, F] -> [N, number selected].
    Source: UnivariateFeatureSelectorModel.transform, prepOutputField (ml/feature/UnivariateFeatureSelector.scala),
            VarianceThresholdSelectorModel.transform (ml/feature/VarianceThresholdSelector.scala, Spark 4.0.1)
    """
    return _selected(stage, x, NUMERIC)


def _selected(stage: SavedStage, x: Vector, attribute: Attribute) -> Vector:
    chosen = sorted(stage.row()["selectedFeatures"])
    if not chosen:
        raise Refused(
            "no feature was selected: the vector has no slot, and no tensor holds that.",
            fix="fit it with a test that some feature passes, or leave the stage out.",
        )
    if chosen[0] < 0 or len(set(chosen)) != len(chosen):
        raise Refused(
            f"selectedFeatures {str(chosen)[:80]} are not slots, each once; Spark itself makes no vector of them.",
            fix="copy the saved model again.",
        )
    if chosen[-1] >= x.width:
        raise Refused(
            f"slot {chosen[-1]} was selected, and vector column {x.name!r} has width {x.width}.",
            fix="the schema does not belong to this model: give the one of its training data.",
        )
    return _sliced(x, chosen, attribute)
