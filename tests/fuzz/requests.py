"""Malformed requests to `tritonbuild serve`, a good client beside them: `python -m tests.fuzz.requests --requests 100000`.

One request after the other, so that an end of the server belongs to the last one; where several come into question they
are sent again, one by one. It exits with 1 where an answer was wrong, or failed while the server lived.
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import numpy as np

from builder.errors import TritonbuildError
from builder.triton.client import Client, Protocol
from builder.types import Table
from tests.fuzz import grpc_requests, http_requests
from tests.served.test_server import put
from tests.serving import Serve, until
from tests.small_models import carriers, picks, text_identity, words

_SILENT_S, _DEADLY_SILENT_S = 0.3, 10.0  # so long an answer is awaited
_DEADLY_IN = 2000  # one request in so many is of a kind that is known to end the server
_NEIGHBOUR = "incomplete string data for inference input"
_SERVICE = "/inference.GRPCInferenceService/"


@dataclass(frozen=True)
class Request:
    """`method` empty: bytes for the HTTP port; else gRPC's method and its message."""

    kind: str
    method: str
    content: bytes

    @property
    def protocol(self) -> str:
        return "gRPC" if self.method else "HTTP"

    @property
    def patience_s(self) -> float:
        known = grpc_requests.DEADLY if self.method else http_requests.DEADLY
        return _DEADLY_SILENT_S if self.kind in known else _SILENT_S


@dataclass
class Report:
    """What came of a run. `failed`: right requests that failed while the server lived; `spoiled`: those that a neighbour in
    their batch spoilt, by a text whose length says more than there is (Triton 2.51's Python backend refuses all of the batch).
    """

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    deaths: Counter[tuple[str, str]] = field(default_factory=Counter)
    right: int = 0
    wrong: int = 0
    failed: list[str] = field(default_factory=list)
    spoiled: int = 0
    longest_s: float = 0.0
    replayed: int = 0
    restarts: int = 0
    took_s: float = 0.0

    @property
    def requests(self) -> int:
        return sum(self.outcomes.values())

    def lines(self) -> Iterator[str]:
        kinds: dict[tuple[str, str], Counter[str]] = {}
        for (protocol, kind, outcome), count in self.outcomes.items():
            kinds.setdefault((protocol, kind), Counter())[outcome] += count
        for (protocol, kind), outcomes in sorted(kinds.items()):
            told = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
            deaths = self.deaths[protocol, kind]
            yield f"{protocol}  {kind:<43} {sum(outcomes.values()):>6}  {f'deaths {deaths}, ' if deaths else ''}{told}"
        unknown = self.deaths["", ""]
        yield (
            f"{self.requests} malformed requests in {self.took_s:.0f} s: the server died {sum(self.deaths.values())} times"
            f" ({unknown} of them by nobody known, {self.replayed} more when sent again) and came back {self.restarts}"
            f" times, after {self.longest_s:.1f} s at most"
        )
        yield (
            f"a good client: {self.right} right answers, {self.wrong} wrong, {len(self.failed)} failed while the server lived,"
            f" {self.spoiled} were refused for a neighbour's fault"
        )
        yield from (f"{count} times: {why}" for why, count in Counter(self.failed).most_common(20))


class GoodClient(threading.Thread):
    """Asks again and again, over both protocols; every answer must be right to the bit."""

    ROWS = Table(
        {"carrier": np.array([["UA"], ["日本"], ["?"]], dtype=object), "x": np.array([[1 / 3], [-2.7], [0.0]])}
    )

    def __init__(self, serving: Serve) -> None:
        super().__init__(daemon=True)
        self.right = self.wrong = 0
        self.failures: list[tuple[float, float, str]] = []  # from, to, why
        self.over = threading.Event()
        self._urls: dict[Protocol, str] = {"grpc": serving.grpc, "http": serving.http}

    def run(self) -> None:
        while not self.over.is_set():
            for protocol, url in self._urls.items():
                with Client(url, protocol, timeout_s=20) as client:
                    for _ in range(50):
                        if self.over.wait(0.003) or not self._ask(client):
                            break

    def _ask(self, client: Client) -> bool:
        began = time.monotonic()
        try:
            answers = client.predict("carriers", self.ROWS)
        except TritonbuildError as error:
            self.failures.append((began, time.monotonic(), error.message))
            time.sleep(0.1)
            return False
        same = np.array_equal(answers["doubled"], self.ROWS["x"] * 2) and answers["invalid"].tolist() == [[0], [0], [1]]
        if same and np.array_equal(answers["prediction"], [[0.0], [2.0], [np.nan]], equal_nan=True):
            self.right += 1
        else:
            self.wrong += 1
        return True


