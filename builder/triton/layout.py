"""How a model repository is laid out: the names of its files and folders, and which names Triton takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from builder.errors import UsageError

CONFIG = "config.pbtxt"
CONFIGS = "configs"  # the folder of other configs, for --model-config-name
LABELS = "labels.txt"
WARMUP = "warmup"  # the folder where Triton looks for the data of model_warmup
MANIFEST = "manifest.json"
EVIDENCE = "evidence.parquet"
PENDING = ".settings.json"  # in a version's folder: new settings that are being written

PREFIX = "tritonbuild."
"""What begins each of config.pbtxt's parameters that is ours; the onnxruntime backend ignores names that it does not know."""

Files = Mapping[str, bytes | memoryview]
"""Relative path → content."""

Repository = Path | str
"""A folder, or the address of one in a store (`s3://bucket/folder`)."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_VERSION = re.compile(r"[1-9][0-9]{0,17}")  # a name of 20 digits ends the whole server; 0-prefixed ones are not read


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


def check_version(version: int) -> int:
    """The number, where Triton can read a folder so named. Raises UsageError."""
    if not is_version(str(version)):
        raise UsageError(f"{version} is no version.", fix="versions are whole numbers from 1 on, of at most 18 digits.")
    return version


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


def check_files(files: Files, beside: Files) -> None:
    """That no file climbs out of its folder, and that each lies where it belongs. Raises UsageError."""
    for relative in (*files, *beside):
        path = PurePosixPath(relative)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in relative:
            raise UsageError(f"{relative!r} would lie outside of the version's folder.")
    misplaced = [name for name in files if is_setting(name)] + [name for name in beside if not is_setting(name)]
    if misplaced or CONFIG not in beside:
        raise UsageError(f"{', '.join(misplaced) or CONFIG} is not where a repository has it.")


def is_setting(relative: str) -> bool:
    """Whether a file of a version's folder is no content, but a copy of what lies at model level."""
    return relative in (CONFIG, LABELS, PENDING) or PurePosixPath(relative).parts[0] in (WARMUP, CONFIGS)
