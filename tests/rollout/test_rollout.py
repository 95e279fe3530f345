"""publish --load, rollout and rollback through real servers with strict readiness: on all of them, or on none."""

from __future__ import annotations

from tests.rollout.conftest import Ground, document


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
