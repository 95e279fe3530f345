"""OneHotEncoder."""

from __future__ import annotations

from tests.conformance.row import INF, NAN, Row, column, doubles, spark, texts

ASKED = (0.0, -0.0, 1.0, 2.0, 3.0, 4.0, 0.5, 2.9999999999999996, -1.0, -0.5, 1e308, INF, -INF, 5e-324)


def _encoded(name: str, drop: bool, handle: str, **marks: bool) -> Row:
    return Row(
        f"encoding/{name}",
        (spark.OneHotEncoder(inputCol="x", outputCol="o", dropLast=drop, handleInvalid=handle),),
        train={"x": doubles(0.0, 1.0, 3.0, 1.0, nullable=False)},
        rows={"x": doubles(*ASKED, NAN, nullable=False)},
        outputs=("o",),
        **marks,
    )


NOMINAL = {"ml_attr": {"type": "nominal", "name": "x", "num_vals": 4}}

ROWS = [
    _encoded("drop-keep", True, "keep", smoke=True),
    _encoded("all-keep", False, "keep", smoke=True),
    _encoded("drop-error", True, "error", smoke=True),
    _encoded("all-error", False, "error"),
    *(
        Row(
            f"encoding/null-{handle}",
            (spark.OneHotEncoder(inputCol="x", outputCol="o", handleInvalid=handle),),
            train={"x": doubles(0.0, 1.0, 2.0)},
            rows={"x": doubles(0.0, None, 2.0, 1.0)},
            outputs=("o",),
        )
        for handle in ("keep", "error")
    ),
    *(
        Row(
            f"encoding/many-{'drop' if drop else 'all'}-{handle}",
            (spark.OneHotEncoder(inputCols=["x", "n"], outputCols=["xo", "no"], dropLast=drop, handleInvalid=handle),),
            train={"x": doubles(0.0, 1.0, 2.0), "n": column("int", 4, 0, 1)},
            rows={
                "x": doubles(0.0, 1.0, 2.0, 3.0, -1.0, 2.0),
                "n": column("int", 0, 4, 5, 3, 2, -3, nullable=True),
            },
            outputs=("xo", "no"),
        )
        for drop in (True, False)
        for handle in ("keep", "error")
    ),
    Row(
        "encoding/long-and-float",
        (spark.OneHotEncoder(inputCols=["x", "n"], outputCols=["xo", "no"], handleInvalid="keep"),),
        train={"x": column("float", 0.0, 2.0), "n": column("bigint", 1, 0)},
        rows={"x": column("float", 0.0, 1.5, 2.0, 2.5), "n": column("bigint", 0, 1, 2, 4611686018427387904)},
        outputs=("xo", "no"),
    ),
    Row(
        "encoding/size-from-metadata",
        (spark.OneHotEncoder(inputCol="x", outputCol="o", dropLast=False, handleInvalid="error"),),
        train={"x": column("double", 0.0, 1.0, metadata=NOMINAL)},
        rows={"x": column("double", 0.0, 3.0, 4.0, metadata=NOMINAL)},
        outputs=("o",),
    ),
    *(
        Row(
            f"encoding/indexed-{indexing}-{encoding}",
            (
                spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid=indexing),
                spark.OneHotEncoder(inputCol="i", outputCol="o", handleInvalid=encoding),
            ),
            train={"s": texts("b", "a", "b", "c")},
            rows={"s": texts("a", "b", "c", "d", None, "")},
            outputs=("o",),
        )
        for indexing in ("keep", "skip", "error")
        for encoding in ("keep", "error")
    ),
    Row(
        "encoding/one-category",
        (spark.OneHotEncoder(inputCol="x", outputCol="o", handleInvalid="keep"),),
        train={"x": doubles(0.0, 0.0)},
        rows={"x": doubles(0.0, 1.0)},
        outputs=("o",),
    ),
    *(
        Row(  # one label of the two is left out: the other alone has a slot
            f"encoding/two-labels-{handle}",
            (
                spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid=handle),
                spark.OneHotEncoder(inputCol="i", outputCol="v"),
                spark.VectorSlicer(inputCol="v", outputCol="o", names=["b"]),
            ),
            train={"s": texts("b", "a", "b")},
            rows={"s": texts("a", "b", "c", None)},
            outputs=("o",),
        )
        for handle in ("error", "keep")
    ),
    Row(
        "encoding/no-slot",
        (spark.OneHotEncoder(inputCol="x", outputCol="o"),),
        train={"x": doubles(0.0, 0.0)},
        rows={"x": doubles(0.0, 1.0)},
        outputs=("o",),
    ),
]
