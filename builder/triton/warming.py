"""What a fresh instance of a model answers before Triton calls it ready: rows of the evidence, or zeros."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.triton.layout import WARMUP
from builder.types import Array, Table, TensorSpec


def samples(specs: Sequence[TensorSpec], rows: Table) -> tuple[list[Any], dict[str, bytes]]:
    """A ModelWarmup a row, and the files that they name, below the model's folder.

    A file is named by its content: the config of one version never reads another's rows.
    """
    from tritonclient.grpc import model_config_pb2 as proto

    found, files = [], dict[str, bytes]()
    for row in range(rows.rows):
        sample = proto.ModelWarmup(name=f"row {row + 1} of the evidence", batch_size=1)
        for spec in specs:
            value = rows[spec.name][row : row + 1]
            content = _bytes(value)
            name = hashlib.sha256(content).hexdigest()[:16]
            files[f"{WARMUP}/{name}"] = content
            sample.inputs[spec.name].CopyFrom(_input(spec, value.shape[1], input_data_file=name))
        found.append(sample)
    return found, files


def zeros(specs: Sequence[TensorSpec]) -> list[Any]:
    """One row of zeros and empty strings, where there is no evidence."""
    from tritonclient.grpc import model_config_pb2 as proto

    sample = proto.ModelWarmup(name="zeros: there is no evidence", batch_size=1)
    for spec in specs:
        sample.inputs[spec.name].CopyFrom(_input(spec, max(spec.width, 1), zero_data=True))
    return [sample]


def _input(spec: TensorSpec, width: int, **given: Any) -> Any:
    from tritonclient.grpc import model_config_pb2 as proto

    kind = "TYPE_STRING" if spec.triton == "BYTES" else f"TYPE_{spec.triton}"
    return proto.ModelWarmup.Input(data_type=kind, dims=[width], **given)


def _bytes(value: Array) -> bytes:
    """As the tensor travels."""
    from tritonclient.utils import serialize_byte_tensor

    if value.dtype != np.object_:
        return np.ascontiguousarray(value).tobytes()
    encoded = np.array([text.encode() for text in value.reshape(-1)], dtype=np.object_)
    return bytes(serialize_byte_tensor(encoded).item())
