"""Missing values replaced by what fitting found."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import DOUBLE, Number
from builder.graph.idioms import choose, clamped, constant
from builder.graph.rules import converts
from builder.graph.tolerance import decided
from builder.sparkml.attributes import UNRESOLVED
from builder.sparkml.printing import java_double
from builder.sparkml.reader import SavedStage
from builder.types import Array

_EXACT_DIGITS = 15  # a decimal of so many comes back from a double as it was
_BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}


@converts("org.apache.spark.ml.feature.ImputerModel", word="bit", ignores=("strategy", "relativeError"))
def imputer(stage: SavedStage, i: int, x: Number) -> Number:
    """The surrogate where x is null or equals missingValue (NaN equals NaN), else x; in x's own type.

    Shapes: x [N, 1] -> [N, 1].
    Order:  by way of double, as Spark casts: a long beyond 2^53 is rounded; an integer's surrogate is truncated.
    Source: ImputerModel.transform (ml/feature/Imputer.scala, Spark 4.0.1)
    """
    kind = x.numeric().kind
    if kind == "decimal" and (x.digits is None or x.digits[0] > _EXACT_DIGITS):
        raise Refused(
            f"column {x.name!r} is a decimal of more than {_EXACT_DIGITS} digits, or of an unknown number.",
            fix="cast the column to double before the Imputer, in fitting too.",
        )
    column = _column(stage, i)
    row = stage.row()
    if column not in row:
        raise Refused(
            f"it was not fitted on column {column!r}; it knows {', '.join(map(repr, row))}.",
            fix="fit it again on the columns that it shall read.",
        )
    surrogate, missing_value = float(row[column]), stage.params.number("missingValue")
    missing = _missing(x, missing_value)
    value = x.var
    if kind == "long":  # to double and back
        value = clamped(op.cast(x.var, to=np.float64), -(2**63), 2**63 - 1)
    filled = choose(missing, constant(_surrogate(surrogate, x)), value)
    slack = x.slack
    if slack is not None:
        slack = op.where(missing, constant(0.0), slack) if math.isnan(missing_value) else decided(slack)
    origin = x.origin()
    probe = None if origin is None or math.isnan(missing_value) else origin.probe([missing_value])
    nullable = x.nullable and math.isnan(surrogate)
    return replace(
        x, var=filled, nullable=nullable, attribute=UNRESOLVED, below=None, nulls=None, slack=slack, masks=(), probes=()
    ).probing(probe)


def _column(stage: SavedStage, i: int) -> str:
    if "inputCols" in stage.params:
        return stage.params.texts("inputCols")[i]
    return stage.params.text("inputCol")


def _missing(x: Number, value: float) -> Var:
    """bool [N, 1]: null, or equal to the value; NaN equals NaN."""
    if x.floating and math.isnan(value):
        return op.isnan(x.var)
    if math.isnan(value):
        return x.is_null()
    wide = x.var if x.type == DOUBLE else op.cast(x.var, to=np.float64)
    equal = op.equal(wide, constant(value))
    return op.or_(equal, x.is_null()) if x.nullable else equal


def _surrogate(value: float, x: Number) -> Array:
    """The surrogate cast to the column's type."""
    name = x.kind
    if name == "double":
        return np.array(value)
    if name == "float":
        with np.errstate(over="ignore"):
            return np.array(value, dtype=np.float32)
    if name == "decimal":
        assert x.digits is not None
        return np.array(float(Decimal(java_double(value)).quantize(Decimal(1).scaleb(-x.digits[1]), ROUND_HALF_UP)))
    end = 1 << (_BITS[name] - 1)
    if not (math.isfinite(value) and -end <= math.trunc(value) < end):
        raise Refused(f"surrogate {value} is no {name}.", fix="fit it again; Spark's cast fails on it.")
    return np.array(math.trunc(value), dtype=f"int{_BITS[name]}")
