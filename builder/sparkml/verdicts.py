"""Classes of pyspark.ml that no rule converts: why not, and what to do. And those that are read through, or never saved."""

from __future__ import annotations

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


def no_rule(spark_class: str) -> Impossible:
    """What to tell of a class that has no rule."""
    known = REFUSED.get(spark_class)
    if known is None:
        return Impossible(f"no rule converts {spark_class}.", "`tritonbuild stages` lists what is supported.")
    name = spark_class.rpartition(".")[2]
    return Impossible(f"{name} cannot be converted: {known.reason}", known.fix)
