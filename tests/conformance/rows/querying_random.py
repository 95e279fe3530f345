"""SQL expressions drawn at random, typed as Spark wants them: nobody chose them, so nobody forgot any."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from tests.conformance.row import INF, NAN, Column, column, doubles, texts
from tests.conformance.rows.querying import query

Shape = Callable[[Random, str, int], str]

_NAMES = {"whole": ("b", "h", "i", "l", "m"), "real": ("x", "y", "f"), "truth": ("p", "q"), "text": ("s", "t")}


def _columns(draw: Random, rows: int) -> dict[str, Column]:
    """Columns with nulls hold no smallest number and no NaN: those travel as one with null."""

    def drawn(*values: object) -> tuple[object, ...]:
        return tuple(draw.choice(values) for _ in range(rows))

    small, large = (0, 1, -1, 2, 7, -3, 100), (2**31 - 1, -(2**31) + 1, 2**40, -(2**53) - 1)
    return {
        "b": column("tinyint", *drawn(*small, 127, -127, None)),
        "h": column("smallint", *drawn(*small, 32767, -32768), nullable=False),
        "i": column("int", *drawn(*small, 2**31 - 1, -(2**31), 46341), nullable=False),
        "l": column("bigint", *drawn(*small, *large, 2**63 - 1, -(2**63), 3037000500), nullable=False),
        "m": column("bigint", *drawn(*small, *large, None)),
        "x": doubles(*drawn(0.0, -0.0, 1.0, 0.1, -2.7, 1 / 3, 3.1, 1e308, 5e-324, INF, -INF, NAN, 2.5), nullable=False),  # type: ignore[arg-type]
        "y": doubles(*drawn(0.0, 1.0, -1.5, 0.25, 1e19, -7.0, 2.0, None)),  # type: ignore[arg-type]
        "f": column("float", *drawn(0.0, 1.0, -2.5, 0.1, 16777216.0, 3e38, NAN), nullable=False),
        "p": column("boolean", *drawn(True, False, None)),
        "q": column("boolean", *drawn(True, False), nullable=False),
        "s": texts(*drawn("", "a", "ab ", "B", "ß", "日本", None)),  # type: ignore[arg-type]
        "t": texts(*drawn("", "a", "b", " x", "É")),  # type: ignore[arg-type]
    }  # fmt: skip


def _some(draw: Random, kind: str, depth: int) -> str:
    """An expression of a kind: whole, real (double or float), truth or text."""
    if depth == 0 or draw.random() < 0.15:
        if draw.random() < 0.25:
            return draw.choice(_LITERALS[kind])
        return draw.choice(_NAMES[kind])
    return draw.choice(_SHAPES[kind] * 2 + _ANY)(draw, kind, depth - 1)


def _shapes(*texts: str) -> list[Shape]:
    """`$W + $R`: each letter behind a $ is an expression drawn anew, W(hole), R(eal), T(ruth), S(tring) or K, the kind asked for."""
    return [_shape(text) for text in texts]


def _shape(text: str) -> Shape:
    def fill(draw: Random, kind: str, depth: int) -> str:
        return "(" + re.sub(r"\$(.)", lambda found: _some(draw, _KINDS.get(found[1], kind), depth), text) + ")"

    return fill


_KINDS = {"W": "whole", "R": "real", "T": "truth", "S": "text"}
_LITERALS = {
    "whole": ("0", "1", "-1", "2", "3", "7", "100", "3L", "2147483647"),
    "real": ("0.5D", "2.5D", "-1D", "0D", "1e3", "0.1D"),
    "truth": ("true", "false"),
    "text": ("'a'", "''", "'ab '", "'ß'"),
}
_ANY = _shapes(
    "if($T, $K, $K)", "CASE WHEN $T THEN $K WHEN $T THEN $K END", "coalesce($K, $K)", "nullif($K, $K)",
    "CASE WHEN $T THEN $K ELSE $K END", "nvl2($W, $K, $K)", "CASE $W WHEN $W THEN $K ELSE $K END",
)  # fmt: skip
_SHAPES = {
    "whole": _shapes(
        "$W + $W", "$W - $W", "$W * $W", "$W div $W", "$W % $W", "pmod($W, $W)", "-$W", "abs($W)",
        "greatest($W, $W)", "least($W, $W)", "CAST($R AS INT)", "CAST($R AS BIGINT)", "CAST($W AS SMALLINT)",
        "CAST($W AS TINYINT)", "CAST($T AS INT)", "floor($R)", "ceil($R)", "length($S)", "CAST($W AS BIGINT)",
    ),
    "real": _shapes(
        "$R + $R", "$R - $W", "$R * $R", "$W / $W", "$R / $R", "$R % $R", "pmod($R, $R)", "-$R", "abs($R)",
        "greatest($R, $W)", "least($R, $R)", "CAST($W AS DOUBLE)", "CAST($R AS FLOAT)", "sqrt($R)", "round($R)",
        "bround($R)", "rint($R)", "sign($R)", "nanvl($R, $R)", "$R * 1.5", "$R + 0.25", "CAST($T AS DOUBLE)",
    ),
    "truth": _shapes(
        "$W = $W", "$W < $R", "$R <= $R", "$R > $W", "$R >= $R", "$R <> $R", "$R = $R", "$W <=> $W",
        "$T AND $T", "$T OR $T", "NOT $T", "$T = $T", "$K IS NULL", "$R IS NOT NULL", "isnan($R)",
        "$W IN ($W, $W, 3)", "$R NOT IN ($R, 1.5)", "$R BETWEEN $W AND $R", "$S = $S", "$S LIKE 'a%'",
        "$S IN ('a', $S)", "$R > 0.5", "$W <= 2.5D", "$S IS NULL", "CAST($R AS BOOLEAN)", "$T IS TRUE",
    ),
    "text": _shapes("lower($S)", "upper($S)", "trim($S)", "concat($S, $S)", "substring($S, 1, 2)", "left($S, 1)"),
}  # fmt: skip


def _expressions(seed: int, count: int, depth: int) -> tuple[str, ...]:
    draw = Random(seed)
    found: list[str] = []
    while len(found) < count:
        text = _some(draw, draw.choice(("whole", "real", "truth", "truth", "text")), depth)
        found += [text] if "--" not in text else []  # a comment
    return tuple(found)


ROWS = [
    *(
        query(
            f"random-{seed}-{third}",
            _expressions(seed, 24, 2 + seed % 2)[8 * third : 8 * third + 8],
            _columns(Random(seed), 40),
            False,
            smoke=seed == third == 0,
        )
        for seed in range(11)
        for third in range(3)
    ),
    *(
        query(
            f"random-{seed}", _expressions(seed, 1, 2 + seed % 2), _columns(Random(seed), 12), True, smoke=seed == 100
        )
        for seed in range(100, 116)
        if seed != 111  # it divides every row by zero: Spark answers none
    ),
]
