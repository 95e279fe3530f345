"""A repository in an object store, through fsspec: `s3://bucket/folder`, `gs://…`, `az://…`.

An object appears whole, a folder of them does not. So a version is written in an order: a mark that it is not whole, the
files, manifest.json, and the mark goes. Without its manifest a marked version is not there for us, and the next publisher
removes it; for Triton it is not there either, for config.pbtxt names the versions and is written last of all. The mark is
made only where there is none: two who both believe to hold the lock cannot write into one version.

Who is allowed in is the library's own affair: AWS_* variables, profiles, roles and the like; so is the endpoint.
"""

from __future__ import annotations

import errno
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from builder.errors import TritonbuildError, Unreachable, UsageError
from builder.triton.layout import CONFIG, MANIFEST, Files
from builder.triton.leasing import LOCK, Lease, leased

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
_WRITTEN = {"s3": "LastModified", "gs": "mtime", "az": "last_modified"}
_LATER_WITHIN_S = 5.0  # a second, and what the store needs; a clock set back is not waited for
_MARK = ".partial"  # in a version's folder
_PIECE = 1 << 24  # bytes read at once
_ANSWER_S = 120.0  # for a request, with the library's own attempts: one has been seen that no timeout of theirs ended
_SLOWEST = 100_000  # bytes a second that an upload must make
_NUMBER = re.compile(r"[0-9]{1,18}")  # of a lock
_PART = re.compile(r"(?!\.\.?$)[A-Za-z0-9_.\-]+")  # what Triton reads in an address
_QUERY = re.compile(r"\?[^\s\"']+")  # of an address in an error: some stores are told there who asks
_LIBRARIES = {
    "aiobotocore", "aiohttp", "asyncio", "azure", "botocore", "fsspec", "gcsfs", "google", "adlfs", "s3fs", "urllib3"
}  # fmt: skip
"""Whose exceptions, where they are no OSError, mean that the store did not answer."""


