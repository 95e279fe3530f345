"""The support table is the conformance table: rules = rows, both ways."""

from __future__ import annotations

import pytest

from builder.stages import all_rules
from tests.conformance.answering import recorded
from tests.conformance.conftest import SPARK, chosen
from tests.conformance.record import entry

ELSEWHERE = "com.microsoft.azure.synapse.ml."  # no jar of SynapseML goes with this Spark: tests/unit/test_synapseml.py


@pytest.fixture(scope="module")
def classes(recorded_rows: None) -> dict[str, str]:
    """Spark class → a row whose saved pipeline holds it, from the rows that must be answered."""
    rows = [row for row in chosen() if not row.refused and not row.notyet and entry(row, SPARK).is_dir()]
    return {stage.spark_class: row.id for row in rows for stage in recorded(row, SPARK).pipeline.stages}


def test_every_rule_stands_in_the_table(classes: dict[str, str]) -> None:
    rules = {name for name in all_rules() if not name.startswith(ELSEWHERE)}

    assert not rules - classes.keys()


def test_every_class_of_the_table_has_a_rule(classes: dict[str, str]) -> None:
    assert not classes.keys() - all_rules().keys()
