"""The repository told, audited and pruned by the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from builder.errors import Unreachable
from builder.triton.inventory import audit
from builder.triton.locking import LOCK, alone
from builder.triton.repository import serve_version, versions, write_version
from tests.unit.cli import Saved, save_model, tritonbuild

ROOT = Path(__file__).parents[2]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Versions 1, 2 and 4 of a model; the last one proven."""
    saved = save_model(tmp_path)
    for version in (1, 2):
        saved.publish("--unproven", "--version", str(version))
    saved.add_evidence()
    saved.publish("--version", "4")
    return saved


def of(saved: Saved, *command: str) -> tuple[int, dict[str, object]]:
    result = tritonbuild(*command, "--repository", saved.repository, "--json")
    return result.exit_code, json.loads(result.stdout)


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_versions_are_listed_with_where_they_come_from_and_what_proved_them(saved):
    code, told = of(saved, "list")

    assert code == 0
    assert [(one["name"], one["version"], one["highest"], one["proven_rows"]) for one in told["versions"]] == [
        ("model", 1, False, None),
        ("model", 2, False, None),
        ("model", 4, True, 4),
    ]
    assert {one["source"] for one in told["versions"]} == {"model"}
    sizes = [sum(file.stat().st_size for file in files_of(Path(one["path"]))) for one in told["versions"]]
    assert [one["bytes"] for one in told["versions"]] == sizes
    shown = tritonbuild("list", "model", "--repository", saved.repository).stdout
    assert "on 4 rows" in shown
    assert "unproven" in shown


def test_an_untouched_repository_is_true(saved):
    assert of(saved, "audit") == (0, {**of(saved, "list")[1], "true": True, "untrue": []})


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda version: (version / "model.onnx").write_bytes(b"other"), "has other content than was published"),
        (lambda version: (version / "model.onnx").unlink(), "is missing"),
        (lambda version: (version / "stray").write_text(""), "was not published"),
        (lambda version: (version / "manifest.json").unlink(), "nobody knows what it should be"),
        (lambda version: (version / "config.pbtxt").write_text(""), "has other content than was published"),
    ],
)
def test_what_was_changed_by_hand_is_found(saved, spoil, why):
    spoil(saved.repository / "model" / "2")

    code, told = of(saved, "audit")

    assert code == 1
    (problem,) = told["untrue"]
    assert why in problem["why"]
    assert "/model/2" in problem["path"]


@pytest.mark.parametrize(
    ("spoil", "path", "why"),
    [
        (lambda model: (model / "config.pbtxt").open("a").write("\n"), "config.pbtxt", "is not what version 4"),
        (lambda model: (model / "labels.txt").write_text("a\n"), "labels.txt", "was not published"),
        (lambda model: next((model / "warmup").iterdir()).write_bytes(b""), "warmup/", "is not what version 4"),
        (lambda model: next((model / "warmup").iterdir()).unlink(), "warmup/", "is missing"),
    ],
)
def test_settings_that_were_changed_by_hand_are_found(saved, spoil, path, why):
    spoil(saved.repository / "model")

    code, told = of(saved, "audit")

    assert code == 1
    (problem,) = told["untrue"]
    assert why in problem["why"]
    assert f"/model/{path}" in problem["path"]

    saved.publish("--version", "4")
    assert of(saved, "audit")[0] == 0


def test_a_rolled_back_repository_is_true_and_what_answers_is_listed_and_not_pruned(saved):
    serve_version(saved.repository, "model", 1)

    assert of(saved, "audit")[0] == 0
    assert [(one["version"], one["highest"], one["serving"]) for one in of(saved, "list")[1]["versions"]] == [
        (1, False, True),
        (2, False, False),
        (4, True, False),
    ]
    assert [one["version"] for one in of(saved, "prune", "--keep", "1")[1]["versions"]] == [2]
    assert versions(saved.repository, "model") == (1, 4)
    assert of(saved, "audit")[0] == 0


def test_the_manifest_tells_tools_settings_and_the_digest_of_each_file(saved):
    told = json.loads((saved.repository / "model" / "4" / "manifest.json").read_text())

    assert set(told["tools"]) == {"tritonbuild", "onnx", "spox", "onnxruntime"}
    assert all(told["tools"].values())
    assert told["config"]["settings"]["max_batch_size"] == {"from": "default", "value": "1024"}
    assert told["config"]["files"].keys() == {
        str(path.relative_to(saved.repository / "model" / "4"))
        for path in files_of(saved.repository / "model" / "4")
        if path.name == "config.pbtxt" or path.parent.name in ("configs", "warmup")
    }
    assert told["source"]["alias"] is None


def test_pruning_all_but_some_versions_takes_their_names_out_of_the_config(saved):
    saved.publish("--version", "4", "--set", "versions=all")
    config = saved.repository / "model" / "config.pbtxt"
    assert [number for number in (1, 2, 4) if f"versions: {number}\n" in config.read_text()] == [1, 2, 4]

    of(saved, "prune", "--keep", "2")

    assert [number for number in (1, 2, 4) if f"versions: {number}\n" in config.read_text()] == [2, 4]
    assert of(saved, "audit")[0] == 0


