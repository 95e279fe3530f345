"""What Spark's own classes save, as real Spark told: their params, and the columns of their data (saved.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

NEWEST = (4, 3)
"""The newest Spark that was asked; a newer one may have params that are not known here."""

_NULL = "null"
_AGAIN = "copy the saved model again; Spark itself does not load this."


@cache
def _saved() -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(Path(__file__).with_name("saved.json").read_text(encoding="utf-8"))
    return document


def unknown_params(spark_class: str, names: frozenset[str]) -> list[str]:
    """Of these names those that are no params of the class; Spark stops at the first one."""
    known = _saved()["params"].get(spark_class)
    return [] if known is None else sorted(names - set(known))


def refused_values(spark_class: str, chosen: Mapping[str, Any]) -> list[str]:
    """What is wrong with params that were set, by the validators that Spark sets them through."""
    known = _saved()["params"].get(spark_class, {})
    return [said for name, value in chosen.items() if (said := _refusal(name, value, known.get(name)))]


def _refusal(name: str, value: Any, taken: list[Any] | None) -> str:
    if taken is None:
        return ""
    if isinstance(taken[0], str):
        return "" if value in taken else f"{name} is {str(value)[:80]!r}, not one of {', '.join(taken)}"
    least, above, most = taken
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""  # of another type: whoever reads it tells
    if least is not None and (value <= least if above else value < least):
        return f"{name} is {value!r}, not {'above' if above else 'at least'} {least}"
    return f"{name} is {value!r}, above {most}" if most is not None and value > most else ""


def check_columns(spark_class: str, folder: str, table: pa.Table, where: str) -> None:
    """Raises SourceError where a column is of another type than the class saves, or holds nulls where it saves none."""
    from builder.sparkml.parquet import nulls, type_name

    known = _saved()["data"].get(spark_class, {}).get(folder, {})
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name not in known:
            continue
        types = [type for type in known[name] if not type.startswith(_NULL)]
        if type_name(column.type) not in types:
            raise SourceError(
                f"{where}: column {name!r} is {type_name(column.type)}, and Spark saves {types[0]}.", fix=_AGAIN
            )
        for path in nulls(column):
            if f"{_NULL} {path}".strip() not in known[name]:
                told = f"{name}.{path}".rstrip(".")
                raise SourceError(f"{where}: a null stands in {told!r}, where Spark saves none.", fix=_AGAIN)
