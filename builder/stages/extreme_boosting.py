"""XGBoost on Spark (`xgboost.spark`): everything in float32, as XGBoost itself.

What the trees add up to is XGBoost's to the bit; `single_precision` says what its links are good to.

Compared with xgboost 2.1.4, 3.0.5, 3.1.1 and 3.2.0, which answer alike, but for a probability of base_score that is
nearly 0 or 1: `_bases`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.boosters import leaves_reached, probes_of
from builder.graph.columns import Column, Number, Origin, Vector, number, vector
from builder.graph.idioms import (
    any_of,
    argmax,
    beside_rows,
    constant,
    sequential_sum,
    slots,
    table,
)
from builder.graph.rules import converts
from builder.graph.tolerance import ends, outdone, undecided
from builder.sparkml.attributes import Attribute
from builder.sparkml.boosters import only
from builder.sparkml.logarithm import logf
from builder.sparkml.reader import SavedStage
from builder.sparkml.xgboost import XGBoost, read_xgboost
from builder.stages.classifying import COLUMNS
from builder.stages.single_precision import (
    both_sides,
    exponential,
    hinge,
    identity,
    sigmoid,
    single,
    softmax,
    two_classes,
)
from builder.types import Array, Probe, Word

_MODULE = "xgboost.spark.estimator"
_READS = ("features_cols", "featuresCol")
_FITTING = (
    "arbitrary_params_dict", "base_score", "booster", "callbacks", "coll_cfg", "colsample_bylevel", "colsample_bynode",
    "colsample_bytree", "device", "early_stopping_rounds", "enable_categorical", "enable_sparse_data_optim", "eval_group",
    "eval_metric", "eval_qid", "feature_names", "feature_types", "feature_weights", "features_cols", "featuresCol",
    "force_repartition", "gamma", "gpu_id", "grow_policy", "group", "importance_type", "interaction_constraints", "labelCol",
    "launch_tracker_on_driver", "learning_rate", "max_bin", "max_cat_threshold", "max_cat_to_onehot", "max_delta_step",
    "max_depth", "max_leaves", "min_child_weight", "monotone_constraints", "multi_strategy", "n_estimators", "n_jobs",
    "nthread", "num_parallel_tree", "num_workers", "objective", "predictor", "qid", "qid_col", "random_state", "reg_alpha",
    "reg_lambda", "repartition_random_shuffle", "sampling_method", "scale_pos_weight", "subsample", "tree_method",
    "use_gpu", "validate_parameters", "validationIndicatorCol", "verbose", "verbosity", "weightCol", "xgb_model",
)  # fmt: skip
_LEAST = np.float32(1e-6)  # kRtEps of libxgboost
_ABOVE = -1e-60  # a float32 that is not below 0 is a category

Link = Callable[[Var], tuple[Var, Var | None]]


@dataclass(frozen=True)
class _Margins:
    """`sums` [N, K] float32: XGBoost's margins; a second one where C libraries differ in logf, what another makes of them.

    `lost` [N, 1] is infinite where a split is undecided.
    """

    sums: Sequence[Var]
    lost: Var | None
    probes: tuple[Probe, ...]

    def linked(self, link: Link) -> tuple[Var, Var | None]:
        """The link's answer as float64, and its tolerance: how far the other margin's lies, and both their own."""
        (answer, slack), *others = (link(each) for each in self.sums)
        answer = op.cast(answer, to=np.float64)
        for other, more in others:
            there = op.cast(other, to=np.float64)
            apart = op.where(op.equal(answer, there), constant(0.0), op.abs(op.sub(answer, there)))
            slack = _both(_both(slack, more), apart)
        return answer, _both(slack, self.lost)


_LOGIT, _LOG, _NONE = "logit", "log", "identity"
_OBJECTIVES: Mapping[str, tuple[str, Link]] = {
    "binary:hinge": (_NONE, hinge),
    "binary:logistic": (_LOGIT, sigmoid),
    "binary:logitraw": (_NONE, identity),
    "count:poisson": (_LOG, exponential),
    "rank:map": (_NONE, identity),
    "rank:ndcg": (_NONE, identity),
    "rank:pairwise": (_NONE, identity),
    "reg:absoluteerror": (_NONE, identity),
    "reg:gamma": (_LOG, exponential),
    "reg:linear": (_NONE, identity),
    "reg:logistic": (_LOGIT, sigmoid),
    "reg:pseudohubererror": (_NONE, identity),
    "reg:quantileerror": (_NONE, identity),
    "reg:squarederror": (_NONE, identity),
    "reg:squaredlogerror": (_NONE, identity),
    "reg:tweedie": (_LOG, exponential),
    "survival:aft": (_LOG, exponential),
    "survival:cox": (_LOG, exponential),
}  # how base_score, saved as an answer, becomes a margin; and the margin an answer


def _weakened(stage: SavedStage) -> Word:
    link = _OBJECTIVES.get(str(stage.params.raw("objective")), ("", identity))[1]
    return "elementary" if link in (exponential, sigmoid) else "bit"


def _bases(booster: XGBoost, stated: str) -> list[Array]:
    """[K] float32: where the sums begin; a second one where the C libraries' logf differ.

    Of labels that are all alike XGBoost estimates a base_score of 0 or 1. As a probability it then refuses it itself, until
    3.2: that keeps probabilities 1e-6 away from both. As the mean of counts 0 has the margin minus infinity.
    """
    score, one = booster.base_score, np.float32(1.0)
    if stated == _NONE:
        return [score]
    if stated == _LOGIT:
        if booster.version >= (3, 2):
            score = np.clip(score, _LEAST, one - _LEAST)
        with np.errstate(all="ignore"):
            score = one / score - one
    if not ((score >= 0) & np.isfinite(score)).all():
        raise Refused(
            f"its base_score {booster.base_score.tolist()} has no {stated}: all that it predicts is NaN.",
            fix="train with a base_score that the objective can predict.",
        )
    sign = -one if stated == _LOGIT else one
    by_table, nearest = (sign * np.array(side, dtype=np.float32) for side in zip(*map(logf, score), strict=True))
    return [by_table] if (by_table == nearest).all() else [by_table, nearest]


_CONTRIBUTIONS = Refused(
    "pred_contrib_col is set; contributions of features are not computed.",
    fix="leave the column out of --outputs, or clear pred_contrib_col.",
)


def _margins(stage: SavedStage, columns: Sequence[Column], booster: XGBoost, bases: list[Array]) -> _Margins:
    """base, or the row's own margin, + the leaves of each class's trees, one after the other in float32.

    DART's trees, weighted, add ((base + leaf) - base) * weight: so its prediction in place does it.
    """
    params = stage.params
    columns, given = _own_margin(stage, columns, booster)
    missing = np.float32(params.number("missing"))
    kept = _rounds(stage, booster)
    group = booster.group[kept]
    trees = only(booster.trees, kept[booster.trees.tree])
    numbers = [leaves_reached(trees, [_reading(x, missing)], _ABOVE) for x in _matrices(columns, booster.features)]
    order = np.stack([np.flatnonzero(group == index) for index in range(booster.classes)], axis=1)

    def summed(base: Array) -> Var:
        values = trees.value[trees.leaves].astype(np.float32)
        if booster.weights is not None:
            start = base[group[trees.tree_of_leaf]]
            values = ((start + values) - start) * booster.weights[kept][trees.tree_of_leaf]
        leaves = op.gather(table(values), op.cast(slots(numbers[0], order.reshape(-1)), to=np.int64))
        leaves = op.reshape(leaves, constant(np.array([-1, *order.shape], dtype=np.int64)))
        first = (
            op.expand(single(base[None]), beside_rows(leaves, booster.classes)) if given is None else _float32(given)
        )
        return sequential_sum(op.concat([op.unsqueeze(first, constant(np.array([1], dtype=np.int64))), leaves], axis=1))

    own = [] if given is None else _sides(given)
    moved = [op.not_(op.equal(sides[0], end)) for sides in (numbers, own) for end in sides[1:]]
    lost = undecided(any_of(op.concat(moved, axis=1))) if moved else None
    return _Margins([summed(base) for base in bases], lost, _probes(columns, booster))


def _own_margin(
    stage: SavedStage, columns: Sequence[Column], booster: XGBoost
) -> tuple[Sequence[Column], Number | None]:
    """The features' columns, and the row's own margin where base_margin_col is set: base_score counts nothing then."""
    if "base_margin_col" not in stage.params or not stage.params.raw("base_margin_col"):
        return columns, None
    if booster.classes > 1 or booster.weights is not None:
        raise Refused(
            "base_margin_col is set for a booster of several classes or of weighted trees (dart).",
            fix="clear base_margin_col and save the model again.",
        )
    return columns[:-1], _scalar(columns[-1])


def _rounds(stage: SavedStage, booster: XGBoost) -> Array:
    """[T] bool: trees of the rounds that predict: iteration_range, else those up to the best where fitting stopped early."""
    rounds = len(booster.rounds) - 1
    given = stage.params.raw("iteration_range")
    first, end = given if given and given[1] != 0 else (0, 0 if booster.best is None else booster.best + 1)
    end = end or rounds
    if not 0 <= first < end <= rounds:
        raise Refused(f"iteration_range {given} is not within the model's {rounds} rounds.", fix="set it within them.")
    return booster.within(first, end)


def _matrices(columns: Sequence[Column], features: int) -> list[Var]:
    """The features [N, F] as float32; with a tolerance, also at both its ends."""
    if len(columns) == 1 and isinstance(columns[0], Vector):
        x = columns[0].sized(features)
        return [op.cast(var, to=np.float32) for var in (x.var, *(ends(x) or ()))]
    scalars = [_scalar(column) for column in columns]
    if len(scalars) != features:
        raise Refused(
            f"{len(scalars)} feature columns; the model was fitted on {features}.", fix="give its own columns."
        )
    parts = [_sides(x) for x in scalars]
    most = max(map(len, parts))
    return [op.concat([sides[which % len(sides)] for sides in parts], axis=1) for which in range(most)]


def _scalar(column: Column) -> Number:
    if not isinstance(column, Number) or column.kind not in ("double", "float", "long", "integer", "short", "byte"):
        raise Refused(
            f"feature column {column.name!r} is {column.type}; XGBoost reads integers, floats and doubles.",
            fix="check the schema given: xgboost.spark itself refuses this column.",
        )
    return column


def _float32(x: Number) -> Var:
    """[N, 1], a null as NaN; integers rounded once."""
    return op.where(x.is_null(), single(np.nan), op.cast(x.var, to=np.float32))


def _sides(x: Number) -> list[Var]:
    """`_float32`; with a tolerance, also at both its ends."""
    return [_float32(x), *(op.cast(end, to=np.float32) for end in ends(x) or ())]


def _reading(x: Var, missing: np.float32) -> Var:
    """float32 → float64, what is missing as NaN: NaN itself, and the `missing` value."""
    wide = op.cast(x, to=np.float64)
    if np.isnan(missing):
        return wide
    return op.where(op.equal(wide, constant(float(missing))), constant(np.nan), wide)


def _probes(columns: Sequence[Column], booster: XGBoost) -> tuple[Probe, ...]:
    """A split's cut among doubles is half way between its threshold and the float32 before it."""
    trees = booster.trees
    at = trees.threshold.astype(np.float32)
    with np.errstate(all="ignore"):
        cuts = (at.astype(np.float64) + np.nextafter(at, np.float32(np.inf)).astype(np.float64)) / 2
    origins: list[Origin | None] = [column.origin() for column in columns]
    if len(columns) == 1:
        origins = [columns[0].origin(index) for index in range(booster.features)]
    return probes_of(trees, cuts, origins)