def test_old_versions_go_and_the_served_one_stays(saved):
    kept = of(saved, "prune", "--keep", "2", "--dry-run")
    assert kept[1]["removed"] is False
    assert versions(saved.repository, "model") == (1, 2, 4)

    code, told = of(saved, "prune", "--keep", "2")

    assert (code, told["removed"], [one["version"] for one in told["versions"]]) == (0, True, [1])
    assert versions(saved.repository, "model") == (2, 4)
    assert sorted(path.name for path in (saved.repository / "model").iterdir()) == [
        "2",
        "4",
        "config.pbtxt",
        "configs",
        "warmup",
    ]
    assert of(saved, "prune", "--keep", "2")[1]["versions"] == []
    assert of(saved, "audit")[0] == 0


def test_versions_that_somebody_else_put_there_are_not_pruned(saved):
    theirs = saved.repository / "model" / "3"
    theirs.mkdir()
    (theirs / "model.onnx").write_bytes(b"theirs")

    of(saved, "prune", "--keep", "1")

    assert versions(saved.repository, "model") == (3, 4)
    assert of(saved, "audit")[0] == 1


@pytest.mark.parametrize("command", ["list", "audit", "prune"])
def test_a_model_that_is_not_there_is_a_usage_error(saved, command):
    code, told = of(saved, command, "absent")

    assert code == 2
    assert "it has model" in told["error"]["fix"]
    assert tritonbuild(command, "--repository", saved.repository / "nowhere").exit_code == 2


def test_sixteen_publishers_at_once_each_get_a_version(tmp_path):
    script = (
        "import json, sys; from pathlib import Path; from builder.triton.repository import write_version\n"
        "from tests.faults.writer import digests\n"
        "files = {'model.onnx': sys.argv[2].encode() * 100_000}\n"
        "beside = {'config.pbtxt': f'max_batch_size: {sys.argv[2]}'.encode()}\n"
        "files['manifest.json'] = json.dumps({'files': digests(files), 'config': {'files': digests(beside)}}).encode()\n"
        "print(write_version(Path(sys.argv[1]), 'flights', None, files, beside).version)"
    )
    repository = tmp_path / "repository"

    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, repository, str(i)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for i in range(16)
    ]
    numbers = {i: int(writer.communicate(timeout=120)[0]) for i, writer in enumerate(writers)}

    assert sorted(numbers.values()) == list(range(1, 17))
    for i, number in numbers.items():
        assert (repository / "flights" / str(number) / "model.onnx").read_bytes() == str(i).encode() * 100_000
    newest = next(i for i, number in numbers.items() if number == 16)
    assert f"max_batch_size: {newest}\n" in (repository / "flights" / "config.pbtxt").read_text()
    assert sorted(path.name for path in tmp_path.rglob(".*")) == [LOCK]
    assert audit(repository)[1] == ()


def test_what_a_killed_publisher_left_is_gone_after_the_next(tmp_path):
    """Killed in the middle of a version of 200 MB; the lock goes with the process."""
    repository = tmp_path / "repository"
    script = (
        "import sys; from pathlib import Path; from builder.triton.repository import write_version\n"
        "files = {f'{i}.weights': bytes(1 << 20) for i in range(200)}\n"
        "write_version(Path(sys.argv[1]), 'flights', None, files, {'config.pbtxt': b''})"
    )
    for _ in range(2):  # a new model, then a new version of it
        writer = subprocess.Popen([sys.executable, "-c", script, repository], cwd=ROOT)
        before, until = versions(repository, "flights"), time.monotonic() + 60
        while not list(tmp_path.rglob("20.weights")):
            assert time.monotonic() < until
            assert writer.poll() is None, "it was quicker than the watcher"
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        assert versions(repository, "flights") == before
        assert (repository / LOCK).exists()

        number = write_version(
            repository, "flights", None, {"model.onnx": bytes(repr(before), "ascii")}, {"config.pbtxt": b""}
        ).version

        assert versions(repository, "flights") == (*before, number)
        assert not list(tmp_path.rglob("*.weights"))
        assert list(tmp_path.rglob(".tritonbuild*")) == [repository / LOCK]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_the_lock_file_of_another_user_is_held_as_well():
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are root's alone
        folder = Path(name)
        folder.chmod(0o755)
        (folder / LOCK).touch(0o644)
        os.seteuid(65534)
        try:
            with alone(folder), pytest.raises(Unreachable, match="another publisher"), alone(folder, patience_s=0.1):
                pass
        finally:
            os.seteuid(0)


def test_a_lock_that_is_never_given_back_is_told(tmp_path):
    with alone(tmp_path), pytest.raises(Unreachable, match="another publisher"), alone(tmp_path, patience_s=0.1):
        pass

    for _ in range(2):
        with alone(tmp_path, patience_s=0.1):
            assert (tmp_path / LOCK).read_bytes() == b""
