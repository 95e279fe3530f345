"""HashingTF, CountVectorizer, IDF: sparse vectors, and what reads them. Word2Vec."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import INF, NAN, Row, column, dense, doubles, spark, sparse, texts, vectors

WORDS = column(
    "array<string>",
    ["a", "b", "a", "c", "a"],
    [],
    ["", "", "ß"],
    [None, "a", None, "b"],
    ["日本", "ÄÖ", "😀", "x" * 40, "abc", "ab", "abcd", "abcde"],
    ["c", "b", "unseen"],
    ["b", "b", "b", "b"],
)
TRAINED = column("array<string>", ["a", "b", "c", "a"], ["b", "ß", ""], ["a", "日本", "b"], ["d", "b"])
TEXTS = texts(
    "the cat sat on the mat", "a dog ate the cat", "birds fly over the house", "the house of the rising sun",
    "ein Haus für Äpfel", "the mat of a cat", "", "dog dog dog", "sun and birds", "Äpfel über alles", "fly away", "house cat",
)  # fmt: skip
LABELS = doubles(1.0, 0.0, 1.0, 0.0, 2.0, 1.0, 0.0, 0.0, 1.0, 2.0, 1.0, 0.0, nullable=False)
ASKED = texts(
    "the cat and the dog", "", "unseen words", "Äpfel Äpfel mat", "sun sun sun fly the house", "cat", " ", "über the"
)
BINARY = doubles(*(float(value > 0) for value in LABELS.values), nullable=False)


def _hashed(name: str, width: int, binary: bool = False, **marks: Any) -> Row:
    return Row(
        f"hashing/{name}",
        (spark.HashingTF(inputCol="w", outputCol="v", numFeatures=width, binary=binary),),
        rows={"w": WORDS},
        outputs=("v",),
        **marks,
    )


HASHED = [
    _hashed("tf", 16, smoke=True),
    _hashed("tf-one-slot", 1),
    _hashed("tf-three-slots", 3),
    _hashed("tf-odd", 1009),
    _hashed("tf-binary", 7, True, smoke=True),
]


def _counted(name: str, stage: Any, **marks: Any) -> Row:
    return Row(f"hashing/{name}", (stage,), train={"w": TRAINED}, rows={"w": WORDS}, outputs=("v",), **marks)


COUNTED = [
    _counted("counts", spark.CountVectorizer(inputCol="w", outputCol="v"), smoke=True),
    _counted("counts-binary", spark.CountVectorizer(inputCol="w", outputCol="v", binary=True)),
    _counted("counts-two-or-more", spark.CountVectorizer(inputCol="w", outputCol="v", minTF=2.0)),
    _counted("counts-two-or-more-binary", spark.CountVectorizer(inputCol="w", outputCol="v", minTF=2.0, binary=True)),
    _counted("counts-a-share", spark.CountVectorizer(inputCol="w", outputCol="v", minTF=1 / 3)),
    _counted("counts-a-fifth", spark.CountVectorizer(inputCol="w", outputCol="v", minTF=0.2), smoke=True),
    _counted("counts-all", spark.CountVectorizer(inputCol="w", outputCol="v", minTF=0.0)),
    _counted("counts-few", spark.CountVectorizer(inputCol="w", outputCol="v", vocabSize=2, minDF=2.0)),
    Row(
        "hashing/counts-from-words",
        (spark.CountVectorizerModel.from_vocabulary(["b", "", "日本", "a"], inputCol="w", outputCol="v"),),
        rows={"w": WORDS},
        outputs=("v",),
    ),
    Row(
        "hashing/counts-from-a-word-twice",
        (spark.CountVectorizerModel.from_vocabulary(["b", "a", "b"], inputCol="w", outputCol="v"),),
        rows={"w": WORDS},
        outputs=("v",),
        refused="holds a word twice",
    ),
]

IDFS = [
    Row(
        f"hashing/idf-{least}",
        (
            spark.HashingTF(inputCol="w", outputCol="f", numFeatures=16),
            spark.IDF(inputCol="f", outputCol="v", minDocFreq=least),
        ),
        train={"w": TRAINED},
        rows={"w": WORDS},
        outputs=("v",),
        smoke=least == 0,
    )
    for least in (0, 2)
] + [
    Row(
        "hashing/idf-of-any-vector",
        (spark.IDF(inputCol="x", outputCol="v"),),
        train={"x": vectors((1.0, 0.0, 2.0), (0.5, 1.0, 0.0), (1.0, 0.0, 0.0))},
        rows={
            "x": vectors(
                (1.0, 1 / 3, -2.7),
                (NAN, INF, -INF),
                dense(-0.0, 16777217.0, 5e-324),
                sparse(3, {1: 0.1}),
                sparse(3, {}),
                (1e308, 0.1, 3.1),
            )
        },
        outputs=("v",),
    ),
    Row(
        "hashing/idf-of-counts",
        (spark.CountVectorizer(inputCol="w", outputCol="f"), spark.IDF(inputCol="f", outputCol="v")),
        train={"w": TRAINED},
        rows={"w": WORDS},
        outputs=("v",),
    ),
]


def _read_by(
    name: str, model: Any, word: str, outputs: tuple[str, ...], width: int = 1024, labels: Any = BINARY, **marks: Any
) -> Row:
    """The usual text pipeline, and a model behind it."""
    return Row(
        f"hashing/read-by-{name}",
        (
            spark.Tokenizer(inputCol="s", outputCol="w"),
            spark.HashingTF(inputCol="w", outputCol="f", numFeatures=width),
            spark.IDF(inputCol="f", outputCol="features"),
            model,
        ),
        train={"s": TEXTS, "label": labels},
        rows={"s": ASKED},
        outputs=outputs,
        word=word,
        **marks,
    )


CLASSIFIED = ("rawPrediction", "probability", "prediction")
READ = [
    _read_by(
        "logistic-regression",
        spark.LogisticRegression(maxIter=5),
        "elementary",
        CLASSIFIED,
        262144,
        smoke=True,
    ),
    _read_by(
        "few-coefficients",
        spark.LogisticRegression(maxIter=5, regParam=0.2, elasticNetParam=1.0),
        "elementary",
        CLASSIFIED,
    ),
    _read_by("three-classes", spark.LogisticRegression(maxIter=5), "elementary", CLASSIFIED, labels=LABELS, smoke=True),
    _read_by(
        "three-classes-few-coefficients",
        spark.LogisticRegression(maxIter=5, regParam=0.1, elasticNetParam=1.0),
        "elementary",
        CLASSIFIED,
        labels=LABELS,
    ),
    _read_by("support-vectors", spark.LinearSVC(maxIter=5), "dot", ("rawPrediction", "prediction")),
    _read_by("linear-regression", spark.LinearRegression(maxIter=5, regParam=0.1), "dot", ("prediction",), 256),
    _read_by("tree", spark.DecisionTreeClassifier(seed=1), "bit", CLASSIFIED, smoke=True),
    _read_by("regression-tree", spark.DecisionTreeRegressor(seed=1), "bit", ("prediction",)),
    _read_by("forest", spark.RandomForestClassifier(numTrees=7, seed=3), "bit", CLASSIFIED, labels=LABELS),
    _read_by("bare-forest", spark.RandomForestClassifier(numTrees=3, maxDepth=0, seed=3), "bit", CLASSIFIED),
    _read_by("boosted-trees", spark.GBTClassifier(maxIter=4, seed=3), "elementary", CLASSIFIED),
    _read_by("scaler", spark.StandardScaler(inputCol="features", outputCol="z"), "bit", ("z",), 64),
]

ASSEMBLED = [
    Row(
        f"hashing/assembled-read-by-{name}",
        (
            spark.HashingTF(inputCol="w", outputCol="f", numFeatures=4096),
            spark.HashingTF(inputCol="w", outputCol="g", numFeatures=8, binary=True),
            spark.VectorAssembler(inputCols=["x", "f", "n", "g"], outputCol="features", handleInvalid="keep"),
            model,
        ),
        train={
            "w": column("array<string>", ["a", "b"], ["b"], ["a", "a", "c"], [], ["d", "b"], ["c"]),
            "x": doubles(0.1, 1 / 3, -2.7, 3.1, 0.0, 1.0),
            "n": column("int", 1, 2, 3, 4, 0, 7),
            "label": doubles(1.0, 0.0, 1.0, 0.0, 1.0, 0.0, nullable=False),
        },
        rows={
            "w": column("array<string>", ["a", "a", "b"], [], ["unseen", "b"], ["c", "d"], ["a"]),
            "x": doubles(0.1, -0.0, 123456.789, 16777217.0, INF),
            "n": column("int", 0, -7, 3, None, 1),
        },
        outputs=outputs,
        word=word,
    )
    for name, model, word, outputs in (
        ("logistic-regression", spark.LogisticRegression(maxIter=5), "elementary", CLASSIFIED),
        ("forest", spark.RandomForestClassifier(numTrees=5, seed=3), "bit", CLASSIFIED),
        ("idf", spark.IDF(inputCol="features", outputCol="z"), "bit", ("z",)),
    )
]

BETWEEN = [
    Row(
        f"hashing/kept-sparse-by-{name}",
        (
            spark.Tokenizer(inputCol="s", outputCol="w"),
            spark.CountVectorizer(inputCol="w", outputCol="f")
            if counts
            else spark.HashingTF(inputCol="w", outputCol="f", numFeatures=1024),
            stage,
            model,
        ),
        train={"s": TEXTS, "label": BINARY},
        rows={"s": ASKED},
        outputs=CLASSIFIED,
        word="elementary",
    )
    for name, counts, stage, model in (
        (
            "manhattan",
            False,
            spark.Normalizer(inputCol="f", outputCol="features", p=1.0),
            spark.LogisticRegression(maxIter=5),
        ),
        (
            "euclid",
            False,
            spark.Normalizer(inputCol="f", outputCol="features", p=2.0),
            spark.LogisticRegression(maxIter=5),
        ),
        (
            "largest",
            False,
            spark.Normalizer(inputCol="f", outputCol="features", p=INF),
            spark.LogisticRegression(maxIter=5),
        ),
        (
            "spread",
            False,
            spark.StandardScaler(inputCol="f", outputCol="features"),
            spark.LogisticRegression(maxIter=5),
        ),
        (
            "greatest",
            False,
            spark.MaxAbsScaler(inputCol="f", outputCol="features"),
            spark.LogisticRegression(maxIter=5),
        ),
        ("weights", False, spark.MaxAbsScaler(inputCol="f", outputCol="features"), spark.NaiveBayes()),
        (
            "slices",
            True,
            spark.VectorSlicer(inputCol="f", outputCol="features", indices=[3, 0, 7, 2]),
            spark.LogisticRegression(maxIter=5),
        ),
        (
            "ascending-slices",
            True,
            spark.VectorSlicer(inputCol="f", outputCol="features", indices=[0, 2, 3, 9]),
            spark.LogisticRegression(maxIter=5),
        ),
    )
]

NORMALIZED = [
    Row(  # "a" is in every text: its weight is 0, and an entry of it is there
        f"hashing/normalized-{p}",
        (
            spark.HashingTF(inputCol="w", outputCol="f", numFeatures=1024),
            spark.IDF(inputCol="f", outputCol="x"),
            spark.Normalizer(inputCol="x", outputCol="v", p=p),
        ),
        train={"w": column("array<string>", ["a", "b", "a", "c"], ["a", "d"], ["b", "a", "b", "e"], ["a", "c", "b"])},
        rows={
            "w": column(
                "array<string>",
                ["a", "b", "c", "d", "e"],
                ["a", "a"],
                [],
                ["b", "b", "b", "c"],
                ["d", "e", "unseen", "e"],
                ["c"],
                ["e", "b", "d", "d", "d", "c", "a"],
            )
        },
        outputs=("v",),
        word="elementary" if p == 3.0 else "bit",
    )
    for p in (1.0, 2.0, 3.0, INF)
]

NEAR = column(
    "array<string>", ["a", "b", "c", "a"], ["b", "ß", ""], ["a", "日本", "b"], ["d", "b", "a", "c"], ["ß", "d"]
)
EMBEDDED = [
    Row(
        f"hashing/word2vec-{size}",
        (spark.Word2Vec(inputCol="w", outputCol="v", vectorSize=size, minCount=least, seed=7, maxIter=1),),
        train={"w": NEAR},
        rows={"w": WORDS},
        outputs=("v",),
        smoke=size == 5,
    )
    for size, least in ((1, 0), (5, 0), (33, 2))
] + [
    Row(  # one word is a vector all of whose slots are stored
        "hashing/word2vec-of-tokens",
        (
            spark.Tokenizer(inputCol="s", outputCol="w"),
            spark.Word2Vec(inputCol="w", outputCol="f", vectorSize=3, minCount=1, seed=7, maxIter=1),
            spark.IDF(inputCol="f", outputCol="v"),
        ),
        train={"s": TEXTS},
        rows={"s": ASKED},
        outputs=("v",),
    )
]

ROWS = HASHED + COUNTED + IDFS + READ + ASSEMBLED + BETWEEN + NORMALIZED + EMBEDDED
