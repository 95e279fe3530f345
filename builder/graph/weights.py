"""Constants that are too large for the model's own file: ONNX external data, a file a constant, beside model.onnx."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import TensorProto

from builder.types import Array

SUFFIX = ".weights"
_TOGETHER = 1 << 30  # bytes in one file: protobuf ends at 2 GiB, and a serialised model stands in memory twice
_ALONE = 1 << 20


def add_initializers(model: onnx.ModelProto, tables: Mapping[str, Array]) -> dict[str, Array]:
    """Put the tables in: into the file where it stays below 1 GiB, else beside it those above 1 MiB, which come back."""
    outside = sum(table.nbytes for table in tables.values()) > _TOGETHER
    beside = {name: table for name, table in tables.items() if outside and table.nbytes > _ALONE}
    for name, table in tables.items():
        if name in beside:
            model.graph.initializer.append(_reference(name, table))
        else:
            model.graph.initializer.append(onnx.numpy_helper.from_array(table, name))
    return beside


def files_of(weights: Mapping[str, Array]) -> dict[str, memoryview]:
    """File name -> content, which is the arrays' own memory."""
    return {name + SUFFIX: array.data.cast("B") for name, array in weights.items()}


def _reference(name: str, table: Array) -> TensorProto:
    assert table.flags.c_contiguous, f"{name} is not laid out as its file must be"
    kind = onnx.helper.np_dtype_to_tensor_dtype(table.dtype)
    tensor = TensorProto(name=name, data_type=kind, dims=table.shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", name + SUFFIX), ("offset", "0"), ("length", str(table.nbytes))):
        tensor.external_data.add(key=key, value=value)
    return tensor
