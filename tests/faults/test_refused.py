"""A disk that is full, a folder that may only be read, a store that goes away: exit code 4, and nothing has changed."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from builder.errors import Unreachable
from builder.triton import leasing, remote
from builder.triton.inventory import audit
from builder.triton.locking import LOCK
from builder.triton.repository import serve_version, serving, versions, withdraw
from tests.buckets import Store, store
from tests.faults.disks import small_disk
from tests.faults.test_killed import half_versions
from tests.faults.writer import NAME, publish
from tests.unit.cli import Saved, save_model, tritonbuild


def everything(folder: Path) -> dict[str, bytes]:
    """But the lock's file, which stays."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def visible(folder: Path) -> dict[str, bytes]:
    """Everything but the settings that a version keeps for later, and what its manifest says of them."""
    kept = re.compile(r"model_repository/model/\d+/(manifest.json|config.pbtxt|warmup/.*)")
    return {path: content for path, content in everything(folder).items() if not kept.fullmatch(path)}


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[Saved]:
    with small_disk(tmp_path / "disk", "1m") as disk:
        (tmp_path / "saved").mkdir()
        saved = save_model(tmp_path / "saved")
        saved.add_evidence()
        yield Saved(saved.path, saved.schema, disk / "room" / "model_repository")


def fill(disk: Path, left: int) -> None:
    """Take all of the disk's space but so many pages of 4 KiB."""
    with (disk / "full").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with (disk / "full").open("rb+") as file:
        file.truncate(max(0, (disk / "full").stat().st_size // 4096 - left) * 4096)


@pytest.mark.parametrize("again", [(), ("--version", "2"), ("--version", "1", "--max-batch-size", "7")],
                         ids=["new model", "new version", "other settings"])  # fmt: skip
def test_a_full_disk_changes_nothing_wherever_it_gets_full(saved, again):
    disk = saved.repository.parent.parent
    saved.repository.parent.mkdir()
    if again:
        assert saved.publish("--version", "1").exit_code == 0
    refused = 0
    for left in range(40):
        before = visible(saved.repository.parent)
        fill(disk, left)
        result = saved.publish(*again)
        (disk / "full").unlink()
        if result.exit_code == 0:
            break
        refused += 1
        assert result.exit_code == 4, result.stderr
        assert "No space left" in result.stderr
        assert visible(saved.repository.parent) == before, f"{left} pages were left"

    assert refused > 2
    assert tritonbuild("audit", "--repository", saved.repository).exit_code == 0
    assert serving(saved.repository, "model") == versions(saved.repository, "model")[-1]


@pytest.mark.parametrize("bound", [False, True], ids=["a disk of its own", "a folder mounted twice"])
def test_a_repository_that_is_a_mount_is_written_from_within(tmp_path, bound):
    """No rename comes into a mount from beside it, be it the same disk."""
    with small_disk(tmp_path / "room", "64m") as disk, ExitStack() as undone:
        repository = disk
        if bound:
            repository = disk / "bound"
            (disk / "shelf").mkdir()
            repository.mkdir()
            subprocess.run(["mount", "--bind", disk / "shelf", repository], check=True)
            undone.callback(subprocess.run, ["umount", repository], check=True)
        for number in (1, 2, 3):
            publish(str(repository), number, 0, 8)
        publish(str(repository), 3, 0, 9)
        serve_version(repository, NAME, 2)
        withdraw(repository, NAME, 2)

        assert (versions(repository, NAME), serving(repository, NAME), audit(repository)[1]) == ((1, 3), 3, ())
        for number in (1, 3):
            withdraw(repository, NAME, number)
        assert {path.name for path in repository.iterdir()} == {LOCK}


def test_a_folder_that_may_only_be_read_is_listed_and_not_written(saved):
    saved.publish()
    disk = saved.repository.parent.parent
    before = everything(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    result = saved.publish("--version", "2")

    assert result.exit_code == 4
    assert "Read-only file system" in result.stderr
    assert everything(disk) == before
    for command in ("list", "audit"):
        assert tritonbuild(command, "--repository", saved.repository).exit_code == 0
    assert tritonbuild("prune", "--repository", saved.repository).exit_code == 4
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert saved.publish("--version", "2").exit_code == 0


class Line:
    """The way to a server, which is cut once so many bytes went over it."""

    def __init__(self, port: int, last: int) -> None:
        self._to, self._left = port, last
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(*ends, ends[0] is near), daemon=True).start()

    def _carry(self, out: socket.socket, into: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while piece := out.recv(65536):
                self._left -= len(piece) * counted
                if self._left < 0:
                    self.cut()
                    break
                into.sendall(piece)
        for end in (out, into):
            end.close()

    def cut(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    import s3fs

    with store(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setattr(leasing, "EXPIRY_S", 2.0)
        monkeypatch.setattr(leasing, "BEAT_S", 0.3)
        s3fs.S3FileSystem.clear_instance_cache()
        yield running
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("last", [3_000, 8_000, 500_000, 1_060_000])
def test_a_store_that_is_cut_off_halfway_shows_nothing_new_and_the_next_publisher_heals(bucket, monkeypatch, last):
    import s3fs

    publish(bucket.repository, 1, 0, 8)
    line = Line(bucket.port, last)
    s3fs.S3FileSystem.clear_instance_cache()
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
        with pytest.raises(Unreachable, match="did not answer"):
            publish(bucket.repository, 2, 1 << 20, 8)
    line.cut()
    s3fs.S3FileSystem.clear_instance_cache()

    assert serving(bucket.repository, NAME) == 1
    assert half_versions(bucket.repository) == []
    publish(bucket.repository, 2, 1 << 20, 8)
    assert serving(bucket.repository, NAME) == 2
    assert audit(bucket.repository)[1] == ()
    assert not [path for path in bucket.everything() if ".partial" in path or path.startswith(".")]


def test_a_store_that_takes_a_request_and_never_answers_is_told(bucket, monkeypatch):
    """The libraries' own timeouts end most such requests, and not all."""
    import s3fs

    monkeypatch.setattr(remote, "_ANSWER_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(Unreachable, match=r"did not answer, or refused: .*no answer within 1 s"):
            publish(bucket.repository, 1, 0, 8)


def test_a_store_that_dies_halfway_is_told(bucket, tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence()
    assert (
        tritonbuild("publish", saved.path, "--schema", saved.schema, "--repository", bucket.repository).exit_code == 0
    )
    puts = len(bucket.written())
    watching = threading.Thread(target=end_at, args=(bucket, puts + 3))
    watching.start()
    result = tritonbuild(
        "publish", saved.path, "--schema", saved.schema, "--repository", bucket.repository, "--version", "2", "--json"
    )
    watching.join()

    assert result.exit_code == 4, result.stdout
    assert '"exit_code": 4' in result.stdout


def end_at(bucket: Store, puts: int) -> None:
    while len(bucket.written()) < puts and bucket.process.poll() is None:
        time.sleep(0.005)
    bucket.end()
