"""The end that classifiers share: raw prediction → probability → label.

Source: ClassificationModel (ml/classification/Classifier.scala) and ProbabilisticClassificationModel
(ml/classification/ProbabilisticClassifier.scala), Spark 4.0.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Mask, Number, Vector, number, vector
from builder.graph.idioms import argmax, constant, ordered_sum, slots
from builder.graph.tolerance import UNIT, outdone, undecided
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage

COLUMNS = ("rawPredictionCol", "probabilityCol", "predictionCol")

Labels = Callable[[Vector], Number]
Thresholds = np.ndarray[tuple[int], np.dtype[np.float64]]  # one a class


def classified(
    stage: SavedStage,
    raw: Vector,
    probability: Vector,
    *,
    by_raw: Labels | None = None,
    by_probability: Labels | None = None,
    by_features: Callable[[], Number] | None = None,
) -> tuple[Vector, Vector, Number]:
    """The three columns that a probabilistic classifier writes.

    Spark makes the label from the raw prediction where that is a column, else from the probability, else from the
    features; the three ways differ. `by_raw`, `by_probability` and `by_features` are what a model overrides: by default
    argmax, or with `thresholds` the largest of probability / threshold; from the features as from the raw prediction.
    Raises Refused where there is not one threshold a class.
    """
    thresholds = stage.params.numbers("thresholds") if "thresholds" in stage.params else None
    if thresholds is not None and len(thresholds) != raw.width:
        raise Refused(f"{len(thresholds)} thresholds for {raw.width} classes.", fix="set one threshold a class.")
    from_probability = by_probability or (largest if thresholds is None else lambda p: _over(p, thresholds))
    from_raw = by_raw or (largest if thresholds is None else lambda _: from_probability(probability))
    if stage.params.text("rawPredictionCol"):
        label = from_raw(raw)
    elif stage.params.text("probabilityCol"):
        label = from_probability(probability)
    else:
        label = by_features() if by_features else from_raw(raw)
    known = replace(label, attribute=Attribute("nominal", num_values=raw.width), probes=raw.probes)
    return raw, replace(probability, probes=raw.probes), known


def largest(x: Vector) -> Number:
    """The first index of the largest value; 0 where the first is NaN (DenseVector.argmax)."""
    index = argmax(x.var)
    return number(index, masks=x.masks, slack=None if x.slack is None else outdone(x.var, x.slack, index, x.width))


def above(value: Var, slack: Var | None, threshold: float) -> Number:
    """1 where the value [N, 1] is greater than the threshold, else 0. The threshold itself may be an ulp off Spark's."""
    label = op.cast(op.greater(value, constant(threshold)), to=np.float64)
    if slack is None or not np.isfinite(threshold):
        return number(label)
    reach = op.add(slack, constant(4 * UNIT * abs(threshold)))
    near = op.less_or_equal(op.abs(op.sub(value, constant(threshold))), reach)
    return number(label, slack=undecided(op.and_(near, op.greater(slack, constant(0.0)))))


def slot(x: Vector, index: int) -> tuple[Var, Var | None]:
    """One slot [N, 1] and its tolerance."""
    at = np.array([index])
    return slots(x.var, at), None if x.slack is None else slots(x.slack, at)


def normalized(raw: Vector, *, always_positive: bool) -> Vector:
    """normalizeToProbabilitiesInPlace: each count over their sum, added from the first on; a sum of 0 is refused."""
    total = ordered_sum(raw.var)
    masks = () if always_positive else (Mask(op.equal(total, constant(0.0)), "every class has a count of 0"),)
    return vector(op.div(raw.var, total), raw.width, masks=masks, slack=raw.slack)


def _over(probability: Vector, thresholds: Thresholds) -> Number:
    """The first index of the largest probability / threshold, NaN left out.

    A threshold of 0 makes infinity, so that class wins; NaN where its probability is 0 too, so it loses.
    """
    scaled = op.div(probability.var, constant(thresholds))
    seen = op.where(op.isnan(scaled), constant(-np.inf), scaled)
    index = argmax(seen)
    slack = _quotients_slack(probability, scaled, thresholds)
    if slack is None:
        return number(index, masks=probability.masks)
    return number(index, masks=probability.masks, slack=outdone(seen, slack, index, probability.width))


def _quotients_slack(probability: Vector, scaled: Var, thresholds: Thresholds) -> Var | None:
    """By how much each probability / threshold may be off."""
    if probability.slack is None:
        return None
    some = op.greater(probability.slack, constant(0.0))
    moved = op.add(op.div(probability.slack, constant(thresholds)), op.mul(op.abs(scaled), constant(4 * UNIT)))
    at_zero = op.where(op.less_or_equal(probability.var, probability.slack), constant(np.inf), constant(0.0))
    return op.where(some, op.where(constant(thresholds == 0), at_zero, moved), constant(0.0))
