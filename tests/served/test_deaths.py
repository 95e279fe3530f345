"""The server and a stub are killed again and again under clients: back within seconds, no wrong answer. `make deaths`."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz.requests import GoodClient
from tests.served.test_server import put
from tests.serving import Serve, until
from tests.small_models import carriers

DEATHS = int(os.environ.get("DEATHS", "2"))
BACK_S = 10.0 if "DEATHS" in os.environ else 45.0  # the suite's machine may be busy


@pytest.mark.parametrize("who", ["server", "stub"])
def test_it_is_back_within_seconds_and_no_answer_is_wrong(tmp_path: Path, who: str) -> None:
    put(tmp_path / "repository", "carriers", carriers())
    took = []
    with Serve(tmp_path / "repository") as serving:
        good = GoodClient(serving)
        good.start()
        for death in range(1, DEATHS + 1):
            before = good.right
            until(lambda before=before: good.right > before + 20)  # it answers, and a second passes
            time.sleep(1)
            killed = time.monotonic()
            os.kill(serving.server if who == "server" else serving.stubs[0], signal.SIGKILL)
            until(lambda death=death: serving.restarts == death)
            right = good.right
            until(lambda right=right: good.right > right)
            took.append(time.monotonic() - killed)
        good.over.set()
        good.join(30)

    took.sort()
    told = f"{DEATHS} {who}s killed: back after {took[len(took) // 2]:.1f} s in the middle, {took[-1]:.1f} s at most"
    sys.stdout.write(f"{told}; {good.right} right answers, {good.wrong} wrong, {len(good.failures)} requests failed\n")
    assert good.wrong == 0
    assert took[-1] < BACK_S
