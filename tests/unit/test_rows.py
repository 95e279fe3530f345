"""A file of rows → tensors, whichever form it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.errors import UsageError
from builder.evidence.rows import read_rows
from builder.types import Scalar, TensorSpec, VectorType

SPECS = (
    TensorSpec("carrier", Scalar("string"), True),
    TensorSpec("delay", Scalar("double"), True),
    TensorSpec("hour", Scalar("integer"), True),
)
NULL = np.iinfo(np.int32).min


def written(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.jsonl", '{"carrier": "007", "delay": 1.5, "hour": 3, "more": 1}\n\n{"hour": null}\n'),
        ("rows.json", '[{"carrier": "007", "delay": 1.5, "hour": 3}, {"carrier": null}]'),
        ("rows.csv", "hour,carrier,delay,more\n3,007,1.5,x\n,,,\n"),
    ],
)
def test_every_text_form_gives_the_same_tensors(tmp_path: Path, name: str, text: str) -> None:
    rows = read_rows(written(tmp_path, name, text), SPECS)

    assert rows["carrier"].tolist() == [["007"], ["␀"]]
    assert rows["hour"].tolist() == [[3], [NULL]]
    assert rows["delay"][0, 0] == 1.5
    assert np.isnan(rows["delay"][1, 0])


def test_parquet_gives_them_too(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"carrier": ["UA", None], "delay": [1.0, None], "hour": pa.array([1, None], pa.int64())}), file
    )

    rows = read_rows(file, SPECS)

    assert rows["hour"].tolist() == [[1], [NULL]]


def test_in_csv_a_quoted_empty_field_is_the_empty_string(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path, "rows.csv", 'carrier,delay,hour\n"",1,1\n,1,1\n'), SPECS)

    assert rows["carrier"].tolist() == [[""], ["␀"]]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("rows.jsonl", "{", "cannot be read"),
        ("rows.json", '{"carrier": 1}', "JSON objects"),
        ("rows.csv", "carrier,delay,hour\na,b,c\n", "cannot be read"),
        ("rows.csv", "carrier,hour\na,1\n", "'delay' missing"),
        ("rows.parquet", "no parquet", "cannot be read"),
        ("rows.txt", "a", "ending"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        read_rows(written(tmp_path, name, text), SPECS)


def test_a_file_that_is_not_there_and_a_vector_in_csv_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_rows(tmp_path / "rows.csv", SPECS)
    with pytest.raises(UsageError, match="CSV cannot hold"):
        read_rows(written(tmp_path, "rows.csv", "v\n1\n"), [TensorSpec("v", VectorType(1), True, 1)])
