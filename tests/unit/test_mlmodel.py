"""An MLmodel file from outside: bounded, and it leads nowhere but into its own folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import SourceError
from builder.source.folder import read_folder

BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        BOMB + "flavors: *a11\n",
        "flavors: " + "[" * 5000 + "]" * 5000,
        "flavors: {1: {}, python_function: {}}",
        "flavors: {spark: {model_data: ../other}}",
        "flavors: {spark: {model_data: /}}",
        "flavors: {spark: {model_data: link}}",
        "flavors: {spark: {model_data: 2020-13-45}}",
        "flavors: {spark: {model_data: [sparkml]}}",
        "flavors: &f {spark: *f}",
    ],
    ids=["bomb", "deep", "mixed", "relative", "absolute", "link", "date", "list", "cycle"],
)
def test_a_hostile_mlmodel_is_refused_in_words(tmp_path: Path, text: str) -> None:
    root, other = tmp_path / "model", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "link").symlink_to(other)
    (root / "MLmodel").write_text(text)
    with pytest.raises(SourceError):
        read_folder(root, uri="model")


OTHER = "flavors:\n  sklearn: {}\n"
LARGE = {
    "number of base 60": OTHER + "a: " + "1:" * 900_000 + "1\n",
    "directives": "".join(f"%TAG !a{n}! b\n" for n in range(110_000)) + "---\n" + OTHER,
    "values": OTHER + "a: [" + "a," * 900_000 + "a]\n",
    "merge keys": "m0: &m0\n"
    + "".join(f"  k{n}: 1\n" for n in range(120_000))
    + "".join(f"m{n}: &m{n}\n  <<: [*m{n - 1}, *m{n - 1}, *m{n - 1}, *m{n - 1}]\n" for n in (1, 2, 3))
    + OTHER,
    "tagged number": OTHER + "a: !!int " + "1:" * 900_000 + "1\n",
}
_READ = """
import resource, sys
from pathlib import Path
from builder.errors import SourceError
from builder.source.folder import read_folder
resource.setrlimit(resource.RLIMIT_CPU, (8, 8))
try:
    read_folder(Path(sys.argv[1]), uri="model")
except SourceError:
    most = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]  # ru_maxrss is the parent's, too
    print(int(most) // 1024)
"""


@pytest.mark.parametrize("kind", LARGE)
def test_no_two_megabytes_of_yaml_take_more_than_linear_time(tmp_path: Path, kind: str) -> None:
    (tmp_path / "MLmodel").write_text(LARGE[kind])

    done = subprocess.run([sys.executable, "-c", _READ, str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.stdout.strip().isdigit(), (done.returncode, done.stderr[-500:])
    assert int(done.stdout) < 300


def test_a_list_as_model_data_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {spark: {model_data: [one, two]}}")

    with pytest.raises(SourceError, match=r"model_data \(a list\)"):
        read_folder(tmp_path, uri="model")


def test_a_run_and_a_signature_that_are_null_are_none(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("run_id: null\nsignature: ~\n" + OTHER)

    with pytest.raises(SourceError, match="it has: sklearn"):
        read_folder(tmp_path, uri="model")
