"""The line that `serve --print-command` prints starts a server that serves, and lets nobody load or unload without the header."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from builder.releases import PINNED, TARGETS
from builder.triton.client import Client
from builder.types import Table
from tests.served.launched import HEADER, free_ports, launched
from tests.unit.cli import save_model, tritonbuild

ROWS = Table({"v": np.array([[0.1, 2.5, -3.0]])})
NAME, SECRET = "triton-control", "kein=Geheimnis 42"


@dataclass(frozen=True)
class Printed:
    repository: Path
    ports: tuple[int, int, int]  # HTTP, gRPC, metrics
    text: str

    @property
    def container(self) -> str:
        return self.text.partition("# Or a tritonserver")[0]

    @property
    def bare(self) -> str:
        return self.text.partition("# Or a tritonserver")[2].partition("\n")[2]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    saved = save_model(tmp_path_factory.mktemp("launch"))
    saved.add_evidence()
    assert saved.publish("--name", "scaled").exit_code == 0
    http, grpc, metrics = free_ports(3)
    ports = ("--http-port", str(http), "--grpc-port", str(grpc), "--metrics-port", str(metrics))
    result = tritonbuild("serve", "--repository", saved.repository, "--print-command", *ports)
    assert result.exit_code == 0, result.stderr
    return Printed(saved.repository, (http, grpc, metrics), result.stdout)


@pytest.fixture(scope="module")
def running(printed: Printed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Printed]:
    folder = tmp_path_factory.mktemp("launched")
    with launched(printed.bare, folder, printed.ports[0], **{HEADER: f"{NAME}={SECRET}"}):
        yield printed


def wire(printed: Printed, protocol: str, **headers: str):
    """tritonclient's own client, and the header in the form that Triton wants over that protocol."""
    if protocol == "http":
        return tritonclient.http.InferenceServerClient(f"127.0.0.1:{printed.ports[0]}"), headers
    named = {f"triton-grpc-protocol-{name}": value for name, value in headers.items()}
    return tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{printed.ports[1]}"), named


def test_it_serves_without_any_header(running, protocol):
    port = running.ports[0] if protocol == "http" else running.ports[1]

    with Client(f"127.0.0.1:{port}", protocol) as client:
        assert client.ready("scaled")
        answers = client.predict("scaled", ROWS)

    assert answers["scaled"].shape == (1, 3)


@pytest.mark.parametrize("call", ["load_model", "unload_model"])
@pytest.mark.parametrize("headers", [{}, {NAME: "guessed"}], ids=["no header", "a wrong one"])
def test_nobody_loads_or_unloads_without_the_header(running, protocol, call, headers):
    client, named = wire(running, protocol, **headers)

    with client:
        with pytest.raises(InferenceServerException, match="restricted"):
            getattr(client, call)("scaled", headers=named)

        assert client.is_model_ready("scaled")


def test_nor_changes_what_it_logs_and_traces(running, protocol):
    client, _ = wire(running, protocol)

    with client:
        with pytest.raises(InferenceServerException, match="restricted"):
            client.update_log_settings({"log_verbose_level": 1})
        with pytest.raises(InferenceServerException, match="restricted"):
            client.update_trace_settings(settings={"trace_file": "/tmp/somewhere"})


def test_whoever_has_the_header_does(running, protocol):
    client, named = wire(running, protocol, **{NAME: SECRET})

    with client:
        client.unload_model("scaled", headers=named)
        client.load_model("scaled", headers=named)
        assert client.is_model_ready("scaled")


def test_without_the_variable_nothing_is_started(printed, tmp_path):
    server = tmp_path / "tritonserver"
    server.write_text("#!/bin/sh\necho started\n", encoding="utf-8")
    server.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    done = subprocess.run(["sh", "-c", printed.bare], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "NAME=VALUE, the header" in done.stderr
    assert done.stdout == ""


def test_the_containers_flags_are_those_that_were_run(printed):
    """But for the folder and the addresses, which are the container's own."""
    inside = shlex.split(printed.container.replace("\\\n", " "), comments=True)[-1]
    flags, run = shlex.split(inside)[1:], shlex.split(printed.bare.replace("\\\n", " "))[2:]
    addressed = ("--model-repository", "--http-", "--grpc-", "--metrics-")

    def others(words: list[str]) -> list[str]:
        return [word for word in words if not word.startswith(addressed) or "restricted" in word]

    assert flags[0] == "tritonserver"
    assert others(flags[1:]) == others(run[1:])
    assert {"--model-repository=/models", "--http-port=8000", "--grpc-port=8001", "--metrics-port=8002"} <= set(flags)


def test_the_container_is_a_known_release_run_by_a_plain_user_on_a_folder_it_cannot_write(printed):
    words = shlex.split(printed.container.replace("\\\n", " "), comments=True)

    assert PINNED in TARGETS
    assert f"nvcr.io/nvidia/tritonserver:{PINNED.name}-py3" in words
    assert f"--volume={printed.repository.resolve()}:/models:ro" in words
    assert {"--user=1000:1000", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only"} <= set(words)
    assert all(word.startswith("--publish=127.0.0.1:") for word in words if word.startswith("--publish"))


def test_the_secret_is_never_printed(saved_secret):
    assert SECRET not in saved_secret


@pytest.fixture
def saved_secret(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(HEADER, f"{NAME}={SECRET}")
    return tritonbuild("serve", "--repository", printed.repository, "--print-command").output


def test_what_ps_shows_is_said(printed):
    assert printed.text.count("where `ps` shows it to every user") == 2


@pytest.mark.parametrize(("release", "bounded"), [("25.05", False), ("25.06", True), (PINNED.name, True)])
def test_what_a_stream_may_leave_waiting_is_bounded_where_the_release_can(printed, release, bounded):
    result = tritonbuild("serve", "--repository", printed.repository, "--print-command", "--triton", release)

    assert result.stdout.count("--grpc-max-response-pool-size=64") == 2 * bounded


def test_a_release_that_nobody_knows_is_wrong_usage(printed):
    result = tritonbuild("serve", "--repository", printed.repository, "--print-command", "--triton", "23.01")

    assert result.exit_code == 2
    assert "no Triton release that is known here" in result.stderr
