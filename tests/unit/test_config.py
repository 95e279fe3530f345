"""config.pbtxt: compared whole with golden files, and read back with Triton's own proto."""

from __future__ import annotations

import json

import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as proto

from builder.errors import UsageError
from builder.graph.placing import Placement, placed
from builder.releases import DEFAULT
from builder.triton.config import write_config
from builder.triton.settings import Settings
from builder.types import TensorSpec
from tests.shapes import SHAPES
from tests.small_models import carriers

PROVENANCE = {"source": "models:/flights@champion", "digest": "sha256:0f1e", "unproven": "true"}


@pytest.mark.parametrize("name", SHAPES)
def test_a_config_is_what_the_golden_file_holds(name, golden):
    model, settings = SHAPES[name]

    golden(f"{name}.pbtxt", write_config(model(), name, settings, PROVENANCE))


@pytest.mark.parametrize("name", SHAPES)
def test_tritons_own_proto_reads_every_tensor_back(name):
    model, settings = SHAPES[name]
    servable = model()

    config = text_format.Parse(write_config(servable, name, settings, PROVENANCE), proto.ModelConfig())

    assert [tensor.name for tensor in config.input] == [spec.name for spec in servable.travelling]
    assert [tensor.name for tensor in config.output] == [spec.name for spec in servable.outputs]
    for tensor, spec in zip([*config.input, *config.output], [*servable.travelling, *servable.outputs], strict=True):
        assert list(tensor.dims) == [spec.width]
        assert proto.DataType.Name(tensor.data_type) == f"TYPE_{spec.triton.replace('BYTES', 'STRING')}"


def test_a_client_learns_types_nulls_and_reasons_from_the_parameters():
    servable = carriers()

    config = text_format.Parse(write_config(servable, "flights", Settings(), PROVENANCE), proto.ModelConfig())

    told = {key: config.parameters[key].string_value for key in config.parameters}
    inputs = json.loads(told["tritonbuild.inputs"])
    assert tuple(TensorSpec.from_json(spec) for spec in inputs) == servable.inputs
    assert [spec["null"] for spec in inputs] == ["␀", "NaN"]
    assert json.loads(told["tritonbuild.invalid"])[0]["stage"] == "StringIndexer_7a1"
    assert told["tritonbuild.unproven"] == "true"


def test_settings_reach_tritons_fields():
    settings = Settings(max_batch_size=7, max_queue_delay_us=50, instances=3, intra_op_threads=2, inter_op_threads=4)

    config = text_format.Parse(write_config(carriers(), "flights", settings, {}), proto.ModelConfig())

    assert config.max_batch_size == 7
    assert config.dynamic_batching.max_queue_delay_microseconds == 50
    assert config.instance_group[0].count == 3
    assert config.parameters["intra_op_thread_count"].string_value == "2"
    assert config.parameters["inter_op_thread_count"].string_value == "4"


def test_overload_and_priorities_reach_tritons_fields():
    settings = Settings(max_queue_size=9, queue_timeout_us=70, priority_levels=5, preferred_batch_sizes=(4, 8))

    batching = text_format.Parse(
        write_config(carriers(), "flights", settings, {}), proto.ModelConfig()
    ).dynamic_batching

    assert batching.default_queue_policy.max_queue_size == 9
    assert batching.default_queue_policy.default_timeout_microseconds == 70
    assert batching.default_queue_policy.timeout_action == proto.ModelQueuePolicy.REJECT
    assert (batching.priority_levels, batching.default_priority_level) == (5, 3)
    assert list(batching.preferred_batch_size) == [4, 8]


def test_only_thread_keys_that_the_backend_reads_and_our_own_are_written():
    config = text_format.Parse(write_config(carriers(), "flights", Settings(), PROVENANCE), proto.ModelConfig())

    strange = {key for key in config.parameters if not key.startswith("tritonbuild.")}
    assert strange == {"intra_op_thread_count", "inter_op_thread_count"}


def test_provenance_may_not_take_the_place_of_the_tensors():
    with pytest.raises(UsageError, match="inputs"):
        write_config(carriers(), "flights", Settings(), {"inputs": "x"})


@pytest.mark.parametrize("name", ["carriers", "every_type", "picks", "limited"])
def test_a_gpus_config_is_what_the_golden_file_holds(name, golden):
    model, settings = SHAPES[name]
    servable = model()
    placement = placed(onnx.load_from_string(servable.model), DEFAULT)

    text = write_config(servable, name, settings, PROVENANCE, on_gpu=placement)

    golden(f"{name}.gpu.pbtxt", text)
    config = text_format.Parse(text, proto.ModelConfig())
    assert config.instance_group[0].kind == proto.ModelInstanceGroup.KIND_GPU


def test_a_graph_that_a_gpu_has_nothing_of_says_so_and_stays_on_the_cpu():
    servable = carriers()
    placement = Placement("1.21.0", 2, {"Identity": 2})

    text = write_config(servable, "carriers", Settings(), {}, on_gpu=placement)

    assert "On the CPU here too: no node has a CUDA kernel in onnxruntime 1.21.0." in text.replace("\n# ", " ")
    config = text_format.Parse(text, proto.ModelConfig())
    assert config.instance_group[0].kind == proto.ModelInstanceGroup.KIND_CPU
