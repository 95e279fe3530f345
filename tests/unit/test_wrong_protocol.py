"""`--load` at a port where something else listens: exit code 4, and an error document."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.unit.cli import tritonbuild

LISTENERS = {
    "gRPC": b"\x00\x00\x18\x04\x00\x00\x00\x00\x00\x00\x04\x00\x40\x00\x00\x00\x05\x00\x40\x00\x00",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "garbage": b"\xff\x00SSH-2.0\r\n\r\n",
    "no JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<htm>",
    "closes": b"",
}


@pytest.fixture(params=LISTENERS)
def port(request):
    """A port that says the same to everybody, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # closed: the test is over
                    return
                with connection:
                    connection.settimeout(2)
                    try:
                        connection.recv(4096)
                        connection.sendall(LISTENERS[request.param])
                    except OSError:
                        pass

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_port_that_is_no_tritons_is_unreachable(port, scheme, tmp_path):
    (tmp_path / "m" / "1").mkdir(parents=True)

    done = tritonbuild(
        "rollback", "m", "--repository", tmp_path, "--to", "1", "--load", f"{scheme}://127.0.0.1:{port}", "--json"
    )

    assert done.exit_code == 4, done.stderr
    assert str(port) in json.dumps(json.loads(done.stdout))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_a_command_as_ctrl_c_does(number, tmp_path):
    script = (
        "import tempfile, time\n"
        "from builder import cli\n"
        "def waits():\n"
        "    with tempfile.TemporaryDirectory(dir='.'):\n"
        "        print('waiting', flush=True)\n"
        "        time.sleep(60)\n"
        "cli.app = waits\n"
        "cli.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout.readline() == "waiting\n"
        running.send_signal(number)
        code = running.wait(30)

    assert code == 128 + number
    assert list(tmp_path.iterdir()) == []
