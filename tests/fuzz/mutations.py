"""Ways to spoil one file of a saved model. Each is drawn by the seed it is given, and tells what it did."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Mutation = Callable[[random.Random, Path], None]
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, -0.0, float("nan"), float("inf"), "", "x", "NaN", "\ud800", "a\x00b",
    "日本", [], {}, [[]], [None], {"type": 1}, "1e999", [1, "a"],
)  # fmt: skip

_TYPES = (
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64(), pa.float32(), pa.float64(),
    pa.string(), pa.bool_(),
)  # fmt: skip


def apply(number: int, seed: int, folder: Path, pattern: str = "*") -> tuple[str, str]:
    """(mutation, file): the mutant of this number, made in place, of a file that the pattern tells."""
    draw = random.Random(f"{seed}:{number}")
    files = sorted(path for path in folder.rglob(pattern) if path.is_file() and path.name != "_SUCCESS")
    path = draw.choice(files)
    mutation = drawn(draw, path)
    mutation(draw, path)
    return mutation.__name__, str(path.relative_to(folder))


def drawn(draw: random.Random, path: Path) -> Mutation:
    """One that suits the file."""
    return draw.choice([*_ANY, *_of(path) * 2])


def _of(path: Path) -> list[Mutation]:
    if path.name == "evidence.parquet":
        return [*_PARQUET, head_changed, head_changed]
    if path.suffix == ".parquet":
        return _PARQUET
    if path.name == "MLmodel":
        return _YAML
    try:
        json.loads(path.read_text())
    except ValueError:
        return [word_changed]
    return _JSON


def flipped(draw: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 4, 32)) if data else 0):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def truncated(draw: random.Random, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data) + 1)])


def repeated(draw: random.Random, path: Path) -> None:
    data = path.read_bytes()
    at = draw.randrange(len(data) + 1)
    path.write_bytes(data[:at] * draw.choice((2, 50)) + data[at:])


def removed(draw: random.Random, path: Path) -> None:
    path.unlink()


def linked(draw: random.Random, path: Path) -> None:
    """To itself, to nothing, to its own folder, or to an endless file."""
    path.unlink()
    path.symlink_to(draw.choice((path.name, "nowhere", "..", "/dev/zero", "/dev/null")))


def piped(draw: random.Random, path: Path) -> None:
    if path.name == "schema.json":  # given by name, it may be a pipe: --schema <(...)
        return
    path.unlink()
    os.mkfifo(path)


def made_folder(draw: random.Random, path: Path) -> None:
    path.unlink()
    path.mkdir()


def doubled(draw: random.Random, path: Path) -> None:
    shutil.copy(path, path.with_name(path.name.replace("part-00000", "part-00001", 1) + ""  # a second part, or the same
                                     if "part-00000" in path.name else f"part-{path.name}"))  # fmt: skip


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _edited(path: Path, draw: random.Random, edit: Callable[[Any, Any], None]) -> None:
    value = json.loads(path.read_text())
    places = list(_places(value))
    if places:
        edit(*draw.choice(places))
    path.write_text(json.dumps(value))


def type_changed(draw: random.Random, path: Path) -> None:
    _edited(path, draw, lambda holder, key: holder.__setitem__(key, draw.choice(STRANGE)))


def key_missing(draw: random.Random, path: Path) -> None:
    _edited(path, draw, lambda holder, key: holder.__delitem__(key))


def number_changed(draw: random.Random, path: Path) -> None:
    value = json.loads(path.read_text())
    places = [(h, k) for h, k in _places(value) if isinstance(h[k], int | float | str)]
    if places:
        holder, key = draw.choice(places)
        old = holder[key]
        holder[key] = (not old if isinstance(old, bool) else old + draw.choice((1, -1, 0.5)) if not isinstance(old, str)
                       else draw.choice((old[:-1], old + "1", old.upper(), old.swapcase())))  # fmt: skip
    path.write_text(json.dumps(value))


def deep(draw: random.Random, path: Path) -> None:
    value, depth = json.loads(path.read_text()), draw.choice((50, 900, 100_000))
    places = list(_places(value))
    if places:
        holder, key = draw.choice(places)
        holder[key] = "@deep@"
    path.write_text(json.dumps(value).replace('"@deep@"', "[" * depth + "]" * depth))


def huge(draw: random.Random, path: Path) -> None:
    """A list, a text or a number that goes on and on."""
    long = draw.choice(([0] * 1_000_000, "x" * 5_000_000, 10**4000, [{"a": []}] * 100_000))
    _edited(path, draw, lambda holder, key: holder.__setitem__(key, long))


def _table(draw: random.Random, path: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.ParquetFile(path).read()
    try:
        changed = edit(table)
        pq.write_table(changed, path)
    except (pa.ArrowException, OverflowError):  # no Parquet file can hold what was drawn
        pq.write_table(table.slice(0, table.num_rows // 2), path)


def column_missing(draw: random.Random, path: Path) -> None:
    _table(
        draw, path, lambda table: table.drop_columns([draw.choice(table.column_names)]) if table.num_columns else table
    )


def rows_missing(draw: random.Random, path: Path) -> None:
    _table(draw, path, lambda table: table.slice(0, draw.randrange(table.num_rows + 1)))


def rows_doubled(draw: random.Random, path: Path) -> None:
    _table(draw, path, lambda table: pa.concat_tables([table] * draw.choice((2, 3))))


def column_of_another_type(draw: random.Random, path: Path) -> None:
    def edit(table: pa.Table) -> pa.Table:
        at = draw.randrange(table.num_columns)
        values = draw.choice(
            (pa.nulls(table.num_rows), pa.array(["x"] * table.num_rows), pa.array([2**62] * table.num_rows))
        )
        return table.set_column(at, table.column_names[at], values)

    _table(draw, path, edit)


def cell_changed(draw: random.Random, path: Path) -> None:
    """A value inside of a row, as deep as it lies: null, huge, negative, or a list of another length."""

    def edit(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        places = [(holder, key) for holder, key in _places(rows) if not isinstance(holder[key], dict)]
        if not places:
            return table
        holder, key = draw.choice(places)
        holder[key] = _other(draw, holder[key])
        return pa.Table.from_pylist([row for row in rows if row is not None], schema=table.schema)

    _table(draw, path, edit)


def _other(draw: random.Random, old: Any) -> Any:
    if isinstance(old, list):
        return draw.choice((old[:-1], old + old[-1:], [], None))
    if isinstance(old, float):
        return draw.choice((float("nan"), float("inf"), -old, old + 1.0, 1e308, None))
    if isinstance(old, int):
        return draw.choice((-1, old + 1, 2**31 - 1, 127, 0, None))
    return draw.choice((None, "", "x"))


def bomb(draw: random.Random, path: Path) -> None:
    """A few kilobytes that are many gigabytes once read."""
    table = pq.ParquetFile(path).read()
    one = table.slice(0, 1)
    for rows in (5_000_000, 50_000) if table.num_rows else ():
        try:
            pq.write_table(one.take(pa.array([0] * rows)), path, compression="zstd")
            return
        except pa.ArrowException:  # more than two gigabytes of text in one column
            continue


def aliased(draw: random.Random, path: Path) -> None:
    """YAML whose aliases double at each level."""
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, draw.choice((5, 40)))]
    path.write_text(path.read_text() + "\n".join(lines) + "\n")


def cyclic(draw: random.Random, path: Path) -> None:
    path.write_text(path.read_text() + "metadata: &m\n  again: *m\n")


def value_replaced(draw: random.Random, path: Path) -> None:
    lines = path.read_text().splitlines()
    at = draw.randrange(len(lines))
    lines[at] = (
        lines[at].split(":")[0]
        + ": "
        + draw.choice(("[]", "{}", "1", "null", "../..", "!!python/name:os.system", "2026-01-01", "[" * 5000))
    )
    path.write_text("\n".join(lines) + "\n")


def inside_changed(draw: random.Random, path: Path) -> None:
    """A column, or what it holds, of another type, in another order, with a null, or one value else."""

    def edit(table: pa.Table) -> pa.Table:
        at = draw.randrange(table.num_columns)
        kind = draw.choice(("type", "null", "order", "value"))
        return table.set_column(at, table.column_names[at], _spoilt(table.column(at).combine_chunks(), kind, draw))

    _table(draw, path, edit)


def _spoilt(array: Any, kind: str, draw: random.Random) -> Any:
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if pa.types.is_struct(array.type) and draw.random() < 0.9:
        inner, names = list(array.flatten()), [field.name for field in array.type]
        at = draw.randrange(len(inner))
        inner[at] = _spoilt(inner[at], kind, draw)
        return pa.StructArray.from_arrays(inner, names=names)
    if pa.types.is_list(array.type) and draw.random() < 0.8:
        return pa.ListArray.from_arrays(array.offsets, _spoilt(array.values, kind, draw))
    if not len(array):
        return array
    if pa.types.is_map(array.type):  # pyarrow ends the process over most that could be done to one
        return array.take(pa.array(draw.sample(range(len(array)), len(array))))
    if kind == "type":
        try:
            return array.cast(draw.choice(_TYPES), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return pa.array([str(value) for value in array.to_pylist()])
    if kind == "order":
        return array.take(pa.array(draw.sample(range(len(array)), len(array))))
    values, at = array.to_pylist(), draw.randrange(len(array))
    values[at] = None if kind == "null" else _other(draw, values[at])
    return pa.array(values, array.type)


def key_renamed(draw: random.Random, path: Path) -> None:
    """A key spelt otherwise, doubled, or beside one that its class does not have."""
    value = json.loads(path.read_text())
    places = [(holder, key) for holder, key in _places(value) if isinstance(holder, dict)]
    if not places:
        return
    holder, key = draw.choice(places)
    match draw.randrange(3):
        case 0:
            holder[draw.choice((key.upper(), f"{key}s", ""))] = holder.pop(key)
        case 1:
            holder[draw.choice(("outputCols", "handleInvalid", "unheardOf"))] = draw.choice(STRANGE[:20])
    text = json.dumps(value)
    if draw.random() < 0.3:
        text = text.replace(f'"{key}": ', f'"{key}": 1, "{key}": ', 1)
    path.write_text(text)


def number_of_text(draw: random.Random, path: Path) -> None:
    """What JSON may not hold, or only just: 1e999, a leading zero, five thousand digits."""
    value = json.loads(path.read_text())
    places = list(_places(value))
    if places:
        holder, key = draw.choice(places)
        holder[key] = "@number@"
    number = draw.choice(("1" * 5_000, "1e999", "-1e999", "NaN", "Infinity", "1e-400", "0x10", "01", "-", "1.5.5"))
    path.write_text(json.dumps(value).replace('"@number@"', number))


def value_copied(draw: random.Random, path: Path) -> None:
    """A value of another place of the document."""
    value = json.loads(path.read_text())
    places = list(_places(value))
    if places:
        (holder, key), (other, name) = draw.choice(places), draw.choice(places)
        holder[key] = json.loads(json.dumps(other[name]))
    path.write_text(json.dumps(value))


def exchanged(draw: random.Random, path: Path) -> None:
    """Another file of the model in its place."""
    root = next(parent for parent in path.parents if parent.name.startswith("fuzz-"))
    path.write_bytes(draw.choice(sorted(other for other in root.rglob("*") if other.is_file())).read_bytes())


def word_changed(draw: random.Random, path: Path) -> None:
    """A number or word of a booster's text."""
    words = path.read_bytes().split(b" ")
    words[draw.randrange(len(words))] = draw.choice(
        (b"-1", b"0", b"99999999999999999999", b"nan", b"inf", b"1e400", b"", b"x", words[0])
    )
    path.write_bytes(b" ".join(words))


def head_changed(draw: random.Random, path: Path) -> None:
    """The document in an evidence file's metadata, spoilt as any JSON is."""
    table = pq.ParquetFile(path).read()
    document = path.with_suffix(".json")
    document.write_bytes(table.schema.metadata[b"tritonbuild"])
    draw.choice(_JSON)(draw, document)
    pq.write_table(table.replace_schema_metadata({b"tritonbuild": document.read_bytes()}), path)
    document.unlink()


_ANY: list[Mutation] = [flipped, truncated, repeated, removed, linked, piped, made_folder, doubled, exchanged]
_JSON: list[Mutation] = [
    type_changed, type_changed, key_missing, key_renamed, number_changed, number_changed, number_of_text, value_copied, deep, huge,
]  # fmt: skip
_PARQUET: list[Mutation] = [
    column_missing, rows_missing, rows_doubled, column_of_another_type, cell_changed, cell_changed, inside_changed, inside_changed, bomb,
]  # fmt: skip
_YAML: list[Mutation] = [aliased, cyclic, value_replaced, value_replaced]
