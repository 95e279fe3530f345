"""Words as vectors of few numbers."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import SourceError
from builder.graph.columns import Texts, Vector, vector
from builder.graph.idioms import beside_rows, constant, count, inverse, table
from builder.graph.rules import converts
from builder.graph.texts import long_of
from builder.sparkml.reader import SavedStage
from builder.types import Array

_FITTING = ("maxIter", "maxSentenceLength", "minCount", "numPartitions", "seed", "stepSize", "windowSize")


@converts("org.apache.spark.ml.feature.Word2VecModel", word="bit", ignores=_FITTING)
def word2vec(stage: SavedStage, x: Texts) -> Vector:
    """The mean of the words' vectors: their sum times 1 / number of all words, known or not; zeros where there is none.

    Shapes: x [N, T] -> [N, vectorSize].
    Order:  word after word, the saved floats added as doubles, so equal to the bit.
    Null:   an element that is null is an unknown word.
    Source: Word2VecModel.transform (ml/feature/Word2Vec.scala, Spark 4.0.1)
    """
    width, saved = stage.params.integer("vectorSize"), stage.table()
    words = saved.column("word").to_pylist()
    vectors = saved.column("vector").combine_chunks()
    numbers = vectors.values.to_numpy(zero_copy_only=False).astype(np.float32)
    if len(numbers) != len(words) * width:
        raise SourceError(f"{stage.uid}: its vectors are not {width} wide.", fix="copy the saved model again.")
    known = np.concatenate([numbers.reshape(len(words), width), np.zeros((1, width), np.float32)])
    slots = long_of(x.var, {word: at for at, word in enumerate(words)}, len(words))
    there = x.tokens if x.nulls is None else op.and_(x.tokens, op.not_(x.nulls))
    total = _added(op.where(there, slots, constant(np.array(len(words)))), known)
    number = count(x.tokens)
    some = op.greater(number, constant(0.0))
    share = inverse(op.where(some, number, constant(1.0)))
    return vector(op.mul(total, share), width, stored=op.expand(some, op.shape(total)))


def _added(slots: Var, vectors: Array) -> Var:
    """slots [N, T], vectors [W, D] float32 → [N, D] float64: row after row added, never N × T × D numbers."""
    shape = constant(np.array([-1, vectors.shape[1]], dtype=np.int64))
    start = op.reshape(op.expand(constant(0.0), beside_rows(slots, vectors.shape[1])), shape)
    given, one = table(vectors), constant(np.array([1], dtype=np.int64))

    def add(at: Var, going_on: Var, total: Var) -> list[Var]:
        here = op.squeeze(op.gather(slots, op.reshape(at, one), axis=1), one)
        return [going_on, op.add(total, op.cast(op.gather(given, here), to=np.float64))]

    steps = op.add(constant(np.array([0])), op.shape(slots, start=1, end=2))
    (total,) = op.loop(steps, constant(np.array([True])), v_initial=[start], body=add)
    return op.reshape(total, shape)  # Loop forgets it