class Bucket:
    """A `Store`: an address and all below it. Raises UsageError where it is none, or its library is not installed."""

    def __init__(self, address: str) -> None:
        self._scheme, _, rest = address.partition("://")
        self._root = rest.strip("/")
        if not self._root or not all(_PART.fullmatch(part) for part in self._root.split("/")):
            raise UsageError(
                f"{address!r} is no address of a repository.",
                fix=f"write {self._scheme}://bucket/folder; credentials and endpoints are taken from the environment.",
            )
        self._address = f"{self._scheme}://{self._root}"
        self._kind = _library(self._scheme, self._address)
        self._lease: Lease | None = None

    @cached_property
    def _files(self) -> Any:
        return self._kind(use_listings_cache=False)

    @property
    def exists(self) -> bool:
        return bool(self._ask("exists", self._root))

    def at(self, path: str) -> str:
        return f"{self._address}/{path}".rstrip("/")

    @property
    def for_triton(self) -> str:
        """An endpoint that is not Amazon's is part of the address there; the rest is the server's own environment's."""
        if self._scheme != "s3":
            raise UsageError(
                f"tritonbuild serves no {self._scheme}:// repository: nobody has tried it.",
                fix="start tritonserver yourself with the address in its own spelling, or copy the folder and serve that.",
            )
        with self.errors():
            self._files.connect()
            endpoint = urlsplit(self._files.s3.meta.endpoint_url)
        if (endpoint.hostname or "").endswith("amazonaws.com"):
            return self._address
        port = endpoint.port or {"http": 80}.get(endpoint.scheme, 443)
        return f"s3://{endpoint.scheme}://{endpoint.hostname}:{port}/{self._root}"

    def folders(self, path: str = "") -> tuple[str, ...]:
        if not path:
            return tuple(name for name, info in self.listed().items() if info["type"] == "directory")
        below = self._below(path).keys()
        found = {name.partition("/")[0] for name in below if "/" in name}
        return tuple(sorted(name for name in found if f"{name}/{_MARK}" not in below or f"{name}/{MANIFEST}" in below))

    def files(self, path: str) -> Mapping[str, int]:
        return {name: size for name, size in self._below(path).items() if name.rpartition("/")[2] != _MARK}

    def has(self, path: str) -> bool:
        return bool(self._ask("isfile", self._key(path)))

    def read(self, path: str) -> bytes:
        return bytes(
            self._ask("cat_file", self._key(path), size=_PIECE)
        )  # it may be that large; asking is one request more

    def pieces(self, path: str) -> Iterator[bytes]:
        key = self._key(path)
        size = int(self._ask("info", key)["size"])
        for start in range(0, size, _PIECE):
            yield self._ask("cat_file", key, start=start, end=min(start + _PIECE, size), size=_PIECE)

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="tritonbuild-store-") as folder:
            root = Path(folder) / path
            for name in self.files(path) or ([""] if self.has(path) else []):
                copy = root / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                with copy.open("wb") as file:
                    file.writelines(self.pieces(f"{path}/{name}".rstrip("/")))
            yield root

    def add_model(self, name: str, version: int, files: Files, beside: Files) -> None:
        self.add_version(name, version, files)
        self.replace(name, beside)

    def add_version(self, name: str, version: int, files: Files) -> None:
        folder = f"{name}/{version}"
        if not self.make(f"{folder}/{_MARK}", b""):
            raise Unreachable(f"another publisher is writing {self.at(folder)}.", fix="publish again.")
        try:
            self.replace(folder, files)
        except BaseException:
            with suppress(TritonbuildError), self.errors():  # what stays is removed by the next publisher
                self._remove_version(folder)
            raise
        self.remove(f"{folder}/{_MARK}")

    def replace(self, folder: str, files: Files) -> None:
        """Triton takes a model again where its newest file is newer than it was, and stores tell whole seconds.

        So what is replaced in a model that may be loaded is written until the store tells a later one.
        """
        newest = self._newest(folder) if "/" not in folder and self.has(f"{folder}/{CONFIG}") else None
        for name, content in files.items():
            self._replace_one(f"{folder}/{name}", content)
        until = time.monotonic() + _LATER_WITHIN_S
        while newest and files and self._newest(folder) <= newest and time.monotonic() < until:
            time.sleep(0.2)
            self._replace_one(f"{folder}/{name}", content)

    def _replace_one(self, path: str, content: bytes | memoryview) -> None:
        if self._lease is not None:
            self._lease.check()
        self.write(path, content if isinstance(content, bytes) else bytes(content))

    def write(self, path: str, content: bytes) -> None:
        """One object, whoever holds the lock."""
        self._ask("pipe_file", self._key(path), content, size=len(content))

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._ask("rm_file", self._key(path))

    def remove_folder(self, path: str) -> None:
        """A model's config.pbtxt goes first, a version's manifest: then it is not there, whatever is left of it."""
        if "/" in path:
            self.make(f"{path}/{_MARK}", b"")
            self._remove_version(path)
            return
        self.remove(f"{path}/{CONFIG}")
        for name in self.folders(path):
            if self.has(f"{path}/{name}/{MANIFEST}"):
                self.remove_folder(f"{path}/{name}")
        for name in self._below(path):
            self.remove(f"{path}/{name}")

    def heal(self, name: str) -> None:
        there = self._below(name)
        for version in [path.removesuffix(f"/{_MARK}") for path in there if path.endswith(f"/{_MARK}")]:
            if f"{version}/{MANIFEST}" in there:
                self.remove(f"{name}/{version}/{_MARK}")
            else:
                self._remove_version(f"{name}/{version}")

    def try_writing(self) -> None:
        """The lock is an object that is made and removed."""
        with self.alone():
            pass

    @contextmanager
    def alone(self, rollout: str = "") -> Iterator[None]:
        if rollout:
            with leased(
                Locks(self, f".tritonbuild.rollout.{rollout}.lock."), f"{self._address} for rollouts of {rollout}"
            ):
                yield
            return
        with leased(Locks(self, LOCK), self._address) as lease:
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    def _ask(self, request: str, *words: Any, size: int = 0, **options: Any) -> Any:
        """One request of fsspec's to the store, which carries at most so many bytes. Raises TimeoutError where none comes back."""
        from fsspec.asyn import sync
        from fsspec.exceptions import FSTimeoutError

        bound_s = _ANSWER_S + size / _SLOWEST
        try:
            return sync(self._files.loop, getattr(self._files, f"_{request}"), *words, timeout=bound_s, **options)
        except FSTimeoutError:
            raise TimeoutError(errno.ETIMEDOUT, f"no answer within {bound_s:.0f} s") from None

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except TritonbuildError:
            raise
        except Exception as error:
            if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
                raise
            said = _QUERY.sub("", str(error)) or type(error).__name__
            raise Unreachable(
                f"{self._address} did not answer, or refused: {said}",
                fix="check the bucket's name, the credentials and the endpoint that the environment gives, and try again.",
            ) from error

    def make(self, path: str, content: bytes) -> bool:
        """Write an object where there is none; whether there was none."""
        try:
            self._ask("pipe_file", self._key(path), content, size=len(content), mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno == errno.EBUSY:  # S3: another is writing it in this moment
                return False
            raise
        return True

    def _remove_version(self, folder: str) -> None:
        """The manifest first, the mark last."""
        names = sorted(self._below(folder), key=lambda name: (name == _MARK, name != MANIFEST))
        for name in names:
            self.remove(f"{folder}/{name}")

    def _key(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")

    def listed(self) -> dict[str, Any]:
        """The root's folders and files: name → what the store says of it."""
        try:
            found = self._ask("ls", self._root, detail=True)
        except FileNotFoundError:
            return {}
        return {info["name"].rstrip("/").rpartition("/")[2]: info for info in found}

    def _below(self, path: str) -> dict[str, int]:
        """Every object below a folder: its path from there → its size."""
        return {name: int(info["size"]) for name, info in self._told(path).items()}

    def _newest(self, path: str) -> datetime:
        """When an object below a folder was last written, by the store's clock."""
        newest: datetime = max(info[_WRITTEN[self._scheme]] for info in self._told(path).values())
        return newest

    def _told(self, path: str) -> dict[str, Any]:
        """Every object below a folder: its path from there → what the store says of it."""
        key = self._key(path)
        found = self._ask("find", key, detail=True)
        return {name.removeprefix(f"{key}/"): info for name, info in found.items() if name != key}


class Locks:
    """The lock objects of one kind in a bucket's root: `leasing.Objects`."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix

    def numbers(self) -> list[int]:
        with self._bucket.errors():
            names = [name.removeprefix(self._prefix) for name in self._bucket.listed() if name.startswith(self._prefix)]
        return sorted(int(name) for name in names if _NUMBER.fullmatch(name))

    def read(self, number: int) -> bytes | None:
        with self._bucket.errors():
            try:
                return self._bucket.read(f"{self._prefix}{number}")
            except FileNotFoundError:
                return None

    def make(self, number: int, words: bytes) -> bool:
        with self._bucket.errors():
            return self._bucket.make(f"{self._prefix}{number}", words)

    def rewrite(self, number: int, words: bytes) -> None:
        with self._bucket.errors():
            self._bucket.write(f"{self._prefix}{number}", words)

    def remove(self, number: int) -> None:
        with self._bucket.errors():
            self._bucket.remove(f"{self._prefix}{number}")


def _library(scheme: str, address: str) -> Any:
    try:
        import fsspec

        return fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        raise UsageError(
            f"{address} needs {SCHEMES[scheme]}, which is not installed.", fix=f"pip install 'tritonbuild[{scheme}]'"
        ) from error
