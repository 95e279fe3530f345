"""GeneralizedLinearRegression: every family and link, offsets, link predictions."""

from __future__ import annotations

from tests.conformance.row import Column, Row, column, doubles, spark, vectors
from tests.conformance.rows.linear import ASKED, BINARY, REAL, N, X

SMALL = tuple(tuple(value / 11 for value in row) for row in X)
POSITIVE = tuple(0.3 + abs(y) / 3 + (i % 5) / 7 for i, y in enumerate(REAL))
NEAR = tuple(1.5 + y / 50 for y in REAL)
COUNTS = tuple(float(round(abs(y))) for y in REAL)
STEEP = tuple((a * k, b, c, d) for k in (1, -1, 7, -30, 300, -3000, 1e5) for a, b, c, d in X[:4])
MANY = (*ASKED, *STEEP)


def _row(
    name: str,
    label: tuple[float, ...],
    *,
    smoke: bool = False,
    outputs: tuple[str, ...] = ("prediction",),
    offset: Column | None = None,
    asked: tuple[object, ...] = MANY,
    asked_offset: Column | None = None,
    undecided: int = 0,
    **params: object,
) -> Row:
    extra = {} if offset is None else {"o": offset}
    asked_extra = {} if asked_offset is None else {"o": asked_offset}
    return Row(
        f"linking/{name}",
        (spark.GeneralizedLinearRegression(**{"maxIter": 4, **params}),),
        train={"features": vectors(*SMALL), "label": doubles(*label), **extra},
        rows={"features": vectors(*asked), **asked_extra},
        outputs=outputs,
        word="elementary",
        undecided=undecided,
        smoke=smoke,
    )


BOTH = ("linkPrediction", "prediction")
LINKED = {"linkPredictionCol": "linkPrediction", "outputs": BOTH}
OFFSETS = doubles(*((i * 7 % 11) / 13 - 0.3 for i in range(N)))
GIVEN = (0.1, -2.7, None, 1 / 3, 0.0, -0.0, 1e-30, 16777217.0, -700.0, 700.0)

