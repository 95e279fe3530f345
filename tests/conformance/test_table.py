"""One table, one test: what Spark answered, we answer."""

from __future__ import annotations

import pytest

from builder.errors import ConversionRefused
from tests.conformance.answering import compiled, judge, recorded, versions
from tests.conformance.conftest import SPARK, chosen
from tests.conformance.record import CACHE, entry
from tests.conformance.row import Row


def _cases() -> list[object]:
    """Each row with this environment's Spark, and with every other whose answers the cache holds."""
    pairs = [(row, spark) for row in chosen() for spark in sorted({SPARK, *versions(row, CACHE)})]
    return [
        pytest.param(
            row,
            spark,
            id=f"{row.id}-spark-{spark}",
            marks=[pytest.mark.xfail(strict=True, reason=row.notyet)] if row.notyet else [],
        )
        for row, spark in pairs
    ]


@pytest.mark.usefixtures("recorded_rows")
@pytest.mark.parametrize(("row", "spark"), _cases())
def test_a_saved_pipeline_answers_as_spark_did(row: Row, spark: str, request: pytest.FixtureRequest) -> None:
    assert entry(row, spark).is_dir(), f"Spark {spark} could not answer; python -m tests.conformance.record {row.id}"
    if row.refused:
        with pytest.raises(ConversionRefused, match=row.refused):
            compiled(row, recorded(row, spark))
        return

    verdict = judge(row, spark)

    request.config.undecided[row.id] = verdict.undecided  # type: ignore[attr-defined]
    assert not verdict.wrong, "\n".join(verdict.wrong[:12])
