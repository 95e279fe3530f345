"""Exit codes are a contract: classes, their drawing and README say the same."""

from __future__ import annotations

import re

import pytest

from builder import errors
from builder.errors import TritonbuildError, UsageError
from tests.house.sources import ROOT

CODES = {1, 2, 3, 4}


def kinds(base=TritonbuildError):
    return {base, *(kind for child in base.__subclasses__() for kind in kinds(child))}


def test_every_exit_code_of_the_contract_has_an_error():
    assert {kind.exit_code for kind in kinds()} == CODES


@pytest.mark.parametrize("kind", sorted(kinds() - {TritonbuildError}, key=lambda kind: kind.__name__))
def test_the_drawing_at_the_top_tells_the_exit_code(kind):
    drawn = dict(re.findall(r"── (\w+) +exit (\d)", errors.__doc__))

    assert drawn[kind.__name__] == str(kind.exit_code)


def test_readme_explains_every_exit_code():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    told = {int(code) for code in re.findall(r"^\| `(\d)` \|", readme, re.MULTILINE)}

    assert told == CODES | {0}


def test_a_long_letter_stays_whole_and_a_long_line_does_not():
    letter = "\n".join(f"stage {number} cannot be converted" for number in range(2_000))

    assert UsageError(letter).message == letter
    assert len(UsageError(f"{'x' * 5_000_000}\nand more").message) < 3_000
    assert UsageError(f"{'x' * 5_000_000}\nand more").message.endswith("\nand more")
