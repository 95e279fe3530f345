"""VectorSizeHint, PolynomialExpansion, Interaction, DCT."""

from __future__ import annotations

import random
from decimal import Decimal

from tests.conformance.row import (
    INF,
    MILD,
    NAN,
    UGLY,
    Row,
    column,
    dense,
    doubles,
    rolled,
    spark,
    sparse,
    texts,
    vectors,
    width,
)

IO = {"inputCol": "v", "outputCol": "o"}
ZERO_FIRST = (
    (INF, 0.0, 1.0),
    (0.0, INF, NAN),
    (NAN, 0.0, INF),
    (1e-200, 1e-200, INF),
    (INF, 1e-200, 1e-200),
    (-0.0, -1.0, 2.0),
)
SPARSE = (
    sparse(3, {0: 1 / 3, 2: -2.7}), sparse(3, {1: 0.1}), sparse(3, {}), sparse(3, {0: NAN, 2: 0.0}), sparse(3, {0: INF, 2: 1e-200}),
    (0.1, -0.0, INF),
)  # fmt: skip
SLOTS = {
    "ml_attr": {
        "attrs": {
            "numeric": [{"idx": 0, "name": "p"}, {"idx": 3}],
            "nominal": [{"idx": 1, "name": "q", "vals": ["x", "y", "z"]}, {"idx": 4, "num_vals": 2}],
            "binary": [{"idx": 2, "vals": ["no", "yes"]}],
        },
        "num_attrs": 5,
    }
}
CODES = ((1 / 3, 0.0, 1.0, -2.7, 1.0), (INF, 2.0, 0.0, 0.1, -0.0), (NAN, 1.0, 0.5, 3.1, 0.0), (0.0, 3.0, 0.0, 1.0, 1.0),
         (1.0, 0.5, 0.0, 1.0, 1.0), (1.0, -1.0, 0.0, 1.0, 1.0), (1.0, NAN, 0.0, 1.0, 1.0), (1.0, 1.0, 0.0, 1.0, 2.0),
         (0.0, 0.0, 0.0, 0.0, 0.0), (1.0, 1e10, 0.0, 1.0, 0.0))  # fmt: skip


def _nominal(*values: str, name: str | None = None) -> dict[str, object]:
    return {"ml_attr": {"type": "nominal", "vals": list(values), **({"name": name} if name else {})}}


