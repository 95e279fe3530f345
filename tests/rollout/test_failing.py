"""What goes wrong in a rollout changes nothing: the old version goes on answering, everywhere, and the reason is told."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder import publishing
from builder.triton import control
from builder.triton.client import Client
from builder.triton.control import Control
from builder.triton.server import Server, start
from tests.rollout.conftest import ROWS, STRICT, Ground, document, health, owner, write_model
from tests.unit.cli import tritonbuild

Spoil = Callable[[bytes], bytes]


def one_weight_changed(model: bytes) -> bytes:
    """The first scaler's own: 1/3, in its 40th bit."""
    weight, other = struct.pack("<d", 1 / 3), struct.pack("<d", 1 / 3 + 2**-40)
    assert weight in model
    return model.replace(weight, other)


def cut_short(model: bytes) -> bytes:
    return model[: len(model) // 2]


@pytest.fixture
def spoilt(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spoil, str], None]:
    """spoilt(how, address): what is sent to that server arrives otherwise."""
    load = Control.load

    def plant(how: Spoil, address: str) -> None:
        def spoiling(self, model, config=None, files=None):
            if files is not None and self.address == address and "tritonbuild.heals" not in str(config):
                files = {path: how(one) if path.endswith("model.onnx") else one for path, one in files.items()}
            load(self, model, config, files)

        monkeypatch.setattr(Control, "load", spoiling)

    return plant


@pytest.mark.parametrize("place", [0, 1], ids=["gRPC", "HTTP"])
def test_a_candidate_that_answers_wrongly_is_not_promoted(ground: Ground, spoilt, place):
    """One of the two servers computes otherwise: the report names rows, and the stage whose column differs there first."""
    name = f"wrong{place}"
    ground.publish(name, 1, *ground.loads)
    before = ground.visible
    spoilt(one_weight_changed, ground.addresses[place])

    result = ground.publish(name, 2, *ground.loads, "--json")

    assert result.exit_code == 1
    told = document(result)
    message = told["error"]["message"]
    assert f"does not answer at {ground.addresses[place]} as Spark did" in message
    assert "row 1" in message
    assert "The first stage that differs: first, column 'scaled', row" in message
    assert f"{name} version 1 goes on serving; nothing visible was changed." in message
    assert [part["candidate"] and part["candidate"]["passed"] for part in told["rollout"]["servers"]] == (
        [False, None] if place == 0 else [True, False]
    )
    assert not told["rollout"]["done"]
    assert ground.visible == before
    assert ground.answering(name) == [1, 1]
    assert ground.ready == [200, 200]


def test_bytes_that_are_not_what_was_proven_are_told_from_a_server_that_computes_otherwise(ground: Ground, monkeypatch):
    ground.publish("swapped", 1, *ground.loads)
    prepare = publishing.prepare

    def spoiling(*given):
        prepared = prepare(*given)
        prepared.files["model.onnx"] = one_weight_changed(prepared.files["model.onnx"])
        return prepared

    monkeypatch.setattr(publishing, "prepare", spoiling)

    result = ground.publish("swapped", 2, *ground.loads)

    assert result.exit_code == 1
    assert "The first output that differs: 'twice', of stage second." in result.stderr
    assert "these bytes are not what was compiled" in result.stderr
    assert ground.answering("swapped") == [1, 1]


def test_a_candidate_that_does_not_load_leaves_a_strict_server_ready(ground: Ground, spoilt):
    ground.publish("unloadable", 1, *ground.loads)
    before = ground.visible
    spoilt(cut_short, ground.addresses[1])

    result = ground.publish("unloadable", 2, *ground.loads)

    assert result.exit_code == 1
    assert f"{ground.addresses[1]} does not load it" in result.stderr
    assert "Protobuf parsing failed" in result.stderr
    assert ground.visible == before
    assert ground.answering("unloadable") == [1, 1]
    assert ground.ready == [200, 200]


