"""Rows for NVIDIA's perf_analyzer, as the JSON that its --input-data reads: one step a row, in turns.

Floating numbers go as the base64 of their bytes. perf_analyzer reads decimals to within a bit or two of the double that
was meant (seen with 2.50, whose --input-data also takes the words NaN and Infinity, which are no JSON, and no null).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.types import Array, Table, TensorSpec


def perf_data(specs: Sequence[TensorSpec], rows: Table) -> bytes:
    """`specs`: the tensors as they travel, and `rows` of them."""
    steps = [{spec.name: _value(spec, rows[spec.name][row]) for spec in specs} for row in range(rows.rows)]
    lines = ",\n".join(json.dumps(step, ensure_ascii=False, allow_nan=False) for step in steps)
    return f'{{"data": [\n{lines}\n]}}\n'.encode()


def _value(spec: TensorSpec, row: Array) -> Any:
    """A row of a tensor; of an array of texts its length too, which the config leaves open."""
    if np.issubdtype(row.dtype, np.floating):
        return {"b64": base64.b64encode(np.ascontiguousarray(row).tobytes()).decode()}
    values = row.tolist()
    return {"content": values, "shape": [len(values)]} if spec.width < 0 else values