def _both(bound: Var | None, slack: Var | None) -> Var | None:
    """The sum of two tolerances."""
    if bound is None or slack is None:
        return slack if bound is None else bound
    return op.add(bound, slack)


@converts(
    f"{_MODULE}.SparkXGBClassifierModel",
    word="elementary",
    reads=_READS,
    also=("base_margin_col",),
    writes=(*COLUMNS, "pred_contrib_col"),
    extras=("pred_contrib_col",),
    ignores=_FITTING,
    note="rawPrediction is `bit`; all of it float32, as XGBoost's",
)
def xgboost_classifier(stage: SavedStage, columns: Sequence[Column]) -> tuple[Vector, Vector, Number, Refused]:
    """raw = [-m, m], probability = [1 - p, p], p = 1 / (1 + e^-m); of several classes raw = m, probability = softmax(m).

    Shapes: x [N, F] -> raw and probability [N, K], prediction [N, 1].
    Order:  base_score's margin, then tree after tree; float32 throughout. The label is the first of the largest probabilities.
    NaN:    missing, as is the `missing` param's value: goes the way that the split says.
    Source: _ClassificationModel._get_predict_func (xgboost/spark/core.py, 3.2.0); DartPredictor and CPUPredictor of libxgboost
    """
    booster = read_xgboost(stage)
    logistic = booster.objective in ("binary:logistic", "reg:logistic")
    if not logistic and booster.objective not in ("multi:softprob", "multi:softmax"):
        raise _unknown(booster)
    margins = _margins(stage, columns, booster, _bases(booster, _LOGIT if logistic else _NONE))
    width = 2 if logistic else booster.classes
    raw, apart = margins.linked(both_sides if logistic else identity)
    probability, slack = margins.linked(two_classes if logistic else partial(softmax, classes=width))
    assert slack is not None
    slack = op.expand(slack, op.shape(probability))
    index = argmax(probability)
    label = number(
        index, slack=outdone(probability, slack, index, width), attribute=Attribute("nominal", num_values=width)
    )
    probes = margins.probes
    return (
        vector(raw, width, slack=None if apart is None else op.expand(apart, op.shape(raw)), probes=probes),
        vector(probability, width, slack=slack, probes=probes),
        label.probing(*probes),
        _CONTRIBUTIONS,
    )