def test_a_config_that_the_server_refuses_leaves_it_ready(ground: Ground, monkeypatch):
    ground.publish("misconfigured", 1, *ground.loads)
    before, prepare = ground.visible, publishing.prepare

    def spoiling(*given):
        prepared = prepare(*given)
        config = prepared.beside["config.pbtxt"]
        prepared.beside["config.pbtxt"] = config.replace(
            b"dynamic_batching {\n", b"dynamic_batching {\n  preferred_batch_size: 5000\n"
        )
        assert prepared.beside["config.pbtxt"] != config
        return prepared

    monkeypatch.setattr(publishing, "prepare", spoiling)

    result = ground.publish("misconfigured", 2, *ground.loads)

    assert result.exit_code == 1
    assert "that server's log alone says why" in result.stderr
    assert ground.visible == before
    assert ground.answering("misconfigured") == [1, 1]
    assert ground.ready == [200, 200]


def test_a_first_version_that_does_not_load_leaves_nothing(ground: Ground, spoilt):
    spoilt(cut_short, ground.addresses[0])

    result = ground.publish("never", 1, *ground.loads)

    assert result.exit_code == 1
    assert not (ground.repository / "never").exists()
    assert ground.answering("never") == [None, None]
    assert ground.ready == [200, 200]


@pytest.fixture
def apart(ground: Ground, tmp_path: Path) -> Iterator[tuple[Path, Server]]:
    """A third server, over a repository of its own."""
    repository = tmp_path / "model_repository"
    repository.mkdir()
    with start(repository, models=(), flags=STRICT) as server:
        yield repository, server


def test_a_server_over_another_repository_fails_all_of_them(ground: Ground, apart):
    repository, other = apart
    ground.publish("astray", 1, *ground.loads)
    shutil.copytree(ground.repository / "astray", repository / "astray")
    other.load("astray")
    before = ground.visible
    last = f"grpc://{other.grpc}"

    result = ground.publish("astray", 2, *ground.loads, "--load", last, "--json")

    assert result.exit_code == 1
    told = document(result)
    assert f"{last} has loaded astray, and no version 2 of it" in told["error"]["message"]
    assert told["rollout"]["withdrawn"]
    assert [part["answers"] for part in told["rollout"]["servers"]] == [1, 1, 1]
    assert ground.visible == before
    assert ground.answering("astray") == [1, 1]
    assert [*ground.ready, health(other)] == [200, 200, 200]


def test_a_version_that_fails_at_last_on_one_server_is_withdrawn_and_no_server_stays_unready(ground: Ground, apart):
    """It loads as a candidate; under its own number that server finds a broken file."""
    repository, other = apart
    ground.publish("late", 1, *ground.loads)
    shutil.copytree(ground.repository / "late", repository / "late")
    other.load("late")
    broken = repository / "late" / "2"
    broken.mkdir()
    (broken / "model.onnx").write_bytes(b"no graph")
    config = repository / "late" / "config.pbtxt"
    config.write_text(config.read_text().replace("versions: 1", "versions: 2"))

    last = f"grpc://{other.grpc}"
    result = ground.publish("late", 2, *ground.loads, "--load", last, "--json")

    assert result.exit_code == 1
    told = document(result)
    assert f"{last} does not load late version 2" in told["error"]["message"]
    assert told["rollout"]["withdrawn"]
    assert not (ground.repository / "late" / "2").exists()
    assert ground.answering("late") == [1, 1]
    assert ground.ready == [200, 200]
    # its own repository still asks for the broken version: it is told, and answers by the old one
    assert told["rollout"]["servers"][2]["problem"]
    with Client(other.grpc) as client:
        assert owner(client.predict("late", ROWS)) == 1


@pytest.mark.parametrize("before", [None, 1])
def test_a_version_whose_file_breaks_on_the_disk_is_withdrawn_and_no_server_stays_unready(
    ground: Ground, monkeypatch, before
):
    name = f"broken{before}"
    if before:
        ground.publish(name, before, *ground.loads)
    place = publishing.place

    def breaking(repository, prepared):
        placed = place(repository, prepared)
        (placed.path / "model.onnx").write_bytes(b"no graph")
        return placed

    monkeypatch.setattr(publishing, "place", breaking)

    result = ground.publish(name, 2, *ground.loads, "--json")

    assert result.exit_code == 1
    told = document(result)
    assert f"does not load {name} version 2" in told["error"]["message"]
    assert told["rollout"]["withdrawn"]
    assert not (ground.repository / name / "2").exists()
    assert ground.answering(name) == [before, before]
    assert ground.ready == [200, 200]


