"""What real Spark makes of the mutants that were converted and answer differently than their bases."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.answering import compared
from tests.conformance.record import _ask, _session, _spark_errors, _store
from tests.fuzz.bases import Base, bases
from tests.fuzz.workers import Outcome, made


def judged(outcomes: Sequence[Outcome]) -> list[str]:
    """What is wrong, in words: Spark refused to load or answer what was converted, or answers differently."""
    every, wrong = bases(), []
    with _session() as session:
        for outcome in outcomes:
            with tempfile.TemporaryDirectory(prefix="fuzz-spark-") as scratch:
                told = _judged(session, every[outcome.base], outcome, Path(scratch))
            if told:
                wrong.append(f"SPARK {told}\n{outcome}")
    return wrong


def _judged(session: object, base: Base, outcome: Outcome, folder: Path) -> str:
    from pyspark.ml import PipelineModel

    row = base.row
    assert row is not None
    made(base, outcome.number, outcome.seed, folder)
    asked = session
    if row.conf:
        asked = session.newSession()  # type: ignore[attr-defined]
        for key, value in row.conf.items():
            asked.conf.set(key, value)
    answers: dict[int, Sequence[object]] = {}
    raised: dict[int, str] = {}
    try:
        model = PipelineModel.load((folder / "model" / ("sparkml" if base.mlflow else "")).as_uri())
        schema = _ask(asked, model, row, answers, raised)
    except _spark_errors() as error:
        if "UNRESOLVED_COLUMN" in str(error) and any(f"`{name}`" in str(error) for name in row.outputs):
            return ""  # the column that the row asks for has another name now: Spark answers under that
        return f"refuses: {str(error)[:300]}"
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # PySpark's own reader of metadata
        return f"refuses: {type(error).__name__} {str(error)[:300]}"
    if not answers:
        return ""  # each row is refused: what is compared is in `invalid` alone
    count = len(next(iter(row.rows.values())).values)
    status = {"raised": raised, "dropped": sorted(set(range(count)) - set(answers) - set(raised)), "schema": schema}
    (folder / "answers.json").write_text(json.dumps(status))
    _store(folder / "answers.parquet", schema["fields"], answers)
    (folder / "model" / ("sparkml" if base.mlflow else "")).rename(folder / "pipeline")
    wrong = [one for one in compared(row, folder) if "a tolerance is NaN" not in one and "too generous" not in one]
    return "; ".join(wrong[:3])
