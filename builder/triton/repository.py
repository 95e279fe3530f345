"""Triton's model repository on a local disk: `<repository>/<name>/config.pbtxt`, `<repository>/<name>/<version>/…`.

A version appears whole or not at all: it is written under a name that Triton does not read, flushed to the disk, and
renamed. Whoever writes holds the repository's lock, so what lies staged when the lock is taken is a dead writer's, and goes. An existing model is staged inside its own folder as `tmp.…`: a name that begins with a digit would count as a
version (`4.tmp` is version 4 to Triton). A new model is staged beside the repository, for in its root every folder is a model.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from builder.errors import UsageError
from builder.triton.locking import alone, disk_errors

CONFIG = "config.pbtxt"
MANIFEST = "manifest.json"
LABELS = "labels.txt"
WARMUP = "warmup"  # the folder where Triton looks for the data of model_warmup

Files = Mapping[str, bytes | memoryview]
"""Relative path → content."""

_PIECE = 1 << 24  # bytes compared at once
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/")  # a path has lost the second slash
_VERSION = re.compile(r"[1-9][0-9]{0,17}")  # a name of 20 digits ends the whole server; 0-prefixed ones are not read


@dataclass(frozen=True)
class Published:
    """Where a version lies. `changed` is False where the same content was there already."""

    path: Path  # <repository>/<name>/<version>
    version: int
    changed: bool


def check_local(repository: Path) -> Path:
    """The repository, where it is a folder here; of `s3://bucket/x` a path would make a folder `s3:`. Raises UsageError."""
    if _ADDRESS.match(str(repository)):
        raise UsageError(
            f"{repository} is an address; a repository is a folder on this machine.",
            fix="publish into a folder, then copy it: a version is whole once its folder is there.",
        )
    return repository


def check_name(name: str) -> str:
    """The name, where it is one that Triton, a URL and a file system all take. Raises UsageError."""
    if _NAME.fullmatch(name):
        return name
    offer = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name).strip("._-")[:128]
    raise UsageError(
        f"{name!r} is no valid Triton model name.",
        fix="use 1 to 128 of A-Z a-z 0-9 _ - . and do not begin with . or -"
        + (f"; for example --name {offer}" if _NAME.fullmatch(offer) else ""),
    )


def versions(repository: Path, name: str) -> tuple[int, ...]:
    """The versions that Triton sees, lowest first; none where the model is not there."""
    folder = repository / check_name(name)
    with disk_errors(repository):
        if not folder.is_dir():
            return ()
        found = [item.name for item in folder.iterdir() if item.is_dir() and _VERSION.fullmatch(item.name)]
    return tuple(sorted(map(int, found)))


def models(repository: Path) -> tuple[str, ...]:
    """The models in a repository, in order of name: folders that hold a config.pbtxt. Raises UsageError, Unreachable."""
    if not check_local(repository).is_dir():
        raise UsageError(f"{repository} is no folder.", fix="publish a model there first, or give --repository.")
    with disk_errors(repository):
        found = [item.name for item in repository.iterdir() if (item / CONFIG).is_file()]
    return tuple(sorted(name for name in found if _NAME.fullmatch(name)))


def read_manifest(repository: Path, name: str, version: int | None = None) -> dict[str, Any]:
    """The manifest beside a version's model; None is the highest. Raises UsageError where it is not there or not ours."""
    there = versions(repository, name)
    if not there or (version is not None and version not in there):
        which = name if version is None else f"version {version} of {name}"
        listed = f"there are {', '.join(map(str, there))}." if there else "publish it first, or give --repository."
        raise UsageError(f"{repository} does not hold {which}.", fix=listed)
    path = repository / name / str(there[-1] if version is None else version) / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", fix="publish this version again into a new folder."
        ) from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} is no manifest: it holds a JSON {type(document).__name__}.")
    lacking = [key for key in ("source", "stages", "inputs", "outputs") if key not in document]
    if lacking:
        raise UsageError(
            f"{path} lacks {', '.join(lacking)}: tritonbuild did not write it.",
            fix="publish the model with tritonbuild.",
        )
    return document


