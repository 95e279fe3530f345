"""Evidence: stored without loss, compared without mercy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from builder.errors import CheckFailed, SourceError
from builder.evidence import Evidence, compare, first_difference, load, save
from builder.evidence.store import Steps
from builder.types import INVALID, Array, Scalar, Servable, Table, TensorSpec, TextArray, VectorType

INPUTS = (
    TensorSpec("s", Scalar("string"), True),
    TensorSpec("n", Scalar("long"), True),
    TensorSpec("b", Scalar("boolean"), True),
    TensorSpec("v", VectorType(3), True, 3),
    TensorSpec("w", TextArray(), True, -1),
)
OUTPUTS = (
    TensorSpec("prediction", Scalar("double"), False),
    TensorSpec("probability", VectorType(2), False, 2),
    TensorSpec("label", Scalar("string"), True),
    INVALID,
)


def text(*rows: str | list[str]) -> Array:
    return np.array([row if isinstance(row, list) else [row] for row in rows], dtype=object)


def numbers(*rows: float | list[float], dtype: type = np.float64) -> Array:
    return np.array([row if isinstance(row, list) else [row] for row in rows], dtype=dtype)


@pytest.fixture
def evidence() -> Evidence:
    return Evidence(
        inputs=Table(
            {
                "s": text("␀", "", "日本", "ß"),
                "n": numbers(np.iinfo(np.int64).min, 0, 2**53 + 1, -1, dtype=np.int64),
                "b": numbers(-128, 0, 1, 1, dtype=np.int8),
                "v": numbers([np.nan, -0.0, np.inf], [5e-324, 0.1, -np.inf], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]),
                "w": text(["a", "␀"], ["␀", "␀"], ["", "b"], ["x", "y"]),
            }
        ),
        answers=Table(
            {
                "prediction": numbers(1.0, -0.0, np.nan, 0.5),
                "probability": numbers([0.25, 0.75], [0.5, 0.5], [np.nan, np.nan], [1.0, 0.0]),
                "label": text("yes", "␀", "", "no"),
                "invalid": numbers(0, 0, 2, 0, dtype=np.int32),
            }
        ),
        tolerance={"probability": numbers([1e-3, 1e-3], [0.0, 0.0], [0.0, 0.0], [np.inf, np.nan])},
        derived=np.array([False, False, True, True]),
        input_specs=INPUTS,
        output_specs=OUTPUTS,
        words={"prediction": "bit", "probability": "dot", "label": "bit", "invalid": "bit"},
        coverage=0.75,
        spark_version="4.3.0",
        digest="d1",
        steps=Steps(
            np.array([1, 3]),
            Table({"indexed": numbers(0.0, 1.0), "features": numbers([0.0, 1.0], [np.nan, 2.0])}),
            {"indexed": "StringIndexer_1", "features": "VectorAssembler_1"},
        ),
        left_out=3,
    )


def changed(evidence: Evidence, name: str, row: int, slot: int, value: object) -> Table:
    columns = {key: array.copy() for key, array in evidence.answers.items()}
    columns[name][row, slot] = value
    return Table(columns)


def test_evidence_survives_its_file_to_the_last_bit(evidence: Evidence, tmp_path: Path) -> None:
    save(evidence, tmp_path / "deep" / "evidence.parquet")

    back = load(tmp_path / "deep" / "evidence.parquet")

    assert evidence.steps is not None
    assert back.steps is not None
    for ours, theirs in (
        (evidence.inputs, back.inputs),
        (evidence.answers, back.answers),
        (evidence.tolerance, back.tolerance),
        (evidence.steps.columns, back.steps.columns),
    ):
        assert list(ours) == list(theirs)
        for name in ours:
            assert ours[name].dtype == theirs[name].dtype
            same = ours[name].tolist() if ours[name].dtype == np.object_ else ours[name].tobytes()
            assert same == (theirs[name].tolist() if theirs[name].dtype == np.object_ else theirs[name].tobytes())
    assert back.derived.tolist() == evidence.derived.tolist()
    assert back.steps.rows.tolist() == [1, 3]
    assert back.steps.made_by == evidence.steps.made_by
    assert (back.input_specs, back.output_specs) == (INPUTS, OUTPUTS)
    assert (back.words, back.coverage, back.spark_version, back.digest, back.left_out) == (
        evidence.words,
        0.75,
        "4.3.0",
        "d1",
        3,
    )


def test_a_file_cut_short_or_of_something_else_is_refused(evidence: Evidence, tmp_path: Path) -> None:
    file = tmp_path / "evidence.parquet"
    save(evidence, file)
    whole = file.read_bytes()

    for broken in (whole[: len(whole) // 2], b"", b"PAR1 or not"):
        file.write_bytes(broken)
        with pytest.raises(SourceError, match="not evidence that can be read"):
            load(file)

    with pytest.raises(SourceError):
        load(tmp_path / "nowhere.parquet")


def test_only_derived_rows_leave_and_their_steps_with_them(evidence: Evidence) -> None:
    public = evidence.only_derived()

    assert public.rows == public.inputs.rows == 2
    assert public.inputs["s"].tolist() == [["日本"], ["ß"]]
    assert public.steps is not None
    assert public.steps.rows.tolist() == [1]
    assert public.steps.columns["indexed"].tolist() == [[1.0]]
    assert public.tolerance["probability"].shape == (2, 2)


def servable(**changes: object) -> Servable:
    return replace(Servable(b"", INPUTS, OUTPUTS), **changes)  # type: ignore[arg-type]


def test_evidence_of_another_model_is_refused(evidence: Evidence) -> None:
    evidence.of_model(servable(), "d1")

    with pytest.raises(SourceError, match="other files"):
        evidence.of_model(servable(), "d2")
    with pytest.raises(SourceError, match="inputs"):
        evidence.of_model(servable(inputs=INPUTS[1:]))
    with pytest.raises(SourceError, match="outputs"):
        evidence.of_model(servable(outputs=(TensorSpec("probability", VectorType(3), False, 3), *OUTPUTS[::2])))


def test_evidence_takes_the_null_text_of_the_model_it_is_put_to(evidence: Evidence) -> None:
    marked = tuple(replace(spec, null_text="<null>") for spec in INPUTS)

    fitted = evidence.of_model(servable(inputs=marked), "d1")

    assert fitted.inputs["s"].tolist() == [["<null>"], [""], ["日本"], ["ß"]]
    assert fitted.inputs["w"].tolist() == [["a", "<null>"], ["<null>", "<null>"], ["", "b"], ["x", "y"]]
    assert fitted.inputs["n"].tolist() == evidence.inputs["n"].tolist()


def test_the_same_answers_pass_with_zero_of_either_sign_and_nan_for_nan(evidence: Evidence) -> None:
    report = compare(evidence, changed(evidence, "prediction", 1, 0, 0.0))

    assert report.passed
    assert (report.rows, report.values, report.near) == (4, 4 + 8 + 4 + 4, 0)


@pytest.mark.parametrize(
    ("name", "row", "slot", "value"),
    [
        ("prediction", 0, 0, np.nextafter(1.0, 2.0)),  # one last bit where the word is bit
        ("prediction", 2, 0, 0.0),  # a number where Spark has NaN
        ("prediction", 0, 0, np.nan),
        ("prediction", 0, 0, np.inf),
        ("probability", 0, 1, 0.7511),  # just outside the stored tolerance
        ("probability", 0, 0, np.nan),
        ("probability", 1, 0, np.nextafter(0.5, 1.0)),  # tolerance 0 in this value
        ("label", 0, 0, "Yes"),
        ("label", 1, 0, ""),  # null is not the empty string
        ("invalid", 0, 0, 2),  # a refusal that Spark does not share
        ("invalid", 2, 0, 0),
        ("invalid", 2, 0, -2),  # dropped is not refused
    ],
)
def test_one_wrong_value_fails_and_is_told(evidence: Evidence, name: str, row: int, slot: int, value: object) -> None:
    report = compare(evidence, changed(evidence, name, row, slot, value))

    (failed,) = [output for output in report.outputs if not output.passed]
    assert (failed.name, failed.differing) == (name, 1)
    assert (failed.worst[0].row, failed.worst[0].slot) == (row, slot)
    assert f"row {row}" in report.words()
    assert not report.json()["passed"]


def test_a_value_inside_its_own_tolerance_passes(evidence: Evidence) -> None:
    report = compare(evidence, changed(evidence, "probability", 0, 1, 0.7509))

    assert report.passed
    assert report.outputs[1].largest == pytest.approx(9e-4)


def test_a_difference_that_no_tolerance_decides_is_counted_as_near(evidence: Evidence) -> None:
    report = compare(evidence, changed(evidence, "probability", 3, 1, 1.0))

    assert report.passed
    assert report.near == 1
    assert report.outputs[1].undecided == 2


def test_an_output_of_which_nothing_is_decided_proves_nothing(evidence: Evidence) -> None:
    vague = replace(evidence, tolerance={"probability": np.full((4, 2), np.inf)})

    report = compare(vague, evidence.answers)

    assert not report.passed
    assert "nothing is proven" in report.words()


def test_the_worst_rows_come_first_and_each_row_once(evidence: Evidence) -> None:
    answers = changed(evidence, "probability", 0, 0, 0.5)
    answers["probability"][1] = [9.0, 9.0]

    report = compare(evidence, answers)

    assert [worst.row for worst in report.outputs[1].worst] == [1, 0]
    assert report.differing_rows == (0, 1)


def test_a_missing_output_or_another_shape_fails_the_check(evidence: Evidence) -> None:
    with pytest.raises(CheckFailed, match="no output 'label'"):
        compare(evidence, evidence.answers.select(["prediction", "probability", "invalid"]))
    with pytest.raises(CheckFailed, match=r"\[4, 1\]"):
        compare(evidence, Table({**evidence.answers, "probability": numbers(0.0, 0.0, 0.0, 0.0)}))


def test_the_first_stage_whose_column_differs_is_named(evidence: Evidence) -> None:
    assert evidence.steps is not None
    same = Table({**evidence.steps.columns})
    assert first_difference(evidence, same) is None

    both = Table({"features": numbers([0.0, 1.0], [0.0, 2.0]), "indexed": numbers(0.0, 7.0)})
    found = first_difference(evidence, both)

    assert found is not None
    assert (found.stage, found.column, found.worst.row) == ("StringIndexer_1", "indexed", 3)


def test_a_stage_within_its_slack_is_not_the_first_that_differs(evidence: Evidence) -> None:
    assert evidence.steps is not None
    every = Table(
        {
            "indexed": numbers(0.0, 1.25),
            "indexed__slack": numbers(0.0, 0.5),
            "features": numbers([0.0, 1.0], [5.0, 2.0]),
        }
    )

    found = first_difference(evidence, every)

    assert found is not None
    assert found.stage == "VectorAssembler_1"


FAULTS = Path(__file__).with_name("evidence_faults")


@pytest.mark.parametrize("name", ["AttributeError", "InvalidArgument", "OverflowError", "RecursionError", "terminate"])
def test_a_file_that_once_ended_in_a_traceback_is_refused_in_words(name: str) -> None:
    """Words that are a list, rows of no columns, a width of infinity, a head nested 100,000 deep; and a flipped bit of
    the footer, over which pyarrow's `RowGroupMetaData.column` ended the whole process."""
    with pytest.raises(SourceError, match="not evidence that can be read"):
        load(FAULTS / f"{name}.parquet")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("coverage", 10**60), ("coverage", "inf"), ("coverage", None), ("coverage", -0.5), ("spark_version", []),
        ("spark_version", "4"), ("digest", 7), ("words", ["bit"]), ("words", {"prediction": "exactly"}), ("left_out", -1),
        ("left_out", 1.5), ("session", {"ansi": "yes"}), ("session", []), ("steps", [1]), ("inputs", {}), ("inputs", [{}]),
        ("outputs", [{"name": "p", "type": "void", "nullable": True, "width": 1}]), ("format", "1"), ("format", True),
    ],
)  # fmt: skip
def test_what_a_file_says_of_itself_is_checked(evidence: Evidence, tmp_path: Path, key: str, value: object) -> None:
    file = tmp_path / "evidence.parquet"
    save(evidence, file)
    table = pq.read_table(file)
    head = json.loads(table.schema.metadata[b"tritonbuild"]) | {key: value}
    pq.write_table(table.replace_schema_metadata({b"tritonbuild": json.dumps(head).encode()}), file)

    with pytest.raises(SourceError, match="not evidence that can be read"):
        load(file)
