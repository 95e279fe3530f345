"""deploy/ci/: every command of the workflow and of the job parses, and their scripts run as a runner would run them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.house.sources import ROOT
from tests.house.test_readme import COMMANDS
from tests.unit.cli import save_model

CI = ROOT / "deploy" / "ci"
GITHUB: dict[str, Any] = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))
GITLAB: dict[str, Any] = yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))

SCRIPTS = {
    step["name"]: step["run"] for step in GITHUB["jobs"]["publish"]["steps"] if "tritonbuild" in step.get("run", "")
}
SCRIPTS |= {f"gitlab {name}": "\n".join(job["script"]) for name, job in GITLAB.items() if "script" in job}


def commands() -> list[list[str]]:
    """Every `tritonbuild …` of these files, as a shell would split it."""
    publish = COMPOSE["services"]["publish"]
    found = [[*publish["entrypoint"], "models:/flights@champion"]]
    for script in SCRIPTS.values():
        for line in script.splitlines():
            if line.strip().startswith("tritonbuild "):
                words = re.split(r"\s>>?\s", line.strip())[0].replace('"${servers[@]}"', "--load grpc://triton:8001")
                found.append(shlex.split(words))
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_parses(words):
    command = COMMANDS[words[1]]

    # raises on a flag or a value that it does not know
    context = command.make_context(words[1], words[2:])

    assert context.command is command


def test_every_step_was_seen():
    assert set(SCRIPTS) == {
        "Check", "Prove, and leave no trace", "Publish", "Publish and roll out", "gitlab prove", "gitlab publish"
    }  # fmt: skip
    assert len(commands()) == len(SCRIPTS) + 1


@pytest.mark.parametrize("name", ["Prove, and leave no trace", "gitlab prove"])
def test_a_pull_request_writes_nothing_to_mlflow(name):
    words = shlex.split(SCRIPTS[name])

    given = COMMANDS["publish"].make_context("publish", words[2 : words.index(">") if ">" in words else None]).params

    assert given["write_back"] is False


@pytest.mark.parametrize("name", sorted(set(SCRIPTS) - {"Publish and roll out"}))
def test_a_script_runs_and_leaves_its_summary(name, tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence()
    saved.schema.rename(saved.path / "tritonbuild" / "schema.json")
    tool = tmp_path / "bin" / "tritonbuild"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m builder.cli "$@"\n', encoding="utf-8")
    tool.chmod(0o755)
    environment = {
        "PATH": f"{tool.parent}:{os.environ['PATH']}",
        "MODEL": str(saved.path),
        "REPOSITORY": str(saved.repository),
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "CI_PROJECT_DIR": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }

    done = subprocess.run(  # as GitHub's runner calls it
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPTS[name]],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert ("version 1: published" if name != "Check" else "MinMaxScalerModel") in summary
    assert saved.repository.exists() == (name in ("Publish", "gitlab publish"))
    document = tmp_path / "published.json"
    assert not document.exists() or json.loads(document.read_text(encoding="utf-8"))["version"] == 1
