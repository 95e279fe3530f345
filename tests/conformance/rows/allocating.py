"""Latent Dirichlet allocation: the local model, which answers the same twice."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import NAN, Row, Vector, column, spark, sparse, vectors

DOCUMENTS = tuple(
    tuple(float((i * (3 + j) + j * j) % (5 if (i + j) % 3 else 2) * (j % 4 != i % 4)) for j in range(9))
    for i in range(16)
)
ASKED = (
    *DOCUMENTS[:6],
    (0.0,) * 9,
    (1.0, *(0.0,) * 8),
    (1 / 3, 0.1, 0.0, 3.1, 2.7, -0.0, 1e-30, 0.5, 7.0),
    (1e-6,) * 9,
    (1e6, 0.0, 0.0, 3e5, 0.0, 2.0, 0.0, 0.0, 1.0),
    sparse(9, {2: 3.0, 5: 1.0}),
    sparse(9, {2: 0.0, 5: 0.0}),
    sparse(9, {2: 0.0, 5: 2.0}),
    sparse(9, {}),
)


def lda(**params: Any) -> Any:
    return spark.LDA(**{"k": 3, "maxIter": 4, "seed": 5, "optimizer": "online", **params})


def long_document(seed: int, words: int, most: int) -> Vector:
    """Of 300 words, each up to `most` times."""
    return sparse(300, {word: float(word % most + 1) for word in sorted({seed * i % 300 for i in range(1, words)})})


ROWS = [
    *(
        Row(
            f"allocating/lda-{k}-{seed}",
            (lda(k=k, seed=seed),),
            train={"features": vectors(*DOCUMENTS)},
            rows={"features": vectors(*ASKED)},
            outputs=("topicDistribution",),
            word="iterative",
            smoke=(k, seed) == (3, 5),
        )
        for k, seed in ((3, 5), (2, 0), (7, -123456789012345), (40, 2**62 + 12345))
    ),
    Row(
        "allocating/lda-concentrations",
        (
            lda(
                docConcentration=[1e-7, 0.1, 3.3], topicConcentration=1e-6, optimizeDocConcentration=False,
                topicDistributionCol="t", featuresCol="f",
            ),
        ),
        train={"f": vectors(*DOCUMENTS)},
        rows={"f": vectors(*ASKED)},
        outputs=("t",),
        word="iterative",
    ),
    Row(
        "allocating/lda-default-seed",
        (spark.LDA(k=4, maxIter=2),),
        train={"features": vectors(*DOCUMENTS)},
        rows={"features": vectors(*ASKED)},
        outputs=("topicDistribution",),
        word="iterative",
    ),
    Row(  # in one round gamma changes by 1e-3 (1 + 2e-8): one round more
        "allocating/lda-hardly-at-rest",
        (lda(),),
        train={"features": vectors(*DOCUMENTS)},
        rows={"features": vectors((0.1646454992834479, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 4.0, 1.0))},
        outputs=("topicDistribution",),
        word="iterative",
    ),
    Row(
        "allocating/lda-not-a-number",
        (lda(),),
        train={"features": vectors(*DOCUMENTS)},
        rows={"features": vectors((NAN, *(1.0,) * 8), (1.0,) * 9)},
        outputs=("topicDistribution",),
        word="iterative",
    ),
    Row(  # no topic holds the last word: each of its saved weights is topicConcentration, and theirs is the pole of digamma
        "allocating/lda-unseen-word",
        (lda(learningOffset=1e-9, subsamplingRate=1.0, topicConcentration=1e-6),),
        train={"features": vectors(*((*document, 0.0) for document in DOCUMENTS))},
        rows={"features": vectors(*((*document, 2.0) for document in DOCUMENTS[:6]), (*(0.0,) * 9, 1.0))},
        outputs=("topicDistribution",),
        word="iterative",
    ),
    Row(  # gamma stays near 0, where digamma is steep
        "allocating/lda-small-concentrations",
        (lda(docConcentration=[0.01, 0.02, 0.015], optimizeDocConcentration=False),),
        train={"features": vectors(*DOCUMENTS)},
        rows={
            "features": vectors(
                *DOCUMENTS[:3], *(tuple(count / 300 for count in document) for document in DOCUMENTS[3:7]), (1e-4,) * 9
            )
        },
        outputs=("topicDistribution",),
        word="iterative",
    ),
    Row(  # two topics nearly even at gammas of 0.03, where a 1e-12th of one's digamma is seen in the shares
        "allocating/lda-nearly-even",
        (lda(docConcentration=[0.001, 0.0012, 0.0015], optimizeDocConcentration=False),),
        train={"features": vectors(*DOCUMENTS)},
        rows={
            "features": vectors(
                *((0.0, 0.0, 0.01125 + more, 0.0, 0.0, 0.03875, 0.0, 0.0, 0.0) for more in (0.0, 1e-5, -1e-5, 1e-4, -1e-4))
            )
        },
        outputs=("topicDistribution",),
        word="iterative",
    ),
    Row(  # many words: blocks of the sums
        "allocating/lda-many-words",
        (lda(k=5),),
        train={"features": vectors(*(long_document(i, 40, 5) for i in range(1, 20)))},
        rows={"features": vectors(*(long_document(i, 60, 7) for i in range(2, 9)))},
        outputs=("topicDistribution",),
        word="iterative",
    ),
    Row(
        "allocating/lda-distributed",
        (lda(optimizer="em"),),
        train={"features": vectors(*DOCUMENTS)},
        rows={"features": vectors(*DOCUMENTS[:2])},
        outputs=("topicDistribution",),
        refused="toLocal",
        smoke=True,
    ),
    Row(
        "allocating/growth",
        (spark.FPGrowth(itemsCol="items", minSupport=0.3, minConfidence=0.5),),
        rows={"items": column("array<string>", ["a", "b"], ["a"], ["b", "c"])},
        outputs=("prediction",),
        refused="order",
        smoke=True,
    ),
]  # fmt: skip
