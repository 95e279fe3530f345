"""The names of a classifier's classes, as the pipeline itself tells them."""

from __future__ import annotations

from collections.abc import Sequence

from builder.sparkml.reader import SavedStage

_INDEXER = "org.apache.spark.ml.feature.StringIndexerModel"
_BACK = "org.apache.spark.ml.feature.IndexToString"


def class_names(stages: Sequence[SavedStage], column: str) -> tuple[str, ...]:
    """Names of the classes whose probabilities or raw predictions stand in `column`, in their order; () where untold.

    They are those of the IndexToString that reads the classifier's prediction, else of the StringIndexer that made its
    label. A name with a line break is none that a list of lines can hold: then none is told.
    """
    for place, stage in enumerate(stages):
        if column in (_text(stage, "probabilityCol"), _text(stage, "rawPredictionCol")):
            names = _back(stages[place + 1 :], _text(stage, "predictionCol")) or _label(
                stages, _text(stage, "labelCol")
            )
            return () if any(len(name.splitlines()) != 1 for name in names) else names
    return ()


def _back(stages: Sequence[SavedStage], prediction: str) -> tuple[str, ...]:
    for stage in stages:
        if stage.spark_class == _BACK and _text(stage, "inputCol") == prediction and "labels" in stage.params:
            return stage.params.texts("labels")
    return ()


def _label(stages: Sequence[SavedStage], label: str) -> tuple[str, ...]:
    for stage in stages:
        if stage.spark_class != _INDEXER:
            continue
        several = "outputCols" in stage.params and stage.params.texts("outputCols")
        outputs = several or (_text(stage, "outputCol"),)
        if label and label in outputs:
            names = stage.row()["labelsArray"][outputs.index(label)]
            return (*names, "__unknown") if _text(stage, "handleInvalid") == "keep" else tuple(names)
    return ()


def _text(stage: SavedStage, name: str) -> str:
    return stage.params.text(name) if name in stage.params else ""
