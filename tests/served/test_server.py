"""The embedded server: what it says when it cannot start, and that nothing of it is left when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from builder.errors import Unreachable, UsageError
from builder.triton.client import Client
from builder.triton.config import write_config
from builder.triton.control import Control
from builder.triton.repository import write_version
from builder.triton.server import start
from builder.triton.settings import Settings
from builder.types import Servable, Table
from tests.small_models import carriers, picks, text_identity

ROOT = Path(__file__).parents[2]


def put(repository: Path, name: str, servable: Servable, config: str | None = None) -> None:
    text = config or write_config(servable, name, Settings(), {})
    write_version(repository, name, None, {"model.onnx": servable.model}, {"config.pbtxt": text.encode()})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    put(tmp_path / "repö", "picks", picks())  # the server's locale is C: a folder may still be called so
    return tmp_path / "repö"


def group(leader: int) -> list[int]:
    """The processes of a group that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, _, pgid = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:  # it ended meanwhile
                continue
            if int(pgid) == leader and state != "Z":
                found.append(int(folder.name))
    return found


def ended(leader: int) -> bool:
    """Whether all of a group's processes end: a killed one takes its moment."""
    until = time.monotonic() + 20
    while group(leader) and time.monotonic() < until:
        time.sleep(0.1)
    return group(leader) == []


def catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1)


def test_stop_leaves_no_process_no_folder_and_no_shared_memory(repository):
    with start(repository) as server:
        with Client(server.grpc) as client:
            assert client.predict("picks", Table({"place": np.array([[2]])}))["picked"].tolist() == [[3.5]]
        assert len(group(server.pid)) >= 3  # server, stub, watcher
        folder = Path(f"/proc/{server.pid}/cwd").resolve()
        assert list(Path("/dev/shm").glob(f"{folder.name}*"))

    assert not server.alive
    assert ended(server.pid)
    assert not folder.exists()
    assert not list(Path("/dev/shm").glob(f"{folder.name}*"))
    assert "picks" in server.log_tail(200)
    server.stop()


STARTER = """
import sys
from pathlib import Path
from builder.triton.server import start

try:
    with start(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        server.wait()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_the_server_ends_with_whoever_started_it(repository, number):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(repository)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert starter.stdout is not None
    leader = int(starter.stdout.readline())
    assert group(leader)
    folder = Path(f"/proc/{leader}/cwd").resolve()

    until = time.monotonic() + 20
    while number != signal.SIGKILL and not catches(starter.pid, number):
        assert time.monotonic() < until
    starter.send_signal(number)
    said = starter.stdout.read()
    starter.wait(30)

    assert said == ("" if number == signal.SIGKILL else "interrupted\n")
    assert ended(leader)
    assert not folder.exists()
    assert not list(Path("/dev/shm").glob(f"{folder.name}*"))


def test_a_folder_may_be_called_anything(tmp_path):
    put(tmp_path / "Ann's models; $HOME" / "new ones", "picks", picks())

    with start(tmp_path / "Ann's models; $HOME" / "new ones") as server, Client(server.grpc) as client:
        assert client.predict("picks", Table({"place": np.array([[2]])}))["picked"].tolist() == [[3.5]]


def test_whoever_waits_hears_the_log_and_how_it_ended(repository):
    heard: list[str] = []
    with start(repository, flags=["--exit-timeout-secs=30"]) as server:
        threading.Timer(0.5, os.kill, [server.pid, signal.SIGTERM]).start()
        code = server.wait(heard.append)

    assert code == 0
    assert any("Waiting for in-flight requests" in line for line in heard)


def test_a_taken_port_is_named(repository):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(Unreachable, match=f"port {port} for HTTP is taken") as caught:
            start(repository, http_port=port)

    assert "--http-port" in caught.value.fix
    assert caught.value.exit_code == 4


def test_one_bad_model_is_named_with_its_reason_and_nothing_is_left(repository, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    put(repository, "broken", Servable(b"no graph", picks().inputs, picks().outputs))

    with pytest.raises(Unreachable, match=r"failed to load 'broken' version 1.*Protobuf parsing failed") as caught:
        start(repository)

    assert "'picks'" not in caught.value.message
    assert not list(tmp_path.glob("tritonbuild-server-*"))


def test_models_are_chosen_by_name(repository):
    put(repository, "broken", Servable(b"no graph", picks().inputs, picks().outputs))

    with pytest.raises(UsageError, match="holds no model absent") as caught:
        start(repository, models=["absent"])

    assert "broken, picks" in caught.value.fix
    with start(repository, models=["picks"]) as server, Client(server.http, "http") as client:
        assert client.ready()


@pytest.mark.parametrize(
    ("written", "instead", "reason"),
    [
        ('name: "picked"\n  data_type: TYPE_FP64\n  dims: 1', 'name: "picked"\n  data_type: TYPE_FP64\n  dims: -1', "shape"),
        ('name: "picked"\n  data_type: TYPE_FP64', 'name: "picked"\n  data_type: TYPE_FP32', "expects TYPE_FP32"),
        ('name: "picked"', 'name: "other"', "unexpected inference output 'other'"),
        ('key: "intra_op_thread_count"\n  value {\n    string_value: "1"', 'key: "intra_op_thread_count"\n  value {\n    string_value: "many"', "'many'"),
    ],
)  # fmt: skip
def test_a_config_that_nvidias_backend_would_refuse_is_refused_here_too(triton, written, instead, reason):
    config = write_config(picks(), "misfit", Settings(), {})
    assert written in config
    folder = triton.repository / "misfit"
    shutil.rmtree(folder, ignore_errors=True)
    put(triton.repository, "misfit", picks(), config.replace(written, instead))

    with pytest.raises(Unreachable, match=f"did not load misfit.*{reason}"):
        triton.server.load("misfit")
    shutil.rmtree(folder)


def test_a_new_version_that_does_not_load_leaves_the_old_one_answering(triton, protocol):
    name = f"reloaded_{protocol}"
    triton.put(name, picks())

    with pytest.raises(Unreachable, match="did not load"):
        triton.put(name, Servable(b"no graph", picks().inputs, picks().outputs))

    with triton.client(protocol) as client:
        assert client.predict(name, Table({"place": np.array([[0]])}))["picked"].tolist() == [[1.5]]
        assert client.ready()
        assert client.ready(name, "1")
        assert not client.ready(name, "2")
    triton.put(name, carriers())
    with triton.client(protocol) as client:
        assert [spec.name for spec in client.specs(name).inputs] == ["carrier", "x"]


def test_a_client_of_a_server_that_has_gone_is_told_so(repository, protocol):
    rows = Table({"place": np.array([[0]])})
    with start(repository) as server:
        client = Client(server.grpc if protocol == "grpc" else server.http, protocol, timeout_s=5)
        client.predict("picks", rows)

    with pytest.raises(Unreachable, match="did not answer"):
        client.predict("picks", rows)
    assert not client.ready()


def test_a_client_has_a_model_loaded_and_hears_why_one_does_not(triton, protocol):
    name = f"asked_{protocol}"
    put(triton.repository, name, picks())
    put(triton.repository, f"bad_{protocol}", Servable(b"no graph", picks().inputs, picks().outputs))

    with Control(f"{protocol}://{triton.url(protocol)}") as client:
        client.load(name)
        assert client.predict(name, Table({"place": np.array([[0]])}))["picked"].tolist() == [[1.5]]
        with pytest.raises(UsageError, match="Protobuf parsing failed"):
            client.load(f"bad_{protocol}")


def test_a_log_file_keeps_what_earlier_servers_said_but_only_ones_own_lines_are_reasons(repository, tmp_path):
    log = tmp_path / "server.log"
    log.write_text("E1122 server.cc:1] \"failed to load 'older' version 1: long ago\"\n")
    put(repository, "broken", Servable(b"no graph", picks().inputs, picks().outputs))

    with pytest.raises(Unreachable, match="broken") as caught:
        start(repository, models=["broken"], log=log)

    assert "older" not in caught.value.message
    assert "older" in log.read_text()


def venv(folder: Path, *distributions: str, see: bool) -> Path:
    """A real virtual environment; `see`: with this one's packages; each of `distributions` seems installed in it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for name in distributions:
        info = packages / f"{name.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    if see:
        (packages / "seen.pth").write_text(str(Path(np.__file__).parents[1]) + "\n")
    return folder / "bin" / "python"


