"""publish --load, rollout and rollback through real servers with strict readiness: on all of them, or on none."""

from __future__ import annotations

import time
from collections.abc import Callable

from builder.triton.client import Client
from builder.triton.repository import serving
from builder.triton.server import start
from tests.rollout.conftest import ROWS, STRICT, Ground, document, health, owner
from tests.unit.cli import tritonbuild


def test_a_first_version_is_served_on_every_server(ground: Ground):
    result = ground.publish("fresh", 1, *ground.loads, "--json")

    assert result.exit_code == 0, result.stderr
    assert ground.answering("fresh") == [1, 1]
    assert ground.ready == [200, 200]
    rollout = document(result)["rollout"]
    assert rollout["done"]
    assert (rollout["version"], rollout["before"]) == (1, None)
    assert [part["answers"] for part in rollout["servers"]] == [1, 1]
    assert all(part["candidate"]["passed"] and part["parity"]["rows"] == 4 for part in rollout["servers"])


def test_a_next_version_takes_the_place_of_the_one_before(ground: Ground):
    ground.publish("next", 1, *ground.loads)

    result = ground.publish("next", 2, *ground.loads)

    assert result.exit_code == 0, result.stderr
    assert ground.answering("next") == [2, 2]
    assert ground.ready == [200, 200]
    assert "next version 2 is served on 2 servers, before it 1" in result.stdout


def test_the_same_again_is_verified_and_nothing_else(ground: Ground):
    ground.publish("same", 1, *ground.loads)
    before, loads = ground.visible, [server.log_tail(10_000).count("loading: ") for server in ground.servers]

    result = ground.publish("same", 1, *ground.loads, "--json")

    told = document(result)
    assert result.exit_code == 0
    assert not told["changed"]
    assert not told["rollout"]["fresh"]
    assert [part["parity"]["rows"] for part in told["rollout"]["servers"]] == [4, 4]
    assert ground.visible == before
    assert [server.log_tail(10_000).count("loading: ") for server in ground.servers] == loads


def test_other_settings_of_the_same_version_are_loaded(ground: Ground):
    ground.publish("set", 1, *ground.loads)

    result = ground.publish("set", 1, "--max-batch-size", "7", *ground.loads)

    assert result.exit_code == 0, result.stderr
    for server in ground.servers:
        with Client(server.grpc) as client:
            assert client.specs("set").max_batch_size == 7


def test_rollback_goes_to_the_version_below_and_rollout_comes_again(ground: Ground):
    for version in (1, 2, 3):
        ground.publish("back", version)
    assert tritonbuild("rollout", "back", "--repository", ground.repository, *ground.loads).exit_code == 0
    assert ground.answering("back") == [3, 3]

    back = tritonbuild("rollback", "back", "--repository", ground.repository, *ground.loads, "--json")

    assert back.exit_code == 0, back.stderr
    assert ground.answering("back") == [2, 2]
    assert (document(back)["version"], document(back)["before"]) == (2, 3)
    assert all(part["parity"]["passed"] and part["candidate"] is None for part in document(back)["servers"])
    to = tritonbuild("rollback", "back", "--to", "1", "--repository", ground.repository, *ground.loads)
    assert to.exit_code == 0, to.stderr
    assert ground.answering("back") == [1, 1]
    again = tritonbuild("rollout", "back", "--version", "3", "--repository", ground.repository, *ground.loads, "--json")
    assert again.exit_code == 0, again.stderr
    assert ground.answering("back") == [3, 3]
    assert all(part["candidate"]["passed"] for part in document(again)["servers"])
    assert ground.ready == [200, 200]


def test_rollback_without_servers_is_all_that_a_polling_server_needs(ground: Ground, tmp_path):
    there = tmp_path / "model_repository"
    for version in (1, 2):
        ground.publish("polled", version, "--repository", there)
    flags = [*STRICT, "--model-control-mode=poll", "--repository-poll-secs=1"]
    with start(there, models=(), flags=flags) as polling, Client(polling.grpc) as client:
        until(lambda: client.ready("polled") and owner(client.predict("polled", ROWS)) == 2)

        result = tritonbuild("rollback", "polled", "--repository", there, "--json")

        assert result.exit_code == 0, result.stderr
        assert document(result)["servers"] == []
        assert serving(there, "polled") == 1
        until(lambda: owner(client.predict("polled", ROWS)) == 1)
        until(lambda: health(polling) == 200)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_there_is_nothing_below_the_lowest(ground: Ground):
    ground.publish("lowest", 4)

    result = tritonbuild("rollback", "lowest", "--repository", ground.repository)

    assert result.exit_code == 2
    assert "no version of lowest below 4" in result.stderr


def test_a_version_published_by_hand_after_a_rollback_answers_again(ground: Ground):
    for version in (1, 2):
        ground.publish("wanted", version)
    tritonbuild("rollback", "wanted", "--repository", ground.repository, *ground.loads)

    result = ground.publish("wanted", 2, *ground.loads)

    assert result.exit_code == 0, result.stderr
    assert ground.answering("wanted") == [2, 2]
