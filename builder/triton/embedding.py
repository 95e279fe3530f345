"""Which tritonserver to run, and with what around it.

nvidia-pytriton carries NVIDIA's tritonserver and its Python backend; its own Python API is not used. What it lacks is an
`onnxruntime` backend: ours is laid beside it in a temporary folder, with the stub that fits the interpreter.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import Unreachable
from builder.triton import interpreter


@dataclass(frozen=True)
class Embedding:
    """A command that can be started, and its environment."""

    binary: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def embed(folder: Path, server: Path | None, server_python: Path | None) -> Embedding:
    """Choose: the binary given, else nvidia-pytriton's of `server_python` or of this Python, else one on PATH.

    A tritonserver that is not nvidia-pytriton's brings its own backends and is run as it is. `folder`: an empty one,
    which must live as long as the server. Raises Unreachable where nothing that can serve ONNX is installed.
    """
    if server is not None:
        if not os.access(server, os.X_OK):
            raise Unreachable(f"{server} is no program that can be run.", fix="give the tritonserver binary's path.")
        return Embedding(server.resolve(), (), dict(os.environ))
    found = _ask(server_python)
    if not found["pytriton"]:
        on_path = shutil.which("tritonserver")
        if on_path and server_python is None:
            return Embedding(Path(on_path), (), dict(os.environ))
        raise Unreachable(
            f"no tritonserver: nvidia-pytriton is not installed in {found['python']}, and none is on PATH.",
            fix="pip install 'tritonbuild[server]' (Linux, glibc 2.35 or newer), or give --server PATH.",
        )
    _check(found)
    return _lay_out(folder, found)


def _ask(server_python: Path | None) -> dict[str, Any]:
    if server_python is None:
        return interpreter.describe()
    command = [str(server_python), "-I", interpreter.__file__]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        found: dict[str, Any] = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise Unreachable(
            f"{server_python} does not run as a Python: {said.strip()}", fix="give the path of a Python 3.8 or newer."
        ) from error
    return found


def _check(found: Mapping[str, Any]) -> None:
    """Raises Unreachable where the interpreter's packages cannot serve."""
    installed, python = found["installed"], found["python"]
    if installed["onnxruntime"] and installed["onnxruntime-gpu"]:
        raise Unreachable(
            f"onnxruntime and onnxruntime-gpu are both installed in {python}; they overwrite each other's files.",
            fix="pip uninstall onnxruntime onnxruntime-gpu, then install one: 'tritonbuild[cpu]' or 'tritonbuild[gpu]'.",
        )
    if not installed["onnxruntime"] and not installed["onnxruntime-gpu"]:
        raise Unreachable(
            f"neither onnxruntime nor onnxruntime-gpu is installed in {python}.",
            fix="pip install 'tritonbuild[cpu]' (or [gpu]; never both).",
        )
    if not installed["numpy"].startswith("1."):
        raise Unreachable(
            f"numpy {installed['numpy'] or 'is not'} installed in {python}; nvidia-pytriton was built against NumPy 1, "
            "and with NumPy 2 every answer would arrive empty.",
            fix="pip install 'numpy<2' there, or give --server-python an environment that has 'tritonbuild[server]'.",
        )


def _lay_out(folder: Path, found: Mapping[str, Any]) -> Embedding:
    """The backend folder and the environment of nvidia-pytriton's tritonserver."""
    package = Path(found["pytriton"])
    home = package / "tritonserver"
    stub = home / "python_backend_stubs" / found["version"] / "triton_python_backend_stub"
    if not stub.is_file():
        raise Unreachable(
            f"nvidia-pytriton {found['installed']['nvidia-pytriton']} has no stub for Python {found['version']}.",
            fix="give --server-python a Python that it has one for: "
            + ", ".join(sorted(path.name for path in stub.parent.parent.iterdir())),
        )
    python, ours = folder / "backends" / "python", folder / "backends" / "onnxruntime"
    for made in (python, ours):
        made.mkdir(parents=True)
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        shutil.copy2(home / "backends" / "python" / name, python / name)  # a link would "escape the backend directory"
    shutil.copy2(stub, python / stub.name)
    (python / stub.name).chmod(0o755)
    shutil.copy2(Path(__file__).parent / "backend" / "model.py", ours / "model.py")
    lib = folder / "libpython"  # alone in a folder, so that nothing else of the interpreter's shadows the server's
    lib.mkdir()
    if found["libpython"]:
        (lib / Path(found["libpython"]).name).symlink_to(found["libpython"])
    libraries = [str(lib), str(package.parent / "nvidia_pytriton.libs"), os.environ.get("LD_LIBRARY_PATH", "")]
    environment = dict(os.environ) | {
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "PATH": f"{_environment(folder, found)}:{os.environ.get('PATH', '')}",
    }
    _check_libraries(python / stub.name, environment, found["version"])
    arguments = (f"--backend-directory={folder / 'backends'}",)
    return Embedding(home / "bin" / "tritonserver", arguments, environment)


def _environment(folder: Path, found: Mapping[str, Any]) -> Path:
    """A virtual environment that sees the interpreter's numpy and onnxruntime; its bin folder.

    The stub's Python ignores PYTHONHOME and PYTHONPATH; it takes the first `python3` on PATH for its home. Beside
    /usr/bin/python3.11 that may well be another version's.
    """
    base = Path(found["base"])
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = {base.resolve().parent}\n", encoding="utf-8")
    packages = folder / "lib" / f"python{found['version']}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "tritonbuild.pth").write_text("\n".join(dict.fromkeys(found["packages"])) + "\n", encoding="utf-8")
    return folder / "bin"


def _check_libraries(stub: Path, environment: Mapping[str, str], version: str) -> None:
    """Raises Unreachable where the loader does not find libpython: Triton itself would only say that the stub ended."""
    ldd = shutil.which("ldd")
    if ldd is None:
        return
    answer = subprocess.run([ldd, str(stub)], capture_output=True, text=True, check=False, env=dict(environment))
    missing = [line.split()[0] for line in answer.stdout.splitlines() if "not found" in line]
    if missing:
        raise Unreachable(
            f"the server's Python stub needs {', '.join(missing)}, which is not on this machine.",
            fix=f"apt-get install libpython{version}, or give --server-python a Python built with --enable-shared.",
        )
