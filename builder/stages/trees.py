"""Decision trees and random forests: equal to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import SourceError
from builder.graph.columns import Number, Origin, Vector, number, vector
from builder.graph.forests import forest_of, leaf_numbers, summed_over_trees, within_trees
from builder.graph.idioms import any_of, constant, slots
from builder.graph.rules import converts
from builder.graph.sparse import Sparse
from builder.graph.tolerance import ends, undecided
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage
from builder.sparkml.trees import SavedTrees, read_forest, read_tree
from builder.stages.classifying import COLUMNS, classified, normalized
from builder.types import Array, Probe

FITTING = (
    "bootstrap",
    "cacheNodeIds",
    "checkpointInterval",
    "featureSubsetStrategy",
    "featuresCol",
    "impurity",
    "labelCol",
    "maxBins",
    "maxDepth",
    "maxMemoryInMB",
    "minInfoGain",
    "minInstancesPerNode",
    "minWeightFractionPerNode",
    "numTrees",
    "pruneTree",
    "seed",
    "subsamplingRate",
    "weightCol",
)


@dataclass(frozen=True)
class Reached:
    """Where rows end in the trees: `numbers` [N, T] of the leaves; `slack` [N, T] infinite where a split is undecided."""

    saved: SavedTrees
    numbers: Var
    slack: Var | None
    probes: tuple[Probe, ...]

    @property
    def any_slack(self) -> Var | None:
        """[N, 1]: infinite where any tree's leaf is undecided."""
        return None if self.slack is None else undecided(any_of(op.isinf(self.slack)))

    def scalar(self, leaves: Array) -> Number:
        """Of a single tree: what stands at the leaf reached, leaves [L] float64."""
        return number(summed_over_trees(leaves[:, None], self.numbers), slack=self.any_slack, probes=self.probes)

    def vector(self, leaves: Array) -> Vector:
        """leaves [L, K] float64 → [N, K], added tree by tree."""
        total = summed_over_trees(leaves, self.numbers)
        return vector(total, leaves.shape[1], slack=self.any_slack, probes=self.probes)

    def leaf_column(self) -> Number | Vector:
        """leafCol of a forest: the leaf's number within each tree."""
        sizes = np.bincount(self.saved.tree[self.saved.leaves], minlength=self.saved.trees)
        attributes = tuple(Attribute("nominal", num_values=int(size)) for size in sizes)
        column = within_trees(self.numbers, self.saved)
        return vector(column, self.saved.trees, attributes=attributes, slack=self.slack, probes=self.probes)

    def leaf_scalar(self) -> Number:
        """leafCol of a single tree."""
        attribute = Attribute("nominal", num_values=len(self.saved.leaves))
        return number(self.numbers, attribute=attribute, slack=self.slack, probes=self.probes)


def reach(stage: SavedStage, saved: SavedTrees, x: Vector) -> Reached:
    """Lead x [N, F] through the trees. A row is undecided in a tree where x less and plus its tolerance end elsewhere."""
    x = x.sized(told(stage, "numFeatures"))
    if x.sparse is not None and x.slack is None:
        return _reach_few(saved, x, x.sparse)
    forest = forest_of(saved, x.width)
    numbers = leaf_numbers(forest, x.var)
    slack = None
    apart = ends(x)
    if apart is not None and x.slack is not None:
        low, high = (leaf_numbers(forest, end) for end in apart)
        moved = op.not_(op.and_(op.equal(low, numbers), op.equal(high, numbers)))
        asked = sorted({int(saved.feature[at]) for at in saved.categories})
        if asked:  # a category is met exactly or not at all
            moved = op.or_(moved, any_of(op.greater(slots(x.slack, np.array(asked)), constant(0.0))))
        slack = undecided(moved)
    return Reached(saved, numbers, slack, probes_of(saved, x))


def _reach_few(saved: SavedTrees, x: Vector, entries: Sparse) -> Reached:
    """The same of a vector of few entries: only the features that some split asks are spread out."""
    inner = saved.left >= 0
    asked = np.unique(saved.feature[inner]) if inner.any() else np.zeros(1, dtype=np.int64)
    narrow = replace(saved, feature=np.where(inner, np.searchsorted(asked, saved.feature), saved.feature))
    numbers = leaf_numbers(forest_of(narrow, len(asked)), entries.at(asked))
    return Reached(saved, numbers, None, probes_of(saved, x))


def probes_of(saved: SavedTrees, x: Vector) -> tuple[Probe, ...]:
    """Each feature's thresholds and categories, led back to the input column that it comes from."""
    inner = np.flatnonzero(saved.left >= 0)
    if not len(inner):
        return ()
    inner = inner[np.argsort(saved.feature[inner], kind="stable")]
    features, starts = np.unique(saved.feature[inner], return_index=True)
    found = []
    for index, places in zip(features.tolist(), np.split(inner, starts[1:]), strict=True):
        origin = x.origin(index)
        if origin is None:
            continue
        cuts = np.unique(saved.threshold[places])
        found.append(origin.probe(cuts[~np.isnan(cuts)].tolist()))
        sizes = [saved.categories[at][0] for at in places.tolist() if at in saved.categories]
        if sizes:
            found.append(_codes(origin, max(sizes)))
    return tuple(found)


def _codes(origin: Origin, size: int) -> Probe:
    """Every category, and what is none: -1, 1/2, one too many."""
    back = origin.probe([*map(float, range(size + 1)), -1.0, 0.5]).thresholds
    return Probe(origin.input, exact=back)


