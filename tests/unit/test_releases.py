"""The release table, and what it says of a graph."""

from __future__ import annotations

import itertools
import re

import pytest

from builder.errors import UsageError
from builder.releases import DEFAULT, OLDEST, TARGETS, TREE_ENSEMBLE, Needs, able, spans, target_of
from tests.house.sources import ROOT

PLAIN = Needs(ir=10, opset=21, ml=5, operators=frozenset({"Add"}))
TREES = Needs(ir=10, opset=21, ml=5, operators=frozenset({"Add", TREE_ENSEMBLE}))


def version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def test_what_a_release_runs_the_next_one_runs_too() -> None:
    for older, newer in itertools.pairwise(TARGETS):
        assert version(older.name) < version(newer.name)
        assert version(older.triton) < version(newer.triton)
        assert version(older.onnxruntime) <= version(newer.onnxruntime)
        assert (older.ir, older.opset, older.ml) <= (newer.ir, newer.opset, newer.ml)
        assert older.tree_ensemble <= newer.tree_ensemble
        assert older.subnormals <= newer.subnormals


def test_trees_by_their_operator_run_from_25_03_on() -> None:
    assert spans(able(TREES)) == "25.03 and newer"
    assert spans(able(PLAIN)) == "24.10 and newer"
    assert DEFAULT.name == "25.03"


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (Needs(11, 21, 5, frozenset()), "25.08 and newer"),
        (Needs(10, 22, 5, frozenset()), "25.03 and newer"),
        (Needs(10, 26, 5, frozenset()), "26.07 and newer"),
        (Needs(10, 21, 6, frozenset()), "none"),
    ],
)
def test_a_graph_of_newer_versions_runs_on_newer_releases(needs: Needs, told: str) -> None:
    assert spans(able(needs)) == told


def test_what_a_release_lacks_is_told_with_its_limit() -> None:
    assert OLDEST.lacks(Needs(11, 22, 5, TREES.operators)) == (
        "IR version 11 (it has 10)",
        "opset 22 (it has 21)",
        "ai.onnx.ml.TreeEnsemble in double",
    )


@pytest.mark.parametrize("name", ["24.09", "2.51", "", "latest"])
def test_a_release_that_is_none_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match=r"no Triton release.*\n.*24\.10 to 26\.08"):
        target_of(name)


def test_the_environments_of_make_releases_are_those_of_the_table() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    told = re.search(r"^ORT := (.*)$", makefile, re.MULTILINE)

    assert told is not None
    assert told[1].split() == [target.onnxruntime for target in (OLDEST, DEFAULT, TARGETS[-1])]
