"""Topics of documents: latent Dirichlet allocation."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Mask, Vector, vector
from builder.graph.idioms import any_of, beside_rows, constant, count, dot, exp, log, ordered_sum, sequential_sum
from builder.graph.rules import converts
from builder.graph.tolerance import undecided
from builder.sparkml.randomness import gamma_sample
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix, dense_vector
from builder.types import Array

_ENOUGH = 1e-3  # the mean change of gamma at which Spark stops
_ROUNDS = 10_000  # a row that has not stopped by then is refused: no input may keep the server busy for ever
_RELATIVE = 2e-11  # of a topic's share: what the order of sums may come to in all rounds
_SEED = 1421925485  # "org.apache.spark.ml.clustering.LocalLDAModel".hashCode
_UNSURE = 1e-12  # of the change, relative to Σ gamma: what decides whether there is one round more
_TINY = 1e-100
_LARGE, _SMALL = 49.0, 1e-5  # digamma: above, its series; between 0 and below, its pole
_EULER = 0.577215664901532860606512090082


@converts(
    "org.apache.spark.ml.clustering.LocalLDAModel",
    word="iterative",
    arrays=True,
    reads=("featuresCol",),
    writes=("topicDistributionCol",),
    ignores=(
        "checkpointInterval",
        "docConcentration",
        "featuresCol",
        "k",
        "keepLastCheckpoint",
        "learningDecay",
        "learningOffset",
        "maxIter",
        "optimizeDocConcentration",
        "optimizer",
        "seed",
        "subsamplingRate",
        "topicConcentration",
    ),
    note="within 2e-11 of a share, for sums of all rounds; Spark's own rounds, from its own random start",
)
def local_lda(stage: SavedStage, x: Vector) -> Vector:
    """gamma / Σ gamma, gamma being repeated until it changes by 1e-3 or less on average; 0 in each slot for an empty document.

    gamma' = theta * (Bᵀ (counts / (B theta + 1e-100))) + alpha, theta = exp(digamma(gamma) - digamma(Σ gamma)), from a
    random gamma that is the same for every row, and for every model of K topics: Spark seeds it before it sets the param
    `seed`, with the default of the model's class.

    Shapes: x [N, V] -> topicDistribution [N, K].
    NaN:    each share is NaN.
    Raises: a row with a negative count, or that goes on for 10,000 rounds, is refused (Spark goes on).
    Source: LDAModel.getTopicDistributionMethod (ml/clustering/LDA.scala),
            OnlineLDAOptimizer.variationalTopicInference (mllib/clustering/LDAOptimizer.scala, Spark 4.0.1)
    """
    row = stage.row()
    topics, alpha = dense_matrix(row["topicsMatrix"]), dense_vector(row["docConcentration"])
    words, size = topics.shape
    shape = float(row["gammaShape"])
    if shape <= 1:
        raise Refused(
            f"gammaShape is {shape}.", fix="Spark ML saves 100: what made this model draws its start elsewise."
        )
    x = x.sized(words)
    known = np.exp(_digamma(topics) - _digamma(_ordered_total(topics)))
    start = gamma_sample(shape, 1.0 / shape, size, _SEED)[None]
    negative = any_of(op.less(x.var, constant(0.0)))
    gamma, going, close = _repeated(x.var, op.not_(negative), known, alpha, start)

    share = op.div(gamma, ordered_sum(gamma))
    empty = op.not_(any_of(op.not_(op.equal(x.var, constant(0.0)))))
    share = op.where(empty, constant(0.0), share)
    masks = (
        Mask(negative, f"vector {x.name!r} holds a negative count"),
        Mask(going, f"the topics of {x.name!r} do not come to rest within {_ROUNDS} rounds"),
    )
    slack = op.add(op.mul(share, constant(_RELATIVE)), op.where(empty, constant(0.0), undecided(close)))
    if x.slack is not None:
        raise Refused(
            f"vector {x.name!r} is not Spark's to the bit, and how far rounds of repetition carry that is not known.",
            fix="fit it on counts, as CountVectorizer and HashingTF give them.",
        )
    return vector(share, size, masks=masks, slack=op.where(op.isnan(share), constant(0.0), slack))


def _repeated(counts: Var, asked: Var, known: Array, alpha: Array, start: Array) -> tuple[Var, Var, Var]:
    """gamma [N, K] at rest; and the rows [N, 1] that never rest, and those in which rounding decided when.

    A row that rests keeps its values while others go on: its answer never hangs on its neighbours.
    """
    topics = start.shape[1]
    theta = np.exp(_digamma(start) - _digamma(_ordered_total(start.T)[:, None]))
    norm = theta @ known.T + _TINY

    def spread(values: Array) -> Var:
        return op.expand(constant(values), beside_rows(counts, values.shape[1]))

    def round(_: Var, go: Var, gamma: Var, theta: Var, norm: Var, going: Var, close: Var) -> list[Var]:
        moved = op.add(op.mul(theta, dot(op.div(counts, norm), known)), constant(alpha))
        total = ordered_sum(moved)
        logs = _digamma_of(op.concat([moved, total], axis=1))
        ends = [constant(np.array([end], dtype=np.int64)) for end in (0, topics, topics + 1, 1)]
        of_total = op.slice(logs, ends[1], ends[2], ends[3])
        turned = exp(op.sub(op.slice(logs, ends[0], ends[1], ends[3]), of_total))
        change = op.div(ordered_sum(op.abs(op.sub(moved, gamma))), constant(float(topics)))
        near = op.less(
            op.abs(op.sub(change, constant(_ENOUGH))), op.mul(op.add(total, constant(1.0)), constant(_UNSURE))
        )
        met = dot(turned, known.T)
        again = op.and_(going, op.greater(change, constant(_ENOUGH)))
        return [
            _any(again),
            op.where(going, moved, gamma),
            turned,
            op.add(met, constant(_TINY)),
            again,
            op.or_(close, op.and_(going, near)),
        ]

    asked = op.reshape(asked, beside_rows(counts, 1))  # of a shape that rounds may keep
    none = op.and_(asked, op.not_(asked))
    gamma, _, _, going, close = op.loop(
        constant(np.array([_ROUNDS], dtype=np.int64)),
        constant(np.array([True])),
        [spread(start), spread(theta), spread(norm), asked, none],
        body=round,
    )
    return gamma, going, close


def _any(rows: Var) -> Var:
    """bool [N, 1] → [1]; false of no rows."""
    flat = op.reshape(rows, constant(np.array([1, -1], dtype=np.int64)))
    return op.reshape(op.greater(count(flat), constant(0.0)), constant(np.array([1], dtype=np.int64)))


def _ordered_total(values: Array) -> Array:
    """[V, K] → [K], added from the first row on."""
    return np.asarray(np.add.accumulate(values, axis=0)[-1])


def _series(x: Array) -> Array:
    """Of x of 49 and more: commons-math's, whose last two terms have the sign that makes it right to 3e-9 alone."""
    squared = 1.0 / (x * x)
    return np.asarray(np.log(x) - 0.5 / x - squared * (1.0 / 12 + squared * (1.0 / 120 - squared / 252)))


