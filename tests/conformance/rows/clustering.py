"""KMeans and BisectingKMeans."""

from __future__ import annotations

from math import hypot

from tests.conformance.row import INF, MILD, NAN, Row, doubles, rolled, spark, sparse, vectors

BLOBS = tuple(
    (cx + (i * 7 % 11) / 13 - 0.4, cy + (i * 5 % 9) / 11 - 0.4, (i * 3 % 5) / 7 - 1 / 3)
    for cx, cy in ((0.0, 0.0), (5.1, -2.7), (-3.3, 7.7))
    for i in range(12)
)
ASKED = (
    *rolled(MILD, 3),
    *BLOBS,
    (0.0, 0.0, 0.0),
    sparse(3, {1: 3.1}),
    (2.5, -1.4, 0.0),
    (1e8 + 0.1, 1e8 - 0.3, 1 / 3),
)
NONZERO = tuple(row for row in ASKED if not isinstance(row, tuple) or any(row))  # the zero vector has no cosine
LINE = ((-1.0, 1.0), (1.0, 1.0))
STEPS = tuple(sign * 10.0**-power for power in (6, 7, 8, 9, 10, 11, 12) for sign in (1, -1))
PAIR = ((1 / 3, 2.7), (-3.1, 0.1))
MIDDLE = {"euclidean": tuple((a + b) / 2 for a, b in zip(*PAIR, strict=True)),
          "cosine": tuple(a / hypot(*PAIR[0]) + b / hypot(*PAIR[1]) for a, b in zip(*PAIR, strict=True))}  # fmt: skip

