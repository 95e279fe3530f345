"""A Servable → its config.pbtxt, complete, so that the server may run with auto-complete off.

Written through Triton's own proto, section by section, each under a comment that says why it is there. What a client
must know and Triton has no field for (types, null markers, reasons of `invalid`, provenance) travels in `parameters`
under `tritonbuild.`; the server hands it to whoever asks for the model's config.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from builder.errors import UsageError
from builder.types import Servable, TensorSpec, TextArray

PREFIX = "tritonbuild."
"""What begins each parameter that is ours; the onnxruntime backend ignores names that it does not know."""

_OURS = ("inputs", "outputs", "invalid")
_TYPES = {"BYTES": "TYPE_STRING"}


@dataclass(frozen=True)
class Settings:
    """How Triton shall run a model.

    Units: `max_queue_delay_us` microseconds. `intra_op_threads` and `inter_op_threads`: onnxruntime's, a session.
    Raises UsageError where a number makes no sense.
    """

    # A 1,000-tree, ten-class forest holds [rows, trees, classes] doubles: 82 MB at 1,024 rows. One thread is busy long before.
    max_batch_size: int = 1024
    # Requests that come while the model is busy are joined anyway; to wait for more costs each lone request that time.
    max_queue_delay_us: int = 0
    instances: int = 1
    # The backend's default is a thread a core for each session: two models on a machine would fight for its cores.
    intra_op_threads: int = 1
    inter_op_threads: int = 1

    def __post_init__(self) -> None:
        least = {
            "max_batch_size": 1,
            "max_queue_delay_us": 0,
            "instances": 1,
            "intra_op_threads": 1,
            "inter_op_threads": 1,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UsageError(f"{name} is {getattr(self, name)}.", fix=f"give {low} or more.")


def write_config(servable: Servable, name: str, settings: Settings, provenance: Mapping[str, str]) -> str:
    """The text of config.pbtxt for the model `name`.

    `provenance` becomes one parameter a key (`tritonbuild.source`, `tritonbuild.unproven`, …).
    Raises UsageError where a provenance key is one of `inputs`, `outputs`, `invalid`.
    """
    from google.protobuf import text_format

    head = f"{name}: written by tritonbuild. Edit freely: only publishing this model again writes this file again."
    parts = [_comment(head)]
    for comment, section in _sections(servable, name, settings, provenance):
        parts.append(_comment(comment) + text_format.MessageToString(section, as_utf8=True))
    return "\n".join(parts)


def spec_json(spec: TensorSpec) -> dict[str, Any]:
    """A tensor as `parameters` publish it: the spec, its Triton type and what stands for null (text; NaN as `"NaN"`)."""
    return spec.json() | {"triton": spec.triton} | ({"null": _null_text(spec)} if spec.nullable else {})


def _sections(
    servable: Servable, name: str, settings: Settings, provenance: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    """(comment, a ModelConfig that holds that section alone), in the order of the file."""
    from tritonclient.grpc import model_config_pb2 as proto

    yield (
        "Served by NVIDIA's C++ onnxruntime backend, or by tritonbuild's embedded server, from these same files.",
        proto.ModelConfig(name=name, backend="onnxruntime", default_model_filename="model.onnx"),
    )
    policy = proto.ModelVersionPolicy(latest=proto.ModelVersionPolicy.Latest(num_versions=1))
    yield "The highest version answers.", proto.ModelConfig(version_policy=policy)
    yield (
        "Rows a request, and rows that Triton may join into one run. A run's memory grows with it.",
        proto.ModelConfig(max_batch_size=settings.max_batch_size),
    )
    batching = proto.ModelDynamicBatching(max_queue_delay_microseconds=settings.max_queue_delay_us)
    yield (
        "Joins what waits while the model is busy. A delay above 0 makes lone requests wait for company.",
        proto.ModelConfig(dynamic_batching=batching),
    )
    group = proto.ModelInstanceGroup(kind=proto.ModelInstanceGroup.KIND_CPU, count=settings.instances)
    yield "Each instance holds the whole model in memory.", proto.ModelConfig(instance_group=[group])
    yield "Inputs. Rows are the first dimension, which Triton does not want written.", proto.ModelConfig()
    for spec in servable.inputs:
        yield _meaning(spec), proto.ModelConfig(input=[_tensor(proto.ModelInput, spec)])
    yield (
        "Outputs. invalid: 0 = fine, k = Spark would stop at this row, -k = Spark would drop it; why: tritonbuild.invalid.",
        proto.ModelConfig(),
    )
    for spec in servable.outputs:
        yield _meaning(spec), proto.ModelConfig(output=[_tensor(proto.ModelOutput, spec)])
    threads = {"intra_op_thread_count": settings.intra_op_threads, "inter_op_thread_count": settings.inter_op_threads}
    yield (
        "onnxruntime's threads a session; more instances, not more threads, serve more requests.",
        _parameters({key: str(value) for key, value in threads.items()}),
    )
    yield "What clients read: the tensors' Spark types and nulls, why rows are invalid.", _parameters(_ours(servable))
    taken = sorted(set(provenance) & set(_OURS))
    if taken:
        raise UsageError(f"provenance may not be named {', '.join(taken)}.", fix="choose another name.")
    if provenance:
        yield "Where this model comes from.", _parameters({PREFIX + key: value for key, value in provenance.items()})


def _ours(servable: Servable) -> dict[str, str]:
    documents: dict[str, Any] = {
        "inputs": [spec_json(spec) for spec in servable.inputs],
        "outputs": [spec_json(spec) for spec in servable.outputs],
        "invalid": [reason.json() for reason in servable.invalid],
    }
    return {PREFIX + key: json.dumps(document, ensure_ascii=False) for key, document in documents.items()}


def _tensor(message: Any, spec: TensorSpec) -> Any:
    """Output dims must equal the graph's exactly, so a vector's width is written out; array<string> is -1."""
    width = -1 if isinstance(spec.type, TextArray) else spec.width
    return message(name=spec.name, data_type=_TYPES.get(spec.triton, f"TYPE_{spec.triton}"), dims=[width])


def _null_text(spec: TensorSpec) -> str:
    match spec.null:
        case float(null) if math.isnan(null):
            return "NaN"
        case null:
            return str(null)


def _meaning(spec: TensorSpec) -> str:
    return f"{spec.type}, null is {_null_text(spec)}" if spec.nullable else f"{spec.type}, never null"


def _parameters(texts: Mapping[str, str]) -> Any:
    from tritonclient.grpc import model_config_pb2 as proto

    config = proto.ModelConfig()
    for key, text in texts.items():
        config.parameters[key].string_value = text
    return config


def _comment(text: str) -> str:
    return textwrap.fill(text, 116, initial_indent="# ", subsequent_indent="# ") + "\n"
