"""A saved stage's params: defaults overlaid with what was set; remembers which names a rule read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.errors import SourceError
from builder.sparkml.vectors import dense_vector
from builder.types import Array

_SHOWN = 200  # characters of a value in a message
_NOT_FINITE = {
    "NaN": math.nan,
    "Inf": math.inf,
    "-Inf": -math.inf,
    "Infinity": math.inf,  # so inside vectors
    "-Infinity": -math.inf,
}


class Params:
    """Typed reading of `defaultParamMap` overlaid with `paramMap`.

    Non-finite numbers are saved as the strings "NaN", "Inf", "-Inf": `number` and `numbers` know. Every reader marks its
    name as read; `unread()` is what stops a conversion. Raises SourceError where a value is not of the type asked for.
    """

    def __init__(self, uid: str, defaults: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
        self._uid = uid
        self._values = {**defaults, **chosen}
        self._chosen = frozenset(chosen)
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Whether the param has a value at all, set or default. Asking counts as reading."""
        self._read.add(name)
        return self._values.get(name) is not None

    def was_set(self, name: str) -> bool:
        """Whether it was set, not left at its default. Asking counts as reading."""
        self._read.add(name)
        return name in self._chosen

    def chosen(self) -> Mapping[str, Any]:
        """What was set, as it was saved. Asking does not count as reading."""
        return {name: self._values[name] for name in self._chosen}

    def names(self) -> frozenset[str]:
        return frozenset(self._values)

    def unread(self) -> frozenset[str]:
        return self.names() - self._read

    def raw(self, name: str) -> Any:
        self._read.add(name)
        return self._values.get(name)

    def text(self, name: str) -> str:
        return self._expect(name, str)  # type: ignore[no-any-return]

    def flag(self, name: str) -> bool:
        return self._expect(name, bool)  # type: ignore[no-any-return]

    def integer(self, name: str) -> int:
        value = self._expect(name, int | float)
        if isinstance(value, bool) or not math.isfinite(value) or int(value) != value:
            raise self._wrong(name, "a whole number")
        if not -(2**63) <= value < 2**63:
            raise self._wrong(name, "a whole number of 64 bits")
        return int(value)

    def number(self, name: str) -> float:
        return self._number(name, self.raw(name))

    def numbers(self, name: str) -> Array:
        """[n] float64."""
        return np.array([self._number(name, value) for value in self._expect(name, list)], dtype=np.float64)

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._expect(name, list)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of strings")
        return tuple(values)

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns that the param names: one or a list; none where it has no value."""
        match self.raw(name):
            case None:
                return ()
            case str(column):
                return (column,) if column else ()
            case list():
                return self.texts(name)
        raise self._wrong(name, "a column's name or a list of such")

    def nested(self, name: str) -> list[list[Any]]:
        """A list of lists, such as Bucketizer's splitsArray; numbers in it as `number` reads them."""
        if not all(isinstance(inner, list) for inner in self._expect(name, list)):
            raise self._wrong(name, "a list of lists")
        return [
            [_NOT_FINITE.get(value, value) if isinstance(value, str) else value for value in inner]
            for inner in self._expect(name, list)
        ]

    def vector(self, name: str) -> Array:
        """[n] float64 from Spark's JSON vector (type 0 sparse, 1 dense)."""
        value = self._expect(name, dict)
        if not isinstance(value.get("values"), list):
            raise self._wrong(name, "a vector")
        values = np.array([self._number(name, item) for item in value["values"]], dtype=np.float64)
        if value.get("type") == 1:
            return values
        try:
            return dense_vector({"type": 0, "size": value["size"], "indices": value["indices"], "values": values})
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._wrong(name, "a vector") from error

    def _number(self, name: str, value: Any) -> float:
        if isinstance(value, str) and value in _NOT_FINITE:
            return _NOT_FINITE[value]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number")
        try:
            return float(value)
        except OverflowError as error:
            raise self._wrong(name, "a number that a double holds") from error

    def _expect(self, name: str, kind: Any) -> Any:
        value = self.raw(name)
        if not isinstance(value, kind):
            raise self._wrong(name, getattr(kind, "__name__", "a number"))
        return value

    def _wrong(self, name: str, expected: str) -> SourceError:
        value = repr(self._values.get(name))
        value = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        return SourceError(
            f"{self._uid}: param {name!r} should be {expected} and is {value}.",
            fix="copy the saved model again; its metadata was changed by hand or by another tool.",
        )
