"""Where builder/graph/cuda_kernels.json comes from: the registries of onnxruntime-gpu's releases.

    python tests/house/kernels.py > 1.21.0.json      # under a Python with that onnxruntime-gpu, whose CUDA libraries load
    python -m tests.house.kernels *.json             # all of them, the oldest first: writes the file

No GPU is needed; libraries that do nothing will do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "builder" / "graph" / "cuda_kernels.json"
TYPES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float", "double", "string")
OPSETS = {"": range(13, 23), "ai.onnx.ml": range(1, 6)}
NEVER_ENDS = 2**31 - 1

Takes = dict[str, frozenset[str]]
"""Parameter of an operator's definition, or the name of an input → types."""

Line = tuple[str, int, str, Takes]
"""Operator, version of its definition, first onnxruntime, types."""


def registry() -> dict[str, Any]:
    """The CUDA kernels of the onnxruntime that is installed here."""
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_opkernel_def

    return {
        "onnxruntime": onnxruntime.__version__,
        "kernels": [
            [
                kernel.domain,
                kernel.op_name,
                *kernel.version_range,
                {k: list(t) for k, t in kernel.type_constraints.items()},
            ]
            for kernel in get_all_opkernel_def()
            if kernel.provider == "CUDAExecutionProvider" and kernel.domain in OPSETS
        ],
    }


def lines(registries: list[dict[str, Any]]) -> list[Line]:
    """Each combination of types under the first release that has it; those that differ in one parameter alone together."""
    first: dict[tuple[str, int, tuple[tuple[str, str | frozenset[str]], ...]], str] = {}
    for one in registries:
        for operator, version, takes in _kernels(one["kernels"]):
            parameter, *others = sorted(takes) or [""]
            rest = tuple((key, takes[key]) for key in others)
            for type in takes.get(parameter, ("",)):
                first.setdefault((operator, version, ((parameter, type), *rest)), one["onnxruntime"])
    order = {one["onnxruntime"]: place for place, one in enumerate(registries)}
    single: list[Line] = [
        (operator, version, release, {key: frozenset([t]) if isinstance(t, str) else t for key, t in takes if key})
        for (operator, version, takes), release in first.items()
    ]
    single.sort(key=lambda line: (line[0].count("."), *line[:2], order[line[2]], json.dumps(_told(line[3]))))
    return _joined(single)


def _kernels(kernels: list[Any]) -> Iterator[tuple[str, int, Takes]]:
    """(operator, version of the definition that the kernel is for, types)."""
    import onnx

    for domain, name, begins, ends, constraints in kernels:
        takes = {key: frozenset(map(_plain, types)) & frozenset(TYPES) for key, types in constraints.items()}
        if not all(takes.values()):
            continue
        versions = set()
        for opset in OPSETS[domain]:
            try:
                versions.add(onnx.defs.get_schema(name, opset, domain).since_version)
            except onnx.defs.SchemaError:
                continue
        for version in sorted(versions):
            if version == begins or (begins < version <= ends != NEVER_ENDS):  # as onnxruntime's registry matches
                yield f"{domain}.{name}" if domain else name, version, takes


def _joined(single: list[Line]) -> list[Line]:
    found: list[Line] = []
    for line in single:
        for place, other in enumerate(found):
            differing = [key for key in line[3] if line[3][key] != other[3].get(key)]
            if line[:3] == other[:3] and line[3].keys() == other[3].keys() and len(differing) <= 1:
                found[place] = (*other[:3], {key: types | line[3][key] for key, types in other[3].items()})
                break
        else:
            found.append(line)
    return found if len(found) == len(single) else _joined(found)


def _plain(type: str) -> str:
    return type.removeprefix("tensor(").removesuffix(")") if type.startswith("tensor(") else ""


def _told(takes: Takes) -> dict[str, str]:
    return {key: " ".join(sorted(types, key=TYPES.index)) for key, types in sorted(takes.items())}


def written(found: list[Line]) -> str:
    """A line a kernel."""
    return "[\n" + ",\n".join(json.dumps([*line[:3], _told(line[3])]) for line in found) + "\n]\n"


if __name__ == "__main__":
    if len(sys.argv) == 1:
        json.dump(registry(), sys.stdout)
    else:
        FILE.write_text(written(lines([json.loads(Path(name).read_text()) for name in sys.argv[1:]])), encoding="utf-8")
