"""120 repositories with one spoilt file each, and a spoilt tritonbuild.toml: every command ends in words, and none hangs."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path
from types import FrameType

import pytest

from tests.fuzz.mutations import drawn
from tests.unit.cli import Saved, save_model, tritonbuild

MUTANTS, SEED, HANGS_S = 120, 1, 60
TOML = "[defaults]\nmax_batch_size = 16\n[models.model]\ninstances = 2\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Two proven versions with other settings."""
    saved = save_model(tmp_path_factory.mktemp("base"))
    saved.add_evidence()
    assert saved.publish("--version", "1").exit_code == 0
    assert saved.publish("--version", "2", "--max-batch-size", "9").exit_code == 0
    (saved.repository.parent / "tritonbuild.toml").write_text(TOML)
    return saved


def commands(folder: Path) -> list[list[str]]:
    repository = ["--repository", str(folder / "model_repository")]
    source = [str(folder / "model"), "--schema", str(folder / "schema.json")]
    return [
        ["list", *repository],
        ["audit", *repository],
        ["prune", "--keep", "1", *repository],
        ["diff", *source, *repository],
        ["publish", *source, *repository],
        ["publish", *source, *repository, "--version", "2"],
        ["rollback", "model", "--to", "1", *repository],
        ["verify", "model", *repository, "--url", "grpc://127.0.0.1:1"],
    ]


def _hangs(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("it hangs")


def test_every_command_over_a_spoilt_repository_ends_in_words(published: Saved, tmp_path: Path) -> None:
    codes = set()
    before = signal.signal(signal.SIGALRM, _hangs)
    try:
        for number in range(MUTANTS):
            draw = random.Random(f"{SEED}:{number}")
            folder = tmp_path / f"fuzz-{number}"
            shutil.copytree(published.repository.parent, folder)
            files = [path for path in sorted((folder / "model_repository").rglob("*")) if path.is_file()]
            path = draw.choice([*(file for file in files if file.suffix != ".onnx"), folder / "tritonbuild.toml"])
            mutation = drawn(draw, path)
            mutation(draw, path)
            words = draw.choice(commands(folder))
            signal.alarm(HANGS_S)
            result = tritonbuild(*words)
            signal.alarm(0)
            codes.add(result.exit_code)
            told = f"{mutation.__name__} of {path.relative_to(folder)}, {words[0]}: {result.stderr}"
            assert result.exit_code in range(5), told
            assert result.exit_code in (0, 1) or result.stderr, told
            shutil.rmtree(folder)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert {0, 1, 2} <= codes
