"""A repository on a local disk.

A version appears whole or not at all: it is written under a name that Triton does not read, flushed to the disk, and
renamed. Whoever writes holds the repository's lock, so what lies staged when the lock is taken is a dead writer's, and
goes. An existing model is staged inside its own folder as `tmp.…`: a name that begins with a digit would count as a
version (`4.tmp` is version 4 to Triton). A new model is staged beside the repository, for in its root every folder is a
model.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from builder.triton.layout import Files
from builder.triton.locking import LOCK, alone, disk_errors

_PIECE = 1 << 24  # bytes read at once
_STAGED = "tmp."


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
        folder = self._root / path
        found = {item.relative_to(folder): item for item in folder.rglob("*") if item.is_file()}
        return {
            name.as_posix(): item.stat().st_size
            for name, item in found.items()
            if not any(part.startswith(_STAGED) for part in name.parts)
        }

    def has(self, path: str) -> bool:
        return (self._root / path).is_file()

    def read(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def pieces(self, path: str) -> Iterator[bytes]:
        with (self._root / path).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        yield self._root / path

    def add_model(self, name: str, version: int, files: Files, beside: Files) -> None:
        folder = self._root / name
        with _staging(_beside(self._root), _staged_name(self._root, name)) as staged:
            _write_files(staged / str(version), files)
            _write_files(staged, beside)
            _appear(staged, folder)

    def add_version(self, name: str, version: int, files: Files) -> None:
        folder = self._root / name
        with _staging(folder, f"{_STAGED}{version}.") as staged:
            _write_files(staged, files)
            _appear(staged, folder / str(version))

    def replace(self, folder: str, files: Files) -> None:
        """All are on the disk before the first takes its place: one that is full stops here."""
        staged: dict[Path, Path] = {}
        try:
            for name, content in files.items():
                file = self._root / folder / name
                file.parent.mkdir(exist_ok=True)
                staged[file] = file.parent / f"{_STAGED}{file.name}.{os.getpid()}"
                _write_file(staged[file], content)
            for file, written in staged.items():
                written.replace(file)
        finally:
            for written in staged.values():
                written.unlink(missing_ok=True)
        for parent in {file.parent for file in staged}:
            _sync(parent)

    def remove(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    def remove_folder(self, path: str) -> None:
        """By one rename: a version within its model's folder, a model to where new ones are staged."""
        folder = self._root / path
        model = folder.parent == self._root
        parent, prefix = (_beside(self._root), _staged_name(self._root, path)) if model else (folder.parent, _STAGED)
        with _staging(parent, prefix) as leaving:
            folder.rename(leaving / folder.name)
            _sync(folder.parent)

    def heal(self, name: str) -> None:
        left = [
            *(self._root / name).rglob(f"{_STAGED}*"),
            *_beside(self._root).glob(f"{_staged_name(self._root, name)}*"),
        ]
        for path in left:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    @contextmanager
    def alone(self, rollout: str = "") -> Iterator[None]:
        with ExitStack() as held:
            with self.errors():
                self._root.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone(self._root, lock=f".tritonbuild.rollout.{rollout}.lock" if rollout else LOCK))
            yield

    def errors(self) -> AbstractContextManager[None]:
        return disk_errors(self._root)


def _staged_name(repository: Path, name: str) -> str:
    """Where two repositories lie side by side, neither takes the other's for a dead writer's."""
    whose = hashlib.sha256(os.fsencode(repository.resolve())).hexdigest()[:12]
    return f".tritonbuild.{whose}.{name}."


def _beside(repository: Path) -> Path:
    """Where a new model is staged: beside the repository, or, where a rename cannot come from there, in its root."""
    parent = repository.resolve().parent
    same_disk = parent.stat().st_dev == repository.stat().st_dev
    return parent if same_disk and os.access(parent, os.W_OK) else repository


@contextmanager
def _staging(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder, removed afterwards where it was not renamed."""
    staged = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


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
