"""What the embedded server needs of a Python: run as a script, by any interpreter, it prints this as one JSON line.

Standard library alone, and nothing of ours: the interpreter asked (`--server-python`) need not have tritonbuild.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from importlib import metadata, util
from typing import Any


def describe() -> dict[str, Any]:
    """Version, executable outside of any venv, shared library and the packages that matter, of the interpreter that runs this."""
    libdir, library = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")
    shared = os.path.join(libdir, library) if libdir and library and ".so" in library else ""
    return {
        "python": sys.executable,
        "version": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "base": getattr(sys, "_base_executable", "") or sys.executable,
        "libpython": shared if os.path.exists(shared) else "",
        "pytriton": _folder("pytriton"),
        "packages": [os.path.dirname(path) for path in (_folder("numpy"), _folder("onnxruntime")) if path],
        "installed": {name: _version(name) for name in ("nvidia-pytriton", "numpy", "onnxruntime", "onnxruntime-gpu")},
    }


def _folder(package: str) -> str:
    spec = util.find_spec(package)
    return os.path.dirname(spec.origin) if spec and spec.origin else ""


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe()) + "\n")
