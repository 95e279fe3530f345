"""AFTSurvivalRegression: the expected time, and quantiles of it."""

from __future__ import annotations

from tests.conformance.row import INF, MILD, NAN, Row, doubles, rolled, spark, sparse, vectors
from tests.conformance.rows.linear import BINARY, REAL, N, X

SMALL = tuple(tuple(value / 11 for value in row) for row in X)
TIMES = tuple(0.3 + abs(y) / 3 + (i % 5) / 7 for i, y in enumerate(REAL))
CALM = tuple(value for value in MILD if abs(value) < 200)
ASKED = (*rolled(CALM, 4), *SMALL, *X, sparse(4, {1: -2.7}), (0.1, NAN, 0.2, 0.3), (INF, 0.1, 0.2, 0.3),
         *((k, -k / 3, 0.5, 3.1) for k in (300.0, -300.0, 3e5, -3e5)))  # fmt: skip


def _row(name: str, outputs: tuple[str, ...] = ("prediction",), *, smoke: bool = False, **params: object) -> Row:
    return Row(
        f"surviving/{name}",
        (spark.AFTSurvivalRegression(**{"maxIter": 6, **params}),),
        train={"features": vectors(*SMALL), "label": doubles(*TIMES), "censor": doubles(*BINARY)},
        rows={"features": vectors(*ASKED)},
        outputs=outputs,
        word="elementary",
        smoke=smoke,
    )


BOTH = ("prediction", "quantiles")

ROWS = [
    _row("default"),
    _row("quantiles", BOTH, quantilesCol="quantiles", smoke=True),
    _row("own-quantiles", BOTH, quantilesCol="quantiles", quantileProbabilities=[0.001, 1 / 3, 0.9999999]),
    _row("only-quantiles", ("quantiles",), quantilesCol="quantiles", predictionCol=""),
    _row("no-intercept", BOTH, quantilesCol="quantiles", fitIntercept=False, aggregationDepth=3, tol=1e-3),
    _row("quantiles-empty", quantilesCol=""),
    Row(
        "surviving/other-columns",
        (
            spark.AFTSurvivalRegression(
                featuresCol="v", labelCol="y", censorCol="c", predictionCol="p", quantilesCol="q", maxIter=3
            ),
        ),
        train={"v": vectors(*SMALL), "y": doubles(*TIMES), "c": doubles(*((0.0, 1.0) * (N // 2)))},
        rows={"v": vectors(*SMALL)},
        outputs=("p", "q"),
        word="elementary",
    ),
]
