"""TargetEncoder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.conformance.row import INF, NAN, Columns, Row, column, doubles, spark, texts

CODES = (0.0, 1.0, 1.0, 2.0, 0.0, 7.0, 1.0, 2.0, 2.0)
WITH_NULL = (None, 1.0, 1.0, None, 0.0, 7.0, 1.0, 2.0, 2.0)
FITTED: Columns = {
    "c": doubles(*CODES, nullable=False),
    "d": doubles(*WITH_NULL),
    "k": column("int", 3, None, 3, 2147483646, 0, None, 3, 0, 1),
    "label": doubles(1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, None),
    "z": doubles(1 / 3, -2.7, 3.1, 0.1, 16777217.0, -1.5, NAN, 7.7, None),
}
ASKED: Columns = {
    "c": doubles(0.0, 1.0, 2.0, 7.0, -0.0, 3.0, -1.0, 0.5, NAN, INF, -INF, 2147483647.0, 1e300, nullable=False),
    "d": doubles(0.0, 1.0, 2.0, 7.0, -0.0, 3.0, -1.0, 0.5, None, INF, -INF, 2147483647.0, 1e300),
    "k": column("int", 0, 1, 3, 2147483646, None, 2147483647, -1, 2, -2147483647, 3, 3, 0, 1),
}
ALONE = {"inputCol": "c", "outputCol": "o"}


def _encoded(
    name: str, smoke: bool = False, column: str = "c", outputs: tuple[str, ...] = ("o",), **params: Any
) -> Row:
    given = {"inputCol": column, "outputCol": "o"} if "inputCols" not in params else {}
    read = params.get("inputCols", [column])
    return Row(
        f"target-encoding/{name}",
        (spark.TargetEncoder(**given, **params),),
        train=FITTED,
        rows={each: ASKED[each] for each in read},
        outputs=outputs,
        smoke=smoke,
    )


_ROWS = [
    *(
        _encoded(f"{target}-{smoothing}-{handle}", targetType=target, smoothing=smoothing, handleInvalid=handle, smoke=smoothing == 1 / 3 and handle == "keep",
                 labelCol="z" if target == "continuous" else "label")
        for target in ("binary", "continuous")
        for smoothing in (0.0, 1 / 3, 16777217.1)
        for handle in ("error", "keep")
    ),
    *(
        _encoded(f"null-{column}-{handle}", column=column, targetType="continuous", labelCol="z", smoothing=0.7, handleInvalid=handle, smoke=column == "k" and handle == "error")
        for column in ("d", "k")
        for handle in ("error", "keep")
    ),
    *(
        Row(  # null is no category here: as unseen
            f"target-encoding/null-unseen-{handle}",
            (spark.TargetEncoder(inputCol="d", outputCol="o", handleInvalid=handle),),
            train={"d": doubles(*CODES), "label": FITTED["label"]},
            rows={"d": ASKED["d"]},
            outputs=("o",),
        )
        for handle in ("error", "keep")
    ),
    _encoded("several", inputCols=["c", "d", "k"], outputCols=["p", "q", "r"], outputs=("p", "q", "r"), smoothing=0.3, handleInvalid="keep", smoke=True),
    _encoded("several-error", inputCols=["c", "d", "k"], outputCols=["p", "q", "r"], outputs=("p", "q", "r"), smoothing=0.3),
    Row(
        "target-encoding/assembled",
        (
            spark.TargetEncoder(inputCols=["c", "d"], outputCols=["p", "q"], handleInvalid="keep"),
            spark.VectorAssembler(inputCols=["q", "p"], outputCol="o"),
        ),
        train=FITTED,
        rows={each: ASKED[each] for each in "cd"},
        outputs=("o",),
    ),
    Row(
        "target-encoding/of-an-index",
        (
            spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
            spark.TargetEncoder(inputCol="i", outputCol="o", handleInvalid="keep", smoothing=0.7),
        ),
        train={"s": texts(*"aabcabbca"), "label": FITTED["label"]},
        rows={"s": texts("a", "b", "c", "d", None)},
        outputs=("o",),
    ),
    Row(
        "target-encoding/unnamed",
        (spark.TargetEncoder(inputCols=["c", "d"], handleInvalid="keep"),),
        train=FITTED,
        rows={each: ASKED[each] for each in "cd"},
        outputs=("c_indexed", "d_indexed"),
    ),
    Row(
        "target-encoding/no-label",
        (spark.TargetEncoder(**ALONE),),
        train={"c": doubles(0.0, 1.0), "label": doubles(None, None)},
        rows={"c": doubles(0.0, 1.0)},
        outputs=("o",),
        refused="no row that it was fitted on had a label",
    ),
    *(
        Row(
            f"target-encoding/{kind}",
            (spark.TargetEncoder(inputCol="c", outputCol="o", handleInvalid="keep", smoothing=1.7),),
            train={"c": column(kind, *map(cast, CODES)), "label": FITTED["label"]},
            rows={"c": column(kind, *map(cast, (0, 1, 2, 7, 3, -1)), None)},
            outputs=("o",),
        )
        for kind, cast in (("float", float), ("bigint", int), ("smallint", int), ("tinyint", int))
    ),
]  # fmt: skip

ROWS = [replace(row, since=(4, 0)) for row in _ROWS]
