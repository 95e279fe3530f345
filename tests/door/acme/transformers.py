"""Where the pipeline is trained, and where Spark serves it."""

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasOutputCol
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import functions as f


class Clip(Transformer, HasInputCol, HasOutputCol, DefaultParamsReadable, DefaultParamsWritable):
    """A number kept within [low, high]. Null stays null; NaN, which Spark puts above every number, becomes high."""

    low = Param(Params._dummy(), "low", "the least that is let through", TypeConverters.toFloat)
    high = Param(Params._dummy(), "high", "the most that is let through", TypeConverters.toFloat)

    @keyword_only
    def __init__(self, *, inputCol=None, outputCol=None, low=0.0, high=1.0):
        super().__init__()
        self._setDefault(low=0.0, high=1.0)
        self._set(**self._input_kwargs)

    def _transform(self, dataset):
        x, low, high = f.col(self.getInputCol()), self.getOrDefault(self.low), self.getOrDefault(self.high)
        return dataset.withColumn(self.getOutputCol(), f.when(x < low, low).when(x > high, high).otherwise(x))
