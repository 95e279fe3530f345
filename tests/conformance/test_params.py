"""The params that the support table tells are those that decide: every one that a stage saves is told, or accounted for."""

from __future__ import annotations

import pytest

from builder.stages import all_rules
from tests.conformance.answering import recorded
from tests.conformance.conftest import SPARK, chosen
from tests.conformance.record import entry
from tests.house.params import params_read

SCALER = "org.apache.spark.ml.feature.MinMaxScalerModel"


@pytest.mark.usefixtures("recorded_rows")
def test_a_param_that_is_saved_is_told_or_names_a_column_or_is_ignored_by_its_rule() -> None:
    rules, told = all_rules(), params_read()
    pipelines = [recorded(row, SPARK).pipeline for row in chosen() if entry(row, SPARK).is_dir() and not row.refused]

    untold = {
        (stage.spark_class, name)
        for pipeline in pipelines
        for stage in pipeline.stages
        if stage.spark_class in rules
        for name in stage.params.names() - rules[stage.spark_class].ignores - {*told[stage.spark_class]}
        if not name.endswith(("Col", "Cols", "_col"))
    }

    assert not untold


def test_every_rule_has_its_line() -> None:
    assert all_rules().keys() == params_read().keys()
    assert params_read()[SCALER] == ("max", "min")