def test_a_server_that_goes_between_proof_and_promotion_takes_the_version_from_the_others(
    ground: Ground, apart, monkeypatch
):
    _, other = apart
    ground.publish("going", 1, *ground.loads)
    place = publishing.place

    def stopping(*given):
        other.stop()
        return place(*given)

    monkeypatch.setattr(publishing, "place", stopping)

    result = ground.publish("going", 2, *ground.loads, "--load", f"grpc://{other.grpc}", "--json")

    assert result.exit_code == 4
    assert document(result)["rollout"]["withdrawn"]
    assert not (ground.repository / "going" / "2").exists()
    assert ground.answering("going") == [1, 1]
    assert ground.ready == [200, 200]


def test_settings_that_are_withdrawn_are_what_they_were(ground: Ground, apart, monkeypatch):
    _, other = apart
    ground.publish("settings", 1, *ground.loads)
    before, place = ground.visible, publishing.place

    def stopping(*given):
        other.stop()
        return place(*given)

    monkeypatch.setattr(publishing, "place", stopping)

    result = ground.publish("settings", 1, "--max-batch-size", "7", *ground.loads, "--load", f"grpc://{other.grpc}")

    assert result.exit_code == 4
    assert ground.visible == before
    for server in ground.servers:
        with Client(server.grpc) as client:
            assert client.specs("settings").max_batch_size == 1024
    assert ground.ready == [200, 200]


def test_a_server_that_is_not_there_is_found_out_before_any_work(ground: Ground):
    result = ground.publish("nobody", 1, *ground.loads, "--load", "grpc://127.0.0.1:9")

    assert result.exit_code == 4
    assert "127.0.0.1:9 did not answer" in result.stderr
    assert not (ground.repository / "nobody").exists()
    assert ground.answering("nobody") == [None, None]


def test_other_content_under_a_version_that_is_there_is_refused_before_any_server_is_asked(ground: Ground):
    ground.publish("taken", 1, *ground.loads)
    before, logs = ground.visible, [server.log_tail(10_000) for server in ground.servers]
    other = write_model(ground.models, 2)

    result = tritonbuild("publish", other, "--schema", ground.models / "schema.json", "--repository", ground.repository,
                         "--name", "taken", "--version", "1", *ground.loads)  # fmt: skip

    assert result.exit_code == 2
    assert "is there already, with other content" in result.stderr
    assert ground.visible == before
    assert [server.log_tail(10_000) for server in ground.servers] == logs


def test_a_server_that_answers_otherwise_when_nothing_is_new_is_told_and_nothing_is_withdrawn(ground: Ground, apart):
    """The third server has a version 1 of its own."""
    repository, other = apart
    ground.publish("unlike", 1, *ground.loads)
    shutil.copytree(ground.repository / "unlike", repository / "unlike")
    model = repository / "unlike" / "1" / "model.onnx"
    model.write_bytes(one_weight_changed(model.read_bytes()))
    other.load("unlike")
    before = ground.visible

    result = ground.publish("unlike", 1, *ground.loads, "--load", f"http://{other.http}", "--json")

    assert result.exit_code == 1
    told = document(result)
    assert "does not answer at" in told["error"]["message"]
    assert not told["rollout"]["withdrawn"]
    assert ground.visible == before
    assert ground.answering("unlike") == [1, 1]


def test_what_the_repository_served_before_is_not_called_withdrawn(ground: Ground, apart):
    """The third server has not loaded it, and its version 1 is another."""
    repository, other = apart
    ground.publish("wanting", 1, *ground.loads)
    shutil.copytree(ground.repository / "wanting", repository / "wanting")
    model = repository / "wanting" / "1" / "model.onnx"
    model.write_bytes(one_weight_changed(model.read_bytes()))
    before, where = ground.visible, ("--load", f"http://{other.http}", "--json")

    published = ground.publish("wanting", 1, *where)
    rolled = tritonbuild("rollout", "wanting", "--repository", ground.repository, *where)

    for result in (published, rolled):
        told = document(result)
        assert (result.exit_code, told["rollout"]["withdrawn"]) == (1, False)
        assert "Nothing was withdrawn" in told["error"]["message"]
    assert ground.visible == before


