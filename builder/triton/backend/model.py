"""The embedded server's `onnxruntime` backend, for Triton's Python backend: serves what NVIDIA's C++ backend serves.

It runs inside Triton's stub process, under an interpreter that need not have tritonbuild: numpy and onnxruntime are all
it imports. The requests that Triton joined into a batch run as one. Where one of them is refused, or spoils the run,
the others are answered as if it had never come.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton

_ELEMENTS = {
    "TYPE_BOOL": "tensor(bool)",
    "TYPE_UINT8": "tensor(uint8)",
    "TYPE_UINT16": "tensor(uint16)",
    "TYPE_UINT32": "tensor(uint32)",
    "TYPE_UINT64": "tensor(uint64)",
    "TYPE_INT8": "tensor(int8)",
    "TYPE_INT16": "tensor(int16)",
    "TYPE_INT32": "tensor(int32)",
    "TYPE_INT64": "tensor(int64)",
    "TYPE_FP16": "tensor(float16)",
    "TYPE_FP32": "tensor(float)",
    "TYPE_FP64": "tensor(double)",
    "TYPE_STRING": "tensor(string)",
}
_OPTIMIZATION = {
    -1: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}  # the C++ backend's numbers; every other one means all optimizations


class TritonPythonModel:
    """One instance of one version of a model. Triton calls it from one thread."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Open `<version>/model.onnx`. Raises ValueError where config and model disagree, as the C++ backend would."""
        config = json.loads(args["model_config"])
        file = config.get("default_model_filename") or "model.onnx"
        path = os.path.join(args["model_repository"], args["model_version"], file)
        providers, note = _providers(args, onnxruntime.get_available_providers())
        if note:
            triton.Logger.log_warn(f"{args['model_name']}: {note}")
        self._session = onnxruntime.InferenceSession(path, _options(config), providers=providers)
        batched = config["max_batch_size"] > 0
        _check("input", config["input"], self._session.get_inputs(), batched)
        _check("output", config["output"], self._session.get_outputs(), batched)
        missing = {item.name for item in self._session.get_inputs()} - {item["name"] for item in config["input"]}
        if missing:
            raise ValueError(f"the configuration lacks the model's inputs {sorted(missing)}")
        # C++ loads a config that leaves a model's output out, and never returns it: so here
        self._outputs = [item["name"] for item in config["output"]]
        self._texts = [item["name"] for item in config["input"] if item["data_type"] == "TYPE_STRING"]
        self._batched = batched

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        responses: list[Any] = [None] * len(requests)
        feeds: dict[int, dict[str, Any]] = {}
        for i, request in enumerate(requests):
            try:
                feeds[i] = self._feed(request)
            except ValueError as error:
                responses[i] = _refusal(error)
        if len(feeds) > 1 and self._batched:
            joined = self._joined(feeds)
            if joined is not None:
                for i, response in zip(feeds, joined, strict=True):
                    responses[i] = response
                return responses
        for i, feed in feeds.items():
            responses[i] = self._alone(feed)
        return responses

    def _feed(self, request: Any) -> dict[str, Any]:
        """name → array. Raises ValueError where text is not UTF-8, or holds a NUL, at which the C++ backend cuts it."""
        feed = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        for name in self._texts:
            raw = feed[name]
            items = raw.ravel().tolist()
            try:
                texts = [item.decode() for item in items]
            except UnicodeDecodeError as error:
                raise ValueError(f"input '{name}' is not UTF-8: {error}") from error
            if any("\0" in text for text in texts):
                raise ValueError(f"input '{name}' holds a NUL character; Triton cuts strings there")
            feed[name] = np.array(texts, dtype=object).reshape(raw.shape)
        return feed

    def _alone(self, feed: Mapping[str, Any]) -> Any:
        try:
            answers = self._session.run(self._outputs, feed)
        except Exception as error:  # a C++ exception of onnxruntime, of whatever class: this request's own answer
            return _refusal(error)
        return self._response(answers)

    def _joined(self, feeds: Mapping[int, Mapping[str, Any]]) -> list[Any] | None:
        """One response a request, from one run; None where the run fails, or does not answer row for row."""
        parts = list(feeds.values())
        try:
            feed = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            answers = self._session.run(self._outputs, feed)
        except Exception:  # whose fault it is shows when each runs alone
            return None
        sizes = [len(next(iter(part.values()))) for part in parts]
        ends = np.cumsum(sizes).tolist()
        if any(answer.ndim == 0 or len(answer) != ends[-1] for answer in answers):
            return None
        return [
            self._response([answer[end - size : end] for answer in answers])
            for size, end in zip(sizes, ends, strict=True)
        ]

    def _response(self, answers: Sequence[Any]) -> Any:
        tensors = [triton.Tensor(name, answer) for name, answer in zip(self._outputs, answers, strict=True)]
        return triton.InferenceResponse(tensors)


def _refusal(error: Exception) -> Any:
    return triton.InferenceResponse(error=triton.TritonError(str(error), triton.TritonError.INVALID_ARG))


def _providers(instance: Mapping[str, str], available: Sequence[str]) -> tuple[list[Any], str]:
    """Who runs an instance of this kind, and what to log: an onnxruntime without CUDA runs a GPU's instance on the CPU."""
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    if instance.get("model_instance_kind") != "GPU":
        return [cpu], ""
    if cuda not in available:
        return [cpu], "its instance group is KIND_GPU, and this onnxruntime has no CUDA: it runs on the CPU"
    return [(cuda, {"device_id": int(instance["model_instance_device_id"])}), cpu], ""


def _options(config: Mapping[str, Any]) -> Any:
    """onnxruntime's options, from the keys that the C++ backend reads. Raises ValueError where one is no number."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; the warnings name graph nodes that nobody wrote by hand
    options.intra_op_num_threads = max(0, _number(config, "intra_op_thread_count"))
    options.inter_op_num_threads = max(0, _number(config, "inter_op_thread_count"))
    if _number(config, "execution_mode") == 1:
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    level = int(config.get("optimization", {}).get("graph", {}).get("level", 0))
    options.graph_optimization_level = _OPTIMIZATION.get(level, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    return options


def _number(config: Mapping[str, Any], key: str) -> int:
    text = config.get("parameters", {}).get(key, {}).get("string_value", "0")
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"parameter '{key}': failed to convert '{text}' to an integer") from error


def _check(what: str, configured: Sequence[Mapping[str, Any]], tensors: Sequence[Any], batched: bool) -> None:
    """What the C++ backend checks at load: names, types, dims (-1 in an output's must be the model's too)."""
    known = {tensor.name: tensor for tensor in tensors}
    for item in configured:
        name = item["name"]
        if name not in known:
            raise ValueError(f"unexpected inference {what} '{name}', the model has {sorted(known)}")
        tensor = known[name]
        if _ELEMENTS.get(item["data_type"]) != tensor.type:
            raise ValueError(f"configuration expects {item['data_type']} for {what} '{name}', model has {tensor.type}")
        dims = [int(size) for size in item.get("reshape", {}).get("shape", item["dims"])]
        wanted = [-1, *dims] if batched else dims
        has = [size if isinstance(size, int) else -1 for size in tensor.shape]
        same = len(has) == len(wanted) and all(
            mine == theirs or (what == "input" and mine == -1) for mine, theirs in zip(has, wanted, strict=True)
        )
        if not same:
            raise ValueError(f"configuration has shape {wanted} for {what} '{name}', the model has {has}")
