"""ML attributes: what a DataFrame column knows of itself (numeric, nominal, binary; names; values).

Source: ml/attribute/attributes.scala and AttributeGroup.scala (Spark 4.0.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Attribute:
    """One scalar column's, or one vector slot's, attribute. `values` are a nominal's or binary's category names."""

    kind: Literal["numeric", "nominal", "binary", "unresolved"]
    name: str | None = None
    values: tuple[str, ...] | None = None
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
    saved = metadata.get("ml_attr")
    if saved is None:
        return UNRESOLVED
    attribute = _attribute(saved)
    return attribute if attribute.name is not None else attribute.named(name)


def vector_attributes(metadata: Mapping[str, Any]) -> tuple[Attribute, ...] | None:
    """AttributeGroup.fromStructField: one attribute a slot, or None where the column tells none."""
    saved = metadata.get("ml_attr") or {}
    groups = saved.get("attrs")
    if groups is None:
        return None
    slots = {
        int(entry["idx"]): _attribute({"type": kind, **entry})
        for kind in ("numeric", "nominal", "binary")
        for entry in groups.get(kind, [])
    }
    return tuple(slots.get(index, NUMERIC) for index in range(int(saved.get("num_attrs", len(slots)))))


def vector_width(metadata: Mapping[str, Any]) -> int | None:
    """AttributeGroup.size: how many slots the column says it has."""
    width = (metadata.get("ml_attr") or {}).get("num_attrs")
    return None if width is None else int(width)


def _attribute(saved: Mapping[str, Any]) -> Attribute:
    values = saved.get("vals")
    return Attribute(
        saved.get("type", "numeric"),
        saved.get("name"),
        None if values is None else tuple(values),
        saved.get("num_vals"),
    )
