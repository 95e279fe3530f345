"""What a publication, a rollback and what they say mean to each other, without a server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from builder.triton.repository import serving, versions
from tests.saved import min_max, write_pipeline
from tests.unit.cli import HIGH, LOW, Saved, save_model, tritonbuild


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return save_model(tmp_path)


@pytest.fixture
def two(saved: Saved) -> Saved:
    """Versions 1 and 2 of one model, of which 2 is what lies at `path`."""
    saved.publish("--unproven")
    other = Saved(saved.path.parent / "other" / "model", saved.schema, saved.repository)
    write_pipeline(other.path, [min_max("scaler", "v", "scaled", [0.25, *LOW[1:]], HIGH)])
    other.publish("--unproven")
    assert versions(saved.repository, "model") == (1, 2)
    return other


def test_the_command_that_a_held_version_is_told_with_serves_it(two):
    tritonbuild("rollback", "model", "--repository", two.repository)
    told = json.loads(two.publish("--unproven", "--json").stdout)["notes"]
    assert serving(two.repository, "model") == 1

    command = next(found[1].split() for note in told if (found := re.search("`tritonbuild (.*?)`", note)))
    result = tritonbuild(*command, "--repository", two.repository)

    assert result.exit_code == 0, result.stderr
    assert serving(two.repository, "model") == 2


def test_a_repository_whose_lock_cannot_be_taken_ends_a_rollback_with_4(two):
    (two.repository / ".tritonbuild.rollout.model.lock").mkdir()

    result = tritonbuild("rollback", "model", "--repository", two.repository)

    assert result.exit_code == 4
    assert f"{two.repository} cannot be read or written" in result.stderr
    assert serving(two.repository, "model") == 2


def test_a_name_that_only_a_candidate_could_not_have_is_published_where_there_is_no_server(saved):
    name = "m" * 128

    assert saved.publish("--unproven", "--name", name).exit_code == 0
    refused = saved.publish("--unproven", "--name", name, "--load", "grpc://127.0.0.1:9")

    assert refused.exit_code == 2
    assert "too long to be loaded as candidate." in refused.stderr


def test_no_model_is_named_as_the_candidate_of_another(saved):
    """A rollout of `model` would take it for what a killed one left, and remove it."""
    result = saved.publish("--unproven", "--name", "candidate.model")

    assert result.exit_code == 2
    assert "candidate." in result.stderr
    assert not saved.repository.exists()


def test_a_rollback_passes_over_a_version_that_was_left_before(two):
    tritonbuild("rollback", "model", "--repository", two.repository)  # 2 was bad
    better = Saved(two.path.parents[1] / "better" / "model", two.schema, two.repository)
    write_pipeline(better.path, [min_max("scaler", "v", "scaled", [0.5, *LOW[1:]], HIGH)])
    better.publish("--unproven", "--version", "3")
    assert serving(two.repository, "model") == 3

    result = tritonbuild("rollback", "model", "--repository", two.repository)

    assert result.exit_code == 0, result.stderr
    assert serving(two.repository, "model") == 1


def test_a_gate_that_nothing_could_fail_is_refused(two):
    result = tritonbuild("rollout", "model", "--load", "grpc://127.0.0.1:1", "--gate-latency", "nan")

    assert result.exit_code == 2
    assert "no factor" in result.stderr
