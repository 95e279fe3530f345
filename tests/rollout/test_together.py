"""Rollouts at the same time, and under load: no request fails, and servers are never left apart."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.triton.client import Client
from builder.types import Table
from tests.house.sources import ROOT
from tests.rollout.conftest import ROWS, Ground, write_model
from tests.unit.cli import tritonbuild

CLIENTS = 8
ROLLOUTS, ROLLBACKS = (int(os.environ.get(name, few)) for name, few in (("ROLLOUTS", 4), ("ROLLBACKS", 1)))


def publishing(ground: Ground, name: str, version: int) -> subprocess.Popen[str]:
    path = write_model(ground.models, version)
    command = [sys.executable, "-m", "builder.cli", "publish", path, "--schema", ground.models / "schema.json",
               "--repository", ground.repository, "--name", name, "--version", str(version), *ground.loads]  # fmt: skip
    return subprocess.Popen(
        list(map(str, command)),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_rollouts_of_one_model_go_one_after_the_other(ground: Ground):
    ground.publish("both", 1, *ground.loads)

    running = [publishing(ground, "both", version) for version in (2, 3)]
    ends = [process.communicate(timeout=300) for process in running]

    assert [process.returncode for process in running] == [0, 0], ends
    first, second = ground.answering("both")
    assert first == second
    assert first in (2, 3)
    assert ground.ready == [200, 200]


@pytest.mark.parametrize(
    ("moment", "line_before"),
    [
        ("proving", "loading candidate"),
        ("placing", "proving candidate"),
        ("verifying", "loading killed"),
    ],
)
def test_a_rollout_that_is_killed_is_healed_by_the_next(ground: Ground, moment, line_before):
    """A line comes when its step is done: then the next one runs."""
    name = f"killed_{moment}"
    ground.publish(name, 1, *ground.loads)
    process = publishing(ground, name, 2)
    assert process.stderr is not None
    while (line := process.stderr.readline()) and line_before not in line:
        pass
    process.kill()
    process.communicate()
    assert line, "the step came"

    result = ground.publish(name, 2, *ground.loads)

    assert result.exit_code == 0, result.stderr
    assert ground.answering(name) == [2, 2]
    assert ground.ready == [200, 200]
    for server in ground.servers:
        with Client(server.grpc) as client:
            assert not client.ready(f"candidate.{name}")


@dataclass
class Clients:
    """Threads that ask one model over gRPC without a pause, server by server in turn. `failed`: what was no answer."""

    addresses: tuple[str, ...]
    name: str
    playing: set[int] = field(default_factory=set)  # the versions whose answers are right at this moment
    failed: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    answers: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def work(self, number: int) -> None:
        row = ROWS.take(slice(1, 2))
        with Client(self.addresses[number % len(self.addresses)]) as client:
            client.specs(self.name)
            while not self._ended.wait(0.002):
                allowed = set(self.playing)
                try:
                    found = of_one_row(client.predict(self.name, row))
                except Exception as error:  # whatever it is, it is a request that failed
                    self.failed.append(repr(error))
                    continue
                with self._counting:
                    self.answers += 1
                if found not in allowed | self.playing:
                    self.strange.append(f"version {found} answered while {allowed} were in play")

    @contextmanager
    def busy(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.work, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()


def of_one_row(answers: Table) -> int | None:
    """The version whose answer to the second row this is."""
    given = answers["twice"].tobytes()
    return next((version for version, known in ANSWERS.items() if known == given), None)


ANSWERS: dict[int, bytes] = {}


def test_under_busy_clients_no_request_fails_and_every_answer_is_of_a_version_in_play(ground: Ground, record_property):
    """`make rollouts` does it 20 and 5 times."""
    last = 1 + ROLLOUTS
    for version in range(1, last + 1):
        ANSWERS[version] = answer_of(write_model(ground.models, version))
    assert len(set(ANSWERS.values())) == last
    ground.publish("busy", 1, *ground.loads)
    crowd = Clients(tuple(server.grpc for server in ground.servers), "busy", {1})
    with crowd.busy():
        for version in range(2, last + 1):
            crowd.playing |= {version}
            result = ground.publish("busy", version, *ground.loads)
            assert result.exit_code == 0, result.stderr
            assert ground.answering("busy") == [version, version]
            crowd.playing &= {version}
        for version in range(last - 1, last - 1 - ROLLBACKS, -1):
            crowd.playing |= {version}
            result = tritonbuild("rollback", "busy", "--repository", ground.repository, *ground.loads)
            assert result.exit_code == 0, result.stderr
            assert ground.answering("busy") == [version, version]
            crowd.playing &= {version}

    record_property("answers", crowd.answers)
    print(f"{ROLLOUTS} rollouts and {ROLLBACKS} rollbacks under {CLIENTS} clients: {crowd.answers} answers, "
          f"{len(crowd.failed)} failed, {len(crowd.strange)} of another version")  # fmt: skip
    assert not crowd.failed, crowd.failed[:5]
    assert not crowd.strange, crowd.strange[:5]
    assert crowd.answers > CLIENTS * ROLLOUTS


def answer_of(model: Path) -> bytes:
    from builder.evidence import load

    found = load(model / "tritonbuild" / "evidence.parquet")
    return found.answers["twice"][1:2].tobytes()
