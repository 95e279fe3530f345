"""Which nodes a GPU can run is onnxruntime's own word, release by release; what is published says it honestly."""

from __future__ import annotations

import json

import numpy as np
import onnx
import spox.opset.ai.onnx.ml.v5 as ml
import spox.opset.ai.onnx.v21 as op
from google.protobuf import text_format
from spox import Tensor, argument, build
from tritonclient.grpc import model_config_pb2 as proto

from builder.graph.placing import placed
from builder.graph.texts import murmur3
from builder.releases import DEFAULT, TARGETS, Target
from tests.unit.cli import save_model, tritonbuild

NEWEST = TARGETS[-1]


def graph(**outputs):
    """A model of the inputs x (double) and t (text)."""
    x, t = argument(Tensor(np.float64, ("N", 1))), argument(Tensor(np.str_, ("N", 1)))
    return build({"x": x, "t": t}, {name: make(x, t) for name, make in outputs.items()}, drop_unused_inputs=True)


def lacking(model: onnx.ModelProto, target: Target) -> dict[str, int]:
    return {name: count for name, count in placed(model, target).on_cpu.items() if name != "Identity"}


def test_double_arithmetic_has_kernels_in_every_release():
    model = graph(y=lambda x, t: op.exp(op.add(op.mul(x, x), op.sqrt(x))))

    assert all(lacking(model, target) == {} for target in TARGETS)


def test_a_kernel_is_one_for_the_very_definition_of_the_opset():
    """A Cast is defined anew in opset 21; CUDA's kernels were for 19 until onnxruntime 1.24."""
    model = graph(y=lambda x, t: op.cast(x, to=np.int64))

    assert lacking(model, DEFAULT) == {"Cast": 1}
    assert lacking(model, NEWEST) == {}


def test_types_decide():
    model = graph(y=lambda x, t: op.where(op.equal(t, op.const(np.array("a"))), x, x), z=lambda x, t: op.identity(t))

    assert placed(model, NEWEST).on_cpu == {"Identity": 2, "Equal": 1}  # spox puts an Identity before each output


def test_work_on_texts_has_none():
    def number(x, t):
        return op.cast(ml.label_encoder(t, keys_strings=["a"], values_int64s=[1]), to=np.float64)

    assert lacking(graph(y=number), NEWEST) == {"ai.onnx.ml.LabelEncoder": 1}
    assert lacking(graph(y=lambda x, t: op.cast(murmur3(t, 2), to=np.float64)), NEWEST) == {
        "com.microsoft.MurmurHash3": 1
    }


def test_nodes_of_a_branch_are_counted_with_the_types_that_they_see():
    def chosen(x, t):
        some = op.squeeze(op.greater(op.reduce_sum(x, keepdims=1), op.const(np.array([[0.0]]))))
        return op.if_(some, then_branch=lambda: [op.exp(x)], else_branch=lambda: [op.ceil(op.neg(x))])[0]

    assert lacking(graph(y=chosen), NEWEST) == {}
    assert lacking(graph(y=chosen), DEFAULT) == {"If": 1, "Squeeze": 1}


def test_a_branch_of_texts_keeps_the_whole_graph_on_the_cpu():
    """onnxruntime 1.27 and 1.28 refuse to load such a graph for CUDA."""

    def chosen(x, t):
        some = op.squeeze(op.greater(op.reduce_sum(x, keepdims=1), op.const(np.array([[0.0]]))))
        return op.if_(some, then_branch=lambda: [op.identity(t)], else_branch=lambda: [op.string_concat(t, t)])[0]

    placement = placed(graph(y=chosen), DEFAULT)

    assert placement.on_gpu > 0
    assert "answers texts" in placement.why_cpu


def test_publish_for_a_gpu_says_what_stays_on_the_cpu(tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence()

    document = json.loads(saved.publish("--device", "gpu", "--json").stdout)

    cuda = document["manifest"]["cuda"]
    assert cuda["onnxruntime"] == DEFAULT.onnxruntime
    assert cuda["with_cuda_kernel"] + sum(cuda["without_cuda_kernel"].values()) == cuda["nodes"]
    assert cuda["with_cuda_kernel"] > 0 < len(cuda["without_cuda_kernel"])
    assert f"{cuda['with_cuda_kernel']} of {cuda['nodes']} nodes have a CUDA kernel" in " ".join(document["notes"])
    assert kinds(saved) == {
        "config.pbtxt": "KIND_GPU",
        "configs/cpu.pbtxt": "KIND_CPU",
        "configs/gpu.pbtxt": "KIND_GPU",
    }


def test_published_without_a_word_it_runs_on_the_cpu_and_configs_has_both(tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence()

    saved.publish()

    assert kinds(saved) == {
        "config.pbtxt": "KIND_CPU",
        "configs/cpu.pbtxt": "KIND_CPU",
        "configs/gpu.pbtxt": "KIND_GPU",
    }


def test_the_hardware_may_change_without_a_new_version(tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence()
    saved.publish("--version", "1")

    again = json.loads(saved.publish("--version", "1", "--device", "gpu", "--json").stdout)

    assert again["changed"]
    assert kinds(saved)["config.pbtxt"] == "KIND_GPU"


def test_a_device_that_nobody_knows_is_wrong_usage(tmp_path):
    result = save_model(tmp_path).publish("--device", "tpu")

    assert result.exit_code == 2
    assert "device is tpu" in result.stderr


def test_check_tells_it_before(tmp_path):
    saved = save_model(tmp_path)

    told = tritonbuild("check", saved.path, "--schema", saved.schema)
    document = json.loads(tritonbuild("check", saved.path, "--schema", saved.schema, "--json").stdout)

    assert "nodes have a CUDA kernel in onnxruntime 1.21.0; not" in " ".join(told.stdout.split())
    assert document["graph"]["cuda"]["nodes"] > 0


def kinds(saved) -> dict[str, str]:
    """Config → what its instances run on."""
    folder = saved.repository / "model"
    files = [folder / "config.pbtxt", *(folder / "configs").iterdir()]
    configs = {
        str(file.relative_to(folder)): text_format.Parse(file.read_text("utf-8"), proto.ModelConfig()) for file in files
    }
    return {name: proto.ModelInstanceGroup.Kind.Name(config.instance_group[0].kind) for name, config in configs.items()}
