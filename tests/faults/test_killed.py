"""Publishers killed at any moment, while a server polls the repository and clients read from it.

`KILLS=200` (make kill) kills so many; else a handful.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from builder.triton.inventory import audit, prune
from builder.triton.layout import is_setting
from builder.triton.locking import LOCK
from builder.triton.repository import serving, settings_of, versions
from builder.triton.server import Server, start
from tests.buckets import store
from tests.faults.disks import small_disk
from tests.faults.writer import NAME, pad_of, publish
from tests.unit.cli import save_model

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
POLL = ("--model-control-mode=poll", "--repository-poll-secs=1")
ONE = np.zeros((1, 1))


class Readers:
    """Clients that ask as fast as they can; what went wrong, and every version that answered."""

    def __init__(self, server: Server, clients: int = 2) -> None:
        self.wrong: list[str] = []
        self.answered: set[int] = set()
        self.count = 0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(server.grpc,), daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _read(self, address: str) -> None:
        import tritonclient.grpc as wire

        asked = wire.InferInput("asked", [1, 1], "FP64")
        asked.set_data_from_numpy(ONE)
        with wire.InferenceServerClient(address) as client:
            while not self._ended.is_set():
                try:
                    told = client.infer(NAME, [asked], client_timeout=30)
                except Exception as error:  # any is a finding
                    self.wrong.append(f"{type(error).__name__}: {error}")
                    continue
                names = {tensor.name for tensor in told.get_response().outputs} - {"invalid"}
                number = int(told.as_numpy(next(iter(names)))[0, 0])
                if names != {"odd" if number % 2 else "even"} or str(number) != told.get_response().model_version:
                    self.wrong.append(f"{names} {number} of version {told.get_response().model_version}")
                self.answered.add(number)
                self.count += 1


def failed_versions(server: Server) -> list[str]:
    told = json.loads(server.post("/v2/repository/index")[1])
    return [str(one) for one in told if one.get("state") != "READY" and one.get("reason", "unloaded") != "unloaded"]


@contextmanager
def killers(repository: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.faults.writer", repository]
    writer = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    try:
        assert writer.stdout.readline() == "ready\n"
        yield writer
    finally:
        writer.stdin.close()
        writer.wait(timeout=60)


def begin(writer: subprocess.Popen[str], seed: int) -> int:
    """A publisher's pid."""
    writer.stdin.write(f"{seed}\n")
    writer.stdin.flush()
    return int(writer.stdout.readline())