def _digamma(x: Array) -> Array:
    """commons-math 3.6.1's Gamma.digamma of positive numbers: digamma(x + 1) - 1 / x up to 49, then its series.

    Up to 1e-5 it answers -euler - 1 / x, which is off by 2e-5: transliterated, as Spark's topics come from it.
    """
    steps = x[..., None] + np.arange(_LARGE)
    below = steps < _LARGE
    found = _series(x + below.sum(axis=-1)) - np.where(below, 1.0 / steps, 0.0).sum(axis=-1)
    return np.asarray(np.where(x <= _SMALL, -_EULER - 1.0 / x, found))


def _digamma_of(x: Var) -> Var:
    """`_digamma` in the graph, x [N, K]."""
    middle = constant(np.array([1], dtype=np.int64))
    steps = op.add(op.unsqueeze(x, middle), constant(np.arange(_LARGE, dtype=np.float64)[None, :, None]))
    below = op.less(steps, constant(_LARGE))
    added = op.where(below, constant(1.0), constant(0.0))
    top = op.add(x, sequential_sum(added))
    squared = op.div(constant(1.0), op.mul(top, top))
    inner = op.sub(constant(1.0 / 120), op.div(squared, constant(252.0)))
    corrected = op.mul(squared, op.add(constant(1.0 / 12), op.mul(squared, inner)))
    series = op.sub(op.sub(log(top), op.div(constant(0.5), top)), corrected)
    found = op.sub(series, sequential_sum(op.where(below, op.div(constant(1.0), steps), constant(0.0))))
    pole = op.sub(constant(-_EULER), op.div(constant(1.0), x))
    return op.where(op.less_or_equal(x, constant(_SMALL)), pole, found)
