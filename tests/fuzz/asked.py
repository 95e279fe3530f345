"""The models that the request fuzzer asks, what a right request to them has, and values that it never has."""

from __future__ import annotations

import copy
import random
from typing import Any

MODELS: dict[str, tuple[tuple[str, str, list[int]], ...]] = {
    "carriers": (("carrier", "BYTES", [1, 1]), ("x", "FP64", [1, 1])),
    "text": (("text", "BYTES", [1, 1]),),
    "words": (("words", "BYTES", [1, 3]),),
    "picks": (("place", "INT64", [1, 1]),),
}
"""Name → its inputs: name, datatype, shape."""

VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**63), 2**64, 1e308, "", "1", "NaN", "␀", "\0", "\ud800", "a" * 9000,
    [], [[]], {}, {"a": {}}, [None], ["a", 1, None], [[1, [2]]], float("nan"), float("inf"),
]  # fmt: skip


def tensor(r: random.Random, spec: tuple[str, str, list[int]]) -> dict[str, Any]:
    """One input as JSON has it."""
    name, kind, shape = spec
    count = shape[0] * shape[1]
    texts = ["UA", "ß", "日本", "", "x"]
    data = [r.choice(texts) if kind == "BYTES" else r.randrange(4) for _ in range(count)]
    return {"name": name, "shape": list(shape), "datatype": kind, "data": data}


def mutated(r: random.Random, told: Any, values: list[Any]) -> Any:
    """A copy with one place changed: another value, a key less, one more, or one twice."""
    told = copy.deepcopy(told)
    here = told
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return told
        key = r.choice(keys)
        inner = here[key]
        if isinstance(inner, (dict, list)) and inner and r.random() < 0.7:
            here = inner
            continue
        match r.randrange(4):
            case 0:
                del here[key]
            case 1 if isinstance(here, dict):
                here[r.choice(["", "nameless", "shape", "parameters", "x" * 300])] = r.choice(values)
            case 2 if isinstance(here, list):
                here += [copy.deepcopy(inner)] * r.choice([1, 50])
            case _:
                here[key] = r.choice(values)
        return told
