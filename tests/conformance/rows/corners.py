"""Corners of the feature stages: signs of zero, null vectors, and what Spark does to the stored values of a sparse vector alone."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.row import INF, NAN, UGLY, Column, Row, Stage, column, dense, doubles, spark, texts

HANDLES = ("error", "keep", "skip")


def firm(*values: float) -> Column:
    return doubles(*values, nullable=False)


def _row(id: str, *stages: Stage, output: str = "o", **rest: object) -> Row:
    return Row(f"corners/{id}", stages, outputs=(output,), **rest)  # type: ignore[arg-type]


def _indexer(handle: str) -> Stage:
    return spark.StringIndexer(inputCol="s", outputCol="o", handleInvalid=handle)


_ODD = (0.0, -0.0, NAN, INF, -INF, 1 / 3, 1e23, 2e-3, 1e7, 0.1, 100.0, 5e-324)
LABELS = [
    *(
        _row(
            f"labels-{handle}",
            _indexer(handle),
            train={"s": firm(*_ODD)},
            rows={"s": firm(*UGLY, 1e23, 2e-3, 1e7, 100.0)},
        )
        for handle in HANDLES
    ),
    *(
        _row(
            f"one-zero-{handle}",
            _indexer(handle),
            train={"s": firm(0.0, 1.5)},
            rows={"s": firm(0.0, -0.0, NAN, 1.5, 8.0)},
        )
        for handle in HANDLES
    ),
    _row(
        "labels-of-floats",
        _indexer("keep"),
        train={"s": column("float", 0.1, -0.0, 3.4e38, 1e-45, 16777216.0)},
        rows={"s": column("float", 0.1, 0.0, -0.0, 3.4e38, 1e-45, 16777216.0, None, 2.5)},
    ),
    _row(
        "labels-of-longs",
        _indexer("keep"),
        train={"s": column("bigint", 1, 2**53 + 1, 2**53, -(2**63) + 1)},
        rows={"s": column("bigint", 1, 2**53 + 1, 2**53, -(2**63) + 1, 7, None)},
    ),
    _row(
        "labels-that-no-number-prints",
        spark.StringIndexerModel.from_labels(
            ("a", "1", "1.0", "0.10000000000000001", "1E1", "10.0", "a"), "s", "o", "keep"
        ),
        rows={"s": doubles(1.0, 0.1, 10.0, None)},
    ),
    _row(
        "labels-twice",
        spark.StringIndexerModel.from_labels(("a", "b", "a"), "s", "o", "keep"),
        rows={"s": texts("a", "b", "c", None)},
    ),
]

BACK = [
    _row(
        "back",
        spark.IndexToString(inputCol="x", outputCol="o", labels=["a", "ß", ""]),
        rows={"x": firm(0.0, -0.0, -0.9, -1.0, 0.99, 1.0, 2.5, 2.999999, 3.0, NAN, INF, -INF, 1e308, 5e-324)},
    ),
    _row(
        "back-null",
        spark.IndexToString(inputCol="x", outputCol="o", labels=["a", "ß", ""]),
        rows={"x": column("int", 0, None, 2, 3, -1)},
    ),
]


def _one_hot(handle: str, drop: bool) -> Stage:
    return spark.OneHotEncoder(inputCol="c", outputCol="h", handleInvalid=handle, dropLast=drop)


_TRAINED = {"c": column("int", 0, 1, 2), "x": doubles(1.0, 2.0, 3.0)}
_ASKED = {"c": column("int", 0, 1, 2, 3, None, None), "x": doubles(1.0, None, 3.0, 4.0, 5.0, None)}
ONE_HOT = [
    *(
        _row(
            f"fractions-{handle}-{drop}",
            _one_hot(handle, drop),
            output="h",
            train={"c": firm(0.0, 1.0, 2.0)},
            rows={"c": firm(0.0, -0.0, 1.0, 2.0, 0.5, 2.5, 2.999, 3.0, -0.5, -1.0, NAN, INF, -INF)},
        )
        for handle in ("error", "keep")
        for drop in (True, False)
    ),
    *(
        _row(
            f"null-vectors-{handle}-{after}",
            _one_hot(handle, True),
            spark.VectorAssembler(inputCols=["h", "x"], outputCol="o", handleInvalid=after),
            train=_TRAINED,
            rows=_ASKED,
            smoke=after == "keep",
        )
        for handle in ("error", "keep")
        for after in HANDLES
    ),
    *(
        _row(
            f"null-vectors-scaled-{scaled}",
            _one_hot("keep", False),
            spark.StandardScaler(inputCol="h", outputCol="o", withStd=scaled),
            train={"c": _TRAINED["c"]},
            rows={"c": column("int", 0, 1, 2, None)},
        )
        for scaled in (True, False)
    ),
    _row(
        "no-slot-left",
        spark.OneHotEncoder(inputCol="c", outputCol="h"),
        spark.VectorAssembler(inputCols=["h", "x"], outputCol="o"),
        train={"c": firm(0.0, 0.0), "x": firm(1.0, 2.0)},
        rows={"c": firm(0.0, 0.5, 1.0), "x": firm(1.0, 2.0, 3.0)},
    ),
]

_COLUMNS = [f"c{i}" for i in range(6)]
_VECTOR = spark.VectorAssembler(inputCols=_COLUMNS, outputCol="v", handleInvalid="keep")
_FEW = (0.0, 0.0, 0.0, -0.0, 0.0, 0.0, 1.0, 0.2, NAN, INF, 0.0, 0.0, 3.1, -INF)
_SPARSE = {c: firm(*(_FEW[(j * 5 + i * 3) % len(_FEW)] for j in range(40)), 0.0, 0.1) for i, c in enumerate(_COLUMNS)}
_FITTED = {
    c: firm(*(float((7 * i + 3 * j) % 5) * (0.1 if i else 5e-324) for j in range(6))) for i, c in enumerate(_COLUMNS)
}
SPARSE = [
    _row(f"sparse-{name}", _VECTOR, stage, train=_FITTED, rows=_SPARSE, smoke=name == "max-abs")
    for name, stage in {
        "standard": spark.StandardScaler(inputCol="v", outputCol="o"),
        "standard-mean": spark.StandardScaler(inputCol="v", outputCol="o", withMean=True),
        "max-abs": spark.MaxAbsScaler(inputCol="v", outputCol="o"),  # 1 / 5e-324 is infinite
        "robust": spark.RobustScaler(inputCol="v", outputCol="o"),
        "norm-1": spark.Normalizer(inputCol="v", outputCol="o", p=1.0),
        "norm-2": spark.Normalizer(inputCol="v", outputCol="o"),
        "norm-inf": spark.Normalizer(inputCol="v", outputCol="o", p=INF),
        "min-max": spark.MinMaxScaler(inputCol="v", outputCol="o"),
        "product": spark.ElementwiseProduct(
            inputCol="v", outputCol="o", scalingVec=dense(1.0, INF, NAN, 0.0, -2.7, 1 / 3)
        ),
        "above-less-than-zero": spark.Binarizer(inputCol="v", outputCol="o", threshold=-0.5),
        "above-zero": spark.Binarizer(inputCol="v", outputCol="o", threshold=0.0),
    }.items()
]

_CATEGORIES = ((1.0, 2.0, 3.0), (0.0, -1.5, 3.1), (0.5, 0.5, 0.5), (0.0, 1.0, 0.0), (1.0, 2.0, 0.1), (4.0, 5.0, 6.0))
_MIXED = (0.0, 1.0, 3.0, -0.0, NAN, 3.1, -1.5, 0.5, 2.0, 0.0, 0.0, 0.0)
_VALUES = {
    c: firm(*(_MIXED[(5 * i + j) % 12] for j in range(24)), 0.0, (1.0, 0.0, 0.5, 1.0, 2.0, 5.0)[i])
    for i, c in enumerate(_COLUMNS)
}
CATEGORIES = [
    _row(
        f"categories-{name}-{handle}",
        _VECTOR,
        *before,
        spark.VectorIndexer(inputCol=read, outputCol="o", maxCategories=3, handleInvalid=handle),
        train={c: firm(*_CATEGORIES[i]) for i, c in enumerate(_COLUMNS)},
        rows=_VALUES,
        smoke=handle == "keep",
    )
    for handle in HANDLES
    for name, read, before in (
        ("sparse", "v", ()),
        (
            "sliced",
            "z",
            (
                spark.StandardScaler(inputCol="v", outputCol="w"),
                spark.VectorSlicer(inputCol="w", outputCol="z", indices=[5, 3, 0, 1]),
            ),
        ),
    )
]

_SPLITS = (
    (0.0, 1.0, 2.0),
    (-1.0, 0.0, 1.0),
    (-1.0, -0.0, 1.0),
    (-2.0, -1.0, 0.0),
    (-2.0, -1.0, -0.0),
    (-INF, 0.0, INF),
    (-0.0, 1.0, 2.0),
)
BUCKETS = [
    *(
        _row(
            f"split-at-zero-{splits}",
            spark.Bucketizer(inputCol="x", outputCol="o", splits=list(splits), handleInvalid="keep"),
            rows={"x": firm(*UGLY)},
        )
        for splits in _SPLITS
    ),
    _row(
        "null-bucket",
        spark.Bucketizer(inputCol="x", outputCol="b", splits=[-INF, 0.0, 1 / 3, INF], handleInvalid="keep"),
        spark.OneHotEncoder(inputCol="b", outputCol="o", handleInvalid="keep"),
        train={"x": doubles(-1.0, 0.0, 1.0)},
        rows={"x": doubles(-1.0, None, 0.2)},
    ),
]

IMPUTED = [
    _row(
        "long-by-way-of-double",
        spark.Imputer(inputCol="x", outputCol="o", strategy="median"),
        rows={"x": column("bigint", 2**53 + 1, -(2**53) - 1, 2**63 - 1, None, 5, -(2**63) + 1)},
    ),
    _row(
        "missing-infinity",
        spark.Imputer(inputCols=["x"], outputCols=["o"], missingValue=INF),
        train={"x": firm(1.0, 2.1, 0.0)},
        rows={"x": firm(*UGLY)},
    ),
    _row(
        "missing-decimal",
        spark.Imputer(inputCol="x", outputCol="o", missingValue=1.0),
        rows={"x": column("decimal(10,2)", Decimal("0.10"), None, Decimal("1.00"), Decimal("0.15"))},
    ),
]

ROWS = [*LABELS, *BACK, *ONE_HOT, *SPARSE, *CATEGORIES, *BUCKETS, *IMPUTED]
