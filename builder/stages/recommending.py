"""Ratings from factors: alternating least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused, SourceError
from builder.graph.columns import Column, Mask, Number, number
from builder.graph.idioms import clamped, constant, sequential_sum
from builder.graph.lookup import place_of, rows_at
from builder.graph.rules import converts
from builder.sparkml.reader import SavedStage
from builder.types import Array, Scalar

_held: WeakValueDictionary[tuple[Any, ...], Array] = WeakValueDictionary()  # factors that some graph still holds
_INTEGER = Scalar("integer")
_LOWEST, _HIGHEST = -(2**31), 2**31 - 1  # an id is Spark's IntegerType


def _ids(stage: SavedStage) -> tuple[str, ...]:
    return stage.params.text("userCol"), stage.params.text("itemCol")


def _drops_unknown(stage: SavedStage) -> bool:
    return stage.params.text("coldStartStrategy").lower() == "drop"  # else "nan": Spark checks it where it is set


@converts(
    "org.apache.spark.ml.recommendation.ALSModel",
    word="bit",
    reads=_ids,
    writes=("predictionCol",),
    ignores=(
        "alpha",
        "blockSize",
        "checkpointInterval",
        "finalStorageLevel",
        "implicitPrefs",
        "intermediateStorageLevel",
        "maxIter",
        "nonnegative",
        "numItemBlocks",
        "numUserBlocks",
        "rank",
        "ratingCol",
        "regParam",
        "seed",
    ),
    drops=_drops_unknown,
)
def als(stage: SavedStage, columns: Mapping[str, Column], live: frozenset[str]) -> dict[str, Column]:
    """prediction = Σ userFactor · itemFactor, float32; Spark 4 hands on the ids as integers.

    Shapes: user and item [N, 1] of any numeric type -> prediction [N, 1] float32; the ids [N, 1] int32.
    Order:  from the first factor on, each product and each sum rounded to float32, as Spark's loop does.
    Unseen: an id that was not fitted gives NaN; with coldStartStrategy `drop` the row is dropped, as is one whose sum is NaN.
    Null:   refused, and so is an id that is no whole number or no 32-bit integer.
    Source: ALSModel.transform, ALSModelParams.checkIntegers (ml/recommendation/ALS.scala, Spark 4.0.1)
    """
    rank = stage.count("rank")
    user, item = (_numeric(columns[name]) for name in _ids(stage))
    known, user_id, users = _factors(stage, "userFactors", user, rank)
    known_too, item_id, items = _factors(stage, "itemFactors", item, rank)
    last = constant(np.array([-1], dtype=np.int64))
    total = sequential_sum(op.unsqueeze(op.mul(users, items), last))
    ids = op.and_(known, known_too)
    masks = [
        Mask(op.not_(here), f"id {x.name!r} is null, no whole number or beyond 32 bits")
        for here, x in ((known, user), (known_too, item))
    ]
    if _drops_unknown(stage):
        reason = f"no factors were fitted for {user.name!r} or {item.name!r}"
        masks.append(Mask(op.and_(ids, op.isnan(total)), reason, drops=True))
    answers: dict[str, Column] = {
        stage.params.text("predictionCol"): number(total, type=Scalar("float"), masks=tuple(masks))
    }
    if stage.since(4, 0):
        for x, id in ((user, user_id), (item, item_id)):
            if x.type != _INTEGER:
                answers[x.name] = number(op.cast(id, to=np.int32), type=_INTEGER, origins=x.origins)
    return answers


def _numeric(column: Column) -> Number:
    if isinstance(column, Number):
        return column
    raise Refused(
        f"column {column.name!r} is {column.type}; ALSModel reads numbers.",
        fix="check the schema given: Spark itself would refuse this column.",
    )


def _factors(stage: SavedStage, name: str, x: Number, rank: int) -> tuple[Var, Var, Var]:
    """Rows whose x is an id, [N, 1]; the id; and its factors [N, rank] float32, NaN where it was not fitted."""
    value = x.numeric().double()
    inside = op.and_(
        op.greater_or_equal(value, constant(float(_LOWEST))), op.less_or_equal(value, constant(float(_HIGHEST)))
    )
    whole = op.and_(inside, op.equal(value, op.floor(value)))
    ids = np.concatenate([part.to_numpy() for part in stage.batches(name, "id")])
    if len(np.unique(ids)) != len(ids):
        raise SourceError(
            f"{stage.uid}: {name}/ holds an id twice.",
            fix="two models were saved into one folder: save it again into an empty one.",
        )
    asked = clamped(value, _LOWEST, _HIGHEST)
    place, order = place_of(asked, ids)
    return whole, asked, rows_at(_sorted_factors(stage, name, rank, order), place)


def _sorted_factors(stage: SavedStage, name: str, rank: int, order: Array) -> Array:
    """[n + 1, rank] float32 in the given order of the saved rows, NaN at the end. Filled a batch at a time.

    The served graph and the proof graph share one array while either is there: it may be gigabytes.
    """
    files = ((file, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted((stage.path / name).iterdir()))
    key = (rank, *files)
    factors: Array | None = _held.get(key)
    if factors is None:
        factors = np.empty((len(order) + 1, rank), dtype=np.float32)  # to fill it twice would cost seconds
        factors[-1] = np.nan
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        start = 0
        for part in stage.batches(name, "features"):
            rows = part.flatten().to_numpy().reshape(len(part), rank)
            factors[places[start : start + len(part)]] = rows
            start += len(part)
        _held[key] = factors
    return factors
