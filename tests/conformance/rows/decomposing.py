"""PCA."""

from __future__ import annotations

from tests.conformance.row import MILD, Row, dense, doubles, rolled, spark, sparse, vectors

TRAINED = tuple(
    ((i * 37 % 23) / 7 - 1.3, (i * 11 % 17) / 3 - 2.7, (i * 5 % 13) * 1e4 + 1 / 3, (i * 7 % 19) / 11) for i in range(24)
)

ROWS = [
    *(
        Row(
            f"decomposing/pca-{k}",
            (spark.PCA(k=k, inputCol="v", outputCol="o"),),
            train={"v": vectors(*TRAINED)},
            rows={"v": vectors(*rolled(MILD, 4), *TRAINED, (0.0, 0.0, 0.0, 0.0), sparse(4, {2: 1e4}))},
            outputs=("o",),
            word="dot",
            smoke=k == 3,
        )
        for k in (1, 3, 4)
    ),
    Row(
        "decomposing/pca-assembled-scaled",
        (
            spark.VectorAssembler(inputCols=["a", "b", "c"], outputCol="v"),
            spark.StandardScaler(inputCol="v", outputCol="w", withMean=True),
            spark.PCA(k=2, inputCol="w", outputCol="o"),
        ),
        train={name: doubles(*(row[i] for row in TRAINED)) for i, name in enumerate("abc")},
        rows={"a": doubles(0.1, -2.7, 0.0), "b": doubles(1 / 3, 3.1, 0.0), "c": doubles(1e4, 2.5e4, None)},
        outputs=("o",),
        word="dot",
    ),
    Row(
        "decomposing/pca-then-product",
        (
            spark.PCA(k=2, inputCol="v", outputCol="w"),
            spark.ElementwiseProduct(inputCol="w", outputCol="o", scalingVec=dense(1e8, -1 / 3)),
        ),
        train={"v": vectors(*TRAINED)},
        rows={"v": vectors(*rolled(MILD, 4))},
        outputs=("o",),
        word="dot",
    ),
]
