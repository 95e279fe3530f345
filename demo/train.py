"""Two Spark ML pipelines on the flights. Nothing here knows of tritonbuild."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from demo.data import INPUTS

if TYPE_CHECKING:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.sql import DataFrame, SparkSession

STRINGS = ("carrier", "origin", "dest", "engine")
GAPS = ("seats", "plane_year", "temp", "humid", "wind_speed", "wind_gust", "pressure", "precip", "visib")
WHOLE = ("month", "hour", "distance", "dep_delay")


def start_spark(folder: Path) -> SparkSession:
    """Spark on this machine's cores; what it and its JVM say goes to `folder`/spark.log."""
    from pyspark.sql import SparkSession

    with _stderr_to(folder / "spark.log"):
        return _start(SparkSession, folder)


def _start(session: type[SparkSession], folder: Path) -> SparkSession:

    spark: SparkSession = (
        session.builder.master("local[*]")
        .appName("tritonbuild demo")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    return spark


@contextmanager
def _stderr_to(file: Path) -> Iterator[None]:
    """What is started in the block inherits the file as its stderr, for good; this process has its own back."""
    before = os.dup(2)
    with file.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def late_pipeline(trees: int, depth: int) -> Pipeline:
    """Arrives more than 15 minutes late? One-hot categories, imputed gaps, scaled features, a random forest."""
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import RandomForestClassifier
    from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler

    indexed, hot = [f"{name}_index" for name in STRINGS], [f"{name}_hot" for name in STRINGS]
    filled = [f"{name}_filled" for name in GAPS]
    return Pipeline(
        stages=[
            StringIndexer(inputCols=list(STRINGS), outputCols=indexed, handleInvalid="keep"),
            OneHotEncoder(inputCols=indexed, outputCols=hot),
            Imputer(inputCols=list(GAPS), outputCols=filled, strategy="median"),
            VectorAssembler(inputCols=[*hot, *filled, *WHOLE], outputCol="assembled"),
            StandardScaler(inputCol="assembled", outputCol="features", withMean=True),
            RandomForestClassifier(labelCol="late", numTrees=trees, maxDepth=depth, seed=13),
        ]
    )


def delay_pipeline(iterations: int) -> Pipeline:
    """How many minutes late? Categories as sets in the trees' splits, imputed gaps, boosted trees."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, StringIndexer, VectorAssembler
    from pyspark.ml.regression import GBTRegressor

    indexed = [f"{name}_index" for name in STRINGS]
    filled = [f"{name}_filled" for name in GAPS]
    return Pipeline(
        stages=[
            StringIndexer(inputCols=list(STRINGS), outputCols=indexed, handleInvalid="keep"),
            Imputer(inputCols=list(GAPS), outputCols=filled, strategy="median"),
            VectorAssembler(inputCols=[*indexed, *filled, *WHOLE], outputCol="features"),
            GBTRegressor(labelCol="arr_delay", maxIter=iterations, maxBins=128, seed=13),
        ]
    )


def fit(pipeline: Pipeline, rows: DataFrame) -> PipelineModel:
    return pipeline.fit(rows)


def split(flights: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Rows to learn from, and rows held back to ask afterwards (both of flights that did arrive)."""
    arrived = flights.where("arr_delay IS NOT NULL AND dep_delay IS NOT NULL")
    train, test = arrived.randomSplit([0.9, 0.1], seed=13)
    return train, test.select(*INPUTS, "late", "arr_delay")
