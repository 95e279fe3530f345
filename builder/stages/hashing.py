"""Vectors of hashed words and columns. They stay sparse inside the graph, however wide they are."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op

from builder.graph.columns import Texts, Vector, sparse_vector
from builder.graph.idioms import wrapped
from builder.graph.rules import converts
from builder.graph.sparse import counted
from builder.graph.texts import murmur3
from builder.sparkml.reader import SavedStage

SEED = 42


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
    slots = wrapped(murmur3(x.var, 2), width)
    if x.nulls is not None:
        slots = op.where(x.nulls, op.const(np.array(SEED % width)), slots)
    return sparse_vector(counted(slots, x.tokens, width, binary=stage.params.flag("binary")))