@converts(
    f"{_MODULE}.SparkXGBRegressorModel",
    word="bit",
    reads=_READS,
    also=("base_margin_col",),
    writes=("predictionCol", "pred_contrib_col"),
    extras=("pred_contrib_col",),
    ignores=_FITTING,
    weakened=_weakened,
    note="float32, as XGBoost's; `elementary` where the objective's link is an exponential",
)
@converts(
    f"{_MODULE}.SparkXGBRankerModel",
    word="bit",
    reads=_READS,
    also=("base_margin_col",),
    writes=("predictionCol", "pred_contrib_col"),
    extras=("pred_contrib_col",),
    ignores=_FITTING,
    weakened=_weakened,
    note="float32, as XGBoost's",
)
def xgboost_regressor(stage: SavedStage, columns: Sequence[Column]) -> tuple[Number, Refused]:
    """prediction = link(base_score's margin + the leaves): the margin, e^m, 1 / (1 + e^-m) or m > 0, as the objective has it.

    Shapes: x [N, F] -> [N, 1].
    Order:  base_score's margin, then tree after tree; float32 throughout.
    NaN:    missing, as is the `missing` param's value: goes the way that the split says.
    Raises: Refused on an objective with several answers a row, or one that is not known here.
    Source: _SparkXGBModel._get_predict_func (xgboost/spark/core.py, 3.2.0); XGBModel.predict (xgboost/sklearn.py);
            ObjFunction's PredTransform and ProbToMargin of libxgboost
    """
    booster = read_xgboost(stage)
    if booster.objective not in _OBJECTIVES:
        raise _unknown(booster)
    stated, link = _OBJECTIVES[booster.objective]
    margins = _margins(stage, columns, booster, _bases(booster, stated))
    answer, slack = margins.linked(link)
    own = bool(stage.params.raw("base_margin_col"))  # pandas hands Spark a null for the NaN that a NaN margin makes
    return number(answer, slack=slack, probes=margins.probes, nullable=own), _CONTRIBUTIONS


def _unknown(booster: XGBoost) -> Refused:
    return Refused(
        f"its booster's objective is {booster.objective} with {booster.classes} answers a row; this rule does not know it.",
        fix=f"train with one of {', '.join(_OBJECTIVES)}.",
    )
