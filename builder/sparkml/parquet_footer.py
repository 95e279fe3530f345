"""What a Parquet file claims to hold, read from its footer: Thrift's compact protocol, as parquet-format describes both.

pyarrow can tell it too, but ends the whole process over some footers: an exception of the C++ library comes out of a
function that lets none through (`RowGroupMetaData.column`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_Wanted = Mapping[int, "_Wanted"]  # id of a field → what is wanted of it
_MAGIC = b"PAR1"
_TAIL = 8  # bytes: the footer's length, the magic
_ROW_GROUPS, _COLUMNS, _NUM_ROWS, _META_DATA, _NUM_VALUES, _UNCOMPRESSED = 4, 1, 3, 3, 5, 6  # ids of fields
_WANTED: _Wanted = {_ROW_GROUPS: {_COLUMNS: {_META_DATA: {_NUM_VALUES: {}, _UNCOMPRESSED: {}}}, _NUM_ROWS: {}}}
_LARGEST = 1 << 22  # bytes of a footer: some 20,000 columns
_TRUE, _FALSE = 1, 2  # types, whose value stands in the field's head
_DEEPEST = 16  # parquet-format's own structs are 6 deep


class Group(NamedTuple):
    """A row group: `values` and `uncompressed` bytes of each of its columns."""

    rows: int
    values: tuple[int, ...]
    uncompressed: tuple[int, ...]


def row_groups(file: Path) -> list[Group]:
    """Raises ValueError where the file has no such footer, or one without a number that every footer has."""
    try:
        found = _Compact(_footer(file)).struct(_WANTED)
        return [_group(one) for one in found[_ROW_GROUPS]]
    except (LookupError, TypeError) as error:
        raise ValueError(f"its footer is damaged: {type(error).__name__} {error}") from error


def _footer(file: Path) -> bytes:
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        if size < len(_MAGIC) + _TAIL:
            raise ValueError("it is too short")
        opened.seek(size - _TAIL)
        tail = opened.read(_TAIL)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size - len(_MAGIC) - _TAIL:
            raise ValueError("it does not end as a Parquet file does")
        if length > _LARGEST:
            raise ValueError(f"its footer has {length:,} bytes")
        opened.seek(size - _TAIL - length)
        return opened.read(length)


def _group(fields: dict[int, Any]) -> Group:
    chunks = [chunk[_META_DATA] for chunk in fields[_COLUMNS]]
    group = Group(
        fields[_NUM_ROWS],
        tuple(chunk[_NUM_VALUES] for chunk in chunks),
        tuple(chunk[_UNCOMPRESSED] for chunk in chunks),
    )
    if any(number < 0 for number in (group.rows, *group.values, *group.uncompressed)):
        raise ValueError("it has a negative number of values")
    return group


class _Compact:
    """Reads values one after the other, and keeps what is wanted: a footer may hold millions of others.

    Structs become dicts by field id; a type that parquet-format has not is an error.
    """

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def struct(self, wanted: _Wanted | None, depth: int = 0) -> dict[int, Any]:
        """None: nothing of it is."""
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deep")
        fields: dict[int, Any] = {}
        for id, type in self._fields():
            inner = None if wanted is None else wanted.get(id)
            value = None if type in (_TRUE, _FALSE) else self._value(type, inner, depth)
            if inner is not None:
                fields[id] = value
        return fields

    def _fields(self) -> Iterator[tuple[int, int]]:
        id = 0
        while head := self._byte():
            step, type = head >> 4, head & 0x0F
            id = id + step if step else self._whole()
            yield id, type

    def _value(self, type: int, wanted: _Wanted | None, depth: int) -> Any:
        match type:
            case 3:  # a byte
                return self._byte()
            case 4 | 5 | 6:  # 16, 32, 64 bits
                return self._whole()
            case 7:  # a double
                return self._skip(8)
            case 8:  # bytes, text
                return self._skip(self._varint())
            case 9 | 10:  # a list, a set
                return self._list(wanted, depth + 1)
            case 12:  # a struct
                return self.struct(wanted, depth + 1)
        raise ValueError(f"its footer has a field of type {type}")

    def _list(self, wanted: _Wanted | None, depth: int) -> list[Any]:
        """Within one, true and false take a byte."""
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deep")
        head = self._byte()
        count, type = head >> 4, head & 0x0F
        values = []
        for _ in range(self._varint() if count == 15 else count):
            value = self._byte() if type in (_TRUE, _FALSE) else self._value(type, wanted, depth)
            if wanted is not None:
                values.append(value)
        return values

    def _byte(self) -> int:
        value = self._content[self._at]
        self._at += 1
        return value

    def _skip(self, count: int) -> None:
        if count > len(self._content) - self._at:
            raise ValueError("its footer is cut short")
        self._at += count

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise ValueError("its footer has a number of more than 64 bits")

    def _whole(self) -> int:
        """Zigzag."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
