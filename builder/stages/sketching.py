"""Locality-sensitive hashes of vectors.

Spark answers an array with a vector of one number for each hash table. A tensor is no list of vectors: here they are one
vector, a slot a table, [N, numHashTables].
"""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Mask, Vector, vector
from builder.graph.idioms import any_of, constant, dot, smallest, table
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, stepped, weighed
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix

_PRIME = 2038074743
_NOTE = "answers one vector, a slot a hash table, where Spark has an array of vectors of one number each"


@converts("org.apache.spark.ml.feature.MinHashLSHModel", word="bit", ignores=("numHashTables", "seed"), note=_NOTE)
def min_hash(stage: SavedStage, x: Vector) -> Vector:
    """h = min over the slots i that are not 0 of ((1 + i)·a + b) mod 2038074743, for each table's a and b.

    Shapes: x [N, F] -> h [N, number of tables].
    NaN:    is not 0. A row without such a slot is refused.
    Source: MinHashLSHModel.hashFunction (ml/feature/MinHashLSH.scala, Spark 4.0.1)
    """
    pairs = np.asarray(stage.row()["randCoefficients"], dtype=np.int64).reshape(-1, 2)
    slot = np.arange(1, x.width + 1, dtype=np.int64)[:, None]
    hashes = ((slot * pairs[:, 0] + pairs[:, 1]) % _PRIME).astype(np.float64)
    values = x.var if x.sparse is None else x.sparse.values
    here = table(hashes[None]) if x.sparse is None else x.sparse.looked_up(hashes)
    there = op.not_(op.equal(values, constant(0.0)))
    least = smallest(op.where(op.unsqueeze(there, constant(np.array([2]))), here, constant(np.inf)))
    empty = Mask(op.not_(any_of(there)), f"vector column {x.name!r} is 0 everywhere")
    origins = (x.origin(slot) for slot in range(x.width))
    probes = [origin.probe([0.0]) for origin in origins if origin is not None]
    slack = None
    if x.slack is not None:  # a slot may be 0, or not be
        unsure = op.and_(op.less_or_equal(op.abs(x.var), x.slack), op.greater(x.slack, constant(0.0)))
        slack = op.where(any_of(unsure), constant(np.inf), constant(np.zeros((1, len(pairs)))))
    return vector(least, len(pairs), slack=slack).because(empty).probing(*probes)


@converts(
    "org.apache.spark.ml.feature.BucketedRandomProjectionLSHModel",
    word="dot",
    ignores=("numHashTables", "seed"),
    note=_NOTE,
)
def bucketed_random_projection(stage: SavedStage, x: Vector) -> Vector:
    """h = ⌊r·x / bucketLength⌋, for each table's unit vector r.

    Shapes: x [N, F] -> h [N, number of tables].
    Order:  of the sum, Spark's gemv leaves it to its BLAS; a hash whose sum lies that near to a whole number is undecided.
    NaN:    stays NaN.
    Source: BucketedRandomProjectionLSHModel.hashFunction (ml/feature/BucketedRandomProjectionLSH.scala, Spark 4.0.1)
    """
    units = np.ascontiguousarray(dense_matrix(stage.row()["randUnitVectors"]).T)
    with np.errstate(over="ignore"):
        scale = np.array([1.0 / np.float64(stage.params.number("bucketLength"))])
    x = x.sized(len(units))
    place = op.mul(dot(x.var, units), constant(scale))
    moved = op.mul(weighed(x.var, x.slack, units), constant(scale * (1 + 8 * UNIT)))
    bound = op.add(moved, op.mul(op.abs(place), constant(4 * UNIT)))
    return vector(op.floor(place), units.shape[1], slack=_steps(place, bound))


def _steps(place: Var, bound: Var) -> Var:
    near = stepped(op.floor(op.sub(place, bound)), op.floor(op.add(place, bound)))
    return op.where(op.or_(op.isnan(place), op.isinf(place)), constant(0.0), near)
