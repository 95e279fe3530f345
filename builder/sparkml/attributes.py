"""ML attributes: what a DataFrame column knows of itself (numeric, nominal, binary; names; values).

Source: ml/attribute/attributes.scala and AttributeGroup.scala (Spark 4.0.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

_MOST_SLOTS = 1 << 24


@dataclass(frozen=True)
class Attribute:
    """One scalar column's, or one vector slot's, attribute. `values` are a nominal's or binary's category names; a fitted one may be null."""

    kind: Literal["numeric", "nominal", "binary", "unresolved"]
    name: str | None = None
    values: tuple[str | None, ...] | None = None
    num_values: int | None = None

    def named(self, name: str) -> Attribute:
        return replace(self, name=name)

    @property
    def categories(self) -> int | None:
        """NominalAttribute.getNumValues: how many categories, where it is known."""
        return self.num_values if self.num_values is not None else len(self.values) if self.values else None


NUMERIC = Attribute("numeric")
UNRESOLVED = Attribute("unresolved")


def scalar_attribute(metadata: Mapping[str, Any], name: str) -> Attribute:
    """Attribute.decodeStructField: a field without `ml_attr` is unresolved; one without a type is numeric.

    It keeps the name that it was saved with; one without is called as its column.
    """
    saved = _group(metadata)
    if saved is None:
        return UNRESOLVED
    attribute = _attribute(saved)
    return attribute if attribute.name is not None else attribute.named(name)


def vector_attributes(metadata: Mapping[str, Any]) -> tuple[Attribute, ...] | None:
    """AttributeGroup.fromStructField: one attribute a slot, or None where the column tells none."""
    saved = _group(metadata) or {}
    groups = saved.get("attrs")
    if groups is None:
        return None
    entries = [
        {"type": kind, **_object(entry)}
        for kind in ("numeric", "nominal", "binary")
        for entry in _list(_object(groups).get(kind, []))
    ]
    slots = {_count(entry.get("idx")): _attribute(entry) for entry in entries}
    return tuple(slots.get(index, NUMERIC) for index in range(_count(saved.get("num_attrs", len(slots)))))


def vector_width(metadata: Mapping[str, Any]) -> int | None:
    """AttributeGroup.size: how many slots the column says it has."""
    width = (_group(metadata) or {}).get("num_attrs")
    return None if width is None else _count(width)


def _group(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    saved = metadata.get("ml_attr")
    return None if saved is None else _object(saved)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:80]!r} stands where an object should")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{str(value)[:80]!r} stands where a list should")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_SLOTS:
        raise ValueError(f"{str(value)[:80]!r} is not a number of slots")
    return value


def _attribute(saved: Mapping[str, Any]) -> Attribute:
    values, kind, name = saved.get("vals"), saved.get("type", "numeric"), saved.get("name")
    if kind not in ("numeric", "nominal", "binary", "unresolved"):
        raise ValueError(f"{str(kind)[:80]!r} is not a type of attribute")
    if name is not None and not isinstance(name, str):
        raise ValueError(f"{str(name)[:80]!r} is not a name")
    if values is not None and not all(isinstance(value, str) for value in _list(values)):
        raise ValueError("vals are not texts")
    count = saved.get("num_vals")
    return Attribute(kind, name, None if values is None else tuple(values), None if count is None else _count(count))
