"""A seed → a conformance row: what a user might have put together, and rows that are harder than theirs.

Imports neither builder nor pyspark. The same seed gives the same row, so Spark's answers are kept as the table's are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.conformance.row import INF, Column, Row, Stage, Word, column, spark, texts

TRAINED, ASKED = 40, 14  # rows
LETTERS = ("UA", "AA", "ß", "日本", "b", " ", "x y")
NUMBERS = (0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, -2.7, 3.1, 1e-30, 16777217.0, 1234.5, 2.0, 7.0)
WORDS: tuple[Word, ...] = ("bit", "dot", "elementary", "iterative")
INVALID = ("keep", "error", "skip")
NUMERIC = ("scalar", "double")  # of any type, of just that one
_KINDS = {"string": "text", "double": "double"}


@dataclass
class Drawn:
    """A pipeline as it grows: its columns by kind, its stages, and the weakest word among them."""

    dice: random.Random
    kinds: dict[str, str] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    word: Word = "bit"
    read: set[str] = field(default_factory=set)

    def some(self, *kinds: str, at_most: int = 1) -> list[str]:
        """Up to `at_most` columns of these kinds, the youngest more often than the others."""
        found = [name for name, kind in self.kinds.items() if kind in kinds]
        picked = [name for place, name in enumerate(found) if self.dice.random() < (place + 1) / len(found)]
        return (picked or found)[-at_most:]

    def put(self, stage: Stage, reads: list[str], kind: str, word: Word = "bit", out: str = "outputCol") -> None:
        self.stages.append(stage)
        self.read |= set(reads)
        self.kinds[stage.params[out]] = kind
        self.word = max(self.word, word, key=WORDS.index)

    @property
    def fresh(self) -> str:
        return f"c{len(self.stages)}"


Step = Callable[[Drawn], None]


def drawn(seed: int) -> Row:
    """The row of this seed."""
    dice = random.Random(seed)
    pipeline = Drawn(dice)
    inputs = _inputs(dice)
    pipeline.kinds.update({name: _KINDS.get(given.type, "scalar") for name, given in inputs.items()})
    for _ in range(dice.randint(1, 5)):
        steps = [step for kind, step in _STEPS if kind in pipeline.kinds.values()]
        dice.choice(steps)(pipeline)
    outputs: tuple[str, ...] = ()
    if dice.random() < 0.7:
        outputs = _predictor(pipeline)
    # all that nothing reads: a stage that no output needs would be left out, and its rows answered
    outputs += tuple(name for name in pipeline.kinds if name.startswith("c") and name not in pipeline.read)
    label = {
        "label": column("double", *(float(dice.randint(0, 1)) for _ in range(TRAINED))),
        "target": column("double", *(dice.choice(NUMBERS) * dice.choice((1, -1)) + dice.random() for _ in range(TRAINED))),
    }  # fmt: skip
    asked = {name: _asked(dice, given) for name, given in inputs.items()}
    names = [stage.name for stage in pipeline.stages]
    summed = bool({"DCT", "PCA"} & {*names}) and any(
        "Tree" in name or "GBT" in name or "Forest" in name for name in names
    )
    return Row(
        f"random/{seed}", tuple(pipeline.stages), asked, outputs, inputs | label, pipeline.word, chosen=True,
        undecided=3 * ASKED if summed else 2,  # a tree learns its thresholds of sums, and meets them again
    )  # fmt: skip


def _inputs(dice: random.Random) -> dict[str, Column]:
    """One to four numeric columns and up to two of text, without a null: what is missing is asked later."""
    found: dict[str, Column] = {}
    for place in range(dice.randint(1, 4)):
        kind = dice.choice(("double", "double", "float", "int", "bigint"))
        values = [_number(dice, kind) for _ in range(TRAINED)]
        found[f"n{place}"] = column(kind, *values, nullable=dice.random() < 0.7)
    for place in range(dice.randint(0, 2)):
        letters = dice.sample(LETTERS, dice.randint(2, 5))
        found[f"t{place}"] = texts(*(dice.choice(letters) for _ in range(TRAINED)))
    return found


def _number(dice: random.Random, kind: str) -> float | int:
    value = dice.choice(NUMBERS) if dice.random() < 0.4 else dice.uniform(-4, 4)
    if kind in ("int", "bigint"):
        return int(value)
    return float.fromhex(float(value).hex()) if kind == "double" else round(value * 1024) / 1024


def _asked(dice: random.Random, given: Column) -> Column:
    """Values seen, values never seen, and in a nullable column null."""
    values: list[object] = [dice.choice(given.values) for _ in range(ASKED)]
    for place in range(0, ASKED, 3):
        values[place] = dice.choice((*LETTERS, "", "unseen")) if given.type == "string" else _number(dice, given.type)
    if given.nullable:
        values[dice.randrange(ASKED)] = None
    return Column(given.type, tuple(values), given.nullable)


def _index(d: Drawn) -> None:
    [text] = d.some("text")
    d.put(spark.StringIndexer(inputCol=text, outputCol=d.fresh, handleInvalid=d.dice.choice(INVALID)), [text], "index")


def _one_hot(d: Drawn) -> None:
    [index] = d.some("index")
    keep = d.dice.choice(INVALID[:2])
    stage = spark.OneHotEncoder(inputCol=index, outputCol=d.fresh, handleInvalid=keep, dropLast=d.dice.random() < 0.6)
    d.put(stage, [index], "vector")


def _impute(d: Drawn) -> None:
    [scalar] = d.some(*NUMERIC)
    strategy = d.dice.choice(("mean", "median", "mode"))
    d.put(spark.Imputer(inputCol=scalar, outputCol=d.fresh, strategy=strategy), [scalar], d.kinds[scalar])


def _binarize(d: Drawn) -> None:
    [scalar] = d.some("double")
    d.put(spark.Binarizer(inputCol=scalar, outputCol=d.fresh, threshold=d.dice.choice(NUMBERS)), [scalar], "double")


def _bucket(d: Drawn) -> None:
    [scalar] = d.some(*NUMERIC)
    splits = [-INF, *sorted({d.dice.choice(NUMBERS) + 0.0 for _ in range(3)}), INF]
    handle = d.dice.choice(INVALID)
    stage = spark.Bucketizer(inputCol=scalar, outputCol=d.fresh, splits=splits, handleInvalid=handle)
    d.put(stage, [scalar], "double")


def _quantiles(d: Drawn) -> None:
    [scalar] = d.some(*NUMERIC)
    handle = d.dice.choice(INVALID)
    stage = spark.QuantileDiscretizer(inputCol=scalar, outputCol=d.fresh, numBuckets=3, handleInvalid=handle)
    d.put(stage, [scalar], "double")


def _assemble(d: Drawn) -> None:
    columns = d.some(*NUMERIC, "index", "vector", at_most=4)
    handle = d.dice.choice(INVALID)
    d.put(spark.VectorAssembler(inputCols=columns, outputCol=d.fresh, handleInvalid=handle), columns, "vector")


def _interact(d: Drawn) -> None:
    columns = d.some(*NUMERIC, "index", at_most=2)
    d.put(spark.Interaction(inputCols=columns, outputCol=d.fresh), columns, "vector")


def _encode(d: Drawn) -> None:
    [index] = d.some("index")
    handle = d.dice.choice(INVALID[:2])
    stage = spark.TargetEncoder(
        inputCol=index, outputCol=d.fresh, labelCol="target", targetType="continuous", smoothing=1.5, handleInvalid=handle
    )  # fmt: skip
    d.put(stage, [index], "double")


def _hash(d: Drawn) -> None:
    columns = d.some(*NUMERIC, "text", at_most=3)
    d.put(spark.FeatureHasher(inputCols=columns, outputCol=d.fresh, numFeatures=32), columns, "vector")


def _tokenize(d: Drawn) -> None:
    [text] = d.some("text")
    pattern = spark.RegexTokenizer(inputCol=text, outputCol=d.fresh, pattern="[a ]", toLowercase=d.dice.random() < 0.5)
    d.put(d.dice.choice((spark.Tokenizer(inputCol=text, outputCol=d.fresh), pattern)), [text], "tokens")


def _token_stage(make: Callable[[Drawn], Stage], kind: str, read: str = "tokens") -> Step:
    def step(d: Drawn) -> None:
        [tokens] = d.some(read)
        stage = make(d)
        d.put(Stage(stage.name, (), {**stage.params, "inputCol": tokens, "outputCol": d.fresh}), [tokens], kind)

    return step


def _vector_stage(make: Callable[[Drawn], Stage], word: Word = "bit") -> Step:
    def step(d: Drawn) -> None:
        [vector] = d.some("vector")
        stage = make(d)
        read = "featuresCol" if stage.name.endswith("Selector") else "inputCol"
        named = Stage(stage.name, stage.arguments, {**stage.params, read: vector, "outputCol": d.fresh})
        d.put(named, [vector], "vector", word)

    return step


_STEPS: tuple[tuple[str, Step], ...] = (
    ("text", _index),
    ("text", _index),
    ("index", _one_hot),
    ("scalar", _impute),
    ("double", _binarize),
    ("double", _bucket),
    ("double", _quantiles),
    ("scalar", _bucket),
    ("scalar", _assemble),
    ("double", _assemble),
    ("vector", _assemble),
    ("index", _encode),
    ("index", _interact),
    ("double", _hash),
    ("text", _tokenize),
    ("tokens", _token_stage(lambda d: spark.StopWordsRemover(stopWords=["b", "ua"]), "grams")),
    ("tokens", _token_stage(lambda d: spark.NGram(n=2), "grams")),
    # of grams there may be none at all: CountVectorizer makes vectors of them that Spark cannot read
    ("grams", _token_stage(lambda d: spark.HashingTF(numFeatures=32), "vector", "grams")),
    ("tokens", _token_stage(lambda d: spark.HashingTF(numFeatures=64, binary=d.dice.random() < 0.3), "vector")),
    ("tokens", _token_stage(lambda d: spark.CountVectorizer(minDF=1.0), "vector")),
    ("vector", _vector_stage(lambda d: spark.IDF(minDocFreq=2))),
    ("vector", _vector_stage(lambda d: spark.DCT(inverse=d.dice.random() < 0.5), "dot")),
    ("vector", _vector_stage(lambda d: spark.VarianceThresholdSelector(varianceThreshold=0.01))),
    ("vector", _vector_stage(lambda d: spark.StandardScaler(withMean=d.dice.random() < 0.5))),
    ("vector", _vector_stage(lambda d: spark.MinMaxScaler(min=-1.0, max=d.dice.choice((1.0, 2.5))))),
    ("vector", _vector_stage(lambda d: spark.MaxAbsScaler())),
    ("vector", _vector_stage(lambda d: spark.RobustScaler(withCentering=d.dice.random() < 0.5))),
    ("vector", _vector_stage(lambda d: spark.Normalizer(p=d.dice.choice((1.0, 2.0, INF))))),
    ("vector", _vector_stage(lambda d: spark.VectorSlicer(indices=[0]))),
    ("vector", _vector_stage(lambda d: spark.VectorIndexer(maxCategories=d.dice.choice((2, 5)), handleInvalid="keep"))),
    ("vector", _vector_stage(lambda d: spark.PCA(k=1), "dot")),
)


def _predictor(d: Drawn) -> tuple[str, ...]:
    """Assemble where nothing is a vector yet, and end with a model. Answers its columns."""
    if not d.some("vector"):
        _assemble(d)
    [features] = d.some("vector")
    name, outputs, word, params = d.dice.choice(_MODELS)
    target = {} if "KMeans" in name else {"labelCol": "label" if "rawPrediction" in outputs else "target"}
    d.stages.append(Stage(name, (), {"featuresCol": features, **target, **params}))
    d.read.add(features)
    d.word = max(d.word, word, key=WORDS.index)
    return outputs


_RAW, _ALL, _ONE = ("rawPrediction", "prediction"), ("rawPrediction", "probability", "prediction"), ("prediction",)
_MODELS: tuple[tuple[str, tuple[str, ...], Word, dict[str, object]], ...] = (
    ("LinearRegression", _ONE, "dot", {"maxIter": 5, "regParam": 0.1}),
    ("LogisticRegression", _ALL, "elementary", {"maxIter": 5, "regParam": 0.01}),
    ("LinearSVC", _RAW, "dot", {"maxIter": 4}),
    ("DecisionTreeClassifier", _ALL, "bit", {"maxDepth": 4}),
    ("RandomForestClassifier", _ALL, "bit", {"numTrees": 5, "maxDepth": 4, "seed": 3}),
    ("DecisionTreeRegressor", _ONE, "bit", {"maxDepth": 4}),
    ("RandomForestRegressor", _ONE, "bit", {"numTrees": 5, "maxDepth": 4, "seed": 3}),
    ("GBTRegressor", _ONE, "dot", {"maxIter": 3, "maxDepth": 3, "seed": 3}),
    ("GBTClassifier", _ALL, "elementary", {"maxIter": 3, "maxDepth": 3, "seed": 3}),
    ("KMeans", _ONE, "dot", {"k": 3, "seed": 3}),
    ("BisectingKMeans", _ONE, "dot", {"k": 3, "seed": 3}),
    ("GeneralizedLinearRegression", _ONE, "elementary", {"maxIter": 5, "regParam": 0.1}),
    ("NaiveBayes", _ALL, "elementary", {"modelType": "gaussian"}),
    ("FMRegressor", _ONE, "dot", {"maxIter": 3, "seed": 3}),
    ("IsotonicRegression", _ONE, "bit", {}),
    ("OneVsRest", _RAW, "bit", {"classifier": spark.DecisionTreeClassifier(maxDepth=3)}),
)


def rows(count: int) -> list[Row]:
    return [drawn(seed) for seed in range(count)]
