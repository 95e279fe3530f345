"""Requests that are wrong, sent past our own client: a clear error each, and the server lives on."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from builder.errors import Unreachable, UsageError
from builder.triton.client import Client
from builder.triton.settings import Settings
from builder.types import Table
from tests.small_models import carriers, picks

WIRES = {"grpc": tritonclient.grpc, "http": tritonclient.http}


def texts(*values: str | bytes) -> np.ndarray:
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64).reshape(-1, 1)


Ask = Callable[..., Any]


@pytest.fixture
def ask(triton, protocol) -> Ask:
    """ask(model, name=array, …): the answer of tritonclient itself, with nothing checked before."""
    wire = WIRES[protocol]

    def send(model: str, **arrays: np.ndarray) -> Any:
        kinds = {"O": "BYTES", "f8": "FP64", "f4": "FP32", "i8": "INT64"}
        inputs = []
        for name, array in arrays.items():
            kind = kinds["O" if array.dtype == object else array.dtype.str[1:]]
            inputs.append(wire.InferInput(name, list(array.shape), kind).set_data_from_numpy(array))
        with wire.InferenceServerClient(triton.url(protocol)) as client:
            return client.infer(model, inputs)

    return send


WRONG = {
    "wrong width": ({"carrier": texts("UA"), "x": np.zeros((1, 2))}, "unexpected shape for input 'x'.*Expected.*-1,1"),
    "one dimension": ({"carrier": texts("UA"), "x": np.zeros(1)}, "unexpected shape for input 'x'"),
    "wrong type": (
        {"carrier": texts("UA"), "x": np.zeros((1, 1), np.float32)},
        "'x' data-type is 'FP32', but model 'faulty' expects 'FP64'",
    ),
    "text for a number": (
        {"carrier": texts("UA"), "x": texts("1.5")},
        "'x' data-type is 'BYTES', but model 'faulty' expects 'FP64'",
    ),
    "missing input": ({"carrier": texts("UA")}, "expected 2 inputs but got 1.*'carrier'"),
    "strange input": ({"carrier": texts("UA"), "y": column(1)}, "unexpected inference input 'y'|'x'"),
    "unequal rows": ({"carrier": texts("UA", "UA"), "x": column(1)}, "batch"),
    "no rows": ({"carrier": texts(), "x": column()}, "byte size mismatch|batch"),
    "too many rows": ({"carrier": texts(*["UA"] * 9), "x": column(*range(9))}, "batch-size must be <= 8"),
    "not UTF-8": ({"carrier": texts(b"U\xff"), "x": column(1)}, "input 'carrier' is not UTF-8"),
    "a NUL": ({"carrier": texts(b"U\0A"), "x": column(1)}, "input 'carrier' holds a NUL"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_request_is_refused_in_words_and_the_next_one_is_answered(what, ask, triton):
    arrays, said = WRONG[what]
    triton.put("faulty", carriers(), Settings(max_batch_size=8))

    with pytest.raises(InferenceServerException, match=said):
        ask("faulty", **arrays)

    answer = ask("faulty", carrier=texts("日本"), x=column(21))
    assert answer.as_numpy("prediction").tolist() == [[2.0]]
    assert answer.as_numpy("doubled").tolist() == [[42.0]]
    assert triton.server.alive


@pytest.mark.parametrize(
    "raw", [b"\xff\xff\xff\xffUA", b"\x02\x00\x00", struct.pack("<I", 2) + b"UA" + struct.pack("<I", 1) + b"x", b""]
)
def test_text_with_wrong_lengths_is_refused_and_the_next_request_is_answered(raw, ask, triton):
    """gRPC alone: tritonclient's HTTP writes lengths itself. 0xFFFFFFFF, cut short, one string too many, none."""
    triton.put("faulty", carriers(), Settings(max_batch_size=8))
    service = tritonclient.grpc.service_pb2
    request = service.ModelInferRequest(model_name="faulty", raw_input_contents=[raw, struct.pack("<d", 1.0)])
    for name, kind in (("carrier", "BYTES"), ("x", "FP64")):
        request.inputs.append(service.ModelInferRequest.InferInputTensor(name=name, datatype=kind, shape=[1, 1]))

    with (
        tritonclient.grpc.grpc.insecure_channel(triton.server.grpc) as channel,
        pytest.raises(tritonclient.grpc.grpc.RpcError, match="carrier"),
    ):
        tritonclient.grpc.service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)

    assert ask("faulty", carrier=texts("UA"), x=column(1)).as_numpy("prediction").tolist() == [[0.0]]


