"""`tritonbuild serve` comes back: whatever ends its server or a stub, and with the models that were loaded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from builder.errors import Unreachable, UsageError
from builder.triton.candidate import candidate_of, send
from builder.triton.client import Client
from builder.triton.config import write_config
from builder.triton.control import Control
from builder.triton.server import start
from builder.triton.settings import Settings
from builder.types import Table
from tests.served.test_server import ended, group, put
from tests.serving import Serve, children, until
from tests.small_models import numbered, picks, text_identity

ROWS = Table({"place": np.array([[2]])})
BACK_S = 30  # generous: it takes one to two


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("supervised") / "repository"
    put(folder, "picks", picks())
    put(folder, "text", text_identity())
    return folder


@pytest.fixture(scope="module")
def serving(repository: Path) -> Iterator[Serve]:
    with Serve(repository) as running:
        yield running


def answers(serving: Serve, model: str = "picks") -> bool:
    try:
        with Client(serving.grpc, timeout_s=5) as client:
            return client.predict("picks", ROWS)["picked"].tolist() == [[3.5]] and client.ready(model)
    except (Unreachable, UsageError):
        return False


def kill_server(serving: Serve, number: signal.Signals) -> None:
    os.kill(serving.server, number)


def kill_stub(serving: Serve, number: signal.Signals) -> None:
    os.kill(serving.stubs[0], number)


@pytest.mark.parametrize(
    ("which", "number", "why"),
    [
        (kill_server, signal.SIGKILL, "tritonserver was ended by SIGKILL"),
        (kill_server, signal.SIGSEGV, "tritonserver was ended by SIG"),
        (kill_server, signal.SIGTERM, "tritonserver ended with exit code 0"),
        (kill_server, signal.SIGSTOP, "tritonserver stands still"),
        (kill_stub, signal.SIGKILL, r"the stub of \w+ was ended by SIGKILL (out of memory?)"),
        (kill_stub, signal.SIGSTOP, r"the stub of \w+ stands still"),
    ],
    ids=lambda value: getattr(value, "name", getattr(value, "__name__", "")),
)
def test_a_server_or_a_stub_that_dies_or_stands_still_comes_back(
    serving: Serve, which: Callable[[Serve, signal.Signals], None], number: signal.Signals, why: str
) -> None:
    until(lambda: answers(serving))
    before, pid = serving.restarts, serving.server

    which(serving, number)

    until(lambda: serving.restarts > before, BACK_S)
    assert answers(serving)
    assert serving.server != pid
    assert not group(pid)
    assert why.partition("\\w+")[2] in serving.text
    assert f"(restart {before + 1})" in serving.text


def body(**told: object) -> bytes:
    return json.dumps(told).encode()


def chunks() -> bytes:
    head = b"POST /v2/models/picks/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"1\r\n \r\n" * 1_000_000 + b"0\r\n\r\n"


def plain(model: str, content: bytes) -> bytes:
    head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def place(shape: object, data: object) -> bytes:
    return body(inputs=[{"name": "place", "shape": shape, "datatype": "INT64", "data": data}])


DEADLY = {
    "classification of a text": plain(
        "text",
        body(
            inputs=[{"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": ["a"]}],
            outputs=[{"name": "text_out", "parameters": {"classification": 1}}],
        ),
    ),
    "a shape of 2^62": plain("picks", place([2**62], [1])),
    "a shape of 2^40": plain("picks", place([2**40], [1])),
    "data nested 100,000 deep": plain(
        "picks", place([1, 1], 0).replace(b" 0}", b"[" * 100_000 + b"]" * 100_000 + b"}")
    ),
    "1,000,000 chunks of a byte": chunks(),
}


@pytest.mark.parametrize("what", DEADLY)
def test_a_request_that_ends_the_server_ends_no_service(serving: Serve, what: str) -> None:
    until(lambda: answers(serving))
    before = serving.restarts
    host, _, port = serving.http.partition(":")

    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(DEADLY[what])
            told = connection.recv(1000)
        except OSError:
            told = b""

    if told:  # another release, which survives it
        return
    until(lambda: serving.restarts > before, BACK_S)
    assert answers(serving)


def test_what_was_loaded_last_is_loaded_again(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    put(repository, "picks", picks())
    put(repository, "gone", text_identity())
    with Serve(repository) as serving, Control(f"grpc://{serving.grpc}") as control:
        config = write_config(picks(), "picks", Settings(), {})
        put(repository, "later", numbered(1))
        put(repository, "broken", text_identity())
        control.load("later")
        control.load("broken")
        send(control, candidate_of("picks", {"model.onnx": picks().model}, {"config.pbtxt": config.encode()}))
        control.unload("gone")
        assert sorted(control.loaded()) == ["broken", "later", "picks"]
        assert control.ready("candidate.picks")
        time.sleep(1.5)  # it asks twice a second
        (repository / "broken" / "1" / "model.onnx").write_bytes(b"no graph")

        for restart in (1, 2):
            os.kill(serving.server, signal.SIGKILL)
            until(lambda restart=restart: serving.restarts == restart, BACK_S)
            with Control(f"grpc://{serving.grpc}") as again:
                assert sorted(again.loaded()) == ["later", "picks"]
                assert not again.ready("candidate.picks")
            assert "tritonbuild: failed to load 'broken'" in serving.text

        (repository / "broken" / "1" / "model.onnx").write_bytes(text_identity().model)
        os.kill(serving.server, signal.SIGKILL)
        until(lambda: serving.restarts == 3, BACK_S)
        with Control(f"grpc://{serving.grpc}") as again:
            assert sorted(again.loaded()) == ["broken", "later", "picks"]


HANGS = """
import time
import numpy as np
import triton_python_backend_utils as triton

