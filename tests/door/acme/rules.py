"""Where the pipeline is compiled: no pyspark here."""

from __future__ import annotations

import spox.opset.ai.onnx.v21 as op

from builder.rules import Number, SavedStage, constant, converts, number


@converts("acme.transformers.Clip", word="bit")
def clip(stage: SavedStage, x: Number) -> Number:
    """y = low where x < low, high where x > high, else x.

    NaN: is above every number in Spark, so high; where the column may be null, NaN is how null travels, and stays.
    """
    low, high = stage.params.number("low"), stage.params.number("high")
    value = x.double()
    above = op.greater(value, constant(high))
    if not x.nullable:
        above = op.or_(above, op.isnan(value))
    y = op.where(op.less(value, constant(low)), constant(low), op.where(above, constant(high), value))
    origin = x.origin()
    probe = origin.probe([low, high]) if origin is not None else None
    return number(y, nullable=x.nullable).probing(probe)