ROWS = [
    *(
        Row(
            f"clustering/kmeans-{measure}-{k}",
            (spark.KMeans(k=k, seed=7, distanceMeasure=measure, maxIter=10),),
            train={"features": vectors(*BLOBS)},
            rows={"features": vectors(*(ASKED if measure == "euclidean" else NONZERO))},
            outputs=("prediction",),
            word="dot",
            smoke=k == 3,
        )
        for measure in ("euclidean", "cosine")
        for k in (2, 3, 6)
    ),
    *(
        Row(  # the midpoint between the two centres: the first wins
            f"clustering/kmeans-tie-{seed}",
            (spark.KMeans(k=2, seed=seed, initMode="random"),),
            train={"features": vectors(*LINE)},
            rows={"features": vectors((0.0, 1.0), (0.0, 7.0), (5e-324, 1.0), (-1e-9, 1.0), (1e-9, 1.0), (0.0, 0.0))},
            outputs=("prediction",),
            word="dot",
            undecided=4,
        )
        for seed in (1, 2, 3)
    ),
    *(
        Row(  # half way between two centres that float32 cannot hold
            f"clustering/{kind}-{measure}-half-way",
            (stage(k=2, seed=1, distanceMeasure=measure),),
            train={"features": vectors(*PAIR * 2)},
            rows={"features": vectors(*((x + step, y) for step in STEPS for x, y in [MIDDLE[measure]]))},
            outputs=("prediction",),
            word="dot",
        )
        for kind, stage in (("kmeans", spark.KMeans), ("bisecting", spark.BisectingKMeans))
        for measure in ("euclidean", "cosine")
    ),
    Row(  # of opposite points the root has no centre
        "clustering/bisecting-cosine-opposite",
        (spark.BisectingKMeans(k=2, seed=1, distanceMeasure="cosine"),),
        train={"features": vectors((1.0, 2.0), (-1.0, -2.0))},
        rows={"features": vectors((1.0, 0.5), (-3.0, 1.0))},
        outputs=("prediction",),
        word="dot",
        refused="a centre has length 0",
    ),
    Row(
        "clustering/kmeans-cosine-zero",
        (spark.KMeans(k=2, seed=3, distanceMeasure="cosine"),),
        train={"features": vectors((1.0, 0.1), (0.9, 0.2), (-0.3, 1.0), (-0.2, 0.9))},
        rows={"features": vectors((1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (-1.0, -1.0), (1e-160, 1e-161), (1e200, 1.0))},
        outputs=("prediction",),
        word="dot",
    ),
    *(
        Row(  # two centres exactly opposite: what bounds `cosine` by are no numbers there
            f"clustering/kmeans-opposite-{measure}",
            (spark.KMeans(k=2, seed=1, distanceMeasure=measure),),
            train={"features": vectors((1.0, 2.0), (-1.0, -2.0))},
            rows={"features": vectors((1.0, 0.5), (-3.0, 1.0))},
            outputs=("prediction",),
            word="dot",
            refused="opposite" if measure == "cosine" else "",
        )
        for measure in ("euclidean", "cosine")
    ),
    Row(
        "clustering/kmeans-scaled",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="v", handleInvalid="skip"),
            spark.StandardScaler(inputCol="v", outputCol="w", withMean=True),
            spark.KMeans(k=3, seed=11, featuresCol="w", predictionCol="p"),
        ),
        train={"a": doubles(*(row[0] for row in BLOBS)), "b": doubles(*(row[1] for row in BLOBS))},
        rows={"a": doubles(0.0, 5.1, -3.3, None, 1.0), "b": doubles(0.0, -2.7, 7.7, 1.0, 1.0)},
        outputs=("p",),
        word="dot",
    ),
    *(
        Row(
            f"clustering/bisecting-{measure}-{k}",
            (spark.BisectingKMeans(k=k, seed=7, distanceMeasure=measure, maxIter=5, minDivisibleClusterSize=2.0),),
            train={"features": vectors(*BLOBS)},
            rows={"features": vectors(*(ASKED if measure == "euclidean" else NONZERO))},
            outputs=("prediction",),
            word="dot",
            smoke=k == 4,
        )
        for measure in ("euclidean", "cosine")
        for k in (2, 4, 11)
    ),
    *(
        Row(  # a leaf that is not reached although its centre is the nearest; ties go to the first child
            f"clustering/bisecting-line-{seed}",
            (spark.BisectingKMeans(k=3, seed=seed),),
            train={"features": vectors(*((x + 0.5,) for x in (-9, -8, -1, 1, 8, 9)))},
            rows={"features": vectors(*((x / 4,) for x in range(-40, 41)), (1e200,), (-1e308,), (5e-324,))},
            outputs=("prediction",),
            word="dot",
            undecided=6,
        )
        for seed in (1, 5)
    ),
    Row(  # nothing may be divided: the root is the only cluster
        "clustering/bisecting-undivided",
        (spark.BisectingKMeans(k=3, minDivisibleClusterSize=1000.0),),
        train={"features": vectors(*BLOBS)},
        rows={"features": vectors((0.0, 1.0, 2.0), (NAN, 1.0, 1.0), (5.0, 5.0, 5.0))},
        outputs=("prediction",),
        word="dot",
    ),
    *(
        Row(  # how many clusters there are is told
            f"clustering/{name}-crossed",
            (stage, spark.Interaction(inputCols=["prediction", "x"], outputCol="o")),
            train={"features": vectors(*BLOBS), "x": doubles(*(1.0,) * len(BLOBS))},
            rows={"features": vectors(*BLOBS[::6]), "x": doubles(*(1 / 3, -2.7) * 3)},
            outputs=("prediction", "o"),
            chosen=True,
            word=word,
        )
        for name, stage, word in (
            ("bisecting", spark.BisectingKMeans(k=5, seed=1), "dot"),
            ("kmeans", spark.KMeans(k=4, seed=1), "dot"),
            ("gaussians", spark.GaussianMixture(k=2, seed=5), "iterative"),
        )
    ),
    Row(  # the origin cannot be divided: a chain of clusters with one child each
        "clustering/bisecting-chain",
        (spark.BisectingKMeans(k=3, seed=1),),
        train={"features": vectors((-1.0,), (1.0,), (-2.0,), (2.0,))},
        rows={"features": vectors((0.0,), (3.0,), (-3.0,))},
        outputs=("prediction",),
        word="dot",
    ),
    Row(
        "clustering/bisecting-not-finite",
        (spark.BisectingKMeans(k=3, seed=2, featuresCol="f", predictionCol="p"),),
        train={"f": vectors(*BLOBS)},
        rows={
            "f": vectors((INF, 0.0, 1.0), (-INF, 1.0, INF), (NAN, 1.0, 1.0), (1e200, 1.0, 0.0), (0.0, 1.0, 2.0), None)
        },
        outputs=("p",),
        word="dot",
    ),
    Row(
        "clustering/bisecting-cosine-zero",
        (spark.BisectingKMeans(k=3, seed=3, distanceMeasure="cosine"),),
        train={"features": vectors((1.0, 0.1), (0.9, 0.2), (-0.3, 1.0), (-0.2, 0.9), (0.5, 0.6))},
        rows={
            "features": vectors(
                (1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (-1.0, -1.0), (1e-160, 1e-161), (1e200, 1.0), (INF, 1.0), (NAN, 1.0)
            )
        },
        outputs=("prediction",),
        word="dot",
    ),
    Row(
        "clustering/bisecting-scaled",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="v", handleInvalid="skip"),
            spark.StandardScaler(inputCol="v", outputCol="w", withMean=True),
            spark.BisectingKMeans(k=3, seed=11, featuresCol="w", predictionCol="p"),
        ),
        train={"a": doubles(*(row[0] for row in BLOBS)), "b": doubles(*(row[1] for row in BLOBS))},
        rows={"a": doubles(0.0, 5.1, -3.3, None, 1.0), "b": doubles(0.0, -2.7, 7.7, 1.0, 1.0)},
        outputs=("p",),
        word="dot",
    ),
]
