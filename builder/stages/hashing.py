"""Vectors of hashed words and columns. They stay sparse inside the graph, however wide they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Column, Number, Text, Texts, Vector, sparse_vector
from builder.graph.idioms import choose, constant, wrapped
from builder.graph.rules import converts
from builder.graph.sparse import counted, spread_out, summed
from builder.graph.texts import murmur3 as hashes
from builder.sparkml.murmur3 import SEED, murmur3
from builder.sparkml.reader import SavedStage
from builder.types import Scalar


@converts(
    "org.apache.spark.ml.feature.HashingTF",
    word="bit",
    note="sparse inside the graph; as an output it is dense, numFeatures doubles a row",
)
def hashing_tf(stage: SavedStage, x: Texts) -> Vector:
    """How often each hash of a word occurs, or with `binary` 1: murmur3 of its UTF-8, remainder by numFeatures, not negative.

    Shapes: x [N, T] -> [N, numFeatures].
    Null:   an element that is null hashes to the seed.
    Source: HashingTF.transform, indexOf (ml/feature/HashingTF.scala, Spark 4.0.1)
    """
    width = stage.params.integer("numFeatures")
    slots = wrapped(hashes(x.var, 2), width)
    if x.nulls is not None:
        slots = op.where(x.nulls, constant(np.array(SEED % width)), slots)
    return sparse_vector(counted(slots, x.tokens, width, binary=stage.params.flag("binary")))


@dataclass(frozen=True)
class _Hashed:
    """One column's entry: slot int64, value float64, whether it is not null; all [N, 1]. `slot`: the same in every row."""

    slots: Var
    values: Var
    there: Var
    slot: int | None = None
    slack: Var | None = None


@converts(
    "org.apache.spark.ml.feature.FeatureHasher",
    word="bit",
    note="sparse inside the graph; as an output it is dense, numFeatures doubles a row",
)
def feature_hasher(stage: SavedStage, columns: Sequence[Column]) -> Vector:
    """A number's value at the hash of its column's name; 1 at the hash of "column=value" for strings, booleans and
    `categoricalCols`. What meets in one slot is added.

    Shapes: [N, 1] each -> [N, numFeatures].
    Order:  numbers first, then strings and booleans, then the other categories, each in the order of `inputCols`.
    Null:   leaves the column out. A number that `inputCols` names twice counts once; a string twice, but with
            `categoricalCols`, and before Spark 4.0, once.
    Raises: Refused for a category of double, float or decimal: a graph cannot print it as Java does. And where the order
            of a sum hangs on the hash of a Scala set: three numbers or more in one slot, of more than four columns.
    Source: FeatureHasher.transform (ml/feature/FeatureHasher.scala, Spark 4.0.1)
    """
    width = stage.params.integer("numFeatures")
    some = "categoricalCols" in stage.params
    chosen, each = stage.params.texts("categoricalCols") if some else (), {c.name: c for c in columns}
    numbers = [c for c in each.values() if _numeric(c) and c.name not in chosen]
    once = some or not stage.since(4, 0)
    texts = [c for c in (each.values() if once else columns) if not _numeric(c)]
    categories = [each[name] for name in dict.fromkeys(chosen) if name in each and _numeric(each[name])]
    real = [_real(c, width) for c in numbers if isinstance(c, Number)]
    shared = max((sum(one.slot == other.slot for other in real) for one in real), default=0)
    if shared > 2 and len(each) > 4:
        raise Refused(
            f"{shared} numeric columns of {stage.uid} share a slot; Spark adds them in the order of a hash set.",
            fix="setNumFeatures to more, 262144 by default.",
        )
    entries = real + [_category(c, width) for c in (*texts, *categories)]
    slots, values, there = (
        op.concat([getattr(entry, part) for entry in entries], axis=1) for part in ("slots", "values", "there")
    )
    finite = not any(c.floating for c in numbers if isinstance(c, Number))
    hashed = sparse_vector(summed(slots, values, there, width, finite=finite))
    if all(entry.slack is None for entry in entries):
        return hashed
    slacks = [op.sub(e.values, e.values) if e.slack is None else e.slack for e in entries]
    return replace(hashed, slack=spread_out(op.concat(slacks, axis=1), slots, width))


def _numeric(column: Column) -> bool:
    if not isinstance(column, Number | Text) or column.type in (
        Scalar("date"),
        Scalar("timestamp"),
        Scalar("timestamp_ntz"),
    ):
        raise Refused(
            f"column {column.name!r} is {column.type}; FeatureHasher reads numbers, booleans and strings.",
            fix="Spark itself refuses this column: cast it first.",
        )
    return isinstance(column, Number) and column.type != Scalar("boolean")


def _real(x: Number, width: int) -> _Hashed:
    slot, value = murmur3(x.name) % width, x.double()
    slots = op.expand(constant(np.array([[slot]])), op.shape(value))
    return _Hashed(slots, value, op.not_(x.is_null()), slot, x.slack)


def _category(x: Column, width: int) -> _Hashed:
    assert isinstance(x, Number | Text), "_numeric refuses all others"
    there = op.not_(x.is_null())
    ones = op.expand(constant(1.0), op.shape(there))
    if isinstance(x, Text):
        return _Hashed(_named(x.name, x.var, width), ones, there)
    if x.kind == "boolean":
        no, yes = (constant(np.array(murmur3(f"{x.name}={word}") % width)) for word in ("false", "true"))
        return _Hashed(choose(op.cast(x.var, to=np.bool_), yes, no), ones, there)
    if x.floating:
        raise Refused(
            f"column {x.name!r} is {x.type} and a category: it hashes as Java prints it, which a graph cannot.",
            fix="cast it to a whole number or a string before, in fitting too.",
        )
    return _Hashed(_named(x.name, op.cast(op.cast(x.var, to=np.int64), to=np.str_), width), ones, there)


def _named(name: str, value: Var, width: int) -> Var:
    """The slots [N, 1] of "name=value"."""
    return wrapped(hashes(op.string_concat(constant(np.array([[f"{name}="]], dtype=np.str_)), value), 2), width)
