"""IsotonicRegression: both directions, a number or a slot of a vector."""

from __future__ import annotations

from tests.conformance.row import INF, NAN, UGLY, Row, doubles, rolled, spark, sparse, vectors

N = 40
XS = tuple((i * 37 % 23) / 7 - 1.3 for i in range(N))
YS = tuple(3.1 * x - x * x / 3 + (i * 13 % 7) / 5 for i, x in enumerate(XS))
CUTS = sorted({*XS, *(x + step for x in XS[:12] for step in (1e-15, -1e-15, 0.05, 1 / 3)), 2.71})
ASKED = (*UGLY, *CUTS)
ZEROS = tuple(sorted((i - 20) / 3 for i in range(N)))
RISING = tuple(float(i) / 3 + (i % 2) / 7 for i in range(N))


def _row(name: str, xs: tuple[float, ...], ys: tuple[float, ...], *, nullable: bool = False, **params: object) -> Row:
    smoke = bool(params.pop("smoke", False))
    given = (*ASKED, *xs)
    asked = doubles(*given, None) if nullable else doubles(*given, nullable=False)
    return Row(
        f"interpolating/{name}",
        (spark.IsotonicRegression(featuresCol="x", **params),),
        train={"x": doubles(*xs, nullable=nullable), "label": doubles(*ys)},
        rows={"x": asked},
        outputs=("prediction",),
        smoke=smoke,
    )


ROWS = [
    _row("isotonic", XS, YS, smoke=True),
    _row("antitonic", XS, YS, isotonic=False),
    _row("antitonic-falling", XS, tuple(-y / 3 for y in YS), isotonic=False),
    _row("nullable", XS, YS, nullable=True),
    _row("through-zero", ZEROS, RISING),
    _row("from-zero", tuple(x + 20 / 3 for x in ZEROS), RISING),
    _row("from-minus-zero", (-0.0, *(x / 7 for x in range(1, N))), RISING),
    _row("through-zero-steep", (-1 / 3, 0.0, 0.7), (-2.7, 3.1, 3.3)),
    _row("to-zero", tuple(x - 19 / 3 for x in ZEROS), RISING),
    _row("one-boundary", (1 / 3,) * N, YS),
    _row("two-boundaries", (1 / 3, -2.7) * (N // 2), YS),
    _row("flat", XS, (0.1,) * N),
    _row("large", tuple(x * 1e300 for x in XS), tuple(y * 1e300 for y in YS)),
    _row("weighted", XS, YS, labelCol="label", predictionCol="prediction"),
    *(
        Row(
            f"interpolating/vector-{index}",
            (spark.IsotonicRegression(featureIndex=index, predictionCol="p"),),
            train={
                "features": vectors(*((x, -x / 3, 0.1) for x in XS), metadata={"ml_attr": {"num_attrs": 3}}),
                "label": doubles(*YS),
            },
            rows={"features": vectors(*rolled(UGLY, 3), *((x, -x / 3, 0.1) for x in XS), sparse(3, {1: 0.1}),
                                      sparse(3, {0: NAN}), sparse(3, {}), (INF, 0.0, 1.0))},
            outputs=("p",),
            smoke=index == 1,
        )
        for index in (0, 1, 2)
    ),
    Row(
        "interpolating/after-a-model",
        (
            spark.LinearRegression(featuresCol="v", predictionCol="x", maxIter=3),
            spark.IsotonicRegression(featuresCol="x", predictionCol="p", weightCol="w"),
        ),
        train={
            "v": vectors(*((x, -x / 3, 1 / (i + 1)) for i, x in enumerate(XS))),
            "label": doubles(*YS),
            "w": doubles(*(1.0 + i % 3 for i in range(N))),
        },
        rows={"v": vectors(*((x + 0.01, -x / 7, 0.1) for x in XS))},
        outputs=("p",),
        word="dot",
    ),
    Row(
        "interpolating/assembled",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="v"),
            spark.IsotonicRegression(featuresCol="v", featureIndex=1),
        ),
        train={"a": doubles(*YS), "b": doubles(*XS), "label": doubles(*YS)},
        rows={"a": doubles(0.1, None, 0.0), "b": doubles(-0.0, 1.0, 1 / 3)},
        outputs=("prediction",),
    ),
    Row(
        "interpolating/refused-width",
        (spark.IsotonicRegression(),),
        train={"features": vectors(*((x,) for x in XS)), "label": doubles(*YS)},
        rows={"features": vectors((0.1,))},
        refused=r"width of vector column 'features' is not known",
    ),
]  # fmt: skip
