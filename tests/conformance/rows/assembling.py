"""VectorAssembler, VectorSlicer."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.row import (
    INF,
    MILD,
    NAN,
    UGLY,
    Row,
    column,
    doubles,
    rolled,
    spark,
    sparse,
    texts,
    vectors,
    width,
)

MIXED = {
    "d": doubles(*UGLY[:-1], None, NAN, 1.5, 2.5),
    "f": column("float", 0.1, -0.0, 16777217.0, 3.4e38, 1e-45, INF, *([0.3] * 10), None, 0.5),
    "i": column("int", 0, -1, 2147483647, -2147483647, *([7] * 13), None),
    "l": column("bigint", 9007199254740993, -9007199254740993, *([3] * 16)),
    "h": column("smallint", *([-300] * 18)),
    "b": column("tinyint", *([-100] * 18)),
    "t": column("boolean", *([True, False] * 9)),
    "c": column("decimal(10,2)", *([Decimal("1.10")] * 18)),
}
NAMED = {
    "ml_attr": {
        "attrs": {"numeric": [{"idx": 0, "name": "p"}, {"idx": 2, "name": "r"}], "binary": [{"idx": 1, "name": "q"}]},
        "num_attrs": 3,
    }
}
BESIDE = ((1 / 3, -0.0, 3.1), (NAN, 0.0, INF), (NAN, NAN, 1.0), (0.0, 0.0, 5e-324), (1.0, -2.7, -INF))

ROWS = [
    *(
        Row(
            f"assembling/{handle}",
            (spark.VectorAssembler(inputCols=list(MIXED), outputCol="o", handleInvalid=handle),),
            rows=MIXED,
            outputs=("o",),
            smoke=True,
        )
        for handle in ("error", "skip", "keep")
    ),
    *(
        Row(
            f"assembling/vectors-{handle}",
            (spark.VectorAssembler(inputCols=["x", "v", "w"], outputCol="o", handleInvalid=handle),),
            rows={
                "x": doubles(0.1, 1.0, 2.0, None, -0.0),
                "v": vectors(*BESIDE, metadata=width(3)),
                "w": vectors(
                    (1.0, 2.0, 0.3),
                    sparse(3, {1: -2.7}),
                    (1.0, 0.0, 0.0),
                    (1.0, 1.0, 1.0),
                    (0.0, 0.0, 0.0),
                    metadata=NAMED,
                ),
            },
            outputs=("o",),
            smoke=handle == "keep",
        )
        for handle in ("error", "skip", "keep")
    ),
    Row(  # what stands for a null vector is NaN in every slot: as Spark fills it
        "assembling/null-vector-keep",
        (spark.VectorAssembler(inputCols=["v", "x"], outputCol="o", handleInvalid="keep"),),
        rows={"v": vectors((1 / 3, 0.0), None, (NAN, NAN), metadata=width(2)), "x": doubles(1.0, 2.0, None)},
        outputs=("o",),
    ),
    Row(
        "assembling/one-column",
        (spark.VectorAssembler(inputCols=["x"], outputCol="o"),),
        rows={"x": doubles(*UGLY, nullable=False)},
        outputs=("o",),
    ),
    Row(
        "assembling/one-column-twice",
        (spark.VectorAssembler(inputCols=["x", "x", "n"], outputCol="o", handleInvalid="keep"),),
        rows={"x": doubles(*MILD), "n": column("int", *range(len(MILD)), nullable=False)},
        outputs=("o",),
    ),
    Row(
        "assembling/nested",
        (
            spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
            spark.OneHotEncoder(inputCols=["i"], outputCols=["h"], dropLast=False),
            spark.VectorAssembler(inputCols=["x", "y"], outputCol="v", handleInvalid="keep"),
            spark.VectorAssembler(inputCols=["v", "h", "i", "v"], outputCol="o", handleInvalid="error"),
        ),
        train={"s": texts("a", "b"), "x": doubles(1.0, 2.0), "y": doubles(1.0, 2.0)},
        rows={"s": texts("a", "b", "c", None, "a"), "x": doubles(0.1, None, 1 / 3, -0.0, NAN), "y": doubles(*MILD[:5])},
        outputs=("o",),
    ),
    Row(
        "assembling/slice-indices",
        (spark.VectorSlicer(inputCol="v", outputCol="o", indices=[2, 0, 4]),),
        rows={"v": vectors(*rolled(UGLY, 5), metadata=width(5))},
        outputs=("o",),
        smoke=True,
    ),
    Row(
        "assembling/slice-sparse",
        (spark.VectorSlicer(inputCol="v", outputCol="o", indices=[3, 1]),),
        rows={"v": vectors(sparse(4, {1: -2.7}), sparse(4, {0: 1.0, 3: NAN}), (0.1, 0.2, 0.3, 0.4), metadata=width(4))},
        outputs=("o",),
    ),
    Row(  # entries in another order: Normalizer adds them in that of their slots
        "assembling/slice-entries-backwards",
        (
            spark.HashingTF(inputCol="t", outputCol="f", numFeatures=16),
            spark.IDF(inputCol="f", outputCol="i"),
            spark.VectorSlicer(inputCol="i", outputCol="s", indices=[*range(15, -1, -1)]),
            spark.Normalizer(inputCol="s", outputCol="o", p=1.0),
        ),
        train={"t": column("array<string>", *(tuple("abcdefghijklm"[:i]) for i in range(1, 14)))},
        rows={
            "t": column("array<string>", *(tuple("aabcdefghijkclmd"[i:end]) for i in range(8) for end in range(10, 17)))
        },
        outputs=("o",),
    ),
    Row(
        "assembling/slice-beyond",
        (spark.VectorSlicer(inputCol="v", outputCol="o", indices=[0, 3]),),
        rows={"v": vectors(*rolled(MILD, 3), metadata=width(3))},
        outputs=("o",),
        refused="one that is not there",
    ),
    Row(
        "assembling/slice-names",
        (spark.VectorSlicer(inputCol="v", outputCol="o", names=["r", "p"]),),
        rows={"v": vectors(*rolled(UGLY, 3), metadata=NAMED)},
        outputs=("o",),
    ),
    Row(
        "assembling/slice-indices-and-names",
        (spark.VectorSlicer(inputCol="v", outputCol="o", indices=[1], names=["r", "p"]),),
        rows={"v": vectors(*rolled(UGLY, 3), metadata=NAMED)},
        outputs=("o",),
    ),
    Row(
        "assembling/slice-assembled-names",
        (
            spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
            spark.OneHotEncoder(inputCol="i", outputCol="h", dropLast=False, handleInvalid="keep"),
            spark.VectorAssembler(inputCols=["x", "h"], outputCol="v"),
            spark.VectorSlicer(inputCol="v", outputCol="o", names=["h_ß", "x"], indices=[3]),
        ),
        train={"s": texts("a", "ß", "a"), "x": doubles(1.0, 2.0, 3.0)},
        rows={"s": texts("a", "ß", "z", None), "x": doubles(0.1, -2.7, 1 / 3, 0.0)},
        outputs=("o",),
        smoke=True,
    ),
]