def _dct(slots: int, inverse: bool, smoke: bool = False) -> Row:
    several = (0.0, 1.0, -1.5, 0.1, 1 / 3, -2.7, 3.1, 16777217.0, 123456.789, 1e-30)
    rows = tuple(tuple(several[(i + 3 * j + i * j) % 10] for j in range(slots)) for i in range(5))
    pulses = tuple(tuple(1 / 3 if j == k else 0.0 for j in range(slots)) for k in (0, slots // 2, slots - 1))
    some = (sparse(slots, {slots - 1: -2.7}), (NAN,) + (1.0,) * (slots - 1))
    infinite = tuple(_replaced(rows[1], places) for places in _infinite_places(slots))
    return Row(
        f"expanding/dct-{slots}{'-inverse' if inverse else ''}",
        (spark.DCT(inverse=inverse, **IO),),
        rows={"v": vectors(*rows, *pulses, *some, *infinite, metadata=width(slots))},
        outputs=("o",),
        word="dot",
        undecided=slots * len(infinite) if slots in (16, 32, 64) else 0,  # a split-radix transform's affair
        smoke=smoke,
    )


def _infinite_places(slots: int) -> list[dict[int, float]]:
    """One, two and three infinite slots of either sign, some beside a NaN: a fast transform makes of each place what it will."""
    dice = random.Random(slots)
    singles = [{place: dice.choice((INF, -INF))} for place in dice.sample(range(slots), min(slots, 6))]
    several = [
        {place: dice.choice((INF, -INF)) for place in dice.sample(range(slots), min(slots, count))}
        for count in (2, 2, 2, 2, 3, 3)
    ]
    return [*singles, *several, {0: INF, slots - 1: NAN}]


def _replaced(row: tuple[float, ...], places: dict[int, float]) -> tuple[float, ...]:
    return tuple(places.get(at, value) for at, value in enumerate(row))


ROWS = [
    *(
        Row(
            f"expanding/size-hint-{handle}",
            (
                spark.VectorSizeHint(inputCol="v", size=3, handleInvalid=handle),
                spark.VectorAssembler(inputCols=["v", "x"], outputCol="o", handleInvalid="keep"),
            ),
            rows={"v": vectors(*rolled(UGLY, 3)), "x": doubles(*UGLY, nullable=False)},
            outputs=("o",),
            smoke=handle == "error",
        )
        for handle in ("error", "skip", "optimistic")
    ),
    Row(  # its width is told already, and its slots keep their names
        "expanding/size-hint-known",
        (
            spark.VectorSizeHint(inputCol="v", size=5),
            spark.VectorSlicer(inputCol="v", outputCol="o", names=["q", "p"]),
        ),
        rows={"v": vectors(*rolled(UGLY, 5), metadata=SLOTS)},
        outputs=("o",),
    ),
    *(
        Row(  # a null vector that a scaler lets pass
            f"expanding/size-hint-null-{handle}",
            (
                spark.OneHotEncoder(inputCol="i", outputCol="h", dropLast=False),
                spark.VectorSizeHint(inputCol="h", size=3, handleInvalid=handle),
                spark.VectorAssembler(inputCols=["h"], outputCol="o", handleInvalid="keep"),
            ),
            train={"i": doubles(0.0, 1.0, 2.0)},
            rows={"i": doubles(0.0, 2.0, None, 1.0)},
            outputs=("o",),
        )
        for handle in ("error", "skip", "optimistic")
    ),
    *(
        Row(
            f"expanding/polynomial-{degree}",
            (spark.PolynomialExpansion(degree=degree, **IO),),
            rows={"v": vectors(*rolled(UGLY, 3), *ZERO_FIRST, metadata=width(3))},
            outputs=("o",),
            smoke=degree == 3,
        )
        for degree in (1, 2, 3, 4)
    ),
    Row(
        "expanding/polynomial-one-slot",
        (spark.PolynomialExpansion(degree=5, **IO),),
        rows={"v": vectors(*rolled(UGLY, 1), (1e-70,), (1e70,), (7 / 9,), metadata=width(1))},
        outputs=("o",),
    ),
    Row(  # so many products that their places become an initializer
        "expanding/polynomial-wide",
        (spark.PolynomialExpansion(degree=3, **IO),),
        rows={"v": vectors(*(tuple((7 * i + 3 * j) % 11 / 7 - 0.7 for j in range(91)) for i in range(2)), metadata=width(91))},
        outputs=("o",),
    ),
    Row(
        "expanding/polynomial-sparse",
        (spark.PolynomialExpansion(degree=3, **IO),),
        rows={"v": vectors(*SPARSE, metadata=width(3))},
        outputs=("o",),
    ),
    Row(  # what the assembler stores not makes no product: infinity · (nothing) is not computed
        "expanding/polynomial-assembled",
        (
            spark.VectorAssembler(inputCols=[*"abcd"], outputCol="v", handleInvalid="keep"),
            spark.PolynomialExpansion(**IO),
        ),
        rows={
            "a": doubles(0.0, 1.0, 0.0, -0.0, 1.0, 3.1),
            "b": doubles(0.0, 1.0, 0.0, 0.0, 0.0, -2.7),
            "c": doubles(0.0, 3.1, 3.1, 0.0, INF, 1 / 3),
            "d": doubles(INF, NAN, NAN, INF, 1.0, 0.1),
        },
        outputs=("o",),
        smoke=True,
    ),
    Row(  # and stays unstored: 0 · infinity behind it
        "expanding/polynomial-assembled-product",
        (
            spark.VectorAssembler(inputCols=[*"abcd"], outputCol="v"),
            spark.PolynomialExpansion(inputCol="v", outputCol="p"),
            spark.ElementwiseProduct(inputCol="p", outputCol="o", scalingVec=dense(*([INF] * 14))),
        ),
        rows={name: doubles(*values) for name, values in zip("abcd", zip(*rolled((0.0, 0.0, 1 / 3, 0.0, -2.7, 3.1), 4), strict=True), strict=True)},
        outputs=("o",),
    ),
    Row(  # each slot's tolerance goes into the products
        "expanding/polynomial-of-components",
        (
            spark.PCA(inputCol="v", outputCol="p", k=2),
            spark.PolynomialExpansion(inputCol="p", outputCol="o", degree=3),
        ),
        train={"v": vectors(*rolled(MILD[2:8], 3))},
        rows={"v": vectors(*rolled(MILD, 3))},
        outputs=("o",),
        word="dot",
    ),
    Row(
        "expanding/polynomial-beyond",
        (spark.PolynomialExpansion(degree=9, **IO),),
        rows={"v": vectors(tuple([0.0] * 64), metadata=width(64))},
        outputs=("o",),
        refused="more than a vector can hold",
    ),
    Row(
        "expanding/interaction-numbers",
        (spark.Interaction(inputCols=["x", "i", "y"], outputCol="o"),),
        rows={
            "x": doubles(*UGLY[:-1], 7.7, 0.1, None, 2.0),
            "i": column("int", *range(-7, 8), 3, 3, None),
            "y": doubles(*UGLY[4:], *UGLY[:4], 1 / 3, 1 / 3, 1 / 3, nullable=False),
        },
        outputs=("o",),
        smoke=True,
    ),
    Row(
        "expanding/interaction-types",
        (spark.Interaction(inputCols=["f", "l", "h", "b", "c", "x"], outputCol="o"),),
        rows={
            "f": column("float", 0.1, -0.0, 1e30), "l": column("bigint", 2**53 + 1, 3, None), "h": column("smallint", -3, 7, 1),
            "b": column("tinyint", 5, -5, 1), "c": column("decimal(10,2)", None, Decimal("3.10"), Decimal("-1.00")), "x": doubles(1.0, 1 / 3, 1.0),
        },
        outputs=("o",),
    ),
    Row(
        "expanding/interaction-order",
        (spark.Interaction(inputCols=["v", "x", "w"], outputCol="o"),),
        rows={
            "v": vectors(*rolled(UGLY, 5), metadata={"ml_attr": {"attrs": {"numeric": [{"idx": i} for i in range(5)]}, "num_attrs": 5}}),
            "x": doubles(*MILD, 7.7, 0.7, 0.3, 1e-200, nullable=False),
            "w": vectors(*rolled(UGLY[::-1], 2), metadata={"ml_attr": {"attrs": {"numeric": [{"idx": 0, "name": "p"}, {"idx": 1}]}, "num_attrs": 2}}),
        },
        outputs=("o",),
    ),
    Row(
        "expanding/interaction-one-column",
        (spark.Interaction(inputCols=["x"], outputCol="o"),),
        rows={"x": doubles(*UGLY, nullable=False)},
        outputs=("o",),
    ),
    Row(
        "expanding/interaction-one-nominal",
        (spark.Interaction(inputCols=["c"], outputCol="p"), spark.VectorSlicer(inputCol="p", outputCol="o", names=["k_z", "k_x"])),
        rows={"c": column("double", 0.0, 1.0, -0.0, 2.0, 3.0, 0.5, -1.0, NAN, None, INF, metadata=_nominal("x", "y", "z", name="k"))},
        outputs=("o",),
    ),
    Row(  # a nominal of one value counts as a number
        "expanding/interaction-one-value",
        (spark.Interaction(inputCols=["c", "x"], outputCol="o"),),
        rows={"c": column("double", 0.0, 1.0, -2.7, metadata=_nominal("x")), "x": doubles(1 / 3, 0.1, INF)},
        outputs=("o",),
    ),
    Row(
        "expanding/interaction-nominals",
        (
            spark.StringIndexer(inputCols=["s", "t"], outputCols=["i", "j"], handleInvalid="keep"),
            spark.Interaction(inputCols=["i", "x", "j"], outputCol="o"),
        ),
        train={"s": texts("a", "b", "b"), "t": texts("ß", "日本", "ß"), "x": doubles(1.0, 2.0, 3.0)},
        rows={"s": texts("a", "b", None, "unseen", "b", "a"), "t": texts("ß", "日本", "", None, "日本", "ß"),
              "x": doubles(1 / 3, -0.0, INF, 3.1, None, -INF)},
        outputs=("o",),
        smoke=True,
    ),
    Row(
        "expanding/interaction-vectors",
        (spark.Interaction(inputCols=["v", "x"], outputCol="o"),),
        rows={"v": vectors(*CODES, metadata=SLOTS), "x": doubles(*UGLY[2:12], nullable=False)},
        outputs=("o",),
        smoke=True,
    ),
    Row(
        "expanding/interaction-names",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="w"),
            spark.Interaction(inputCols=["v", "c", "x", "w"], outputCol="p"),
            spark.VectorSlicer(inputCol="p", outputCol="o", names=["v_q_y:k_yes:x:w_b", "v_3:k_no:x:w_a", "v_4_1:k_no:x:w_a", "v_2:k_yes:x:w_b"]),
        ),
        rows={
            "v": vectors(*CODES, metadata=SLOTS),
            "c": column("int", *([0, 1] * 5), metadata=_nominal("no", "yes", name="k")),
            "x": doubles(*UGLY[2:7], *UGLY[2:7]), "a": doubles(*MILD[:10]), "b": doubles(*MILD[1:11]),
        },
        outputs=("o",),
    ),
    Row(  # a slot that an encoder does not store makes no product
        "expanding/interaction-stored",
        (
            spark.VectorAssembler(inputCols=[*"abcde"], outputCol="v"),
            spark.VectorIndexer(inputCol="v", outputCol="n", maxCategories=2, handleInvalid="keep"),
            spark.Interaction(inputCols=["n", "x"], outputCol="o"),
        ),
        train={
            "a": doubles(0.0, 1.0, 2.0), "b": doubles(0.0, 7.0, 0.0), "c": doubles(0.0, 1.0, 2.0), "d": doubles(0.0, 5.0, 0.0),
            "e": doubles(0.0, 1.0, 2.0), "x": doubles(1.0, 2.0, 3.0),
        },
        rows={
            "a": doubles(0.0, 1.0, 0.0, 0.1), "b": doubles(0.0, 7.0, 7.0, 0.0), "c": doubles(0.0, 1.0, 0.0, 1.0), "d": doubles(0.0, 5.0, 0.0, 5.0),
            "e": doubles(0.0, 1.0, 0.0, INF), "x": doubles(1 / 3, INF, INF, INF),
        },
        outputs=("o",),
    ),
    Row(  # mostly zeros are kept sparse: 0 · infinity is not computed behind it
        "expanding/interaction-product",
        (
            spark.Interaction(inputCols=["c", "v"], outputCol="p"),
            spark.ElementwiseProduct(inputCol="p", outputCol="o", scalingVec=dense(*([INF] * 6))),
        ),
        rows={
            "c": column("double", 0.0, 1.0, 2.0, 1.0, metadata=_nominal("x", "y", "z")),
            "v": vectors((1 / 3, 0.0), (-2.7, 3.1), (0.0, 0.0), (0.0, NAN), metadata={"ml_attr": {"attrs": {"numeric": [{"idx": 0}, {"idx": 1}]}, "num_attrs": 2}}),
        },
        outputs=("o",),
    ),
    Row(
        "expanding/interaction-of-components",
        (
            spark.PCA(inputCol="v", outputCol="p", k=2),
            spark.VectorAssembler(inputCols=["p"], outputCol="q"),
            spark.Interaction(inputCols=["q", "x", "c"], outputCol="o"),
        ),
        train={"v": vectors(*rolled(MILD[2:8], 3)), "x": doubles(*MILD[2:8]), "c": column("double", 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, metadata=_nominal("n", "y"))},
        rows={"v": vectors(*rolled(MILD, 3)), "x": doubles(*MILD), "c": column("double", *([0.0, 1.0] * 5), 1.0, metadata=_nominal("n", "y"))},
        outputs=("o",),
        word="dot",
    ),
    *(
        Row(
            f"expanding/interaction-{name}-refused",
            (spark.Interaction(inputCols=["c", "x"], outputCol="o"),),
            rows={"c": given, "x": doubles(1.0)},
            outputs=("o",),
            refused=reason,
        )
        for name, given, reason in (
            ("boolean", column("boolean", True), "the stage reads numbers"),
            ("text", texts("a"), "Interaction reads numbers and vectors"),
            ("unnamed", vectors((1.0, 2.0), metadata=width(2)), "tells nothing of its slots"),
            ("uncounted", column("double", 1.0, metadata={"ml_attr": {"type": "nominal"}}), "tells not how many values"),
        )
    ),
    Row(
        "expanding/dct-unknown-width",
        (spark.DCT(**IO),),
        rows={"v": vectors((1.0, 2.0))},
        outputs=("o",),
        word="dot",
        refused="width of vector column 'v' is not known",
    ),
    *(_dct(slots, inverse, smoke=slots == 6) for slots in (*range(1, 17), 24, 30, 31, 32, 64, 105, 150, 167, 223) for inverse in (False, True)),
]  # fmt: skip
