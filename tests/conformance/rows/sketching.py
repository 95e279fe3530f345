"""MinHashLSH, BucketedRandomProjectionLSH."""

from __future__ import annotations

from tests.conformance.row import INF, MILD, NAN, Row, rolled, spark, sparse, texts, vectors, width

IO = {"inputCol": "v", "outputCol": "o"}
SETS = (
    sparse(7, {0: 1.0, 3: 1.0}),
    sparse(7, {6: 1.0}),
    sparse(7, {1: 0.1, 2: 1.0, 5: -2.7}),
    (1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0),
)
HOSTILE = (sparse(7, {}), (0.0,) * 7, (-0.0,) * 7, sparse(7, {2: 0.0}), sparse(7, {2: 0.0, 5: 1.0}), (0.0, NAN, 0.0, 0.0, 0.0, 0.0, 0.0),
           (5e-324, 0.0, 0.0, 0.0, 0.0, 0.0, INF), (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -INF), (1.0,) * 7)  # fmt: skip
POINTS = (*rolled(MILD, 4), sparse(4, {}), sparse(4, {2: -2.7}), (0.0, NAN, 1.0, 1.0))

ROWS = [
    *(
        Row(
            f"sketching/min-hash-{tables}",
            (spark.MinHashLSH(numHashTables=tables, seed=12345 + tables, **IO),),
            train={"v": vectors(*SETS, metadata=width(7))},
            rows={"v": vectors(*SETS, *HOSTILE, *(sparse(7, {i: 1.0}) for i in range(7)), metadata=width(7))},
            outputs=("o",),
            smoke=tables == 5,
        )
        for tables in (1, 5)
    ),
    Row(
        "sketching/min-hash-wide",
        (spark.MinHashLSH(numHashTables=3, seed=7, **IO),),
        train={"v": vectors(sparse(3000, {5: 1.0, 2999: 1.0}), metadata=width(3000))},
        rows={"v": vectors(*(sparse(3000, {(i * 37) % 3000: 1.0, 2999 - i: 0.1}) for i in range(9)), metadata=width(3000))},
        outputs=("o",),
    ),
    Row(
        "sketching/min-hash-of-components",
        (spark.PCA(inputCol="v", outputCol="p", k=2), spark.MinHashLSH(inputCol="p", outputCol="o", numHashTables=2, seed=3)),
        train={"v": vectors(*rolled((1 / 3, -2.7, 3.1, 0.1, 7.7, -1.5), 3))},
        rows={"v": vectors((1 / 3, -2.7, 3.1), (0.1, 7.7, 1.0), (1.0, 2.0, 3.0))},
        outputs=("o",),
        word="dot",
    ),
    Row(  # of few words among many slots
        "sketching/min-hash-of-words",
        (
            spark.Tokenizer(inputCol="s", outputCol="w"),
            spark.HashingTF(inputCol="w", outputCol="v", numFeatures=5003),
            spark.MinHashLSH(numHashTables=3, seed=11, **IO),
        ),
        rows={"s": texts("a b a", "b", "the quick brown fox jumps", "a", "ß 日本 a b c d e f g h i", "fox fox fox")},
        outputs=("o",),
        smoke=True,
    ),
    Row(
        "sketching/min-hash-unknown-width",
        (spark.MinHashLSH(seed=1, **IO),),
        train={"v": vectors(*SETS)},
        rows={"v": vectors(*SETS)},
        outputs=("o",),
        refused="width of vector column 'v' is not known",
    ),
    *(
        Row(
            f"sketching/projection-{tables}-{length}",
            (spark.BucketedRandomProjectionLSH(numHashTables=tables, bucketLength=length, seed=99 + tables, **IO),),
            train={"v": vectors(*rolled((1 / 3, -2.7, 3.1, 0.1, 7.7), 4))},
            rows={"v": vectors(*POINTS)},
            outputs=("o",),
            word="dot",
            smoke=tables == 4,
        )
        for tables, length in ((1, 0.7), (4, 1 / 3), (3, 1e-3), (2, 1.0 + 1e-9))
    ),
    Row(
        "sketching/projection-wide",
        (spark.BucketedRandomProjectionLSH(numHashTables=2, bucketLength=0.7, seed=5, **IO),),
        train={"v": vectors(*(tuple((7 * i + 3 * j) % 11 / 7 - 0.7 for j in range(300)) for i in range(3)))},
        rows={"v": vectors(*(tuple((7 * i + 3 * j) % 13 / 7 - 0.7 for j in range(300)) for i in range(9)))},
        outputs=("o",),
        word="dot",
    ),
    Row(  # a sum that lies on a bucket's edge is decided by the last bit of the order
        "sketching/projection-of-components",
        (
            spark.PCA(inputCol="v", outputCol="p", k=2),
            spark.BucketedRandomProjectionLSH(inputCol="p", outputCol="o", numHashTables=2, bucketLength=0.5, seed=3),
        ),
        train={"v": vectors(*rolled((1 / 3, -2.7, 3.1, 0.1, 7.7, -1.5), 3))},
        rows={"v": vectors(*rolled(MILD, 3))},
        outputs=("o",),
        word="dot",
    ),
]  # fmt: skip
