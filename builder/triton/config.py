"""A Servable → its config.pbtxt, complete, so that the server may run with auto-complete off.

Written through Triton's own proto, section by section, each under a comment that says why it is there. What a client
must know and Triton has no field for (types, null markers, reasons of `invalid`, provenance) travels in `parameters`
under `tritonbuild.`; the server hands it to whoever asks for the model's config.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from builder.errors import UsageError
from builder.graph.placing import Placement
from builder.triton.layout import CONFIG, CONFIGS, LABELS, PREFIX
from builder.triton.settings import LEVELS, Settings
from builder.types import Servable, TensorSpec

CPU, GPU = f"{CONFIGS}/cpu.pbtxt", f"{CONFIGS}/gpu.pbtxt"
"""What a server reads in the place of config.pbtxt that was started with --model-config-name=cpu, or =gpu."""

_OURS = ("inputs", "outputs", "invalid", "packed")
_TYPES = {"BYTES": "TYPE_STRING"}


def write_config(
    servable: Servable,
    name: str,
    settings: Settings,
    provenance: Mapping[str, str],
    labelled: Collection[str] = (),
    warmup: Sequence[Any] = (),
    on_gpu: Placement | None = None,
) -> str:
    """The text of config.pbtxt for the model `name`.

    `on_gpu`: what of the graph a GPU can run, for a config that uses one where that is something; None is for the CPU.
    `warmup`: messages ModelWarmup. `labelled`: outputs whose slots are named, a line each, in the model's labels.txt.
    `provenance` becomes one parameter a key (`tritonbuild.source`, `tritonbuild.unproven`, …).
    Raises UsageError where a provenance key is one of `inputs`, `outputs`, `invalid`, `packed`.
    """
    from google.protobuf import text_format

    head = f"{name}: written by tritonbuild. An edit stays until the model is published or rolled back; audit tells it."
    parts = [_comment(head)]
    sections = [*_sections(servable, name, settings, labelled, on_gpu), *_warmup(warmup), *_told(servable, provenance)]
    for comment, section in sections:
        parts.append(_comment(comment) + text_format.MessageToString(section, as_utf8=True))
    return "\n".join(parts)


def write_configs(
    placement: Placement, settings: Settings, write: Callable[[Placement | None], str]
) -> dict[str, bytes]:
    """One artefact, two kinds of hardware: configs/cpu.pbtxt and gpu.pbtxt, and config.pbtxt, which is that of the setting
    `device`. `write` makes the text of one."""
    files = {CPU: write(None).encode(), GPU: write(placement).encode()}
    return files | {CONFIG: files[GPU if settings.device == "gpu" else CPU]}


def spec_json(spec: TensorSpec) -> dict[str, Any]:
    """A tensor as `parameters` publish it: the spec, its Triton type and what stands for null (text; NaN as `"NaN"`)."""
    return spec.json() | {"triton": spec.triton} | ({"null": _null_text(spec)} if spec.nullable else {})


def _sections(
    servable: Servable, name: str, settings: Settings, labelled: Collection[str], on_gpu: Placement | None
) -> Iterator[tuple[str, Any]]:
    """(comment, a ModelConfig that holds that section alone), in the order of the file."""
    from tritonclient.grpc import model_config_pb2 as proto

    yield (
        "Served by NVIDIA's C++ onnxruntime backend, or by tritonbuild's embedded server, from these same files.",
        proto.ModelConfig(name=name, backend="onnxruntime", default_model_filename="model.onnx"),
    )
    yield _versions(settings)
    yield (
        "Rows a request, and rows that Triton may join into one run. A run's memory grows with it.",
        proto.ModelConfig(max_batch_size=settings.max_batch_size),
    )
    yield _batching(settings)
    yield _instances(settings, on_gpu)
    yield from _rarer(settings)
    yield "Inputs. Rows are the first dimension, which Triton does not want written.", proto.ModelConfig()
    if servable.packs:
        yield "Packed: each column is a slot; tritonbuild.packed names them in their order.", proto.ModelConfig()
    for spec in servable.travelling:
        yield _meaning(spec), proto.ModelConfig(input=[_tensor(proto.ModelInput, spec)])
    yield (
        "Outputs. invalid: 0 = fine, k = Spark would stop at this row, -k = Spark would drop it; why: tritonbuild.invalid.",
        proto.ModelConfig(),
    )
    for spec in servable.outputs:
        output, told = _tensor(proto.ModelOutput, spec), _meaning(spec)
        if spec.name in labelled:
            output.label_filename = LABELS
            told += f"; who asks for classes gets the names in {LABELS}"
        yield told, proto.ModelConfig(output=[output])
    threads = {"intra_op_thread_count": settings.intra_op_threads, "inter_op_thread_count": settings.inter_op_threads}
    yield (
        "onnxruntime's threads a session; more instances, not more threads, serve more requests.",
        _parameters({key: str(value) for key, value in threads.items()}),
    )


def _warmup(samples: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    from tritonclient.grpc import model_config_pb2 as proto

    if samples:
        yield (
            "Answered by each fresh instance before it is called ready, so that no client waits for what comes once.",
            proto.ModelConfig(model_warmup=samples),
        )


def _told(servable: Servable, provenance: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """What Triton hands on: to clients, and to whoever asks where the model comes from."""
    yield "What clients read: the tensors' Spark types and nulls, why rows are invalid.", _parameters(_ours(servable))
    taken = sorted(set(provenance) & set(_OURS))
    if taken:
        raise UsageError(f"provenance may not be named {', '.join(taken)}.", fix="choose another name.")
    if provenance:
        yield "Where this model comes from.", _parameters({PREFIX + key: value for key, value in provenance.items()})


def _versions(settings: Settings) -> tuple[str, Any]:
    from tritonclient.grpc import model_config_pb2 as proto

    policy, (kind, _, count) = proto.ModelVersionPolicy(), settings.versions.partition(":")
    match kind:
        case "latest":
            policy.latest.num_versions = int(count or 1)
            told = "The highest version answers." if count in ("", "1") else f"The {count} highest versions are loaded."
        case "all":
            policy.all.SetInParent()
            told = "Every version is loaded."
        case numbers:
            policy.specific.versions.extend(map(int, numbers.split(",")))
            told = "These versions alone are loaded; the highest answers who asks for none."
    return told, proto.ModelConfig(version_policy=policy)


def _instances(settings: Settings, on_gpu: Placement | None) -> tuple[str, Any]:
    from tritonclient.grpc import model_config_pb2 as proto

    kinds = proto.ModelInstanceGroup
    uses_gpu = on_gpu is not None and not on_gpu.why_cpu
    group = kinds(kind=kinds.KIND_GPU if uses_gpu else kinds.KIND_CPU, count=settings.instances)
    told = "Each instance holds the whole model in memory."
    if uses_gpu:
        told = f"So many instances on each GPU, each with the whole model. {on_gpu} Those run on the CPU, and copies go between."
    elif on_gpu is not None:
        told += f" On the CPU here too: {on_gpu.why_cpu}."
    if settings.rate_limit:
        told += " A run waits until these resources are free; without --rate-limit on the server none is counted."
        for resource, count in sorted(settings.rate_limit.items()):
            group.rate_limiter.resources.add(name=resource, count=count)
    return told, proto.ModelConfig(instance_group=[group])


def _batching(settings: Settings) -> tuple[str, Any]:
    from tritonclient.grpc import model_config_pb2 as proto

    batching = proto.ModelDynamicBatching(
        preferred_batch_size=settings.preferred_batch_sizes, max_queue_delay_microseconds=settings.max_queue_delay_us
    )
    told = "Joins what waits while the model is busy. A delay above 0 makes lone requests wait for company."
    if settings.max_queue_size or settings.queue_timeout_us:
        policy = batching.default_queue_policy
        policy.timeout_action = proto.ModelQueuePolicy.REJECT
        policy.default_timeout_microseconds = settings.queue_timeout_us
        policy.max_queue_size = settings.max_queue_size
        told += " Overload becomes quick errors: what waits too long, or is too many, is refused."
    if settings.priority_levels:
        batching.priority_levels = settings.priority_levels
        batching.default_priority_level = (settings.priority_levels + 1) // 2
        told += " Level 1 goes first."
    return told, proto.ModelConfig(dynamic_batching=batching)


def _rarer(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Sections that are there where somebody asked for them."""
    from tritonclient.grpc import model_config_pb2 as proto

    if settings.response_cache:
        cache = proto.ModelResponseCache(enable=True)
        yield (
            "The same row again is answered from the cache, where the server has one.",
            proto.ModelConfig(response_cache=cache),
        )
    if LEVELS[settings.optimization]:
        graph = proto.ModelOptimizationPolicy.Graph(level=LEVELS[settings.optimization])
        yield (
            "Less of onnxruntime's graph optimizations than the model was proven with: verify it again.",
            proto.ModelConfig(optimization=proto.ModelOptimizationPolicy(graph=graph)),
        )
    if settings.metric_tags:
        yield "On each of the model's metrics.", proto.ModelConfig(metric_tags=settings.metric_tags)


def _ours(servable: Servable) -> dict[str, str]:
    documents: dict[str, Any] = {
        "inputs": [spec_json(spec) for spec in servable.inputs],
        "outputs": [spec_json(spec) for spec in servable.outputs],
        "invalid": [reason.json() for reason in servable.invalid],
    }
    if servable.packs:
        documents["packed"] = [pack.json() for pack in servable.packs]
    return {PREFIX + key: json.dumps(document, ensure_ascii=False) for key, document in documents.items()}


def _tensor(message: Any, spec: TensorSpec) -> Any:
    """Output dims must equal the graph's exactly, so a vector's width is written out; array<string> is -1."""
    return message(name=spec.name, data_type=_TYPES.get(spec.triton, f"TYPE_{spec.triton}"), dims=[spec.width])


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