ROWS = [
    _row("gaussian", REAL, **LINKED, smoke=True),
    _row("gaussian-identity", REAL, family="gaussian", link="identity"),
    _row("gaussian-log", POSITIVE, family="gaussian", link="log", **LINKED),
    _row("gaussian-inverse", POSITIVE, family="Gaussian", link="Inverse", **LINKED),
    _row("binomial", BINARY, family="binomial", **LINKED),
    _row("binomial-logit", BINARY, family="binomial", link="logit"),
    _row("binomial-probit", BINARY, family="binomial", link="probit", **LINKED, smoke=True),
    _row("binomial-probit-near-even", BINARY, family="binomial", link="probit", asked=SMALL, **LINKED),
    _row("binomial-cloglog", BINARY, family="binomial", link="cloglog", **LINKED),
    _row("poisson", COUNTS, family="poisson", **LINKED, smoke=True),
    _row("poisson-log", COUNTS, family="poisson", link="log"),
    _row("poisson-identity", COUNTS, family="poisson", link="identity", **LINKED),
    _row("poisson-sqrt", COUNTS, family="poisson", link="sqrt", **LINKED),
    _row("gamma", POSITIVE, family="gamma", **LINKED),
    _row("gamma-inverse", POSITIVE, family="gamma", link="inverse"),
    _row("gamma-identity", POSITIVE, family="gamma", link="identity"),
    _row("gamma-log", POSITIVE, family="gamma", link="log", **LINKED),
    *(
        _row(f"tweedie-{power}", NEAR, family="tweedie", variancePower=power, **LINKED)
        for power in (0.0, 1.0, 1.6, 2.0, 3.0)
    ),
    *(
        _row(f"tweedie-1.5-link-{power}", POSITIVE, family="tweedie", variancePower=1.5, linkPower=power, **LINKED)
        for power in (-1.0, -0.5, 0.0, 1 / 3, 0.5, 1.0)
    ),
    *(
        _row(f"tweedie-1.5-link-{power}", NEAR, family="tweedie", variancePower=1.5, linkPower=power, **LINKED)
        for power in (-2.7, -2.0, 1.5, 2.0)
    ),
    _row("tweedie-gaussian-by-power-link", POSITIVE, family="tweedie", variancePower=0.0, linkPower=0.3),
    _row("tweedie-with-link", POSITIVE, family="tweedie", variancePower=1.2, linkPower=0.0, link="identity"),
    _row("poisson-with-powers", COUNTS, family="poisson", linkPower=0.3, variancePower=1.7),
    _row("no-intercept", REAL, fitIntercept=False, regParam=0.3),
    _row("all-regularized", COUNTS, family="poisson", regParam=3.1, tol=1e-3),
    _row(
        "offset",
        COUNTS,
        family="poisson",
        offsetCol="o",
        offset=OFFSETS,
        asked=X[: len(GIVEN)],
        asked_offset=doubles(*GIVEN),
        smoke=True,
        **LINKED,
    ),
    _row(
        "offset-gaussian",
        REAL,
        offsetCol="o",
        offset=OFFSETS,
        asked=X[: len(GIVEN)],
        asked_offset=doubles(*GIVEN),
    ),
    _row(
        "offset-never-null",
        BINARY,
        family="binomial",
        offsetCol="o",
        offset=doubles(*OFFSETS.values, nullable=False),
        asked=X[:5],
        asked_offset=doubles(0.1, float("nan"), -2.7, float("inf"), float("-inf"), nullable=False),
        **LINKED,
    ),
    _row(
        "offset-gaussian-endless",
        REAL,
        offsetCol="o",
        offset=doubles(*OFFSETS.values, nullable=False),
        asked=X[:3],
        asked_offset=doubles(float("inf"), float("-inf"), float("nan"), nullable=False),
        **LINKED,
    ),
    _row(  # no features: the offset alone, on both sides of the smallest mean, 1e-16 and no single nearest to it
        "offset-smallest-mean",
        COUNTS,
        family="poisson",
        fitIntercept=False,
        offsetCol="o",
        offset=OFFSETS,
        asked=((0.0, 0.0, 0.0, 0.0),) * 3,
        asked_offset=doubles(-36.84136148290, -36.841361486, -36.8413615),
        **LINKED,
    ),
    _row(
        "offset-int",
        COUNTS,
        family="poisson",
        offsetCol="o",
        offset=column("int", *(i % 3 for i in range(N))),
        asked=X[:5],
        asked_offset=column("int", 1, None, -3, 0, 7),
        **LINKED,
    ),
    _row(
        "offset-long",
        REAL,
        offsetCol="o",
        offset=column("bigint", *(i % 5 - 2 for i in range(N))),
        asked=X[:4],
        asked_offset=column("bigint", 1, None, -3, 2**53 + 1),
    ),
    _row("offset-empty", REAL, offsetCol="", linkPredictionCol=""),
    Row(
        "linking/other-columns",
        (
            spark.GeneralizedLinearRegression(
                family="poisson", featuresCol="v", labelCol="y", predictionCol="p", linkPredictionCol="q", weightCol="w",
                maxIter=2, solver="irls", aggregationDepth=3,
            ),
        ),
        train={"v": vectors(*SMALL), "y": doubles(*COUNTS), "w": doubles(*(1.0 + i % 3 for i in range(N)))},
        rows={"v": vectors(*SMALL)},
        outputs=("p", "q"),
        word="elementary",
    ),
    Row(
        "linking/only-link-prediction",
        (spark.GeneralizedLinearRegression(family="poisson", predictionCol="", linkPredictionCol="q", maxIter=2),),
        train={"features": vectors(*SMALL), "label": doubles(*COUNTS)},
        rows={"features": vectors(*SMALL)},
        outputs=("q",),
        word="elementary",
    ),
]  # fmt: skip