class Fuzzer:
    """Sends requests to a `Serve` and counts what becomes of them and of the server."""

    def __init__(self, serving: Serve) -> None:
        self.report = Report()
        self.outages: list[tuple[float, float]] = []
        self._serving, self._server = serving, serving.server
        self._suspects: list[Request] = []  # the last one answered, and those since
        self._channel = _channel(serving)

    def send(self, request: Request) -> None:
        self._suspects.append(request)
        outcome = self._outcome(request)
        self.report.outcomes[request.protocol, request.kind, outcome] += 1
        if outcome in _UNSURE:
            if self._dead:
                self._attribute()
        else:
            self._suspects = [request]

    def settle(self) -> None:
        """An end that the last request brings about comes a moment later."""
        time.sleep(1)
        if self._dead:
            self._attribute()

    @property
    def _dead(self) -> bool:
        try:
            state = Path(f"/proc/{self._server}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state in "ZX"

    def _attribute(self) -> None:
        """Wait until the service is back, and find out which request ended it."""
        suspects, self._suspects = self._suspects, []
        self._await_return()
        if len(suspects) > 1:
            for one in reversed(suspects):
                self._outcome(one)
                time.sleep(0.5)
                if self._dead:
                    self.report.replayed += 1
                    self._await_return()
                    suspects = [one]
                    break
        culprit = (suspects[0].protocol, suspects[0].kind) if len(suspects) == 1 else ("", "")
        self.report.deaths[culprit] += 1

    def _await_return(self) -> None:
        began, gone = time.monotonic(), self._server
        until(lambda: self._serving.server not in (0, gone) and self._serving.health() == 200, 60)
        self._server = self._serving.server
        back = time.monotonic()
        self.report.longest_s = max(self.report.longest_s, back - began)
        self.outages.append((began, back))
        self._channel.close()
        self._channel = _channel(self._serving)

    def _outcome(self, request: Request) -> str:
        return self._over_grpc(request) if request.method else self._over_http(request)

    def _over_http(self, request: Request) -> str:
        host, _, port = self._serving.http.partition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=request.patience_s) as connection:
                # No TIME_WAIT: a hundred thousand of them would use up the ports.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(request.content)
                if request.kind.startswith("left"):
                    return "left"
                told = connection.recv(4096)
        except TimeoutError:
            return "no answer"
        except OSError:
            return "closed"
        return told[9:12].decode("latin-1") if told.startswith(b"HTTP/") else "closed"

    def _over_grpc(self, request: Request) -> str:
        path = _SERVICE + request.method
        try:
            if request.method == grpc_requests.STREAM:
                for _ in self._channel.stream_stream(path)(iter([request.content]), timeout=request.patience_s):
                    pass
            else:
                self._channel.unary_unary(path)(request.content, timeout=request.patience_s)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"


def _channel(serving: Serve) -> grpc.Channel:
    """One that does not inherit another's pause after a connection that failed."""
    return grpc.insecure_channel(serving.grpc, options=[("grpc.use_local_subchannel_pool", 1)])


_UNSURE = ("left", "closed", "no answer", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN")


def drawn(seed: int, number: int) -> Iterator[Request]:
    """Each kind once, then by weight; those known to end the server seldom."""
    r = random.Random(seed)
    deadly: list[Callable[[], Request]] = [
        *(partial(_http, r, kind, make) for kind, make in http_requests.DEADLY.items()),
        *(partial(_grpc, r, kind, make) for kind, make in grpc_requests.DEADLY.items()),
    ]
    usual: list[tuple[Callable[[], Request], int]] = [
        *((partial(_http, r, kind, make), weight) for kind, (make, weight) in http_requests.KINDS.items()),
        *((partial(_grpc, r, kind, make), weight) for kind, (make, weight) in grpc_requests.KINDS.items()),
    ]
    makers, weights = zip(*usual, strict=True)
    first = [*deadly, *makers]
    for i in range(number):
        if i < len(first):
            yield first[i]()
        else:
            yield (r.choice(deadly) if r.randrange(_DEADLY_IN) == 0 else r.choices(makers, weights)[0])()


def _http(r: random.Random, kind: str, make: http_requests.Make) -> Request:
    return Request(kind, "", make(r))


def _grpc(r: random.Random, kind: str, make: grpc_requests.Make) -> Request:
    return Request(kind, *make(r))


def run(number: int, seed: int) -> Report:
    """So many requests to a server of its own."""
    with tempfile.TemporaryDirectory(prefix="tritonbuild-fuzz-") as folder:
        repository = Path(folder) / "repository"
        for name, model in (
            ("carriers", carriers()),
            ("text", text_identity()),
            ("words", words()),
            ("picks", picks()),
        ):
            put(repository, name, model)
        with Serve(repository, "--restarts", str(10**6)) as serving:
            return _run(serving, number, seed)


def _run(serving: Serve, number: int, seed: int) -> Report:
    began, fuzzer, good = time.monotonic(), Fuzzer(serving), GoodClient(serving)
    good.start()
    for i, request in enumerate(drawn(seed, number), 1):
        fuzzer.send(request)
        if i % 10_000 == 0:
            sys.stderr.write(
                f"{i} requests, {sum(fuzzer.report.deaths.values())} deaths, {good.right} right, {good.wrong} wrong\n"
            )
    fuzzer.settle()
    good.over.set()
    good.join(60)
    report = fuzzer.report
    report.right, report.wrong, report.took_s = good.right, good.wrong, time.monotonic() - began
    report.restarts = serving.restarts
    failed = [why for start, end, why in good.failures if not _within(start, end, fuzzer.outages)]
    report.failed = [why for why in failed if _NEIGHBOUR not in why]
    report.spoiled = len(failed) - len(report.failed)
    return report


def _within(start: float, end: float, outages: list[tuple[float, float]]) -> bool:
    """Whether the server was away at some time between; an end shows to one client a moment before another."""
    return any(start < back + 1 and end > gone - 1 for gone, back in outages)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    report = run(asked.requests, asked.seed)
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.wrong or report.failed or not report.right else 0


if __name__ == "__main__":
    sys.exit(main())
