"""What must be refused, by name, with a reason: never guessed."""

from __future__ import annotations

from tests.conformance.row import Row, column, doubles, spark, vectors

V = vectors((1.0, 0.5), (0.0, 2.0), (3.0, 1.0))

BASKETS = spark.FPGrowth(itemsCol="words", predictionCol="found", minSupport=0.1)

ROWS = [
    Row(
        "refusals/what-no-rule-can-convert",
        (BASKETS,),
        rows={"words": column("array<string>", ["a", "b"], ["c"])},
        refused=r"FPGrowthModel cannot be converted: it mines",
        smoke=True,
    ),
    Row(
        "refusals/two-refused-stages-are-both-named",
        (BASKETS, spark.IndexToString(inputCol="x", outputCol="s")),
        rows={"words": column("array<string>", ["a", "b"], ["c"]), "x": doubles(0.0, 1.0)},
        refused=r"(?s)2 of 2.*FPGrowth.*IndexToString",
        smoke=True,
    ),
    Row(
        "refusals/back-without-labels",
        (spark.IndexToString(inputCol="x", outputCol="s"),),
        rows={"x": doubles(0.0, 1.0)},
        refused="label",
        smoke=True,
    ),
    Row(
        "refusals/back-by-a-binary-attribute",
        (spark.IndexToString(inputCol="x", outputCol="s"),),
        rows={"x": column("double", 0.0, 1.0, metadata={"ml_attr": {"type": "binary", "vals": ["n", "y"]}})},
        refused="no nominal attribute with values",
    ),
    Row(
        "refusals/slice-names-nobody-has",
        (spark.VectorSlicer(inputCol="v", outputCol="o", names=["p"]),),
        rows={"v": V},
        refused="name",
        smoke=True,
    ),
    Row(  # Spark refuses at transform: no length is known where a null stands for a vector
        "refusals/keep-vector-of-unknown-width",
        (spark.VectorAssembler(inputCols=["v", "w"], outputCol="o", handleInvalid="keep"),),
        rows={"v": V, "w": V},
        refused="width|size|length",
        smoke=True,
    ),
    Row(
        "refusals/assembling-raw-vectors-of-unknown-width",
        (spark.VectorAssembler(inputCols=["v", "x"], outputCol="o"),),
        rows={"v": V, "x": doubles(1.0, 2.0, 3.0)},
        refused="width|size|length",
    ),
    *(
        Row(
            f"refusals/unknown-width-{stage.name}",
            (stage,),
            rows={"v": V},
            refused=r"width of vector column 'v' is not known",
        )
        for stage in (
            spark.Normalizer(inputCol="v", outputCol="o"),
            spark.Binarizer(inputCol="v", outputCol="o"),
            spark.VectorSlicer(inputCol="v", outputCol="o", indices=[1]),
        )
    ),
]  # fmt: skip
