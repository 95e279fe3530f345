"""`publish --summary`, and what continuous integration sees of the command's talk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.unit.cli import Saved, save_model


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    made = save_model(tmp_path)
    made.add_evidence()
    return made


def test_a_summary_tells_what_was_published_how_it_was_proven_and_the_way_back(saved, tmp_path, golden):
    summary = tmp_path / "summary.md"
    summary.write_text("## what another step said\n\n", encoding="utf-8")

    saved.publish("--summary", summary, "--instances", "2", "--set", "versions=latest:2", "--device", "gpu")

    text = summary.read_text(encoding="utf-8").replace(str(tmp_path), "/somewhere")
    golden("summary.md", text)
    assert text.startswith("## what another step said\n\n### `model` version 1: published\n")


def test_the_same_again_says_that_nothing_is_new(saved, tmp_path):
    saved.publish()

    saved.publish("--summary", tmp_path / "summary.md")

    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "### `model` version 1: was there already\n" in text
    assert "Every setting has its default." in text


def test_unproven_is_said(tmp_path):
    save_model(tmp_path).publish("--unproven", "--summary", tmp_path / "summary.md")

    assert "**Unproven**" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_a_summary_tells_why_nothing_was_published(tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence(spoil=True)

    result = saved.publish("--summary", tmp_path / "summary.md", "--json")

    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert result.exit_code == json.loads(result.stdout)["error"]["exit_code"] == 1
    assert text.startswith(f"### `{saved.path}` was not published\n\n```\n")
    assert "row 3" in text
    assert "\n\nFix: " in text


def test_a_summary_that_cannot_be_written_is_told_before_any_work(saved, tmp_path):
    result = saved.publish("--summary", tmp_path / "nowhere" / "summary.md")

    assert result.exit_code == 2
    assert "nowhere/summary.md cannot be written" in result.stderr
    assert not saved.repository.exists()


def test_a_folder_is_no_summary(saved, tmp_path):
    result = saved.publish("--summary", tmp_path, "--json")

    assert (result.exit_code, json.loads(result.stdout)["error"]["exit_code"]) == (2, 2)
    assert f"{tmp_path} cannot be written" in result.stderr
    assert not saved.repository.exists()


def test_a_disk_that_is_full_in_the_end_is_told_beside_the_outcome(saved):
    result = saved.publish("--summary", "/dev/full", "--json")

    assert (result.exit_code, json.loads(result.stdout)["version"]) == (2, 1)
    assert "/dev/full cannot be written" in result.stderr


def test_a_disk_that_is_full_in_the_end_does_not_hide_why_nothing_was_published(tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence(spoil=True)

    result = saved.publish("--summary", "/dev/full", "--json")

    assert (result.exit_code, json.loads(result.stdout)["error"]["exit_code"]) == (1, 1)
    assert "/dev/full cannot be written" in result.stderr


def test_to_a_pipe_it_talks_in_lines_without_control_codes(saved):
    """A line a step on stderr, one document on stdout: what a log keeps. Nothing moves a cursor or colours a word."""
    command = [sys.executable, "-m", "builder.cli", "publish", saved.path, "--schema", saved.schema, "--json"]
    environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "TTY_COMPATIBLE")}

    done = subprocess.run(
        [*map(str, command), "--repository", str(saved.repository)],
        cwd=ROOT,
        env=environment | {"TERM": "xterm-256color", "CI": "true"},
        capture_output=True,
        check=True,
    )

    assert not {byte for byte in done.stdout + done.stderr if byte < 32} - {ord("\n")}
    assert json.loads(done.stdout)["version"] == 1
    lines = done.stderr.decode().splitlines()
    assert [line.split()[1] for line in lines] == ["fetching", "compiling", "proving", "writing"]