def told(stage: SavedStage, key: str) -> int:
    """A number that stands in the stage's metadata beside its params. Raises SourceError where it does not."""
    if not isinstance(stage.extra.get(key), int):
        raise SourceError(f"{stage.uid}: its metadata has no {key}.", fix="copy the saved model again.")
    return int(stage.extra[key])


def class_counts(stage: SavedStage, saved: SavedTrees) -> Array:
    """[L, K] float64: each leaf's counts by class. Raises SourceError where they are not one a class, or below 0."""
    counts = _stats(stage, saved, told(stage, "numClasses"))
    if not (counts >= 0).all():
        raise SourceError(f"{stage.uid}: a leaf holds a count below 0.", fix="copy the saved model again.")
    return counts


def _stats(stage: SavedStage, saved: SavedTrees, width: int) -> Array:
    """[L, width]: impurityStats of the leaves. Raises SourceError where they are of another width."""
    stats: Array = saved.stats[saved.leaves]
    if stats.shape[1] != width:
        raise SourceError(
            f"{stage.uid}: its leaves hold {stats.shape[1]} statistics, not {width}.",
            fix="copy the saved model again; its data does not belong to its metadata.",
        )
    return stats


def added(columns: Sequence[Array] | Array) -> Array:
    """[L]: columns [K, L] added from the first on."""
    total = np.zeros(len(columns[0]))
    for column in columns:
        total = total + column
    return total


@converts(
    "org.apache.spark.ml.classification.DecisionTreeClassificationModel",
    word="bit",
    reads=("featuresCol",),
    writes=(*COLUMNS, "leafCol"),
    ignores=FITTING,
)
def decision_tree_classifier(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number, Number]:
    """raw = the leaf's counts by class; probability = raw / sum; without those columns the label is the leaf's own.

    Shapes: x [N, F] -> raw and probability [N, K], prediction and leaf [N, 1].
    NaN:    goes right at a continuous split; to the side that is not listed at a categorical one.
    Source: DecisionTreeClassificationModel.predictRaw, predict (ml/classification/DecisionTreeClassifier.scala)
    """
    saved = read_tree(stage)
    there = reach(stage, saved, x)
    counts = class_counts(stage, saved)
    raw = there.vector(counts)
    probability = normalized(raw, always_positive=bool((counts.sum(axis=1) > 0).all()))
    leaves = saved.prediction[saved.leaves]
    return (*classified(stage, raw, probability, by_features=lambda: there.scalar(leaves)), there.leaf_scalar())


@converts(
    "org.apache.spark.ml.classification.RandomForestClassificationModel",
    word="bit",
    reads=("featuresCol",),
    writes=(*COLUMNS, "leafCol"),
    ignores=FITTING,
)
def random_forest_classifier(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number, Number | Vector]:
    """raw = the sum over trees of the leaf's counts / their sum (nothing of a leaf without counts); probability = raw / sum.

    Shapes: x [N, F] -> raw and probability [N, K], prediction [N, 1], leaf [N, T].
    Order:  tree after tree; the counts of a leaf class after class.
    Source: RandomForestClassificationModel.predictRaw (ml/classification/RandomForestClassifier.scala)
    """
    saved = read_forest(stage)
    there = reach(stage, saved, x)
    counts = class_counts(stage, saved)
    total = added(counts.T)
    votes = np.where((total != 0)[:, None], counts / np.where(total != 0, total, 1.0)[:, None], 0.0)
    raw = there.vector(votes)
    probability = normalized(raw, always_positive=bool((total > 0).all()))
    return (*classified(stage, raw, probability), there.leaf_column())


@converts(
    "org.apache.spark.ml.regression.DecisionTreeRegressionModel",
    word="bit",
    reads=("featuresCol",),
    writes=("predictionCol", "varianceCol", "leafCol"),
    ignores=FITTING,
)
def decision_tree_regressor(stage: SavedStage, x: Vector) -> tuple[Number, Number, Number]:
    """prediction = the leaf's; variance = (sum of squares - sum² / count) / count, 0 where the count is.

    Shapes: x [N, F] -> all [N, 1].
    Source: DecisionTreeRegressionModel.predict, predictVariance (ml/regression/DecisionTreeRegressor.scala)
    """
    saved = read_tree(stage)
    there = reach(stage, saved, x)
    count, total, squares = _stats(stage, saved, 3).T
    with np.errstate(all="ignore"):
        variance = np.where(count == 0, 0.0, (squares - (total * total) / count) / count)
    return there.scalar(saved.prediction[saved.leaves]), there.scalar(variance), there.leaf_scalar()


@converts(
    "org.apache.spark.ml.regression.RandomForestRegressionModel",
    word="bit",
    reads=("featuresCol",),
    writes=("predictionCol", "leafCol"),
    ignores=FITTING,
)
def random_forest_regressor(stage: SavedStage, x: Vector) -> tuple[Number, Number | Vector]:
    """prediction = the sum of the leaves' predictions / number of trees.

    Shapes: x [N, F] -> prediction [N, 1], leaf [N, T].
    Order:  tree after tree, then one division.
    Source: RandomForestRegressionModel.predict (ml/regression/RandomForestRegressor.scala)
    """
    saved = read_forest(stage)
    there = reach(stage, saved, x)
    total = there.scalar(saved.prediction[saved.leaves])
    mean = op.div(total.var, constant(float(saved.trees)))
    return number(mean, slack=total.slack, probes=total.probes), there.leaf_column()
