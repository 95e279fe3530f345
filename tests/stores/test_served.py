"""A published model, served by the real tritonserver out of a real S3 server."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from builder.triton import control
from builder.triton.client import Client
from builder.triton.config import write_config
from builder.triton.control import Control
from builder.triton.repository import models, serve_version, write_version
from builder.triton.server import start
from builder.triton.settings import Settings
from builder.types import Table
from tests.rollout.conftest import Ground
from tests.small_models import numbered
from tests.unit.cli import Saved, tritonbuild


def test_what_was_published_to_a_bucket_is_served_and_answers_as_spark_did(saved: Saved):
    assert saved.publish().exit_code == 0

    with start(saved.repository) as server:
        result = tritonbuild(
            "verify", "model", "--repository", saved.repository, "--grpc", server.grpc, "--http", server.http
        )

    assert result.exit_code == 0, result.stderr
    assert "model version 1: answers as Spark did (3 rows, the repository's evidence)" in result.stdout


def test_a_server_turns_to_a_new_version_and_back_within_one_second_too(bucket):
    def put(number: int) -> None:
        model, settings = numbered(2 * number), Settings()
        config = write_config(model, "numbered", settings, {}).encode()
        files = {"model.onnx": model.model, "manifest.json": b"{}"}
        write_version(bucket.repository, "numbered", number, files, {"config.pbtxt": config})

    def answer() -> float:
        return float(client.predict("numbered", Table({"asked": np.zeros((1, 1))}))["even"][0, 0])

    put(1)
    with start(bucket.repository) as server, Client(server.grpc) as client:
        answers = [answer()]
        for turn in [lambda: put(2), *(partial(serve_version, bucket.repository, "numbered", to) for to in (1, 2) * 4)]:
            turn()
            answers.append(answer())
            server.load("numbered")
            answers.append(answer())

    assert answers == [2] + [2, 4, 4, 2] * 4 + [2, 4]


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "staged in the bucket"])
def test_a_version_in_a_bucket_is_rolled_out_and_back(saved: Saved, monkeypatch, sent):
    if not sent:
        monkeypatch.setattr(control, "_LIMITS", {"grpc": 1, "http": 1})
    saved.publish("--version", "1")
    with start(saved.repository, flags=["--strict-readiness=true"]) as server:
        load = ("--load", f"grpc://{server.grpc}")

        published = saved.publish("--version", "2", *load, "--json")
        back = tritonbuild("rollback", "model", "--repository", saved.repository, *load, "--json")

        with Control(load[1]) as client:
            assert (client.answering("model"), client.state()) == (1, "ready")
    assert published.exit_code == 0, published.stderr
    assert json.loads(published.stdout)["rollout"]["servers"][0]["candidate"]["passed"]
    assert back.exit_code == 0, back.stderr
    assert models(saved.repository) == ("model",)


def test_bench_measures_a_model_in_a_bucket(saved: Saved):
    saved.publish()

    result = tritonbuild(
        "bench", "model", "--repository", saved.repository, "--requests", "20", "--concurrency", "1", "--rows", "1"
    )

    assert result.exit_code == 0, result.stderr
    assert "empty model" in result.stdout


def test_rollouts_and_a_rollback_reach_servers_that_read_a_bucket(bucket, tmp_path):
    ground = Ground(tmp_path, bucket.repository, ())
    assert ground.publish("turned", 1).exit_code == 0
    with start(bucket.repository) as first, start(bucket.repository) as second:
        ground = Ground(tmp_path, bucket.repository, (first, second))
        answered = []
        for command in (
            lambda: ground.publish("turned", 2, *ground.loads),
            lambda: tritonbuild("rollback", "turned", "--repository", bucket.repository, *ground.loads),
            lambda: tritonbuild(
                "rollout", "turned", "--version", "2", "--repository", bucket.repository, *ground.loads
            ),
        ):
            result = command()
            assert result.exit_code == 0, result.stderr
            answered.append(ground.answering("turned"))

    assert answered == [[2, 2], [1, 1], [2, 2]]
    assert not [path for path in bucket.everything() if "tritonbuild" in path or ".partial" in path]
    assert tritonbuild("audit", "--repository", bucket.repository).exit_code == 0
