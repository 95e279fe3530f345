"""Category indices: text to index and back, one-hot vectors, categorical slots of a vector."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Column, Mask, Number, Origin, Text, Vector, number, text, vector
from builder.graph.idioms import (
    any_of,
    clamped,
    constant,
    is_negative_zero,
    long_number,
    number_number,
    slots,
    text_at,
    text_number,
)
from builder.graph.rules import converts
from builder.graph.tolerance import decided, ends, stepped
from builder.sparkml.attributes import NUMERIC, Attribute
from builder.sparkml.printing import java_double, number_printed_as
from builder.sparkml.reader import SavedStage
from builder.types import Probe, Scalar, dtype_of

_WHOLE = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)  # as Spark prints integers
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?(E-?[0-9]+)?", re.ASCII)


@converts("org.apache.spark.ml.feature.StringIndexerModel", word="bit", ignores=("stringOrderType",), fixed=True)
def string_indexer(stage: SavedStage, i: int, x: Column) -> Number:
    """The label's place in the fitted list. A number is looked up by value: as Spark prints it is how its label was made.

    Shapes: x [N, 1] -> [N, 1].
    Null, unseen: error refuses; skip drops; keep answers the number of labels. With skip, NaN is dropped even where it
            has a label (DataFrame.na.drop takes NaN for null).
    Source: StringIndexerModel.transform, getIndexer, filterInvalidData (ml/feature/StringIndexer.scala, Spark 4.0.1)
    """
    labels: list[str | None] = stage.row()["labelsArray"][i]
    handle = stage.params.text("handleInvalid")
    places = {label: float(place) for place, label in enumerate(labels) if label is not None}  # null finds no place
    found, exact = _places(x, places, nan=not x.nullable and handle != "skip")
    lost = op.less(found, constant(0.0))
    masks: tuple[Mask, ...] = ()
    values = tuple(labels)
    if handle == "keep":
        found = op.where(lost, constant(float(len(labels))), found)
        values = (*values, "__unknown")
    else:
        reason = f"column {x.name!r} holds null or a label not seen in fitting"
        masks = (Mask(lost, reason, drops=handle == "skip"),)
    origin = x.origin()
    known = Probe(origin.input, exact=exact) if origin is not None and origin.unchanged else None
    attribute = Attribute("nominal", values=values)
    return number(found, attribute=attribute, below=len(values), slack=decided(x.slack)).because(*masks).probing(known)


def _places(x: Column, places: Mapping[str, float], nan: bool) -> tuple[Var, tuple[object, ...]]:
    """Each row's place, -1 where it has none, as null has none; and the values of x that have one.

    `nan`: whether NaN may have a place.
    """
    match x:
        case Text():
            known = {label: place for label, place in places.items() if not (x.nullable and label == x.null_text)}
            return text_number(x.var, known), tuple(known)
        case Number(type=Scalar("double" | "float")):
            return _floating_places(x, places, nan)
        case Number(type=Scalar("decimal")):
            return _decimal_places(x, places)
        case Number(type=Scalar("byte" | "short" | "integer" | "long")):
            whole = {int(label): place for label, place in places.items() if _WHOLE.fullmatch(label)}
            low, high = (
                np.iinfo(dtype_of(x.type, x.nullable)).min + x.nullable,
                np.iinfo(dtype_of(x.type, x.nullable)).max,
            )
            whole = {value: place for value, place in whole.items() if low <= value <= high}
            return long_number(x.var, whole), tuple(whole)
    raise Refused(
        f"column {x.name!r} is {x.type}; StringIndexer reads strings and numbers.",
        fix="check the schema given: Spark itself refuses this column. Cast it before, in fitting too.",
    )


def _floating_places(x: Number, places: Mapping[str, float], nan: bool) -> tuple[Var, tuple[object, ...]]:
    bits = 53 if x.kind == "double" else 24
    printed = {label: number_printed_as(label, bits) for label in places}
    values = {label: value for label, value in printed.items() if value is not None}
    value_of_row = x.double()
    plain = {value: places[label] for label, value in values.items() if value != 0 and not math.isnan(value)}
    found = number_number(value_of_row, plain)
    if "0.0" in values or "-0.0" in values:
        negative, positive = constant(places.get("-0.0", -1.0)), constant(places.get("0.0", -1.0))
        zero = op.where(is_negative_zero(value_of_row), negative, positive)
        found = op.where(op.equal(value_of_row, constant(0.0)), zero, found)
    if nan and "NaN" in values:
        found = op.where(op.isnan(value_of_row), constant(places["NaN"]), found)
    return found, tuple(values.values())


def _decimal_places(x: Number, places: Mapping[str, float]) -> tuple[Var, tuple[object, ...]]:
    values = {float(label): place for label, place in places.items() if _DECIMAL.fullmatch(label)}
    if len(values) < len(places):
        raise Refused(
            f"labels of decimal column {x.name!r} are not told apart as doubles, in which it travels.",
            fix="cast the column to string before indexing, in fitting too.",
        )
    return number_number(x.double(), values), tuple(values)


@converts("org.apache.spark.ml.feature.IndexToString", word="bit")
def index_to_string(stage: SavedStage, x: Number) -> Text:
    """The label at an index: of the param `labels`, else of the column's ML attribute.

    Shapes: x [N, 1] -> [N, 1].
    Order:  the index is truncated towards zero (-0.5 is 0); then refused where there is no such label.
    NaN, null: refused from Spark 4.1 on (SPARK-51963: SQL's cast in place of `toInt`). Before, NaN is 0, null stays null.
    Source: IndexToString.transform (ml/feature/StringIndexer.scala, Spark 4.0.1 and master)
    """
    given: tuple[str | None, ...] = tuple(stage.params.texts("labels")) if "labels" in stage.params else ()
    if not given:
        given = x.attribute.values or () if x.attribute.kind == "nominal" else ()
    labels = tuple(label for label in given if label is not None)
    if len(labels) < len(given):
        raise Refused(
            f"a label of column {x.name!r} is null.",
            fix="StringIndexerModel.from_arrays_of_labels fills up short lists with null: make one model a column.",
        )
    if not labels:
        raise Refused(
            f"no labels: the param is not set, and column {x.name!r} has no nominal attribute with values.",
            fix="setLabels before saving, or keep the StringIndexer that makes the column in the pipeline.",
        )
    index = x.numeric().double()
    outside = op.or_(op.less_or_equal(index, constant(-1.0)), op.greater_or_equal(index, constant(float(len(labels)))))
    strict = stage.since(4, 1)
    if strict and (x.nullable or x.floating):
        outside = op.or_(outside, x.is_missing())
    slack, both = None, ends(x)
    if both is not None:
        low, high = (op.cast(clamped(end, -1, len(labels)), to=np.float64) for end in both)
        slack = stepped(low, high)
    origin = x.origin()
    return (
        text(text_at(labels, index), nulls=x.is_null() if x.nullable and not strict else None, slack=slack)
        .because(Mask(outside, f"index in column {x.name!r} has no label"))
        .probing(origin.probe([0.0, float(len(labels))]) if origin else None)
    )


@converts("org.apache.spark.ml.feature.OneHotEncoderModel", word="bit")
def one_hot_encoder(stage: SavedStage, i: int, x: Number) -> Vector:
    """1 at the category's slot. `keep` gives all that is no category a slot behind the last; `dropLast` leaves out the last.

    Shapes: x [N, 1] -> [N, size], size = categories + (keep and not dropLast) - (dropLast and not keep).
    Order:  in range is decided first, on the number as it is; a fraction is truncated after that.
    NaN:    no category. Null: the vector is null, whatever handleInvalid says.
    Source: OneHotEncoderModel.encoder, transformSchema (ml/feature/OneHotEncoder.scala, Spark 4.0.1)
    """
    categories = int(stage.row()["categorySizes"][i])
    keep, drop = stage.params.text("handleInvalid") == "keep", stage.params.flag("dropLast")
    size = categories + (keep and not drop) - (drop and not keep)
    attributes = _one_hot_attributes(x, categories, keep, drop)
    if len(attributes) != size:
        raise Refused(
            f"column {x.name!r} says it has another number of categories than the {categories} of fitting.",
            fix="the schema does not belong to this model: give the one of its training data.",
        )
    place, valid = _one_hot_place(x, categories)
    ones = op.equal(place, constant(np.arange(size, dtype=np.float64).reshape(1, size)))
    hot = op.cast(ones, to=np.float64)
    nulls = x.is_null() if x.nullable else None
    slack = None if x.slack is None else op.expand(_one_hot_slack(x, categories), op.shape(hot))
    masks: tuple[Mask, ...] = ()
    if not keep and valid is not None:
        wrong = op.not_(valid) if nulls is None else op.not_(op.or_(valid, nulls))
        masks = (Mask(wrong, f"column {x.name!r} holds what is no index of {categories} categories"),)
    origin = x.origin()
    return (
        vector(
            hot if nulls is None else op.where(nulls, constant(np.nan), hot),
            size,
            attributes=attributes,
            nullable=x.nullable,
            nulls=nulls,
            stored=ones,
            slack=slack,
        )
        .because(*masks)
        .probing(origin.probe([float(c) for c in range(categories + 1)]) if origin else None)
    )


def _one_hot_place(x: Number, categories: int) -> tuple[Var, Var | None]:
    """The slot that is 1 (`categories` or more: none), and in which rows x is a category; None where it always is one."""
    label = x.numeric().double()
    if x.below is not None and x.below <= categories and not x.nullable:
        return label, None
    valid = op.and_(op.greater_or_equal(label, constant(0.0)), op.less(label, constant(float(categories))))
    place = op.where(valid, op.floor(label), constant(float(categories)))
    return place, valid


def _one_hot_slack(x: Number, categories: int) -> Var:
    both = ends(x)
    assert both is not None
    low, high = (op.cast(clamped(op.floor(end), -1, categories), to=np.float64) for end in both)
    return stepped(low, high)


def _one_hot_attributes(x: Number, categories: int, keep: bool, drop: bool) -> tuple[Attribute, ...]:
    """OneHotEncoderCommon.transformOutputColumnSchema, or createAttrGroupForAttrNames where x tells nothing."""
    kind, values = x.attribute.kind, x.attribute.values
    if kind == "numeric":
        raise Refused(
            f"column {x.name!r} is numeric by its ML attribute; OneHotEncoder reads categories.",
            fix="Spark itself refuses this column: index it first.",
        )
    names = values
    if names is None and kind == "nominal" and x.attribute.num_values is not None:
        names = tuple(map(str, range(x.attribute.num_values)))
    if names is None and kind == "binary":
        names = ("0", "1")
    if names is not None and drop and not keep and len(names) < 2:
        raise Refused(
            f"column {x.name!r} has one category and dropLast leaves none.",
            fix="Spark itself refuses this: setDropLast(False), or leave the column out.",
        )
    if names is None:
        names = tuple(map(str, range(categories)))
    if drop and not keep:
        names = names[:-1]
    elif keep and not drop:
        names = (*names, "invalidValues")
    if not all(names):  # Attribute's constructor; PySpark's from_arrays_of_labels fills up short lists with null
        raise Refused(
            f"column {x.name!r} has an empty category, or one that is null, and OneHotEncoder names its slots by them.",
            fix="Spark itself refuses this: give that category a name before StringIndexer.",
        )
    return tuple(Attribute("binary", name) for name in names)


@converts("org.apache.spark.ml.feature.VectorIndexerModel", word="bit", ignores=("maxCategories",))
def vector_indexer(stage: SavedStage, x: Vector) -> Vector:
    """Each categorical slot's value as its category's index; the other slots as they are.

    Shapes: x [N, F] -> [N, F].
    Unseen: error refuses; skip drops; keep answers the number of categories. NaN is never a category, -0.0 is 0.0.
            A slot that a sparse vector does not store is not looked up: it stays 0.
    Source: VectorIndexerModel.transformFunc, prepOutputField (ml/feature/VectorIndexer.scala, Spark 4.0.1; SPARK-58293)
    """
    row = stage.row()
    width = int(row["numFeatures"])
    maps: dict[int, dict[float, int]] = {slot: dict(pairs) for slot, pairs in row["categoryMaps"]}
    x = x.sized(width)
    handle = stage.params.text("handleInvalid")
    unknown = handle == "keep" and stage.since(4, 3)  # before, a model made them of handleInvalid's default
    attributes = _indexed_attributes(x, maps, width, unknown)
    if not maps:
        return replace(x, attributes=attributes, masks=x.refused_nulls(), nulls=None)
    indexed, unseen = _categories(x.var, maps, width, keep=handle == "keep")
    categorical = constant(np.isin(np.arange(width), [*maps]))
    looked_up = categorical if x.stored is None else op.and_(categorical, x.stored)
    masks: tuple[Mask, ...] = x.refused_nulls()
    if handle != "keep":
        lost = any_of(op.and_(looked_up, unseen))
        if masks:
            lost = op.and_(lost, op.not_(masks[0].rows))
        masks += (Mask(lost, f"vector column {x.name!r} holds a category not seen in fitting", drops=handle == "skip"),)
    undecided = decided(x.slack)
    slack = None if undecided is None or x.slack is None else op.where(categorical, undecided, x.slack)
    origins = tuple(None if slot in maps else x.origin(slot) for slot in range(width))
    probes = [_category_probe(x.origin(slot), values) for slot, values in maps.items()]
    return (
        vector(
            op.where(looked_up, indexed, x.var),
            width,
            attributes=attributes,
            stored=x.stored,
            slack=slack,
            origins=origins,
        )
        .because(*masks)
        .probing(*probes)
    )


def _categories(x: Var, maps: Mapping[int, Mapping[float, int]], width: int, keep: bool) -> tuple[Var, Var]:
    """Per slot of x [N, F]: the category's index (what `keep` gives where unseen), and whether it was unseen.

    Every (slot, value) pair is compared once; a product with a 0/index matrix takes the one that is equal, exactly.
    """
    entries = [(slot, value, index) for slot, values in maps.items() for value, index in values.items()]
    equal = op.equal(slots(x, np.array([e[0] for e in entries])), constant(np.array([[e[1] for e in entries]])))
    places = np.zeros((len(entries), width))
    for at, (slot, _, index) in enumerate(entries):
        places[at, slot] = index + 1
    found = op.matmul(op.cast(equal, to=np.float64), constant(places))
    unseen = op.equal(found, constant(0.0))
    extra = np.array([[float(len(maps.get(slot, {}))) for slot in range(width)]])
    known = op.sub(found, constant(1.0))
    return (op.where(unseen, constant(extra), known) if keep else known), unseen


def _category_probe(origin: Origin | None, values: Mapping[float, int]) -> Probe | None:
    return None if origin is None else origin.probe([value for value in values if math.isfinite(value)])


def _indexed_attributes(
    x: Vector, maps: Mapping[int, Mapping[float, int]], width: int, unknown: bool
) -> tuple[Attribute, ...]:
    """Names stay; values are told, `__unknown` behind them where asked for. Two values are binary."""
    made = []
    for slot in range(width):
        given = x.attributes[slot] if x.attributes else NUMERIC
        if slot in maps:
            ordered = sorted(maps[slot], key=lambda value: (math.isnan(value), value))  # no -0.0 is among them
            values = tuple(map(java_double, ordered))
            values += ("__unknown",) if unknown else ()
            made.append(Attribute("binary" if len(values) == 2 and not unknown else "nominal", given.name, values))
        else:
            made.append(given)
    return tuple(made)
