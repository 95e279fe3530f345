"""Categories as what the target was on average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import spox.opset.ai.onnx.v21 as op

from builder.errors import Refused, SourceError
from builder.graph.columns import Mask, Number, number
from builder.graph.idioms import constant, number_number, table, to_index
from builder.graph.rules import columns_of, converts
from builder.graph.tolerance import decided
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage
from builder.types import Probe

_UNSEEN, _NULL = float(2**31 - 1), -1.0  # Spark's keys for all rows together, and for null


def _written(stage: SavedStage) -> tuple[str, ...]:
    """TargetEncoderBase.outputFeatures: a default outputCol does not count."""
    for name in ("outputCol", "outputCols"):
        if stage.params.was_set(name):
            return columns_of(stage, (name,))
    return tuple(f"{name}_indexed" for name in columns_of(stage, _INPUT))


_INPUT = ("inputCol", "inputCols")


@converts(
    "org.apache.spark.ml.feature.TargetEncoderModel", word="bit", reads=_INPUT, writes=_written, ignores=("labelCol",)
)
def target_encoder(stage: SavedStage, i: int, x: Number) -> Number:
    """w · (target in the category) + (1 - w) · (target overall), w = count / (count + smoothing).

    Shapes: x [N, 1] -> [N, 1].
    Order:  as written, at conversion; a binary target's share is its count by the category's, before.
    Null:   is a category of its own where fitting met it, else unseen. Unseen, NaN: error refuses, keep answers the target overall.
    Source: TargetEncoderModel.transform (ml/feature/TargetEncoder.scala, Spark 4.0.1)
    """
    codes = _codes(stage, i)
    overall = codes.get(_UNSEEN)
    if overall is None:
        raise Refused(
            "no row that it was fitted on had a label.",
            fix="Spark itself refuses this model: fit it on rows with labels.",
        )
    known = {key: code for key, code in codes.items() if key not in (_UNSEEN, _NULL)}
    found = number_number(x.numeric().double(), {key: float(place) for place, key in enumerate(known)})
    if x.nullable and _NULL in codes:
        found = op.where(x.is_null(), constant(float(len(known))), found)
    lost = op.less(found, constant(0.0))
    answers = np.array([*known.values(), codes.get(_NULL, overall), overall])
    masks: tuple[Mask, ...] = ()
    if stage.params.text("handleInvalid") != "keep":
        masks = (Mask(lost, f"column {x.name!r} holds a value not seen in fitting"),)
    place = op.where(lost, constant(float(len(known) + 1)), found)
    origin = x.origin()
    seen = Probe(origin.input, exact=tuple(known)) if origin is not None and origin.unchanged else None
    return (
        number(
            op.gather(table(answers), to_index(place, len(answers))),
            attribute=Attribute("nominal", num_values=len(set(codes.values()))),
            slack=decided(x.slack),
        )
        .because(*masks)
        .probing(seen)
    )


def _codes(stage: SavedStage, i: int) -> Mapping[float, float]:
    """Category → its code. Raises SourceError where the column's row is not there once."""
    rows = [row for row in stage.rows() if row["index"] == i]
    if len(rows) != 1:
        raise SourceError(
            f"{stage.uid}: data/ holds {len(rows)} rows of column {i}, not one.",
            fix="copy the saved model again into an empty folder.",
        )
    counts, stats = (np.array(rows[0][name], dtype=np.float64) for name in ("counts", "stats"))
    categories = [float(category) for category in rows[0]["categories"]]
    smoothing, binary = stage.params.number("smoothing"), stage.params.text("targetType") == "binary"
    with np.errstate(all="ignore"):
        weights = counts / (counts + smoothing)
        shares = stats / counts if binary else stats
    everything = [share for category, share in zip(categories, shares, strict=True) if category == _UNSEEN]
    if not everything:
        return {}
    with np.errstate(all="ignore"):
        blended = weights * shares + (1 - weights) * everything[0]
    return dict(zip(categories, blended.tolist(), strict=True))
