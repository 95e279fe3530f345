"""The real server, auto-complete off, takes every shape of config.pbtxt and answers by it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput

from builder.errors import TritonbuildError
from builder.graph.session import in_process
from builder.packing import packing_of
from builder.triton import warming
from builder.triton.config import write_config
from builder.triton.repository import write_version
from builder.triton.settings import Settings
from builder.types import Servable, Table, TensorSpec, VectorType
from tests.served.test_answers import assert_same_bits
from tests.shapes import SHAPES
from tests.small_models import carriers, identity


def one_row(servable: Servable) -> Table:
    """Of each column the letter a, or 1; of an array two."""
    values = {spec.name: "a" if spec.triton == "BYTES" else 1 for spec in servable.inputs}
    return Table(
        {
            spec.name: np.full((1, spec.width if spec.width > 0 else 2), values[spec.name], spec.dtype)
            for spec in servable.inputs
        }
    )


@pytest.mark.parametrize("name", SHAPES)
def test_the_server_loads_each_shape_and_answers(triton, name):
    model, settings = SHAPES[name]
    servable = model()
    rows = one_row(servable)

    triton.put(f"shape_{name}", servable, settings)
    with triton.client("grpc") as client:
        answers = client.predict(f"shape_{name}", rows)

    assert_same_bits(answers, in_process(servable)(rows))
    with InferenceServerClient(triton.server.grpc) as client:
        config = client.get_model_config(f"shape_{name}").config
    assert config.max_batch_size == settings.max_batch_size
    assert config.instance_group[0].count == settings.instances
    assert config.dynamic_batching.default_queue_policy.max_queue_size == settings.max_queue_size
    assert config.dynamic_batching.priority_levels == settings.priority_levels
    assert config.response_cache.enable == settings.response_cache
    assert dict(config.metric_tags) == dict(settings.metric_tags)


def test_overload_becomes_errors_and_what_waited_is_answered(triton):
    """One runs or waits for company, two wait; the others are refused, by name."""
    triton.put("crowded", carriers(), Settings(max_queue_size=2, max_queue_delay_us=300_000, max_batch_size=8))
    row = Table({"carrier": np.array([["UA"]], dtype=object), "x": np.array([[21.0]])})

    def ask(_: int) -> float | str:
        with triton.client("grpc") as client:
            try:
                return float(client.predict("crowded", row)["doubled"][0, 0])
            except TritonbuildError as error:
                return error.message

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(ask, range(24)))

    refused = [answer for answer in answers if isinstance(answer, str)]
    assert 0 < len(refused) < 24
    assert all("exceeds maximum queue size" in answer.lower() for answer in refused)
    assert {answer for answer in answers if not isinstance(answer, str)} == {42.0}


def test_classes_are_answered_by_name(triton):
    """Triton's classification extension: value:index:name, the best first."""
    spec = TensorSpec("p", VectorType(3), nullable=False, width=3)
    servable = identity(spec)
    config = write_config(servable, "named", Settings(), {}, labelled=["p_out"])
    write_version(triton.repository, "named", None, {"model.onnx": servable.model},
                  {"labels.txt": "no\nspäť\na:b\n".encode(), "config.pbtxt": config.encode()})  # fmt: skip
    triton.server.load("named")

    asked = InferInput("p", [2, 3], "FP64")
    asked.set_data_from_numpy(np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]]))
    with InferenceServerClient(triton.server.grpc) as client:
        answer = client.infer("named", [asked], outputs=[InferRequestedOutput("p_out", class_count=2)])

    told = [[text.decode() for text in row] for row in answer.as_numpy("p_out").tolist()]
    assert told == [["0.500000:1:späť", "0.300000:2:a:b"], ["0.700000:0:no", "0.200000:2:a:b"]]


@pytest.mark.parametrize("name", ["carriers", "every_type", "words", "packed"])
@pytest.mark.parametrize("proven", [True, False], ids=["rows", "zeros"])
def test_a_fresh_instance_answers_its_warm_up_before_it_is_ready(triton, name, proven):
    model, _ = SHAPES[name]
    servable, called = model(), f"warm_{name}_{proven}"
    rows = Table.concat([one_row(servable)] * 3)
    specs, sent = servable.travelling, Table(packing_of(servable.inputs, servable.packs)(rows))
    samples, files = warming.samples(specs, sent) if proven else (warming.zeros(specs), {})
    config = write_config(servable, called, Settings(instances=2), {}, warmup=samples)

    write_version(triton.repository, called, None, {"model.onnx": servable.model},
                  {**files, "config.pbtxt": config.encode()})  # fmt: skip
    triton.server.load(called)

    with InferenceServerClient(triton.server.grpc) as client:
        told = client.get_inference_statistics(called).model_stats[0]
    assert told.inference_count == 2 * len(samples) == 2 * (3 if proven else 1)
    assert told.inference_stats.fail.count == 0
    with triton.client("grpc") as client:
        assert_same_bits(client.predict(called, rows), in_process(servable)(rows))