@pytest.mark.parametrize("mode", ["poll", "none"])
def test_a_server_that_chooses_by_itself_what_it_loads_is_refused_in_words(ground: Ground, tmp_path, mode):
    (tmp_path / "repository").mkdir()
    with start(tmp_path / "repository", models=(), flags=[f"--model-control-mode={mode}"]) as polling:
        for address in (f"grpc://{polling.grpc}", f"http://{polling.http}"):
            result = ground.publish("polled", 1, "--load", address)

            assert result.exit_code == 2
            assert "was not started with --model-control-mode=explicit" in result.stderr
            assert "leave --load out" in result.stderr


def test_a_server_that_restricts_loading_wants_its_header(ground: Ground, tmp_path):
    flags = [
        "--grpc-restricted-protocol=model-repository:ops=secret",
        "--http-restricted-api=model-repository:ops=secret",
    ]
    with start(ground.repository, models=(), flags=[*STRICT, *flags]) as fenced:
        loads = ("--load", f"grpc://{fenced.grpc}", "--load", f"http://{fenced.http}")
        refused = ground.publish("fenced", 1, *loads)
        done = ground.publish("fenced", 1, *loads, "--load-header", "ops=secret")

    assert refused.exit_code == 2
    assert "without its header" in refused.stderr
    assert done.exit_code == 0, done.stderr
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:8001", "ftp://a:1", "grpc://nowhere"])
def test_an_address_that_is_none_is_told(ground: Ground, address):
    result = ground.publish("addressed", 1, "--load", address)

    assert result.exit_code == 2
    assert "is no address of a server" in result.stderr


def test_a_candidate_too_large_for_a_request_lies_in_the_repository_meanwhile(ground: Ground, monkeypatch):
    monkeypatch.setattr(control, "_LIMITS", {"grpc": 1, "http": 1})
    sent = []
    load = Control.load
    monkeypatch.setattr(
        Control, "load", lambda self, model, *given: (sent.append((model, given)), load(self, model, *given))[1]
    )

    result = ground.publish("large", 1, *ground.loads)

    assert result.exit_code == 0, result.stderr
    assert ground.answering("large") == [1, 1]
    assert sent == [("candidate.large", ()), ("candidate.large", ()), ("large", ()), ("large", ())]
    assert not list(ground.repository.glob("candidate.*"))
    assert ground.ready == [200, 200]


def test_a_large_candidate_that_does_not_load_leaves_nothing_behind(ground: Ground, monkeypatch):
    monkeypatch.setattr(control, "_LIMITS", {"grpc": 1, "http": 1})
    prepare = publishing.prepare

    def spoiling(*given):
        prepared = prepare(*given)
        prepared.files["model.onnx"] = b"no graph"
        return prepared

    monkeypatch.setattr(publishing, "prepare", spoiling)

    result = ground.publish("heavy", 1, *ground.loads)

    assert result.exit_code == 1
    assert "does not load it" in result.stderr
    assert not list(ground.repository.glob("candidate.*"))
    assert ground.ready == [200, 200]


def test_a_rollback_tells_which_server_did_not_follow(ground: Ground, apart):
    _, other = apart
    for version in (1, 2):
        ground.publish("half", version)
    assert tritonbuild("rollout", "half", "--repository", ground.repository, *ground.loads).exit_code == 0
    last = f"grpc://{other.grpc}"

    result = tritonbuild("rollback", "half", "--repository", ground.repository, "--load", last, *ground.loads, "--json")

    assert result.exit_code == 1
    told = document(result)
    assert [part["answers"] for part in told["rollout"]["servers"]] == [None, 1, 1]
    assert last in told["error"]["message"]
    assert ground.answering("half") == [1, 1]