def test_nan_and_the_null_marker_are_values_like_others(ask, triton):
    triton.put("faulty", carriers(), Settings(max_batch_size=8))

    answer = ask("faulty", carrier=texts("UA", "␀"), x=column(float("nan"), 1))

    assert answer.as_numpy("invalid").tolist() == [[0], [1]]
    np.testing.assert_array_equal(answer.as_numpy("doubled"), [[np.nan], [2]])


def test_a_run_that_onnxruntime_refuses_is_an_error_of_that_request(ask, triton):
    triton.put("picks", picks())

    with pytest.raises(InferenceServerException, match="indices element out of data bounds"):
        ask("picks", place=np.array([[1], [9]]))

    assert ask("picks", place=np.array([[1], [3]])).as_numpy("picked").tolist() == [[2.5], [4.5]]


def test_requests_joined_into_one_run_get_their_own_rows_and_no_neighbours_fault(ask, triton):
    """A queue delay makes Triton join the eight; two are wrong, each in its own way."""
    triton.put("joined", carriers(), Settings(max_queue_delay_us=200_000))
    triton.put("joined_picks", picks(), Settings(max_queue_delay_us=200_000))
    answers: dict[int, Any] = {}
    before = runs(triton, "joined")

    def one(i: int) -> None:
        carrier = texts(b"\xff") if i == 3 else texts(*["UA", "ß", "日本", ""][: 1 + i % 4])
        try:
            answers[i] = ask("joined", carrier=carrier, x=column(*[i] * len(carrier)))
        except InferenceServerException as error:
            answers[i] = error
        try:
            answers[i + 100] = ask("joined_picks", place=np.array([[9 if i == 5 else i % 4]]))
        except InferenceServerException as error:
            answers[i + 100] = error

    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert "not UTF-8" in str(answers.pop(3))
    assert "out of data bounds" in str(answers.pop(105))
    for i, answer in answers.items():
        if i < 100:
            assert answer.as_numpy("prediction")[:, 0].tolist() == list(range(1 + i % 4))
            assert answer.as_numpy("doubled")[:, 0].tolist() == [2.0 * i] * (1 + i % 4)
        else:
            assert answer.as_numpy("picked").tolist() == [[1.5 + (i - 100) % 4]]
    assert runs(triton, "joined") - before < 8  # else nothing was joined, and this test says nothing


def runs(triton, model: str) -> int:
    with tritonclient.grpc.InferenceServerClient(triton.server.grpc) as client:
        return client.get_inference_statistics(model).model_stats[0].execution_count


def test_a_model_that_is_not_there_is_a_wrong_use(triton, protocol):
    with triton.client(protocol) as client, pytest.raises(UsageError, match="no nowhere"):
        client.specs("nowhere")


def test_a_version_that_is_not_there_is_a_wrong_use(triton, protocol):
    triton.put("carriers", carriers())

    with triton.client(protocol) as client, pytest.raises(UsageError, match="77"):
        client.predict("carriers", Table({"carrier": texts("UA"), "x": column(1)}), version="77")


def test_a_server_that_is_not_there_is_unreachable(protocol):
    with Client("127.0.0.1:9", protocol, timeout_s=3) as client:
        assert not client.ready()
        with pytest.raises(Unreachable, match="did not answer"):
            client.specs("flights")


def test_a_running_server_is_ready(triton, protocol):
    with triton.client(protocol) as client:
        assert client.ready()
