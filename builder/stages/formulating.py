"""RFormulaModel: the stages that it saves are stages of the pipeline; here are those that only it has.

Its strings are indexed and one-hot encoded, its interactions, vector sizes and assembly made by Spark's own public stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from builder.errors import Refused
from builder.graph.columns import Column, Number, Vector, number
from builder.graph.rules import converts
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage


def _label(stage: SavedStage) -> tuple[str, str]:
    """The label column that is read, and the one that is made of it; "" where there is none, or an indexer made it."""
    given, made = stage.row()["label"], stage.params.text("labelCol")
    inner = stage.pipeline("pipelineModel").stages
    if any("outputCol" in each.params and each.params.raw("outputCol") == made for each in inner):
        return made, ""
    return ("", "") if given in ("", made) else (given, made)


def _label_read(stage: SavedStage) -> tuple[str, ...]:
    return tuple(name for name in _label(stage)[:1] if name)


def _label_made(stage: SavedStage) -> tuple[str, ...]:
    return tuple(name for name in _label(stage)[1:] if name)


@converts(
    "org.apache.spark.ml.feature.RFormulaModel",
    word="bit",
    reads=_label_read,
    writes=_label_made,
    ignores=("featuresCol", "forceIndexLabel", "formula", "handleInvalid", "stringIndexerOrderType"),
    unasked=True,
    note="the label is answered where it is asked for, and not asked for else",
)
def r_formula(stage: SavedStage, columns: Sequence[Column]) -> tuple[Number, ...]:
    """The label as a double, where no StringIndexer has made it; the features are its inner stages' affair.

    Shapes: label [N, 1] -> [N, 1].
    Null:   stays null.
    Source: RFormulaModel.transformLabel (ml/feature/RFormula.scala, Spark 4.0.1)
    """
    if not _label_made(stage):
        return ()
    (label,) = columns
    if not isinstance(label, Number) or label.kind in ("date", "timestamp", "timestamp_ntz"):
        raise Refused(
            f"label column {label.name!r} is {label.type}; RFormula casts numbers and booleans.",
            fix="check the schema given: Spark itself refuses this column.",
        )
    return (number(label.double(), nullable=label.nullable, origins=label.origins, slack=label.slack),)


def _rewritten(stage: SavedStage) -> tuple[str, ...]:
    return (stage.row()["vectorCol"],)


@converts("org.apache.spark.ml.feature.VectorAttributeRewriter", word="bit", reads=_rewritten, writes=_rewritten)
def vector_attribute_rewriter(stage: SavedStage, x: Vector) -> Vector:
    """The same vector, the names of its slots without those of columns that the formula made on its way.

    Shapes: x [N, F] -> [N, F].
    Source: VectorAttributeRewriter.transform (ml/feature/RFormula.scala, Spark 4.0.1)
    """
    if x.attributes is None:
        raise Refused(f"vector column {x.name!r} tells nothing of its slots.", fix="Spark itself refuses this column.")
    prefixes = stage.row()["prefixesToRewrite"]
    return replace(x, attributes=tuple(_renamed(attribute, prefixes) for attribute in x.attributes))


def _renamed(attribute: Attribute, prefixes: Sequence[tuple[str, str]]) -> Attribute:
    name = attribute.name
    if name is None:
        return attribute
    for old, new in prefixes:
        name = name.replace(old, new)
    return attribute.named(name)


def _nothing(stage: SavedStage) -> tuple[str, ...]:
    return ()


@converts("org.apache.spark.ml.feature.ColumnPruner", word="bit", reads=_nothing, writes=_nothing)
def column_pruner(stage: SavedStage, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Nothing: each column that it takes away was read by another of the formula's stages, and is no output unasked.

    Source: ColumnPruner.transform (ml/feature/RFormula.scala, Spark 4.0.1)
    """
    return ()