class TritonPythonModel:
    def execute(self, requests):
        if any(request.inputs()[0].as_numpy().max() > 0 for request in requests):
            time.sleep(3600)
        return [triton.InferenceResponse([triton.Tensor("y", np.zeros((1, 1)))]) for request in requests]
"""
CONFIG = """
name: "hangs" backend: "python" max_batch_size: 8
input { name: "x" data_type: TYPE_FP64 dims: 1 }
output { name: "y" data_type: TYPE_FP64 dims: 1 }
"""


def test_a_stub_that_hangs_is_noticed_by_the_requests_that_wait(tmp_path: Path) -> None:
    (tmp_path / "hangs" / "1").mkdir(parents=True)
    (tmp_path / "hangs" / "1" / "model.py").write_text(HANGS)
    (tmp_path / "hangs" / "config.pbtxt").write_text(CONFIG)

    def ask(value: int) -> bytes:
        told = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [value]}]}
        url = f"http://{serving.http}/v2/models/hangs/infer"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(told).encode()), timeout=2) as answer:
            return answer.read()

    with Serve(tmp_path) as serving:
        for value in (1, 0):  # the second one waits behind the first
            with pytest.raises(OSError, match="timed out"):
                ask(value)
        until(lambda: serving.restarts == 1, 90)
        assert "the stub of hangs hangs" in serving.text
        assert b'"data":[0.0]' in ask(0)


def test_it_never_says_ready_for_long_while_a_model_is_dead(serving: Serve) -> None:
    until(lambda: answers(serving))
    before, wrong_since, longest = serving.restarts, 0.0, 0.0

    for stub in serving.stubs:
        os.kill(stub, signal.SIGKILL)

    while serving.restarts == before:
        ready, now = serving.health() == 200, time.monotonic()
        wrong_since = (wrong_since or now) if ready and not answers(serving) else 0.0
        longest = max(longest, now - wrong_since if wrong_since else 0.0)
        time.sleep(0.05)
    assert longest < 5
    assert answers(serving)


def test_it_gives_up_with_4_where_it_dies_too_often(repository: Path) -> None:
    serving = Serve(repository, "--restarts", "1")
    for restarts in range(2):
        until(lambda count=restarts: serving.restarts == count and answers(serving))  # else it dies while it starts
        os.kill(serving.server, signal.SIGKILL)

    assert serving.wait() == 4
    assert "tritonserver died 2 times within an hour, at last: tritonserver was ended by SIGKILL" in serving.text
    assert "--restarts" in serving.text


def test_it_gives_up_with_4_where_it_does_not_start_again(tmp_path: Path) -> None:
    put(tmp_path / "repository", "picks", picks())
    serving = Serve(tmp_path / "repository")
    shutil.rmtree(tmp_path / "repository")

    os.kill(serving.server, signal.SIGKILL)

    assert serving.wait() == 4
    assert "did not start 5 times in a row" in serving.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
@pytest.mark.parametrize("moment_s", [0.1, 0.6])
def test_a_signal_while_it_comes_back_leaves_nothing(
    repository: Path, number: signal.Signals, moment_s: float, tmp_path: Path
) -> None:
    serving = Serve(repository, TMPDIR=str(tmp_path))
    first = serving.server
    os.kill(first, signal.SIGKILL)
    until(lambda: "was ended by SIGKILL" in serving.text)
    time.sleep(moment_s)
    second = serving.server

    code = serving.end(number)

    assert code == (-9 if number == signal.SIGKILL else 0)
    assert ended(first)
    assert not second or ended(second)
    until(lambda: not list(tmp_path.glob("tritonbuild-server-*")))
    assert not children(serving.process.pid)


def test_a_temporary_folder_with_a_space_serves(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with a space: and $more"
    folder.mkdir()

    with Serve(repository, TMPDIR=str(folder)) as serving:
        assert answers(serving)
        until(lambda: len(serving.stubs) == 2)


def test_a_stub_that_dies_while_it_loads_is_told_at_once(tmp_path: Path) -> None:
    """Triton itself would wait for 600 s. There are several: when the first ones are ended, others still load."""
    for number in range(8):
        put(tmp_path / "repository", f"picks{number}", picks())
    over = threading.Event()

    def kill() -> None:
        while not over.is_set():
            for pid, name in children(os.getpid()):
                for stub, what in children(pid) if name == "tritonserver" else ():
                    if what == "triton_python_b":
                        with suppress(ProcessLookupError):
                            os.kill(stub, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    began = time.monotonic()
    try:
        with pytest.raises(Unreachable, match=r"the stub of \w+( model)? was ended by SIGKILL"):
            start(tmp_path / "repository")
    finally:
        over.set()
        killer.join()
    assert time.monotonic() - began < BACK_S


def test_serve_says_where_the_header_stands_and_never_what_it_is(repository: Path) -> None:
    with Serve(repository, TRITONBUILD_LOAD_HEADER="ops=geheim") as serving:
        with Control(f"grpc://{serving.grpc}", "ops=geheim") as control:
            control.check()
        os.kill(serving.server, signal.SIGKILL)
        until(lambda: serving.restarts == 1, BACK_S)
        with Control(f"http://{serving.http}", "ops=geheim") as control:
            control.check()

    assert "`ps`" in serving.text
    assert "geheim" not in serving.text
