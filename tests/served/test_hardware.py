"""--model-config-name=cpu and =gpu over one repository, and what the embedded backend does with a GPU's instance."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tritonclient.grpc import InferenceServerClient

from builder.errors import Unreachable
from builder.triton import backend
from builder.triton.client import Client
from builder.triton.server import start
from builder.types import Table
from tests.unit.cli import save_model

ROWS = Table({"v": np.array([[0.1, 2.5, -3.0]])})
CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    saved = save_model(tmp_path)
    saved.add_evidence()
    assert saved.publish("--name", "scaled", "--device", "gpu").exit_code == 0
    return saved.repository


def test_what_was_published_for_a_gpu_is_served_by_a_cpu(repository):
    with start(repository, flags=["--model-config-name=cpu"]) as server:
        with Client(server.grpc) as client:
            answers = client.predict("scaled", ROWS)
        with InferenceServerClient(server.grpc) as wire:
            group = wire.get_model_config("scaled").config.instance_group[0]

    assert answers["scaled"].shape == (1, 3)
    assert group.Kind.Name(group.kind) == "KIND_CPU"


@pytest.mark.skipif(CUDA, reason="there may be a GPU here")
@pytest.mark.parametrize("name", ["", "gpu"])
def test_a_server_without_a_gpu_says_so_and_does_not_start(repository, name):
    """Triton's own word, before any backend is asked."""
    with pytest.raises(Unreachable, match="has kind KIND_GPU but no GPUs are available"):
        start(repository, flags=[f"--model-config-name={name}"] if name else [])


@pytest.fixture(scope="module")
def model():
    """The backend's module, beside Triton's own utilities as the stub's process has them."""
    import pytriton

    utilities = Path(pytriton.__file__).parent / "tritonserver" / "backends" / "python"
    sys.path.insert(0, str(utilities))
    try:
        spec = importlib.util.spec_from_file_location("embedded_model", Path(backend.__file__).with_name("model.py"))
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        yield loaded
    finally:
        sys.path.remove(str(utilities))


def test_a_gpus_instance_uses_cuda_on_its_device(model):
    instance = {"model_instance_kind": "GPU", "model_instance_device_id": "1"}

    providers, note = model._providers(instance, ["CUDAExecutionProvider", "CPUExecutionProvider"])

    assert providers == [("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]
    assert note == ""


@pytest.mark.skipif(CUDA, reason="this onnxruntime has CUDA")
def test_a_gpus_instance_runs_on_the_cpu_where_onnxruntime_has_no_cuda(model, repository):
    instance = {"model_instance_kind": "GPU", "model_instance_device_id": "0"}

    providers, note = model._providers(instance, onnxruntime.get_available_providers())

    assert "runs on the CPU" in note
    session = onnxruntime.InferenceSession(repository / "scaled" / "1" / "model.onnx", providers=providers)
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_a_cpus_instance_never_asks_for_cuda(model):
    instance = {"model_instance_kind": "CPU", "model_instance_device_id": "0"}

    assert model._providers(instance, ["CUDAExecutionProvider", "CPUExecutionProvider"]) == (
        ["CPUExecutionProvider"],
        "",
    )
