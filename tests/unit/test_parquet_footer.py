"""What a Parquet file claims to hold, as pyarrow tells it of files that are whole; and an error of every other one."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.sparkml.parquet_footer import row_groups

ROWS = 5_000
STRUCT = pa.struct({"a": pa.int8(), "b": pa.string()})
TABLE = pa.table(
    {
        "number": pa.array(range(ROWS), pa.int64()),
        "text": pa.array([f"{row % 7}" * (row % 11) for row in range(ROWS)]),
        "list": pa.array([[1.5] * (row % 5) if row % 3 else None for row in range(ROWS)], pa.list_(pa.float64())),
        "struct": pa.array([{"a": row % 100, "b": None} for row in range(ROWS)], STRUCT),
    }
)


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("group", [100, ROWS])
@pytest.mark.parametrize("version", ["1.0", "2.6"])
def test_it_tells_what_pyarrow_tells(tmp_path: Path, codec: str, group: int, version: str) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(TABLE, file, compression=codec, row_group_size=group, version=version, write_page_index=group == 100)

    found = row_groups(file)

    metadata = pq.ParquetFile(file).metadata
    assert len(found) == metadata.num_row_groups
    for number, one in enumerate(found):
        told = metadata.row_group(number)
        columns = [told.column(at) for at in range(told.num_columns)]
        assert one.rows == told.num_rows
        assert one.values == tuple(column.num_values for column in columns)
        assert one.uncompressed == tuple(column.total_uncompressed_size for column in columns)


def test_a_file_without_rows_has_no_groups(tmp_path: Path) -> None:
    pq.write_table(TABLE.slice(0, 0), tmp_path / "x.parquet")

    assert sum(group.rows for group in row_groups(tmp_path / "x.parquet")) == 0


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1PAR1", b"PAR1\xff\xff\xff\xffPAR1", b"PAR1\x00\x00\x00\x00PAR1"]
)
def test_what_is_no_parquet_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)

    with pytest.raises(ValueError, match=r"too short|does not end as|damaged"):
        row_groups(tmp_path / "x.parquet")


def test_a_spoilt_footer_is_read_or_is_an_error_of_one_kind(tmp_path: Path) -> None:
    """Bits flipped, bytes cut out or doubled, in the footer alone."""
    file = tmp_path / "x.parquet"
    pq.write_table(TABLE.slice(0, 50), file)
    whole = file.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    draw, refused = random.Random(7), 0
    for _ in range(3_000):
        footer = bytearray(whole[-8 - length : -8])
        for _ in range(draw.choice((1, 1, 3, 30))):
            footer[draw.randrange(len(footer))] ^= 1 << draw.randrange(8)
        at = draw.randrange(len(footer))
        footer[at : at + draw.choice((0, 0, 1, 40))] = footer[at : at + draw.choice((0, 0, 1, 40))]
        file.write_bytes(whole[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
        try:
            row_groups(file)
        except ValueError:
            refused += 1
    assert 0 < refused < 3_000


def test_a_footer_keeps_nothing_that_is_not_wanted_and_has_a_bound(tmp_path: Path) -> None:
    """A million empty structs in a field that nobody knows; and more bytes than any honest footer has."""
    file = tmp_path / "x.parquet"
    for count, told in ((1_000_000, "damaged"), (5_000_000, "bytes")):
        size = bytes((count >> shift & 0x7F) | (0x80 if shift < 21 else 0) for shift in (0, 7, 14, 21))
        footer = b"\x09\xc8\x01\xfc" + size + bytes(count) + b"\x00"
        file.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=told):
                row_groups(file)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()
