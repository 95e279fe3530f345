"""Every estimator of pyspark's supervised models, and each of its params, stands in a row of the table."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pyspark.ml.classification
import pyspark.ml.regression
import pytest
from pyspark.ml.base import Estimator, Model

from builder.stages import all_rules
from tests.conformance.row import Stage
from tests.conformance.table import TABLE

MODULES = (pyspark.ml.classification, pyspark.ml.regression)


def public(kind: type) -> list[type]:
    """The classes of this kind that can be made."""
    return [
        found
        for module in MODULES
        for name, found in vars(module).items()
        if inspect.isclass(found)
        and found.__module__ == module.__name__
        and issubclass(found, kind)
        and not name.startswith("_")
        and not inspect.isabstract(found)
    ]


def stages(given: Any) -> Iterator[Stage]:
    """Every stage of a row, those inside of others too."""
    if isinstance(given, Stage):
        yield given
        given = [*given.arguments, *given.params.values()]
    if isinstance(given, list | tuple):
        for each in given:
            yield from stages(each)


@pytest.mark.parametrize("estimator", public(Estimator), ids=lambda found: found.__name__)
def test_every_param_of_an_estimator_is_set_in_a_row(estimator: type) -> None:
    params = set(inspect.signature(estimator).parameters)

    told = {
        name
        for row in TABLE.values()
        for stage in stages(row.stages)
        if stage.name == estimator.__name__
        for name in stage.params
    }

    assert not params - told


def test_every_supervised_model_has_a_rule() -> None:
    models = {model.__name__ for model in public(Model)}

    assert not models - {rule.name for rule in all_rules().values()}
