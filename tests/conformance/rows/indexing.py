"""StringIndexer, IndexToString, VectorIndexer."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.row import (
    INF,
    NAN,
    UGLY,
    Column,
    Row,
    column,
    dense,
    doubles,
    rolled,
    spark,
    sparse,
    texts,
    vectors,
)

TRAINED = texts("b", "a", "b", "ß", "", "日本", "b", "a", " a", "A")
ASKED = texts("a", "b", "", "ß", "日本", " a", "A", "a ", "unseen", "ss", None, "日", "nan")


def _indexed(name: str, trained: Column, asked: Column, handle: str = "keep", **marks: bool) -> Row:
    """One StringIndexer over a column of any type."""
    return Row(
        f"indexing/{name}",
        (spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid=handle),),
        train={"s": trained},
        rows={"s": asked},
        outputs=("i",),
        **marks,
    )


STRINGS = [
    _indexed("keep", TRAINED, ASKED, smoke=True),
    _indexed("skip", TRAINED, ASKED, "skip"),
    _indexed("error", TRAINED, ASKED, "error", smoke=True),
    *(
        Row(
            f"indexing/{order}",
            (spark.StringIndexer(inputCol="s", outputCol="i", stringOrderType=order),),
            train={"s": TRAINED},
            rows={"s": texts("a", "b", "", "ß", "日本", " a", "A")},
            outputs=("i",),
        )
        for order in ("frequencyDesc", "frequencyAsc", "alphabetDesc", "alphabetAsc")
    ),
    *(
        Row(
            f"indexing/many-{handle}",
            (spark.StringIndexer(inputCols=["s", "n"], outputCols=["si", "ni"], handleInvalid=handle),),
            train={"s": texts("x", "y", "x"), "n": column("int", 3, 3, -7)},
            rows={
                "s": texts("x", "y", "z", None, "x", "z", None, "y"),
                "n": column("int", 3, -7, 3, 3, None, 0, None, 7),
            },
            outputs=("si", "ni"),
            smoke=handle == "skip",
        )
        for handle in ("keep", "skip", "error")
    ),
    Row(
        "indexing/from-labels",
        (spark.StringIndexerModel.from_labels(["b", "", "ß"], inputCol="s", outputCol="i", handleInvalid="keep"),),
        rows={"s": ASKED},
        outputs=("i",),
    ),
    Row(
        "indexing/from-arrays-of-labels",
        (
            spark.StringIndexerModel.from_arrays_of_labels(
                [["b", "a"], ["1", "x", "01"]], inputCols=["s", "n"], outputCols=["si", "ni"], handleInvalid="keep"
            ),
        ),
        rows={"s": texts("a", "b", None), "n": column("int", 1, 0, None)},
        outputs=("si", "ni"),
    ),
    Row(
        "indexing/a-label-twice",
        (spark.StringIndexerModel.from_labels(["a", "b", "a"], inputCol="s", outputCol="i", handleInvalid="keep"),),
        rows={"s": texts("a", "b", "c", None)},
        outputs=("i",),
    ),
]

TYPED = [
    _indexed(
        "integers",
        column("int", 1, -1, 7, 7, 2147483647, 0),
        column("int", 0, 1, -1, 7, 2147483647, 2, None, -2147483647),
        "error",
    ),
    _indexed(
        "longs",
        column("bigint", 9007199254740993, 9007199254740993, 9007199254740992, -1, 0),
        column("bigint", 9007199254740992, 9007199254740993, 9007199254740994, 0, -1, 1, None, 9223372036854775807),
        smoke=True,
    ),
    _indexed("shorts", column("smallint", 5, -5, 5), column("smallint", 5, -5, 0, None, 32767)),
    _indexed("bytes", column("tinyint", 5, -5, 5), column("tinyint", 5, -5, 0, None, 127)),
    _indexed(
        "doubles",
        doubles(1.0, 1.0, 0.1, 1 / 3, 1e23, 1e21, 1e-5, 2e-3, 123456789.0, 0.0, -2.7, 5e-324, 1e308, INF),
        doubles(*UGLY, 1e23, 9.999999999999999e22, 1e21, 1e-5, 2e-3, 123456789.0, 0.30000000000000004, 2.0, None),
        smoke=True,
    ),
    _indexed("minus-zero", doubles(-0.0, -0.0, 1.0), doubles(0.0, -0.0, 1.0, None)),
    _indexed("both-zeros", doubles(-0.0, -0.0, 0.0, 1.0), doubles(0.0, -0.0, 1.0, None)),
    *(
        Row(  # fitting leaves NaN out: such a label comes from hand alone
            f"indexing/nan-is-a-label-{handle}",
            (
                spark.StringIndexerModel.from_labels(
                    ["2.5", "NaN", "1.0"], inputCol="s", outputCol="i", handleInvalid=handle
                ),
            ),
            rows={"s": doubles(NAN, 1.0, 2.5, 0.0, INF, nullable=False)},
            outputs=("i",),
        )
        for handle in ("keep", "skip", "error")
    ),
    _indexed("nan-is-unseen", doubles(1.0, 2.5), doubles(NAN, 1.0, 2.5, None), "error"),
    _indexed(
        "floats",
        column("float", 0.1, 0.1, 1.0, 16777216.0, 3.4e38, 1e10),
        column("float", 0.1, 1.0, 16777216.0, 3.4e38, 1e10, 0.10000000894069672, 0.2, None),
    ),
    _indexed(
        "decimals",
        column("decimal(10,2)", Decimal("1.50"), Decimal("1.50"), Decimal("-0.10"), Decimal("0.00")),
        column("decimal(10,2)", Decimal("1.50"), Decimal("-0.10"), Decimal("0.00"), Decimal("0.10"), None),
    ),
    Row(
        "indexing/refused-decimals-too-near",
        (spark.StringIndexer(inputCol="s", outputCol="i"),),
        rows={"s": column("decimal(20,2)", Decimal("9007199254740992.00"), Decimal("9007199254740993.00"))},
        refused="are not told apart as doubles",
    ),
]

BACK = [
    Row(
        "indexing/back-by-labels",
        (spark.IndexToString(inputCol="x", outputCol="s", labels=["", "ß", "日本", "b"]),),
        rows={
            "x": doubles(0.0, -0.0, 1.0, 1.9999999999999998, 2.0, 3.999, -0.9999, -1.0, 4.0, 1e308, -INF, INF, 5e-324)
        },
        outputs=("s",),
        smoke=True,
    ),
    Row(
        "indexing/back-nan",
        (spark.IndexToString(inputCol="x", outputCol="s", labels=["a", "b"]),),
        rows={"x": doubles(NAN, 1.0, 1 / 3, nullable=False)},
        outputs=("s",),
    ),
    Row(
        "indexing/back-null",
        (spark.IndexToString(inputCol="x", outputCol="s", labels=["a", "b"]),),
        rows={"x": doubles(None, 1.0, 0.0)},
        outputs=("s",),
    ),
    Row(
        "indexing/back-integers",
        (spark.IndexToString(inputCol="x", outputCol="s", labels=["a", "b"]),),
        rows={"x": column("int", 0, 1, -1, 2, 2147483647, nullable=False)},
        outputs=("s",),
    ),
    *(
        Row(
            f"indexing/back-and-forth-{handle}",
            (
                spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid=handle),
                spark.IndexToString(inputCol="i", outputCol="o"),
            ),
            train={"s": TRAINED},
            rows={"s": ASKED},
            outputs=("o",),
            smoke=handle == "keep",
        )
        for handle in ("keep", "skip", "error")
    ),
    Row(
        "indexing/back-by-metadata",
        (spark.IndexToString(inputCol="x", outputCol="s"),),
        rows={
            "x": column(
                "double", 0.0, 1.0, 2.0, 0.5, metadata={"ml_attr": {"type": "nominal", "name": "x", "vals": ["n", "m"]}}
            )
        },
        outputs=("s",),
    ),
    Row(
        "indexing/back-empty-labels-mean-metadata",
        (
            spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
            spark.IndexToString(inputCol="i", outputCol="o", labels=[]),
        ),
        train={"s": texts("x", "y")},
        rows={"s": texts("x", "y", "z", None)},
        outputs=("o",),
    ),
]

# -- VectorIndexer: slot 0 categorical with a zero, 1 categorical without, 2 continuous, 3 binary
GRID = (
    (0.0, 5.5, 0.1, 1.0),
    (-2.7, 3.1, 1 / 3, 2.0),
    (1 / 3, 5.5, -7.0, 1.0),
    (0.0, -1.5, 9.9, 2.0),
    (-2.7, 5.5, 4.4, 1.0),
)
PROBED = (
    (0.0, 5.5, 0.1, 1.0), (-0.0, 3.1, NAN, 2.0), (1 / 3, -1.5, INF, 1.0), (-2.7, 5.5, 1e308, 2.0), (1.0, 5.5, 0.0, 1.0),
    (0.0, 0.0, 0.0, 1.0), (0.0, 5.5, 5e-324, 3.0), (NAN, 5.5, 0.1, 1.0), (0.0, NAN, 0.1, NAN), (0.0, 3.1000000000000005, 1.0, 1.0),
    (INF, 5.5, 1.0, 1.0), (0.3333333432674408, 5.5, 1.0, 2.0), (9.0, 9.0, 9.0, 9.0),
)  # fmt: skip
# -- of two values, of three with a zero, continuous, of one, with NaN, and one that stays nominal
NAMED = (
    (7.5, 0.0, 0.1, 3.0, NAN, 0.0),
    (-1.5, -2.7, 1 / 3, 3.0, 1.0, 1.0),
    (7.5, 1 / 3, -7.0, 3.0, NAN, 2.0),
    (-1.5, 0.0, 9.9, 3.0, 2.0, 3.0),
    (7.5, -2.7, 4.4, 3.0, 1.0, 0.0),
)
SLOTS = {
    "ml_attr": {
        "attrs": {
            "numeric": [{"idx": place, "name": name} for place, name in enumerate("abcde")],
            "nominal": [{"idx": 5, "name": "f", "num_vals": 4}],
        },
        "num_attrs": 6,
    }
}
NAMES = ("f_2", "b_0.0", "e_NaN", "b_-2.7", "c", "e_2.0", "f_0", "b_0.3333333333333333", "e_1.0", "f_3")
BINARY, UNKNOWN = (
    ("d_3.0", "a"),
    ("d_3.0", "a_7.5", "a___unknown", "a_-1.5", "e___unknown", "d___unknown", "b___unknown"),
)
VECTORS = [
    *(
        Row(
            f"indexing/vector-{handle}",
            (spark.VectorIndexer(inputCol="v", outputCol="o", maxCategories=3, handleInvalid=handle),),
            train={"v": vectors(*GRID)},
            rows={"v": vectors(*PROBED)},
            outputs=("o",),
            smoke=True,
        )
        for handle in ("error", "skip", "keep")
    ),
    Row(
        "indexing/vector-all-continuous",
        (spark.VectorIndexer(inputCol="v", outputCol="o", maxCategories=2),),
        train={"v": vectors(*rolled((0.1, 1.0, 2.0, -3.0, 7.5), 3))},
        rows={"v": vectors(*rolled(UGLY, 3))},
        outputs=("o",),
    ),
    *(
        Row(  # five slots, of which Spark stores as sparse what has two values or fewer: there a 0 stays 0, seen or not
            f"indexing/vector-assembled-{handle}",
            (
                spark.VectorAssembler(inputCols=["a", "b", "c", "d", "e"], outputCol="v"),
                spark.VectorIndexer(inputCol="v", outputCol="o", maxCategories=3, handleInvalid=handle),
            ),
            train={
                "a": doubles(1.0, 2.0, 1.0, 2.0, 2.5),
                "b": doubles(3.0, 3.0, 4.5, 4.5, 3.0),
                "c": doubles(-1.0, 0.0, 1.0, 0.0, 0.0),
                "d": doubles(0.1, 0.2, 0.3, 0.4, 0.5),
                "e": doubles(0.1, 0.2, 0.3, 0.4, 0.5),
            },
            rows={
                "a": doubles(1.0, 0.0, 0.0, 2.0, 2.5, 2.0, 0.0, 7.0, 7.0),
                "b": doubles(3.0, 0.0, 4.5, 0.0, 4.5, 0.0, 0.0, 0.0, 4.5),
                "c": doubles(-1.0, 0.0, 0.0, 0.0, 1.0, 1.0, -1.0, 0.0, 1.0),
                "d": doubles(0.1, 0.0, 0.5, 0.0, 0.1, 0.1, 0.0, 0.0, 1.0),
                "e": doubles(0.1, 0.0, 0.5, 0.0, 0.1, 0.0, 0.0, 0.0, 1.0),
            },
            outputs=("o",),
            smoke=handle == "keep",
        )
        for handle in ("error", "skip", "keep")
    ),
    Row(
        "indexing/vector-sparse-rows",
        (spark.VectorIndexer(inputCol="v", outputCol="o", maxCategories=3),),
        train={"v": vectors(sparse(3, {0: 1.0}), sparse(3, {0: 2.0, 2: 1.5}), dense(0.0, 1.0, 1.5))},
        rows={"v": vectors(sparse(3, {0: 1.0}), sparse(3, {2: 1.5}), dense(2.0, 1.0, 0.0))},
        outputs=("o",),
    ),
    Row(  # a null vector fails, a category not seen is dropped; no slot of an encoder's is a slot of the client's
        "indexing/vector-null-skip",
        (
            spark.OneHotEncoder(inputCol="x", outputCol="v", dropLast=False, handleInvalid="keep"),
            spark.VectorIndexer(inputCol="v", outputCol="o", handleInvalid="skip"),
        ),
        train={"x": doubles(0.0, 1.0, 0.0, 2.0)},
        rows={"x": doubles(0.0, None, 1.0, 7.0, 2.0, None)},
        outputs=("o",),
    ),
    *(
        Row(  # values are told in their own order, NaN last, and not in that of their indices, where 0 is first
            f"indexing/vector-names-{handle}",
            (
                spark.VectorIndexer(inputCol="v", outputCol="o", maxCategories=3, handleInvalid=handle),
                spark.Interaction(inputCols=["o", "x"], outputCol="p"),
                spark.VectorSlicer(
                    inputCol="p",
                    outputCol="q",
                    names=[f"o_{name}:x" for name in (*NAMES, *(UNKNOWN if handle == "keep" else BINARY))],
                ),
            ),
            train={"v": vectors(*NAMED, metadata=SLOTS), "x": doubles(1.0, 2.0, 3.0, 4.0, 5.0)},
            rows={
                "v": vectors(
                    *NAMED,
                    (7.5, 9.0, 0.2, 3.0, 1.0, 2.0),
                    (8.0, 0.0, NAN, 3.0, 2.0, 0.0),
                    (-1.5, 0.0, -0.0, 4.0, 2.0, 1.0),
                    (-1.5, 1 / 3, INF, 3.0, 3.0, 2.0),
                    metadata=SLOTS,
                ),
                "x": doubles(1 / 3, -2.7, 3.1, 1e308, 5e-324, 1.1, 2.2, 3.3, 4.4),
            },
            outputs=("q",),
            since=(4, 3) if handle == "keep" else (3, 5),  # what is unknown has a name of its own
        )
        for handle in ("error", "keep")
    ),
    Row(  # the unknown is one of a slot's categories from Spark 4.1 on; before, two values are binary, a third fails
        "indexing/vector-unknown",
        (
            spark.VectorIndexer(inputCol="v", outputCol="o", maxCategories=3, handleInvalid="keep"),
            spark.Interaction(inputCols=["o", "x"], outputCol="p"),
        ),
        train={"v": vectors(*GRID), "x": doubles(1.0, 2.0, 3.0, 4.0, 5.0)},
        rows={"v": vectors(*PROBED), "x": doubles(*UGLY[2:-1], -7.0, nullable=False)},
        outputs=("p",),
    ),
]

ROWS = STRINGS + TYPED + BACK + VECTORS
