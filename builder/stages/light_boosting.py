"""SynapseML's LightGBM: doubles, `x <= threshold`, three notions of what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.boosters import leaves_reached, probes_of
from builder.graph.columns import Number, Vector, number, vector
from builder.graph.idioms import any_of, constant, exp, java_max, ordered_sum, sequential_sum, table
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, ends, logistic_bound, shared_bound, undecided
from builder.sparkml.boosters import only
from builder.sparkml.lightgbm import LightGBM, objective_of, read_lightgbm
from builder.sparkml.reader import SavedStage
from builder.stages.classifying import COLUMNS, classified
from builder.types import Probe, Word

_PACKAGE = "com.microsoft.azure.synapse.ml.lightgbm"
_FITTING = ("featuresCol", "labelCol", "predictDisableShapeCheck", "groupCol", "evalAt", "weightCol")
_ZERO = float(np.float32(1e-35))  # what is nearer to 0 is 0
_ABOVE = -1.0  # a number above it, cut to an integer, is a category

Link = Callable[[LightGBM, Var], tuple[Var, Var | None]]


def _identity(booster: LightGBM, raw: Var) -> tuple[Var, Var | None]:
    """The raw score; with `sqrt`, its square with its sign."""
    if "sqrt" not in booster.options:
        return raw, None
    sign = op.where(op.less(raw, constant(0.0)), constant(-1.0), constant(1.0))
    return op.mul(op.mul(sign, raw), raw), None


def _exponential(booster: LightGBM, raw: Var) -> tuple[Var, Var | None]:
    e = exp(raw)
    return e, shared_bound(e, op.mul(e, constant(8 * UNIT)))


def _sigmoid(booster: LightGBM, raw: Var) -> tuple[Var, Var]:
    """1 / (1 + exp(-sigmoid * raw))."""
    steepness = float(booster.options.get("sigmoid", 1.0))
    p = op.div(constant(1.0), op.add(constant(1.0), exp(op.mul(constant(-steepness), raw))))
    return p, logistic_bound(p, op.mul(constant(0.0), p))


def _softmax(booster: LightGBM, raw: Var) -> tuple[Var, Var]:
    """exp(raw - its maximum) / their sum."""
    e = exp(op.sub(raw, java_max(raw)))
    p = op.div(e, ordered_sum(e))
    return p, shared_bound(p, op.mul(p, constant((2 * 8 + 2 * booster.classes + 2) * UNIT)))


_LINKS: Mapping[str, Link] = {
    "cross_entropy": _sigmoid,
    "custom": _identity,
    "fair": _identity,
    "gamma": _exponential,
    "huber": _identity,
    "lambdarank": _identity,
    "mape": _identity,
    "poisson": _exponential,
    "quantile": _identity,
    "rank_xendcg": _identity,
    "regression": _identity,
    "regression_l1": _identity,
    "tweedie": _exponential,
}
_CLASSES: Mapping[str, Link] = {"binary": _sigmoid, "multiclass": _softmax, "multiclassova": _sigmoid}


def _weakened(stage: SavedStage) -> Word:
    link = _LINKS.get(objective_of(stage) or "custom", _identity)
    return "bit" if link is _identity else "elementary"


_CONTRIBUTIONS = Refused(
    "featuresShapCol: contributions of features are not computed.",
    fix="leave the column out of --outputs, or set featuresShapCol to ''.",
)
_SOME_LEAVES = Refused(
    "leafPredictionCol is set and not every round is asked; SynapseML fills the rest with what was there before.",
    fix="leave the column out of --outputs, or set startIteration and numIterations to 0.",
)


class _Scores:
    """`raw` [N, K] float64: each class's leaves added, tree after tree, from 0; `leaves` [N, T] their numbers."""

    def __init__(self, stage: SavedStage, x: Vector, booster: LightGBM) -> None:
        x = x.sized(booster.features)
        first, end = _rounds(stage, booster)
        at = np.arange(booster.trees.trees) // booster.classes
        trees = only(booster.trees, ((at >= first) & (at < end))[booster.trees.tree])
        numbers = [leaves_reached(trees, _readings(var), _ABOVE) for var in (x.var, *(ends(x) or ()))]
        values = op.gather(table(trees.value[trees.leaves]), op.cast(numbers[0], to=np.int64))
        by_class = op.reshape(values, constant(np.array([-1, end - first, booster.classes], dtype=np.int64)))
        self.raw = sequential_sum(by_class)
        self.rounds = end - first
        moved = [op.not_(op.equal(numbers[0], other)) for other in numbers[1:]]
        self.slack = undecided(any_of(op.concat(moved, axis=1))) if moved else None
        self.probes: tuple[Probe, ...] = probes_of(
            trees, trees.threshold, [x.origin(i) for i in range(booster.features)]
        )
        start = np.searchsorted(trees.tree_of_leaf, np.arange(trees.trees)).astype(np.float64)
        moved_leaves = undecided(op.or_(*moved)) if moved else None
        leaves = vector(op.sub(numbers[0], constant(start)), trees.trees, slack=moved_leaves)
        self.leaves: Vector | Refused = leaves if (first, end) == (0, booster.rounds) else _SOME_LEAVES

    def answer(self, booster: LightGBM, link: Link) -> tuple[Var, Var | None]:
        """LightGBM's answer [N, K] and its tolerance: averaged where it averages, then by the objective's link."""
        raw = op.div(self.raw, constant(float(self.rounds))) if booster.averaged else self.raw
        answer, bound = link(booster, raw)
        if bound is None or self.slack is None:
            return answer, self.slack if bound is None else bound
        return answer, op.add(bound, self.slack)


