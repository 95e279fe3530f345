"""FeatureHasher: columns of every type, alone and together in a slot."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import INF, NAN, Row, column, doubles, spark, texts

MIXED = {
    "real": column("double", 2.2, -0.0, -1e308, INF, 1 / 3, None, 16777217.0, 0.0),
    "float": column("float", 0.1, 1.5, None, -2.7, 0.0, 3.4e38, 1.0, 0.5),
    "whole": column("int", 1, -7, 0, None, 2147483647, 3, 5, 9),
    "long": column("bigint", 9007199254740993, -1, 0, 3, None, 4, 1, 2),
    "yes": column("boolean", True, False, None, True, False, True, False, True),
    "text": texts("foo", "bar", "", "ß日本", None, "1", "foo", "a=b"),
}


def _mixed(
    name: str,
    *columns: str,
    again: tuple[str, ...] = (),
    rows: Any = MIXED,
    outputs: tuple[str, ...] = ("v",),
    **params: Any,
) -> Row:
    marks = {key: params.pop(key) for key in ("smoke", "refused") if key in params}
    used = {name: rows[name] for name in columns}
    stage = spark.FeatureHasher(inputCols=[*columns, *again], outputCol="v", **params)
    return Row(f"hashing/{name}", (stage,), rows=used, outputs=outputs, **marks)


ROWS = [
    _mixed("features", *MIXED, numFeatures=64, smoke=True),
    _mixed(
        "features-not-a-number",
        "x",
        "y",
        rows={"x": doubles(NAN, 1.0, INF, 0.1, nullable=False), "y": doubles(1.0, NAN, -INF, 0.2, nullable=False)},
        numFeatures=1,
    ),
    _mixed("features-wide", *MIXED, numFeatures=1009),
    _mixed("features-in-two-slots", "real", "whole", "yes", "text", numFeatures=2),
    _mixed("features-in-one-slot", "long", "whole", "text", "yes", numFeatures=1),
    _mixed("features-whole-categories", *MIXED, numFeatures=64, categoricalCols=["long", "whole", "yes", "elsewhere"]),
    _mixed(
        "features-short-categories",
        "b",
        "s",
        rows={"b": column("tinyint", -128 + 1, 0, 127, None), "s": column("smallint", -5, 0, 32767, None)},
        numFeatures=256,
        categoricalCols=["s", "b"],
    ),
    _mixed(
        "features-double-category",
        "real",
        "text",
        numFeatures=64,
        categoricalCols=["real"],
        refused="hashes as Java prints",
    ),
    _mixed("features-four-in-a-slot", "real", "float", "whole", "long", numFeatures=1),
    _mixed(
        "features-two-of-five-in-a-slot",
        "real",
        "float",
        "whole",
        "long",
        "n",
        rows=MIXED | {"n": MIXED["whole"]},
        numFeatures=4,
    ),
    _mixed(  # of five columns: a hash set, although its numbers are but three
        "features-three-beside-texts-in-a-slot",
        *"cabst",
        rows={
            "c": doubles(1.0, 1e16, 1e16, 0.1),
            "a": doubles(1e16, 1.0, -1e16, 0.7),
            "b": doubles(-1e16, -1e16, 1.0, -0.8),
            "s": texts("x", None, None, None),
            "t": texts(None, "y", None, None),
        },
        numFeatures=1,
        refused="share a slot",
    ),
    _mixed(
        "features-a-column-twice",
        "real",
        "text",
        "yes",
        again=("real", "text", "real", "yes"),
        numFeatures=64,
    ),
    _mixed(
        "features-a-column-twice-and-categories",
        *("real", "text", "whole"),
        again=("whole", "text", "real", "real"),
        numFeatures=64,
        categoricalCols=["whole"],
    ),
    _mixed(
        "features-many-in-a-slot",
        "real",
        "float",
        "whole",
        "long",
        "n",
        rows=MIXED | {"n": MIXED["whole"]},
        numFeatures=1,
        refused="share a slot",
    ),
    Row(
        "hashing/features-read-by-a-line",
        (
            spark.FeatureHasher(inputCols=["x", "n", "s"], outputCol="features", numFeatures=32),
            spark.LinearRegression(maxIter=5, regParam=0.1),
        ),
        train={
            "x": doubles(0.1, 1 / 3, -2.7, 3.1, 0.0, 1.0),
            "n": column("int", 1, 2, 3, 4, 5, 7),
            "s": texts("a", "b", "c", "a", "b", "ß"),
            "label": doubles(1.0, 0.5, -2.0, 3.0, 1 / 3, 0.1),
        },
        rows={
            "x": doubles(0.1, INF, None, -INF, 16777217.0, 123456.789),
            "n": column("int", 1, None, 3, 4, 5, 6),
            "s": texts("a", "unseen", None, "b", "", "ß"),
        },
        outputs=("prediction",),
        word="dot",
    ),
]
