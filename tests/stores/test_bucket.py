"""A repository in an object store: a real S3 server, the real command."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import pytest

from builder.errors import Unreachable, UsageError
from builder.triton import leasing
from builder.triton.leasing import LOCK, leased
from builder.triton.remote import Locks
from builder.triton.repository import (
    models,
    policy,
    read_manifest,
    serve_version,
    serving,
    versions,
    withdraw,
    write_version,
)  # fmt: skip
from builder.triton.stores import store_of
from tests.buckets import SECRET, publisher
from tests.unit.cli import Saved, tritonbuild

ROOT = Path(__file__).parents[2]
MANIFEST = b'{"source": {}, "stages": [], "inputs": [], "outputs": [], "files": {}}'
SETTINGS = {"config.pbtxt": b'name: "m"\n'}


def without(library: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(library) is not None, reason=f"{library} is installed here")


def files_of(number: int) -> dict[str, bytes]:
    return {"manifest.json": MANIFEST, "model.onnx": bytes([number])}


def of(saved: Saved, *command: str) -> tuple[int, dict]:
    result = tritonbuild(*command, "--repository", saved.repository, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_a_published_version_is_listed_audited_rolled_back_and_pruned(saved, bucket):
    for number in ("1", "2", "3"):
        assert saved.publish("--version", number).exit_code == 0
    assert "was there already" in saved.publish("--version", "3").stdout

    assert [(one["version"], one["serving"], one["proven_rows"]) for one in of(saved, "list")[1]["versions"]] == [
        (1, False, 4), (2, False, 4), (3, True, 4),
    ]  # fmt: skip
    assert of(saved, "audit")[0] == 0
    serve_version(bucket.repository, "model", 1)
    assert of(saved, "audit")[0] == 0
    assert [one["version"] for one in of(saved, "prune", "--keep", "1")[1]["versions"]] == [2]
    assert (versions(bucket.repository, "model"), serving(bucket.repository, "model")) == ((1, 3), 1)
    assert of(saved, "audit")[0] == 0
    assert not [path for path in bucket.everything() if "tritonbuild" in path or "partial" in path]


def test_what_would_change_is_told_and_nothing_is_written(saved, bucket):
    saved.publish()
    assert "model/1/model.onnx" in bucket.written()
    bucket.log.write_bytes(b"")
    where = ("--schema", saved.schema, "--repository", saved.repository, "--json")

    same, other = (tritonbuild("diff", saved.path, *where, *more) for more in ((), ("--instances", "2")))

    assert json.loads(same.stdout)["verdict"] == "same", same.stderr
    assert json.loads(other.stdout)["verdict"] == "settings", other.stderr
    assert bucket.written() == []


def test_other_content_under_the_same_version_is_refused_and_nothing_moves(saved, bucket):
    saved.publish("--version", "1")
    before = bucket.everything()

    refused = saved.publish("--version", "1", "--unproven", "--outputs", "v")

    assert refused.exit_code == 2, refused.stderr
    assert bucket.everything() == before


@pytest.mark.parametrize("path", ["model/1/model.onnx", "model/1/config.pbtxt", "model/config.pbtxt"])
def test_an_object_that_was_changed_is_found(saved, bucket, path):
    saved.publish()
    bucket.files().pipe_file(f"room/shelf/model_repository/{path}", b"# changed")

    code, told = of(saved, "audit")

    assert code == 1
    assert any(problem["path"] == f"{bucket.repository}/{path}" for problem in told["untrue"])


def test_files_come_first_then_the_manifest_then_the_settings_and_config_pbtxt_last(bucket):
    write_version(bucket.repository, "m", 1, files_of(1), SETTINGS | {"labels.txt": b"a\n"})
    write_version(bucket.repository, "m", 2, files_of(2), SETTINGS | {"labels.txt": b"b\n"})

    written = [path for path in bucket.written() if not path.startswith(".")]
    order = [path for path, again in groupby(written)]  # config.pbtxt until its second is a later one

    for number in (1, 2):
        assert order[:2] == [f"m/{number}/.partial", f"m/{number}/model.onnx"]
        assert order[4:7] == [f"m/{number}/manifest.json", "m/labels.txt", "m/config.pbtxt"]
        order = order[7:]
    assert order == []
    assert not [path for path in bucket.everything() if path.endswith(".partial")]


def test_what_was_half_written_is_not_there_and_the_next_publisher_removes_it(bucket):
    write_version(bucket.repository, "m", 1, files_of(1), SETTINGS)
    for path in (".partial", "model.onnx", "config.pbtxt"):
        bucket.files().pipe_file(f"room/shelf/model_repository/m/2/{path}", b"half")

    assert versions(bucket.repository, "m") == (1,)
    assert serving(bucket.repository, "m") == 1
    assert write_version(bucket.repository, "m", None, files_of(3), SETTINGS).version == 2
    assert bucket.everything()["m/2/model.onnx"] == bytes([3])
    assert "m/2/.partial" not in bucket.everything()


def test_a_version_that_somebody_else_put_there_stays(bucket):
    write_version(bucket.repository, "m", 1, files_of(1), SETTINGS)
    bucket.files().pipe_file("room/shelf/model_repository/m/7/model.onnx", b"theirs")

    assert write_version(bucket.repository, "m", None, files_of(3), SETTINGS).version == 8
    assert versions(bucket.repository, "m") == (1, 7, 8)


def test_what_is_withdrawn_leaves_what_answered_before(bucket):
    write_version(bucket.repository, "m", 1, files_of(1), SETTINGS)
    before = bucket.everything()
    write_version(bucket.repository, "m", 2, files_of(2), SETTINGS)

    withdraw(bucket.repository, "m", 2)

    assert bucket.everything() == before
    withdraw(bucket.repository, "m", 1)
    assert bucket.everything() == {}


def test_sixteen_publishers_at_once_all_get_in_and_every_digest_is_true(saved, bucket):
    command = [sys.executable, "-m", "builder.cli", "publish", saved.path, "--schema", saved.schema]
    writers = [
        subprocess.Popen(
            [*command, "--repository", saved.repository, "--version", str(i)], cwd=ROOT, env=publisher(bucket)
        )
        for i in range(1, 17)
    ]
    assert [writer.wait(timeout=300) for writer in writers] == [0] * 16

    assert versions(bucket.repository, "model") == tuple(range(1, 17))
    assert serving(bucket.repository, "model") == 16
    assert of(saved, "audit")[0] == 0


def test_a_living_holder_keeps_the_lock_and_a_dead_ones_is_taken_over_once(bucket, monkeypatch):
    monkeypatch.setattr(leasing, "EXPIRY_S", 5)
    monkeypatch.setattr(leasing, "BEAT_S", 0.2)
    locks, held, most = Locks(store_of(bucket.repository), "lock."), [], []

    def work() -> None:
        with leased(Locks(store_of(bucket.repository), "lock."), "here") as lease:
            held.append(lease)
            most.append(len(held))
            time.sleep(0.1)
            lease.check()
            held.remove(lease)

    with leased(locks, "here"), pytest.raises(Unreachable, match="another publisher"), leased(locks, "here", 8.0):
        pass
    assert locks.make(1, b"of one that is dead")
    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)

    assert most == [1] * 8
    assert locks.numbers() == []


def test_who_lost_the_lock_writes_nothing_more(bucket, monkeypatch):
    monkeypatch.setattr(leasing, "BEAT_S", 0.1)
    store = store_of(bucket.repository)
    with store.errors(), store.alone():
        Locks(store, LOCK).make(2, b"another took over")
        time.sleep(2)  # twenty heartbeats
        with pytest.raises(Unreachable, match="was lost"):
            store.replace("m/1", {"model.onnx": b"x"})
    Locks(store, LOCK).remove(2)
    assert bucket.everything() == {}


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("s3://", "no address"),
        ("s3://room/../other", "no address"),
        ("s3://room//x", "no address"),
        ("s3://key:secret@room/x", "no address"),
        ("ftp://host/x", "is not known"),
        pytest.param("gs://room/x", "pip install 'tritonbuild[gs]'", marks=without("gcsfs")),
        pytest.param("az://room/x", "pip install 'tritonbuild[az]'", marks=without("adlfs")),
    ],
)
@pytest.mark.parametrize("command", [("list",), ("audit",), ("prune",), ("serve",), ("verify", "m"), ("bench", "m")])
def test_an_address_that_leads_nowhere_is_refused_in_words(address, why, command):
    result = tritonbuild(*command, "--repository", address)

    assert result.exit_code == 2
    assert why in result.stderr


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", ".."])
def test_no_name_climbs_out_of_the_bucket(bucket, name):
    with pytest.raises(UsageError, match="no valid Triton model name"):
        write_version(bucket.repository, name, 1, files_of(1), SETTINGS)
    with pytest.raises(UsageError, match="outside"):
        write_version(bucket.repository, "m", 1, files_of(1) | {"../../x": b""}, SETTINGS)

    assert bucket.everything() == {}


def test_a_bucket_that_is_not_there_and_a_key_that_is_refused_are_told(saved, bucket, monkeypatch):
    absent = tritonbuild("publish", saved.path, "--schema", saved.schema, "--repository", "s3://absent/x")
    assert absent.exit_code == 4
    assert "s3://absent/x" in absent.stderr
    assert tritonbuild("list", "--repository", bucket.repository).exit_code == 2


def test_the_secret_key_is_told_nowhere(saved, bucket):
    results = [saved.publish(), saved.publish("--json"), tritonbuild("list", "--repository", "s3://absent/x", "--json")]

    everything = b"".join(bucket.everything().values())
    assert SECRET.encode() not in everything
    assert not [one for one in results if SECRET in one.stdout + one.stderr]
    assert str(bucket.port).encode() not in everything


def test_the_manifest_is_read_through_the_address(bucket):
    write_version(bucket.repository, "m", 1, files_of(1), SETTINGS)

    assert models(bucket.repository) == ("m",)
    assert read_manifest(bucket.repository, "m")["stages"] == []
    assert policy(bucket.repository, "m").owner == 1


def test_a_bucket_that_is_not_there_is_told_before_anything_is_read(saved, bucket):
    """It was compiled and told to MLflow first."""
    result = tritonbuild(
        "publish", saved.path, "--schema", saved.schema, "--unproven", "--repository", "s3://no-such-bucket/models"
    )

    assert result.exit_code == 4
    assert "compiling" not in result.stderr
