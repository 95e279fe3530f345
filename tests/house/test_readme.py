"""What README says exists, and what exists README says."""

from __future__ import annotations

import re
import shlex

import pytest
from typer.main import get_command

from builder.cli import app
from builder.flow import stages
from tests.house.sources import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = get_command(app).commands


def shell_lines() -> list[str]:
    """Every command of README's shell blocks, without its prompt."""
    blocks = re.findall(r"^```(?:console|shell)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith(("$ ", "tritonbuild ", "make "))]


def test_readme_tells_of_every_command():
    told = set(re.findall(r"^\| `tritonbuild (\w+)", README, re.MULTILINE))

    assert told == set(COMMANDS)


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("tritonbuild ")])
def test_a_command_in_readme_parses(line):
    arguments = shlex.split(line.split(" #")[0].rstrip(" &"), posix=True)[1:]
    command = COMMANDS[arguments[0]]

    # raises on a flag or a value that it does not know
    context = command.make_context(arguments[0], list(arguments[1:]))

    assert context.command is command


def test_the_make_targets_of_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    told = set(re.findall(r"`make ([a-z-]+)`", README)) | {
        word for line in shell_lines() if line.startswith("make ") for word in line.split()[1:2]
    }

    assert told <= targets
    assert targets - {"help"} <= told


def test_readmes_support_table_is_what_the_rules_say():
    between = re.search(r"<!-- stages -->\n(.*?)<!-- /stages -->", README, re.DOTALL)

    assert between is not None
    assert between[1].strip() == stages().markdown(), "run: make table"


def test_the_continuous_integration_calls_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "\nmake test\n" in script
    assert "make test" in [line.split("#")[0].strip() for line in shell_lines()]
