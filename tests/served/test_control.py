"""What changes a server of ours is for this user's own commands: not for a web page, not for whoever guesses."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path

import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from builder.errors import UsageError
from builder.triton import load_header
from builder.triton.control import Control
from builder.triton.server import start
from tests.small_models import picks

CONTROL = (
    "/v2/repository/index",
    "/v2/repository/models/x/load",
    "/v2/repository/models/picks/unload",
    "/v2/systemsharedmemory/region/x/register",
    "/v2/systemsharedmemory/unregister",
    "/v2/cudasharedmemory/region/x/register",
    "/v2/logging",
    "/v2/trace/setting",
    "/v2/models/picks/trace/setting",
)


@pytest.mark.parametrize("path", CONTROL)
def test_a_web_page_changes_nothing(triton, path):
    triton.put("picks", picks())
    code = "import os; os.mkdir('/tmp/written-by-a-web-page')"
    body = {"parameters": {"config": '{"backend": "python"}', "file:1/model.py": code}}
    headers = {"Origin": "http://pages.example", "Content-Type": "text/plain"}

    connection = http.client.HTTPConnection(triton.server.http, timeout=20)
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    answer.read()

    assert answer.status == 403
    with triton.client("http") as client:
        assert client.ready("picks")


def test_nor_does_a_grpc_client_that_does_not_know_the_header(triton):
    with tritonclient.grpc.InferenceServerClient(triton.server.grpc) as client:
        for call in (
            lambda: client.load_model("x"),
            client.get_model_repository_index,
            lambda: client.update_log_settings({"log_verbose_level": 1}),
            lambda: client.update_trace_settings(settings={"trace_file": "/tmp/somewhere"}),
            lambda: client.register_system_shared_memory("x", "/x", 8),
        ):
            with pytest.raises(InferenceServerException, match="restricted"):
                call()


def test_each_server_draws_a_header_of_its_own(triton, tmp_path):
    with start(tmp_path, models=()) as other:
        assert other.header != triton.server.header
        assert len(other.header) > 32


def test_our_own_commands_find_the_header_of_this_users_server(triton, protocol):
    port = triton.url(protocol).rpartition(":")[2]

    for host in ("127.0.0.1", "localhost"):
        with Control(f"{protocol}://{host}:{port}") as control:
            control.check()


def test_what_another_user_could_have_written_is_no_header(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / "tritonbuild-server-planted"
    folder.mkdir()
    load_header.keep(folder, os.getpid(), (9,), "a=planted")
    assert load_header.found("127.0.0.1:9") == "a=planted"

    (folder / "control.json").chmod(0o644)

    assert load_header.found("127.0.0.1:9") == ""


def test_a_server_that_has_ended_leaves_no_header(tmp_path):
    with start(tmp_path, models=()) as server:
        assert load_header.found(server.grpc) == server.header

    assert load_header.found(server.grpc) == ""


def test_the_header_that_is_given_is_the_one_that_is_wanted(tmp_path, protocol):
    with start(tmp_path, models=(), header="ops=kein=Geheimnis 42") as server:
        address = f"{protocol}://{server.grpc if protocol == 'grpc' else server.http}"
        with Control(address, "ops=kein=Geheimnis 42") as control:
            control.check()
        with Control(address, "ops=guessed") as control, pytest.raises(UsageError, match="without its header"):
            control.check()


@pytest.mark.parametrize("header", ["secret", "=secret", "name=", "two words=x", "a=b\nc", "a=ü"])
def test_a_header_that_cannot_travel_is_a_wrong_use(tmp_path, header):
    with pytest.raises(UsageError, match="NAME=VALUE"):
        start(tmp_path, models=(), header=header)


def test_only_this_user_can_read_it(tmp_path):
    with start(tmp_path, models=()) as server:
        folder = Path(f"/proc/{server.pid}/cwd").resolve()

        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / "control.json").stat().st_mode & 0o777 == 0o600
