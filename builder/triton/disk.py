"""A repository on a local disk.

A version appears whole or not at all: it is written where Triton does not look, flushed to the disk, and renamed.
Whoever writes holds the repository's lock, so what lies staged when the lock is taken is a dead writer's, and goes.

Triton lists a folder and then looks at each name; one that went meanwhile is an error: a model is not reloaded, and where
it went from the repository's root, every model is let go of until the next poll. So all is staged beside the repository.
Where a rename cannot come from there, a new model is staged in the root, and what comes into a model's folder in one of its
own, which stays: no version to Triton, for its name begins with no digit (`4.tmp` is version 4 to Triton).
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from builder.triton.layout import Files
from builder.triton.locking import LOCK, alone, disk_errors

_PIECE = 1 << 24  # bytes read at once
_STAGED = ".tritonbuild"


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Raises FileNotFoundError where that is no file: a pipe would never come to an end."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileNotFoundError(errno.ENOENT, "there is no regular file", str(path))
        yield file


class Disk:
    """A `Store`: folder and all below it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def exists(self) -> bool:
        return self._root.is_dir()

    def at(self, path: str) -> Path:
        return self._root / path

    @property
    def for_triton(self) -> str:
        return str(self._root.resolve())

    def folders(self, path: str = "") -> tuple[str, ...]:
        folder = self._root / path
        if not folder.is_dir():
            return ()
        return tuple(item.name for item in folder.iterdir() if item.is_dir())

    def files(self, path: str) -> Mapping[str, int]:
        folder, found = self._root / path, {}
        for where, inside, names in os.walk(folder):  # what goes meanwhile is not there
            inside[:] = [name for name in inside if name != _STAGED]
            for name in names:
                file = Path(where, name)
                with suppress(FileNotFoundError):
                    if file.is_file():
                        found[file.relative_to(folder).as_posix()] = file.stat().st_size
        return found

    def has(self, path: str) -> bool:
        return (self._root / path).is_file()

    def read(self, path: str) -> bytes:
        return b"".join(self.pieces(path))

    def pieces(self, path: str) -> Iterator[bytes]:
        with _opened(self._root / path) as file:
            while piece := file.read(_PIECE):
                yield piece

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        yield self._root / path

    def add_model(self, name: str, version: int, files: Files, beside: Files) -> None:
        with self._staging(name, self._root) as staged:
            _write_files(staged / str(version), files)
            _write_files(staged, beside)
            _appear(staged, self._root / name)

    def add_version(self, name: str, version: int, files: Files) -> None:
        with self._staging(name, self._root / name) as staged:
            _write_files(staged, files)
            _appear(staged, self._root / name / str(version))

    def replace(self, folder: str, files: Files) -> None:
        """All are on the disk before the first takes its place: one that is full stops here."""
        name, parents = folder.partition("/")[0], set()
        with self._staging(name, self._root / name) as staged:
            for number, content in enumerate(files.values()):
                _write_file(staged / str(number), content)
            for number, path in enumerate(files):
                file = self._root / folder / path
                file.parent.mkdir(exist_ok=True)
                (staged / str(number)).replace(file)
                parents.add(file.parent)
        for parent in parents:
            _sync(parent)

    def remove(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    def remove_folder(self, path: str) -> None:
        """By one rename, to where new ones are staged."""
        folder = self._root / path
        with self._staging(path.partition("/")[0], folder.parent) as leaving:
            folder.rename(leaving / folder.name)
            _sync(folder.parent)

    def heal(self, name: str) -> None:
        left = [
            *(self._root / name / _STAGED).glob("*"),
            *self._root.resolve().parent.glob(f"{_staged_name(self._root, name)}*"),
            *self._root.glob(f"{_staged_name(self._root, name)}*"),
        ]
        for path in left:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def try_writing(self) -> None:
        if self._root.is_dir():
            with self.alone():
                for folder in (self._root, *(self._root / name for name in self.folders())):
                    if not os.access(folder, os.W_OK | os.X_OK):
                        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
            return
        if self._root.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self._root))
        parent = next(path for path in self._root.resolve().parents if path.exists())
        with tempfile.TemporaryDirectory(prefix="tritonbuild-", dir=parent):
            pass

    @contextmanager
    def alone(self, rollout: str = "") -> Iterator[None]:
        with ExitStack() as held:
            with self.errors():
                self._root.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone(self._root, lock=f".tritonbuild.rollout.{rollout}.lock" if rollout else LOCK))
            yield

    def errors(self) -> AbstractContextManager[None]:
        return disk_errors(self._root)

    @contextmanager
    def _staging(self, name: str, into: Path) -> Iterator[Path]:
        """A new folder for what comes into the root or a model's folder, or leaves it; removed afterwards."""
        home = self._root.resolve().parent
        if not os.access(home, os.W_OK) or _mount(home) != _mount(into):  # no rename can come from there
            home = into if into == self._root else into / _STAGED
            home.mkdir(exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=_staged_name(self._root, name), dir=home))
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def _staged_name(repository: Path, name: str) -> str:
    """Where two repositories lie side by side, neither takes the other's for a dead writer's."""
    whose = hashlib.sha256(os.fsencode(repository.resolve())).hexdigest()[:12]
    return f".tritonbuild.{whose}.{name}."


def _mount(folder: Path) -> tuple[int, str]:
    """Two folders of one mount tell the same; on Linux, two mounts of one disk do not."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        told = Path(f"/proc/self/fdinfo/{handle}")
        lines = told.read_text().splitlines() if told.exists() else []
        return os.fstat(handle).st_dev, next((line for line in lines if line.startswith("mnt_id:")), "")
    finally:
        os.close(handle)


def _appear(staged: Path, folder: Path) -> None:
    staged.chmod(0o755)  # mkdtemp's 0700 would hide it from a server that runs as another user
    _sync(staged)
    staged.rename(folder)
    _sync(folder.parent)


def _write_files(folder: Path, files: Files) -> None:
    folder.mkdir(exist_ok=True)
    folders = {folder}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.add(path.parent)
        _write_file(path, content)
    for written in folders:
        _sync(written)


def _write_file(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """A rename is on the disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
