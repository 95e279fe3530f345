"""Wide rows: hundreds of inputs `[N, 1]` cost a server more than their model. Packed, a row is up to three tensors.

| tensor | dtype | columns |
|---|---|---|
| `numbers` | FP64 | double, decimal, float, integer, short, byte, boolean, date: each fits a double exactly; null is NaN |
| `longs` | INT64 | long and timestamp, which a double does not hold above 2^53; null is their minimum |
| `texts` | BYTES | string; null is the null marker |

A vector and an array<string> are one tensor already and stay as they are; so does a column that is alone of its kind.
Of 60 columns, 40 of them longs, a row took 2.0 times as long with each long an input of its own: so they have a pack.
Columns, evidence, proof and manifest stay as they were: only what travels is other. The graph takes packs apart
(`graph/unpacking.py`), the client puts them together (`Packing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.types import Array, Pack, Scalar, ScalarName, TensorSpec

AUTOMATIC = 16
"""Inputs `[N, 1]` above which a model is packed unless its owner says otherwise: where the two cross.

`python -m benchmarks.wide 5 10 15 20 30`, embedded server, 2 cores that others used too, 1, 32 and 256 rows, gRPC and HTTP,
three runs: packed was 0.92 to 1.12 times as fast at 5 columns, 0.89 to 1.30 at 10, 0.99 to 1.32 at 15, 0.99 to 1.37 at 20,
1.18 to 1.67 at 30; at 500 5.5 times for one row. It is the upper end of where they cross, for a pack costs who asks by
hand the columns' names.
"""

CHOICES = ("auto", "always", "never")

_KINDS: Mapping[str, ScalarName] = {"numbers": "double", "longs": "long", "texts": "string"}


def planned(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], choice: str) -> tuple[Pack, ...]:
    """The packs of a model with these inputs, where `choice` (one of CHOICES) and their number want any.

    Within a pack, columns of one dtype stand together, in the order of the inputs.
    """
    scalars = [spec for spec in inputs if isinstance(spec.type, Scalar)]
    if choice == "never" or (choice == "auto" and len(scalars) <= AUTOMATIC):
        return ()
    taken = {spec.name for spec in (*inputs, *outputs)}
    packs = []
    for name, kind in _KINDS.items():
        found = sorted((spec for spec in scalars if _kind(spec) == kind), key=lambda spec: spec.dtype.str)
        if len(found) > 1:
            while name in taken:
                name += "_"
            packs.append(Pack(_spec(name, kind, found), tuple(spec.name for spec in found)))
    return tuple(packs)


def packs_from_json(told: Sequence[Mapping[str, Any]], inputs: Sequence[TensorSpec]) -> tuple[Pack, ...]:
    """What `Pack.json` told of a model with these inputs. Raises KeyError, TypeError where that is none."""
    specs = {spec.name: spec for spec in inputs}
    packs = []
    for one in told:
        columns = tuple(one["columns"])
        found = [specs[name] for name in columns]
        packs.append(Pack(_spec(one["name"], _kind(found[0]), found), columns))
    return tuple(packs)


@dataclass(frozen=True)
class Packing:
    """Puts rows together as they travel; made once for a model, called at each request. See `packing_of`."""

    packs: tuple[Pack, ...]
    markers: tuple[Array | None, ...]
    alone: tuple[str, ...]

    def __call__(self, rows: Mapping[str, Array]) -> dict[str, Array]:
        """Name → array: the packs, and the columns that are in none, whose dtypes are the caller's to look at.

        Raises KeyError where a column is missing.
        """
        found = {
            pack.spec.name: _together(rows, pack, null) for pack, null in zip(self.packs, self.markers, strict=True)
        }
        return found | {name: rows[name] for name in self.alone}


def packing_of(inputs: Sequence[TensorSpec], packs: Sequence[Pack]) -> Packing:
    specs = {spec.name: spec for spec in inputs}
    inside = {name for pack in packs for name in pack.columns}
    markers = tuple(_markers([specs[name] for name in pack.columns]) for pack in packs)
    return Packing(tuple(packs), markers, tuple(name for name in specs if name not in inside))


def _together(rows: Mapping[str, Array], pack: Pack, null: Array | None) -> Array:
    import numpy as np

    columns = [rows[name] for name in pack.columns]
    if null is None:
        return np.concatenate(columns, axis=1)
    values: Array = np.concatenate(columns, axis=1, dtype=np.float64)
    values[values == null] = np.nan
    return values


def _markers(specs: Sequence[TensorSpec]) -> Array | None:
    """[1, n] of a pack of numbers: what stands for null in each column, NaN where that is no number; else None."""
    import numpy as np

    if _kind(specs[0]) != "double":
        return None
    return np.array([[spec.null if spec.nullable else np.nan for spec in specs]], np.float64)


def _kind(spec: TensorSpec) -> ScalarName:
    match spec.dtype.name:
        case "int64":
            return "long"
        case "object":
            return "string"
    return "double"


def _spec(name: str, kind: ScalarName, found: Sequence[TensorSpec]) -> TensorSpec:
    nullable = any(spec.nullable for spec in found)
    return TensorSpec(name, Scalar(kind), nullable, len(found), found[0].null_text)
