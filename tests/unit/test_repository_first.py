"""The repository is asked before any work is done for it, and a proof joins the version that lacks one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli import ROWS, Saved, save_model, tritonbuild


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return save_model(tmp_path)


def manifest(saved: Saved, version: int = 1) -> dict[str, object]:
    document: dict[str, object] = json.loads((saved.repository / "model" / str(version) / "manifest.json").read_text())
    return document


@pytest.mark.parametrize("below", ["", "a/b"])
def test_a_repository_that_cannot_be_is_told_before_anything_is_read(saved: Saved, tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("a file")

    result = tritonbuild(
        "publish", saved.path, "--schema", saved.schema, "--unproven", "--repository", tmp_path / "taken" / below
    )

    assert result.exit_code == 4
    assert "fetching" not in result.stderr
    assert "compiling" not in result.stderr


def test_a_try_leaves_nothing_where_the_model_is_then_refused(saved: Saved) -> None:
    result = saved.publish()  # no evidence

    assert result.exit_code == 2
    assert saved.untouched


def test_a_proof_joins_the_version_that_lacks_one(saved: Saved) -> None:
    assert saved.publish("--unproven").exit_code == 0
    assert manifest(saved)["proof"] == "unproven"
    saved.add_evidence()

    result = saved.publish()

    assert result.exit_code == 0, result.stderr
    assert isinstance(manifest(saved)["proof"], dict)
    assert (saved.repository / "model" / "1" / "evidence.parquet").is_file()
    assert not (saved.repository / "model" / "2").exists()
    assert tritonbuild("audit", "--repository", saved.repository).exit_code == 0


def test_a_proven_version_never_loses_its_proof(saved: Saved) -> None:
    saved.add_evidence()
    assert saved.publish().exit_code == 0
    before = {path: path.read_bytes() for path in saved.repository.rglob("*") if path.is_file()}
    (saved.path / "tritonbuild" / "evidence.parquet").unlink()

    result = saved.publish("--unproven")

    assert result.exit_code == 0, result.stderr
    assert "is proven already" in result.stdout + result.stderr
    assert {path: path.read_bytes() for path in saved.repository.rglob("*") if path.is_file()} == before


def test_another_proof_of_a_proven_version_is_other_content(saved: Saved) -> None:
    saved.add_evidence()
    assert saved.publish("--version", "1").exit_code == 0

    saved.add_evidence(ROWS.take(slice(0, 2)))

    result = saved.publish("--version", "1")

    assert result.exit_code == 2
    assert "other content" in result.stderr
