"""Classes of pyspark.ml that no rule converts: why not, and what to do. And those that are read through, or never saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PIPELINES = frozenset({"org.apache.spark.ml.PipelineModel", "pyspark.ml.pipeline.PipelineModel"})
SEARCHES = frozenset(
    {
        "org.apache.spark.ml.tuning.CrossValidatorModel",
        "org.apache.spark.ml.tuning.TrainValidationSplitModel",
        "pyspark.ml.tuning.CrossValidatorModel",
        "pyspark.ml.tuning.TrainValidationSplitModel",
    }
)

_SPARK = "org.apache.spark.ml."
_CONNECT = "pyspark.ml.connect."


@dataclass(frozen=True)
class Impossible:
    """Why a class is refused, and what to do instead."""

    reason: str
    fix: str


REFUSED = {
    _SPARK + "clustering.DistributedLDAModel": Impossible(
        "it starts each document from a seed that Spark draws anew whenever it is loaded: its own answers differ from load to load.",
        "save model.toLocal(), whose seed is always the same.",
    ),
    _SPARK + "fpm.FPGrowthModel": Impossible(
        "it mines its rules again from the saved itemsets with a shuffle, and predicts items in the order that this leaves "
        "them in: another cluster, another order.",
        "publish the stages before it, and join model.associationRules where the answers are used.",
    ),
} | {
    _CONNECT + name: Impossible(
        "pyspark.ml.connect saves in a format of its own, without Spark's stages; deprecated since Spark 4.0.",
        f"fit pyspark.ml's own {name.rpartition('.')[2].removesuffix('Model') or 'Pipeline'} instead."
        if not name.endswith("ArrayAssembler")
        else "use VectorAssembler.",
    )
    for name in (
        "classification.LogisticRegressionModel",
        "feature.ArrayAssembler",
        "feature.MaxAbsScalerModel",
        "feature.StandardScalerModel",
        "pipeline.PipelineModel",
        "tuning.CrossValidatorModel",
    )
}

READ_THROUGH = {
    **dict.fromkeys(PIPELINES, "its stages stand in its place"),
    **dict.fromkeys(SEARCHES, "its bestModel stands in its place"),
}

WITHOUT_MODEL = {
    _SPARK
    + "clustering.PowerIterationClustering": "assigns the rows it is given to clusters; there is no model to save or to serve",
    _SPARK + "fpm.PrefixSpan": "finds patterns in the rows it is given; there is no model to save or to serve",
}


_ESTIMATORS = {
    "": "Pipeline",
    "classification": "DecisionTreeClassifier FMClassifier GBTClassifier LinearSVC LogisticRegression "
    "MultilayerPerceptronClassifier NaiveBayes OneVsRest RandomForestClassifier",
    "clustering": "BisectingKMeans GaussianMixture KMeans LDA",
    "feature": "BucketedRandomProjectionLSH ChiSqSelector CountVectorizer IDF Imputer MaxAbsScaler MinHashLSH "
    "MinMaxScaler OneHotEncoder OneHotEncoderEstimator PCA QuantileDiscretizer RFormula RobustScaler StandardScaler "
    "StringIndexer TargetEncoder UnivariateFeatureSelector VarianceThresholdSelector VectorIndexer Word2Vec",
    "fpm": "FPGrowth",
    "pipeline": "Pipeline",
    "recommendation": "ALS",
    "regression": "AFTSurvivalRegression DecisionTreeRegressor FMRegressor GBTRegressor GeneralizedLinearRegression "
    "IsotonicRegression LinearRegression RandomForestRegressor",
    "tuning": "CrossValidator TrainValidationSplit",
}
_UNFITTED = (
    {
        prefix + f"{module}.{name}".removeprefix(".")
        for prefix in (_SPARK, "pyspark.ml.", _CONNECT)
        for module, names in _ESTIMATORS.items()
        for name in names.split()
    }
    | {
        "com.microsoft.azure.synapse.ml.lightgbm." + name
        for name in ("LightGBMClassifier", "LightGBMRanker", "LightGBMRegressor")
    }
    | {"xgboost.spark.estimator." + name for name in ("SparkXGBClassifier", "SparkXGBRanker", "SparkXGBRegressor")}
)

_CHANGED = {  # class → the version since which a stage that an older one saved answers differently, or does not load
    "feature.HashingTF": ((3, 0), "hashes words by a formula that Spark 3.0 replaced (SPARK-23469)"),
    "feature.OneHotEncoder": ((3, 0), "was a transformer before Spark 3.0, which does not load it as one"),
    "feature.SQLTransformer": (
        (3, 0),
        "holds a statement that Spark 3's SQL reads differently (literals, dates, casts)",
    ),
    "feature.VectorAssembler": ((2, 4), "lets NaN pass, which Spark 2.4 and newer refuse"),
}


def unfitted(spark_class: str) -> bool:
    """Whether a class is an estimator, which has to be fitted first."""
    return spark_class in _UNFITTED


def how_to_fit(spark_class: str) -> Impossible:
    """What to tell of a saved estimator."""
    name = spark_class.rpartition(".")[2]
    saved = "pipeline.fit(df)" if name == "Pipeline" else f"the model that its fit(df) returns, not the {name}"
    return Impossible(f"this is a {name} that was never fitted", f"save {saved}.")


def how_to_renew(stages: Sequence[tuple[str, str]], release: tuple[int, int]) -> Impossible:
    """What to tell of stages (uid, class) that a Spark before 3.0 saved; the first one is the outermost."""
    outer = stages[0][1]
    changed = [
        f"{uid} ({spark_class.rpartition('.')[2]}) {_CHANGED[short][1]}"
        for uid, spark_class in stages
        if (short := spark_class.removeprefix(_SPARK)) in _CHANGED and release < _CHANGED[short][0]
    ]
    if changed:
        told = "; ".join(changed[:5]) + (f"; and {len(changed) - 5} more" if len(changed) > 5 else "")
        return Impossible(
            f"in it {told}",
            "fit the whole pipeline again with Spark 3.5 or newer. A copy that a newer Spark makes of this one can answer "
            "differently without a word, and would be proven as it is.",
        )
    if unfitted(outer):
        return Impossible(how_to_fit(outer).reason, "fit it with Spark 3.5 or newer, and save what fit(df) returns.")
    own = sorted({spark_class for _, spark_class in stages if not spark_class.startswith((_SPARK, "pyspark.ml."))})
    if own:
        return Impossible(
            f"in it {', '.join(own[:5])} {'is' if len(own) == 1 else 'are'} not Spark's",
            "fit the whole pipeline again with Spark 3.5 or newer: what else changed in such a class is not known here.",
        )
    return Impossible(
        "its files have another layout",
        "load and save it with Spark 3.5 or newer: Spark reads these stages of old and they keep their meaning.",
    )


def no_rule(spark_class: str) -> Impossible:
    """What to tell of a class that has no rule."""
    known = REFUSED.get(spark_class)
    if known is None:
        return Impossible(
            f"no rule converts {spark_class}.",
            'bring a rule for it, in a package with an entry point in tritonbuild.stages (README, "Bring a rule"); or '
            "convert the whole pipeline with publish --converter onnxmltools:YOUR.MODULE. `tritonbuild stages` lists "
            "what is supported.",
        )
    name = spark_class.rpartition(".")[2]
    return Impossible(f"{name} cannot be converted: {known.reason}", known.fix)