def end(writer: subprocess.Popen[str], pid: int) -> None:
    """Have it killed by its parent: it alone knows that the pid is still the publisher's."""
    writer.stdin.write("kill\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == f"{pid} ended by {signal.SIGKILL}\n", f"SEED={SEED}: it ended by itself"


def kill_one(writer: subprocess.Popen[str], drawn: random.Random, longest_s: float) -> None:
    """Let a publisher begin, and end it after a random time."""
    pid = begin(writer, drawn.randrange(1 << 30))
    time.sleep(drawn.uniform(0, longest_s))
    end(writer, pid)


def half_versions(repository: Path | str, name: str = NAME) -> list[str]:
    """What of any version's content is not what was published: settings may be between two publications."""
    _, untrue = audit(repository)
    inside = [(str(one.path).removeprefix(f"{repository}/{name}/"), one.why) for one in untrue]
    return [f"{path} {why}" for path, why in inside if not is_setting(re.sub(r"^\d+/", "", path))]


def not_pruned(errors: str) -> list[str]:
    """Why models did not load, but what `prune` took away after Triton had listed it: its next poll is whole."""
    pruned = ("failed to stat file", "failed to open directory")
    return [line for line in errors.splitlines() if not any(words in line for words in pruned)]


def test_a_killed_publisher_is_never_seen_and_the_next_one_heals(tmp_path: Path) -> None:
    repository, drawn = tmp_path / "room" / "model_repository", random.Random(SEED)
    publish(str(repository), 1, pad_of(1), 8)
    with start(repository, models=(), flags=POLL) as server, killers(str(repository), dict(os.environ)) as writer:
        readers = Readers(server)
        for kill in range(KILLS):
            kill_one(writer, drawn, 1.0)
            told = f"SEED={SEED}, kill {kill}"
            assert half_versions(repository) == [], told
            highest = versions(repository, NAME)[-1]
            publish(str(repository), highest + 1, pad_of(highest + 1), 8)
            assert serving(repository, NAME) == highest + 1, told
            prune(repository, 12)  # none that a poll may have begun to load
            assert audit(repository)[1] == (), told
            assert list(tmp_path.rglob(".tritonbuild*")) == [repository / LOCK], told
            assert failed_versions(server) == [], told
            assert readers.wrong == [], told
        await_answer(readers, highest + 1)
        readers.end()
        assert not_pruned(server.errors()) == []
    assert readers.wrong == []
    assert readers.answered <= set(range(1, highest + 2))
    print(f"{KILLS} kills, {readers.count} answers, of {len(readers.answered)} versions out of {highest + 1}")


@pytest.mark.parametrize("mounted", [False, True], ids=["a folder", "a disk of its own"])
def test_what_triton_lists_is_there_when_it_looks_while_a_publisher_writes(tmp_path: Path, mounted: bool) -> None:
    """As it polls: a folder's names, then what each is. One that went meanwhile costs the model its poll, or all theirs."""
    repository = tmp_path / "model_repository"
    with small_disk(repository, "2g") if mounted else nullcontext():
        publish(str(repository), 1, 0, 8)
        look_while_written(repository)


def look_while_written(repository: Path) -> None:
    with killers(str(repository), dict(os.environ)) as writer:
        pid, until = begin(writer, SEED), time.monotonic() + 4
        while time.monotonic() < until:
            for folder in (repository, repository / NAME):
                for name in os.listdir(folder):
                    assert (folder / name).exists(), f"SEED={SEED}: {name} went away"
            assert "config.pbtxt" in settings_of(repository, NAME)
        end(writer, pid)
    assert len(versions(repository, NAME)) > 1


def await_answer(readers: Readers, number: int) -> None:
    until = time.monotonic() + 60
    while number not in readers.answered:
        assert time.monotonic() < until, f"version {number} is never served"
        time.sleep(0.1)


def test_a_killed_command_is_never_seen_and_the_next_one_heals(tmp_path: Path) -> None:
    saved, drawn = save_model(tmp_path), random.Random(SEED)
    saved.add_evidence()
    command = [sys.executable, "-m", "builder.cli", "publish", str(saved.path), "--schema", str(saved.schema)]
    command += ["--repository", str(saved.repository)]
    began = time.monotonic()
    subprocess.run([*command, "--version", "1"], cwd=ROOT, check=True, capture_output=True)
    took = time.monotonic() - began
    with start(saved.repository, models=(), flags=POLL) as server:
        for kill in range(max(2, KILLS // 10)):
            publisher = subprocess.Popen(
                [*command, "--version", str(kill + 2)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(drawn.uniform(0.5, 1) * took)
            publisher.kill()
            publisher.wait()
            assert half_versions(saved.repository, "model") == [], f"SEED={SEED}, kill {kill}"
        assert saved.publish("--version", "1000").exit_code == 0
        assert audit(saved.repository)[1] == ()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model_repository", "schema.json"]
        assert failed_versions(server) == []
        assert server.errors() == ""


def test_a_publisher_into_a_bucket_is_killed_and_what_is_there_is_whole(tmp_path: Path) -> None:
    drawn = random.Random(SEED)
    with store(tmp_path) as bucket, pytest.MonkeyPatch.context() as patch:
        import s3fs

        from builder.triton import leasing

        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        patch.setattr(leasing, "EXPIRY_S", 2.0)
        patch.setattr(leasing, "BEAT_S", 0.3)
        s3fs.S3FileSystem.clear_instance_cache()
        repository = bucket.repository
        publish(repository, 1, pad_of(1), 8)
        with start(repository) as server, killers(repository, dict(os.environ)) as writer:
            readers = Readers(server)
            for kill in range(max(3, KILLS // 10)):
                kill_one(writer, drawn, 3.0)
                told = f"SEED={SEED}, kill {kill}"
                assert half_versions(repository) == [], told
                server.load(NAME)
                highest = versions(repository, NAME)[-1]
                publish(repository, highest + 1, pad_of(highest + 1), 8)
                assert serving(repository, NAME) == highest + 1, told
                prune(repository, 5)
                assert audit(repository)[1] == (), told
                assert not [path for path in bucket.everything() if ".partial" in path or path.startswith(".")], told
                server.load(NAME)
                assert readers.wrong == [], told
            await_answer(readers, highest + 1)
            readers.end()
            assert failed_versions(server) == []
        assert readers.wrong == []
        s3fs.S3FileSystem.clear_instance_cache()
