"""How often words occur, and how rare they are."""

from __future__ import annotations

import spox.opset.ai.onnx.v21 as op

from builder.errors import Refused
from builder.graph.columns import Texts, Vector, scaled_origins, sparse_vector, vector
from builder.graph.idioms import constant, count
from builder.graph.rules import converts
from builder.graph.sparse import counted, only
from builder.graph.texts import long_of
from builder.graph.tolerance import stretched
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector


@converts(
    "org.apache.spark.ml.feature.CountVectorizerModel",
    word="bit",
    ignores=("maxDF", "minDF", "vocabSize"),
    note="sparse inside the graph; as an output it is dense, one double a word of the vocabulary",
)
def count_vectorizer(stage: SavedStage, x: Texts) -> Vector:
    """How often each word of the vocabulary occurs, or with `binary` 1; 0 below minTF.

    Shapes: x [N, T] -> [N, words of the vocabulary].
    Order:  minTF below 1 is a share of all words of the row, known or not: their number times minTF.
    Null:   an element that is null is an unknown word.
    Source: CountVectorizerModel.transform (ml/feature/CountVectorizer.scala, Spark 4.0.1)
    """
    words = stage.row()["vocabulary"]
    if not words or len(set(words)) < len(words):
        raise Refused(
            f"the vocabulary of {stage.uid} is empty or holds a word twice.",
            fix="fit it on rows that have words; from_vocabulary wants each word once.",
        )
    least, binary = stage.params.number("minTF"), stage.params.flag("binary")
    slots = long_of(x.var, {word: at for at, word in enumerate(words)}, len(words))
    given = x.tokens if x.nulls is None else op.and_(x.tokens, op.not_(x.nulls))
    counts = counted(slots, given, len(words))
    if least > 1:
        counts = counts.where(op.greater_or_equal(counts.values, constant(least)))
    elif 0 < least < 1:
        share = op.mul(count(x.tokens), constant(least))
        counts = counts.where(op.greater_or_equal(counts.values, share))
    if binary:
        counts = counts.with_values(only(counts.there, constant(1.0)))
    return sparse_vector(counts)


@converts("org.apache.spark.ml.feature.IDFModel", word="bit", ignores=("minDocFreq",))
def idf(stage: SavedStage, x: Vector) -> Vector:
    """x times the saved inverse document frequency, slot by slot; a sparse vector's own slots alone.

    Shapes: x [N, F] -> [N, F].
    Source: IDFModel.transform (ml/feature/IDF.scala), transformSparse (mllib/feature/IDF.scala, Spark 4.0.1)
    """
    weights = dense_vector(stage.row()["idf"])
    width = len(weights)
    x = x.sized(width)
    if x.sparse is not None and x.slack is None:
        return sparse_vector(x.sparse.times(weights))
    scaled = op.mul(x.var, constant(weights))
    return vector(
        x.only_stored(scaled),
        width,
        stored=x.stored,
        slack=stretched(x.slack, weights, scaled),
        origins=scaled_origins(x, weights, 0.0, width),
    )
