"""NaiveBayes: four kinds of likelihood."""

from __future__ import annotations

from tests.conformance.row import INF, MILD, NAN, Row, doubles, rolled, spark, sparse, texts, vectors
from tests.conformance.rows.linear import N, X

CLASSIFIED = ("rawPrediction", "probability", "prediction")
COUNTS = tuple(tuple(float((i * 37 + i * i * j + j * 5) % 7) / 3 for j in range(4)) for i in range(N))
VARIED = tuple((*row[:3], (i * 3 % 7) / 5 - 0.3) for i, row in enumerate(X))
BITS = tuple(tuple(float((i * 13 + i * i * (j + 1) + j) % 5 < 2) for j in range(4)) for i in range(N))
LABELS = tuple(float((i * 5 + i // 3 + i // 7) % 3) for i in range(N))
CALM = tuple(value for value in MILD if value < 1e6)  # of a likelihood of 1e14 a step is already 0.01
NOT_BELOW = tuple(value for value in MILD if value >= 0)
ASKED = (*rolled(NOT_BELOW, 4), *COUNTS, sparse(4, {1: 2.7}), sparse(4, {0: 1 / 3, 2: 0.0}), (0.1, -1.5, 0.0, 1.0),
         (0.1, NAN, 0.0, 1.0), (5e-324, 0.0, 0.0, -5e-324), (0.0, -0.0, 0.0, 0.0), (300.0, 1e5, 0.1, 7e4))  # fmt: skip
BINARY = (*BITS, sparse(4, {1: 1.0}), sparse(4, {0: 1.0, 2: 0.0}), (0.0, -0.0, 1.0, 1.0), (0.5, 0.0, 0.0, 0.0),
          (1.0, NAN, 0.0, 0.0), (1.0000000000000002, 1.0, 1.0, 1.0), (-1.0, 0.0, 0.0, 0.0), (INF, 0.0, 1.0, 1.0))  # fmt: skip
PURE = tuple(tuple(value if (i + j) % 3 else 0.0 for j, value in enumerate(row)) for i, row in enumerate(COUNTS))
ABSENT = tuple((*row[:3], float(label == 1.0 and row[0] > 1)) for row, label in zip(COUNTS, LABELS, strict=True))
DENSE = tuple(row for row in ASKED if isinstance(row, tuple))  # a client's vectors are, and a 0 times infinity differs
ALWAYS = tuple((1.0, *row[1:3], float(label == 2.0)) for row, label in zip(BITS, LABELS, strict=True))


def _row(
    name: str,
    kind: str,
    train: tuple[tuple[float, ...], ...],
    asked: tuple[object, ...],
    outputs: tuple[str, ...] = CLASSIFIED,
    smoke: bool = False,
    undecided: int = 0,
    **params: object,
) -> Row:
    return Row(
        f"inferring/{kind}{name}",
        (spark.NaiveBayes(modelType=kind, **params),),
        train={"features": vectors(*train), "label": doubles(*LABELS)},
        rows={"features": vectors(*asked)},
        outputs=outputs,
        word="elementary",
        undecided=undecided,
        smoke=smoke,
    )


WORDS = ("the", "a", "ß", "日本", "spark", "triton", "fast", "slow", "x", "1")
SAID = tuple(" ".join(WORDS[(i * k + k * k + i // 3) % 10] for k in range(i % 7)) for i in range(N))


def _worded(kind: str, undecided: int = 0, name: str = "", binary: bool = False, **params: object) -> Row:
    """Of hashed words: vectors of few entries, of which no dense one may be made."""
    return Row(
        f"inferring/{kind}{name}-of-words",
        (
            spark.Tokenizer(inputCol="t", outputCol="w"),
            spark.HashingTF(
                inputCol="w", outputCol="features", numFeatures=3000, **({"binary": True} if binary else {})
            ),
            spark.NaiveBayes(modelType=kind, **params),
        ),
        train={"t": texts(*SAID), "label": doubles(*LABELS)},
        rows={"t": texts(*SAID, "", "unseen words", "the the the the")},
        outputs=CLASSIFIED,
        word="elementary",
        undecided=undecided,
    )


KINDS = {
    "multinomial": (COUNTS, ASKED),
    "complement": (COUNTS, ASKED),
    "bernoulli": (BITS, BINARY),
    "gaussian": (VARIED, (*rolled(CALM, 4), *VARIED, sparse(4, {1: -2.7}), (0.1, NAN, 0.0, 1.0), (INF, 0.1, 0.0, 1.0))),
}

FEW_OR_MANY = (0, *(1 << j for j in range(8)), 0b10001, 0b100010, 0b11, 0b1001000, 255, 127, 191)
TIES = {
    "multinomial": 0,
    "complement": 1,
    "bernoulli": 0,
    "gaussian": 0,
}  # without priors, nothing there fits every class

ROWS = [
    *(
        _row("", kind, *given, smoke=kind in ("multinomial", "gaussian"), undecided=TIES[kind])
        for kind, given in KINDS.items()
    ),
    *(_row("-thresholds", kind, *given, thresholds=[0.5, 0.1, 0.0]) for kind, given in KINDS.items()),
    *(
        _row("-no-smoothing", kind, *KINDS[kind], smoothing=0.0, undecided=TIES[kind])
        for kind in ("multinomial", "complement", "bernoulli")
    ),
    _row("-smoothing", "multinomial", *KINDS["multinomial"], smoothing=2.7),
    _row("-zero-chance", "multinomial", ABSENT, (*DENSE, *ABSENT), smoothing=0.0),
    _row("-zero-chance", "complement", ABSENT, (*DENSE, *ABSENT), smoothing=0.0),
    _row("-sure-chance", "bernoulli", ALWAYS, (*BITS, (0.5, 0.0, 0.0, 0.0), *ALWAYS), smoothing=0.0),
    _row("-infinite", "multinomial", COUNTS, ((INF, 0.1, 0.2, 0.3), (INF, 0.0, INF, 0.0))),
    _row(
        "-no-raw",
        "multinomial",
        *KINDS["multinomial"],
        rawPredictionCol="",
        outputs=("probability", "prediction"),
        thresholds=[0.7, 0.2, 0.3],
    ),
    _row("-only-prediction", "gaussian", VARIED, VARIED, rawPredictionCol="", probabilityCol="", outputs=("prediction",)),
    _worded("multinomial", undecided=4),
    _worded("complement", undecided=5),
    _worded("bernoulli", binary=True),
    _worded("multinomial", name="-no-smoothing", smoothing=0.0),
    Row(  # what the components may be off by goes into the likelihood
        "inferring/gaussian-of-components",
        (
            spark.PCA(inputCol="v", outputCol="features", k=2),
            spark.NaiveBayes(modelType="gaussian"),
        ),
        train={"v": vectors(*VARIED), "label": doubles(*LABELS)},
        rows={"v": vectors(*VARIED[::3])},
        outputs=CLASSIFIED,
        word="elementary",
    ),
    Row(
        "inferring/assembled-and-weighted",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="v", handleInvalid="keep"),
            spark.NaiveBayes(featuresCol="v", labelCol="y", weightCol="w", predictionCol="p", probabilityCol="q"),
        ),
        train={
            "a": doubles(*(row[0] for row in COUNTS)),
            "b": doubles(*(row[1] for row in COUNTS)),
            "w": doubles(*(1.0 + i % 3 for i in range(N))),
            "y": doubles(*LABELS),
        },
        rows={"a": doubles(0.1, None, 1 / 3, 0.0, -1.0), "b": doubles(1.0, 2.0, None, 0.0, 1.0)},
        outputs=("rawPrediction", "q", "p"),
        word="elementary",
    ),
    Row(  # its slots are stored only where they are not 0
        "inferring/zero-chance-of-what-is-not-stored",
        (
            spark.VectorAssembler(inputCols=[*"abcdefgh"], outputCol="v"),
            spark.NaiveBayes(featuresCol="v", labelCol="y", smoothing=0.0),
        ),
        train={name: doubles(*(float(i % 4 == j % 4) for i in range(N))) for j, name in enumerate("abcdefgh")}
        | {"y": doubles(*(float(i % 4) for i in range(N)))},
        rows={name: doubles(*(float((bits >> j) & 1) for bits in FEW_OR_MANY)) for j, name in enumerate("abcdefgh")},
        outputs=CLASSIFIED,
        word="elementary",
        undecided=1,  # of nothing known, classes of as many rows are as likely
    ),
]  # fmt: skip
