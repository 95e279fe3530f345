"""How Spark writes a literal inside the name of a column.

Source: AstBuilder.visitIntegerLiteral … visitDoubleLiteral (sql/catalyst), Literal.toString, Decimal.toString
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation

import numpy as np

from builder.sparkml.printing import java_double, java_float

_LONGEST = 60  # characters of a number
_DIGITS = 38  # of a decimal
_DATE = re.compile(r"\s*(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?\s*")


def number_title(text: str, suffix: str) -> str | None:
    """`1.50` → 1.50, `1e3` → 1000.0, `1F` → 1.0; None where Spark has no such number. `suffix`: D, F, L, S, Y, BD or none."""
    if len(text) > _LONGEST:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if suffix in ("L", "S", "Y"):
        return str(int(text)) if text.isdigit() else None
    if suffix == "F":
        single = float(np.float32(number))
        return java_float(single) if np.isfinite(single) else None
    if suffix == "D" or (not suffix and "e" in text.lower()):
        return java_double(float(number)) if np.isfinite(float(number)) else None
    _, _, exponent = number.as_tuple()
    if not isinstance(exponent, int) or number.adjusted() >= _DIGITS or exponent < -_DIGITS:
        return None
    return str(number) if exponent <= 0 else str(int(number))  # 1e3BD has no negative scale


def date_title(text: str) -> str | None:
    """`2020-1-1` → DATE '2020-01-01'; None where it is no plain date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        day = date(*(int(part or 1) for part in found.groups()))
    except ValueError:
        return None
    return f"DATE '{day.isoformat()}'"
