"""A file of rows → tensors, whichever form it has."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.errors import UsageError
from builder.evidence.rows import read_rows
from builder.types import Scalar, TensorSpec, VectorType
from tests.saved import VECTOR

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
        ("rows.json", "[1]", "JSON objects"),
        ("rows.json", "1", "JSON objects"),
        ("rows.json", '{"carrier": 1}', "rows.json: input 'carrier' is string"),
        ("rows.csv.gz", "a", "cannot be read"),
        ("rows.csv", "carrier,delay,hour\na,b,c\n", "cannot be read"),
        ("rows.csv", "carrier,hour\na,1\n", "'delay' missing"),
        ("rows.parquet", "no parquet", "cannot be read"),
        ("rows.txt", "a", "ending"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        read_rows(written(tmp_path, name, text), SPECS)


VECTORS = (TensorSpec("v", VectorType(3), True, 3),)


def vector_rows(*values: object) -> pa.Table:
    return pa.table({"v": pa.array(list(values), type=VECTOR)})


def test_vectors_as_spark_writes_them_dense_sparse_and_null(tmp_path: Path) -> None:
    dense = {"type": 1, "size": None, "indices": None, "values": [1.0, float("nan"), -0.0]}
    sparse = {"type": 0, "size": 3, "indices": [0, 2], "values": [0.5, 7.0]}
    pq.write_table(vector_rows(dense, sparse, None), tmp_path / "rows.parquet")

    rows = read_rows(tmp_path / "rows.parquet", VECTORS)["v"]

    np.testing.assert_array_equal(rows, [[1.0, np.nan, -0.0], [0.5, 0.0, 7.0], [np.nan] * 3])


@pytest.mark.parametrize(
    "value",
    [
        {"type": 0, "size": 2**31 - 1, "indices": [0], "values": [1.0]},
        {"type": 0, "size": 3, "indices": [3], "values": [1.0]},
        {"type": 0, "size": 3, "indices": [-1], "values": [1.0]},
        {"type": 0, "size": 3, "indices": [1, 1], "values": [1.0, 2.0]},
        {"type": 0, "size": 3, "indices": [0, 1], "values": [1.0]},
        {"type": 0, "size": 3, "indices": None, "values": [1.0]},
        {"type": 1, "size": None, "indices": None, "values": None},
        {"type": 1, "size": None, "indices": None, "values": [1.0, None, 2.0]},
        {"type": 1, "size": None, "indices": None, "values": [1.0]},
        {"type": 7, "size": None, "indices": None, "values": [1.0, 2.0, 3.0]},
    ],
)
def test_a_vector_that_is_none_is_refused_with_file_and_column(tmp_path: Path, value: object) -> None:
    pq.write_table(vector_rows(value), tmp_path / "rows.parquet")

    with pytest.raises(UsageError, match=r"rows\.parquet: vector 'v'"):
        read_rows(tmp_path / "rows.parquet", VECTORS)


def test_json_of_spark_has_vectors_as_fields_and_words_for_what_is_no_number(tmp_path: Path) -> None:
    lines = (
        '{"v":{"type":1,"values":["NaN","-Infinity",2.0]}}\n'
        '{"v":{"type":0,"size":3,"indices":[1],"values":[4.0]}}\n'
        '{"v":[1,2,3]}\n{}\n'
    )
    file = tmp_path / "rows" / "part-00000-c000.json.gz"
    file.parent.mkdir()
    file.write_bytes(gzip.compress(lines.encode()))

    rows = read_rows(file.parent, VECTORS)["v"]

    np.testing.assert_array_equal(rows, [[np.nan, -np.inf, 2.0], [0, 4.0, 0], [1, 2, 3], [np.nan] * 3])


def test_a_folder_as_spark_writes_it_is_read_part_by_part(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    for hour, carrier in (("1", "UA"), ("__HIVE_DEFAULT_PARTITION__", None)):
        (folder / f"hour={hour}").mkdir(parents=True)
        pq.write_table(
            pa.table({"carrier": pa.array([carrier], pa.string()), "delay": [1.5]}),
            folder / f"hour={hour}" / "part-00000-1-c000.snappy.parquet",
        )
    (folder / "_SUCCESS").touch()
    (folder / "._SUCCESS.crc").touch()

    rows = read_rows(folder, SPECS)

    assert rows["hour"].tolist() == [[1], [NULL]]
    assert rows["carrier"].tolist() == [["UA"], ["␀"]]


def test_csv_of_spark_escapes_quotes_with_backslashes(tmp_path: Path) -> None:
    text = 'carrier,delay,hour\n"a\\"b,c",NaN,1\nC:\\x,Infinity,2\n"",-1.0E-5,3\n,,\n'
    written(tmp_path, "part-00000-1-c000.csv", text)

    rows = read_rows(tmp_path, SPECS)

    assert rows["carrier"][:, 0].tolist() == ['a"b,c', "C:\\x", "", "␀"]
    np.testing.assert_array_equal(rows["delay"][:, 0], [np.nan, np.inf, -1e-5, np.nan])
    assert rows["hour"][:, 0].tolist() == [1, 2, 3, NULL]


def test_an_empty_folder_and_one_of_two_forms_are_refused(tmp_path: Path) -> None:
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(UsageError, match="holds no file of rows"):
        read_rows(tmp_path, SPECS)
    written(tmp_path, "a.csv", "carrier,delay,hour\na,1,1\n")
    written(tmp_path, "a.json", '{"carrier": "a"}')
    with pytest.raises(UsageError, match="different forms"):
        read_rows(tmp_path, SPECS)


def test_a_file_that_is_not_there_and_a_vector_in_csv_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_rows(tmp_path / "rows.csv", SPECS)
    with pytest.raises(UsageError, match="CSV cannot hold"):
        read_rows(written(tmp_path, "rows.csv", "v\n1\n"), [TensorSpec("v", VectorType(1), True, 1)])