def test_another_interpreters_server_can_be_used(repository, tmp_path):
    python = venv(tmp_path / "other", see=True)

    with start(repository, server_python=python) as server, Client(server.grpc) as client:
        assert client.predict("picks", Table({"place": np.array([[3]])}))["picked"].tolist() == [[4.5]]


def test_without_nvidia_pytriton_it_says_what_to_install(repository, tmp_path):
    with pytest.raises(Unreachable, match="nvidia-pytriton is not installed") as caught:
        start(repository, server_python=venv(tmp_path / "bare", see=False))

    assert "tritonbuild[server]" in caught.value.fix
    assert caught.value.exit_code == 4


def test_a_missing_onnxruntime_is_named_in_both_its_builds(repository, tmp_path):
    python = venv(tmp_path / "lacking", see=False)
    packages = next((tmp_path / "lacking").glob("lib/python*/site-packages"))
    (packages / "pytriton").symlink_to(Path(np.__file__).parents[1] / "pytriton")

    with pytest.raises(Unreachable, match="neither onnxruntime nor onnxruntime-gpu is installed") as caught:
        start(repository, server_python=python)

    assert "tritonbuild[cpu]" in caught.value.fix


def test_a_doubled_onnxruntime_is_named_twice(repository, tmp_path):
    with pytest.raises(Unreachable, match="onnxruntime and onnxruntime-gpu are both installed"):
        start(repository, server_python=venv(tmp_path / "doubled", "onnxruntime-gpu", see=True))


def test_numpy_2_beside_the_server_is_refused(repository, tmp_path):
    python = venv(tmp_path / "new", "numpy", see=True)
    info = next((tmp_path / "new").glob("lib/python*/site-packages/numpy-*"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 2.3.0\n")

    with pytest.raises(Unreachable, match="every answer would arrive empty"):
        start(repository, server_python=python)


def test_what_is_no_python_and_no_server_is_said(repository, tmp_path):
    with pytest.raises(Unreachable, match="does not run as a Python"):
        start(repository, server_python=tmp_path / "absent")
    with pytest.raises(Unreachable, match="no program that can be run"):
        start(repository, server=tmp_path / "absent")
    with pytest.raises(Unreachable, match="ended while starting"):
        start(repository, server=Path(shutil.which("true") or "/bin/true"))


def test_a_repository_that_is_no_folder_is_a_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        start(tmp_path / "absent")


def test_two_servers_stand_beside_each_other(triton, repository):
    put(repository, "text", text_identity())

    with start(repository, models=["text"]) as other:
        assert other.http != triton.server.http
        assert os.getpgid(other.pid) == other.pid
    assert triton.server.alive