def _rounds(stage: SavedStage, booster: LightGBM) -> tuple[int, int]:
    """startIteration and numIterations, as GBDT::InitPredict cuts them: 0 or less is all."""
    start, count = (stage.params.integer(name) for name in ("startIteration", "numIterations"))
    first = min(max(start, 0), booster.rounds)
    end = min(first + count, booster.rounds) if count > 0 else booster.rounds
    if end <= first:
        raise Refused(f"startIteration {start} leaves none of {booster.rounds} rounds.", fix="set it lower.")
    return first, end


def _readings(x: Var) -> tuple[Var, Var, Var]:
    """By missing type: NaN as 0; NaN and 0 missing; NaN missing. What is nearer to 0 than 1e-35 is 0."""
    near = op.where(op.less_or_equal(op.abs(x), constant(_ZERO)), constant(0.0), x)
    whole = op.where(op.isnan(near), constant(0.0), near)
    return whole, op.where(op.equal(whole, constant(0.0)), constant(np.nan), near), near


def _check_thresholds(stage: SavedStage) -> None:
    """What SynapseML raises on in every row. Where its data told no classes, it says that a binary model has one."""
    classes = stage.params.integer("actualNumClasses")
    if "thresholds" not in stage.params:
        return
    if len(stage.params.numbers("thresholds")) != classes:
        raise Refused(
            f"its thresholds are not {classes}, as many as actualNumClasses.", fix="SynapseML itself raises here."
        )
    if not stage.params.text("probabilityCol"):
        raise Refused("thresholds are set and probabilityCol is not.", fix="set it: SynapseML itself raises here.")


@converts(
    f"{_PACKAGE}.LightGBMClassificationModel",
    word="elementary",
    reads=("featuresCol",),
    writes=(*COLUMNS, "leafPredictionCol", "featuresShapCol"),
    extras=("featuresShapCol",),
    ignores=_FITTING,
    note="rawPrediction is `bit`",
)
def lightgbm_classifier(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number, Vector | Refused, Refused]:
    """raw = [-s, s], probability = [1 - p, p], p = 1 / (1 + exp(-sigmoid s)); of several classes, one score each.

    Shapes: x [N, F] -> raw and probability [N, K], prediction [N, 1], leaf [N, T].
    Order:  from 0, tree after tree. raw is never averaged, probability of a random forest is.
    NaN:    by the missing type of the split: 0, or missing (then 0 may be too), or missing alone.
    Raises: Refused on thresholds that SynapseML raises on.
    Source: LightGBMClassificationModel.transform (LightGBMClassifier.scala), LightGBMBooster.score (SynapseML 1.0.5);
            GBDT::PredictRaw, Tree::Predict, ConvertOutput (LightGBM 3.3.5)
    """
    booster = read_lightgbm(stage)
    link = _CLASSES.get(booster.objective)
    if link is None:
        raise _unknown(booster, _CLASSES)
    _check_thresholds(stage)
    scores = _Scores(stage, x, booster)
    raw, (p, bound) = scores.raw, scores.answer(booster, link)
    assert bound is not None
    if booster.classes == 1:
        raw = op.concat([op.neg(raw), raw], axis=1)
        other = op.sub(constant(1.0), p)
        bound = op.concat([op.add(bound, op.mul(other, constant(2 * UNIT))), bound], axis=1)
        p = op.concat([other, p], axis=1)
    width = max(2, booster.classes)
    return (
        *classified(
            stage,
            vector(raw, width, slack=scores.slack, probes=scores.probes),
            vector(p, width, slack=bound),
        ),
        scores.leaves,
        _CONTRIBUTIONS,
    )


@converts(
    f"{_PACKAGE}.LightGBMRegressionModel",
    word="bit",
    reads=("featuresCol",),
    writes=("predictionCol", "leafPredictionCol", "featuresShapCol"),
    extras=("featuresShapCol",),
    ignores=_FITTING,
    weakened=_weakened,
    note="`elementary` where the objective's link is an exponential",
)
@converts(
    f"{_PACKAGE}.LightGBMRankerModel",
    word="bit",
    reads=("featuresCol",),
    writes=("predictionCol", "leafPredictionCol", "featuresShapCol"),
    extras=("featuresShapCol",),
    ignores=_FITTING,
    weakened=_weakened,
)
def lightgbm_regressor(stage: SavedStage, x: Vector) -> tuple[Number, Vector | Refused, Refused]:
    """prediction = link(s): s itself, exp(s), 1 / (1 + exp(-s)) or s² with its sign, as the objective has it.

    Shapes: x [N, F] -> prediction [N, 1], leaf [N, T].
    Order:  from 0, tree after tree; of a random forest, then one division by the number of rounds.
    NaN:    as in `lightgbm_classifier`.
    Source: LightGBMRegressionModel.predict (LightGBMRegressor.scala), LightGBMRankerModel.predict (SynapseML 1.0.5);
            GBDT::Predict, ConvertOutput (LightGBM 3.3.5)
    """
    booster = read_lightgbm(stage)
    link = _LINKS.get(booster.objective)
    if link is None or booster.classes > 1:
        raise _unknown(booster, _LINKS)
    scores = _Scores(stage, x, booster)
    answer, bound = scores.answer(booster, link)
    return number(answer, slack=bound, probes=scores.probes), scores.leaves, _CONTRIBUTIONS


def _unknown(booster: LightGBM, known: Mapping[str, Link]) -> Refused:
    return Refused(
        f"its booster's objective is {booster.objective} with {booster.classes} answers a row; this rule does not know it.",
        fix=f"train with one of {', '.join(known)}.",
    )