def write_version(
    repository: Path,
    name: str,
    version: int | None,
    files: Files,
    config: str,
    labels: Sequence[str] = (),
    warmup: Files = MappingProxyType({}),
) -> Published:
    """Write `<repository>/<name>/<version>/` with `files`, and the model's config.pbtxt and labels.txt.

    `files`: relative path → bytes. `version` None: the highest one where its content is the same, else the next free
    integer. config.pbtxt, labels.txt (`labels`: what its lines are; () for none) and the files that `warmup` reads belong
    to the highest version, the one that Triton serves by default, so an older version leaves them alone. The version comes first, the config after it: in the other order a polling server would reload
    the *old* version under the new config, and a version that failed once keeps the server unready until that very
    number loads.

    Raises UsageError (bad name, number or path; other content under the same version), Unreachable (the disk refuses).
    """
    check_name(name)
    check_local(repository)
    if version is not None and not _VERSION.fullmatch(str(version)):
        raise UsageError(f"{version} is no version.", fix="versions are whole numbers from 1 on, of at most 18 digits.")
    for relative in files:
        parts = Path(relative).parts
        if not parts or Path(relative).is_absolute() or ".." in parts:
            raise UsageError(f"{relative!r} would lie outside of the version's folder.")
    listed = {LABELS: "".join(f"{label}\n" for label in labels).encode()} if labels else {}
    beside = {**warmup, **listed, CONFIG: config.encode()}  # the config last: it names the others
    with disk_errors(repository):
        repository.mkdir(parents=True, exist_ok=True)
        with alone(repository):
            _heal(repository, name)
            folder = repository / name
            if not folder.exists():
                return _add_model(folder, version or 1, files, beside)
            return _add_version(folder, version, files, beside)


def _heal(repository: Path, name: str) -> None:
    """Remove what writers who were killed left staged."""
    left = [*(repository / name).glob("tmp.*"), *_beside(repository).glob(f"{_staged_name(repository, name)}*")]
    for path in left:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _staged_name(repository: Path, name: str) -> str:
    return f".tritonbuild.{repository.resolve().name}.{name}."


def _add_model(folder: Path, number: int, files: Files, beside: Files) -> Published:
    """Rename a whole model folder in."""
    with _staging(_beside(folder.parent), _staged_name(folder.parent, folder.name)) as staged:
        _write_files(staged / str(number), files)
        _write_files(staged, beside)
        staged.chmod(0o755)  # mkdtemp's 0700 would hide the model from a server that runs as another user
        _sync(staged)
        staged.rename(folder)
        _sync(folder.parent)
    return Published(folder / str(number), number, True)


def _add_version(folder: Path, version: int | None, files: Files, beside: Files) -> Published:
    there = versions(folder.parent, folder.name)
    newest = there[-1] if there else 0
    if version is None:
        version = newest if newest and _same(folder / str(newest), files) else newest + 1
    path = folder / str(version)
    changed = not path.exists()
    if changed:
        with _staging(folder, f"tmp.{version}.") as staged:
            _write_files(staged, files)
            staged.chmod(0o755)
            _sync(staged)
            staged.rename(path)
            _sync(folder)
    elif not _same(path, files):
        raise UsageError(
            f"{path} is there already, with other content.",
            fix=f"a version never changes: publish under another --version (next free: {newest + 1}), or remove that folder.",
        )
    if version >= newest:
        for name, content in beside.items():
            changed |= _replace(folder / name, content)
        for old in [folder / LABELS, *(folder / WARMUP).glob("*")]:
            if str(old.relative_to(folder)) not in beside:
                old.unlink(missing_ok=True)
    return Published(path, version, changed)


def _replace(path: Path, content: bytes | memoryview) -> bool:
    folder = path.parent
    if path.exists() and path.read_bytes() == content:
        return False
    folder.mkdir(exist_ok=True)
    staged = folder / f"tmp.{path.name}.{os.getpid()}"
    try:
        _write_file(staged, content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    _sync(folder)
    return True


def _same(path: Path, files: Files) -> bool:
    """Whether a folder holds exactly these files; sizes first, models are large."""
    found = {str(item.relative_to(path)): item for item in path.rglob("*") if item.is_file()}
    return (
        found.keys() == {str(Path(name)) for name in files}
        and all(found[str(Path(name))].stat().st_size == len(content) for name, content in files.items())
        and all(_holds(found[str(Path(name))], content) for name, content in files.items())
    )


def _holds(file: Path, content: bytes | memoryview) -> bool:
    """Whether the file is this content, which is as long: a piece at a time, for it may be gigabytes."""
    whole = memoryview(content)
    with file.open("rb") as opened:
        return all(opened.read(_PIECE) == whole[at : at + _PIECE] for at in range(0, len(whole), _PIECE))


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


def withdraw(repository: Path, name: str, version: int) -> None:
    """Take away a version just added. (Stand-in until the repository's own lands.)"""
    folder = repository / check_name(name)
    shutil.rmtree(folder if versions(repository, name) == (version,) else folder / str(version))
