"""A real S3 server of one's own: moto's, in a process of its own on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECRET = "neverTellThisToAnybody"


@dataclass
class Store:
    """A running S3 server, one bucket in it, and what a publisher's environment must say to reach it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    repository = "s3://room/shelf/model_repository"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
        }

    def files(self):
        """An fsspec file system of its own, nothing remembered."""
        import s3fs

        return s3fs.S3FileSystem(
            key="somebody",
            secret=SECRET,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    def everything(self) -> dict[str, bytes]:
        """Path below the repository → content."""
        files, root = self.files(), self.repository.removeprefix("s3://")
        return {path.removeprefix(f"{root}/"): files.cat_file(path) for path in files.find(root)}

    def written(self) -> list[str]:
        """Paths below the repository in the order in which they were written, by the server's own log."""
        mark = f"PUT /{self.repository.removeprefix('s3://')}/"
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [line.partition(mark)[2].split()[0] for line in lines if mark in line]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def store(folder: Path) -> Iterator[Store]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "s3.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        running = Store(subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL), port, log)
    try:
        _await(running)
        running.files().mkdir("room")
        yield running
    finally:
        running.end()


def publisher(running: Store) -> dict[str, str]:
    """The environment of a process that publishes there."""
    return dict(os.environ) | running.environment


def _await(running: Store) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{running.port}/moto-api/", timeout=5).close()
            return
        except OSError:
            assert running.process.poll() is None, running.log.read_text("utf-8", "replace")
            assert time.monotonic() < until, "moto does not answer"
            time.sleep(0.1)
