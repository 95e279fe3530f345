"""What the graph makes of case is Java's: every code point, and capital sigmas in any company."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from spox import Tensor, argument, build

from builder.graph.casing import SIGMA, lower_cases, lowered, upper_cases
from builder.graph.texts import changed, flat, lower, upper
from builder.sparkml.letters import SPACES

COMPANY = "AbΣςαΩ.,'-_ \t1é日\u0301😀\u00a0\"ß(İ"  # letters, marks, digits and signs of every kind


def texts(count: int) -> list[str]:
    draw = np.random.default_rng(7)
    letters = list(COMPANY + SIGMA * 6)
    return ["".join(draw.choice(letters, draw.integers(1, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def java() -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Every character with another case → (lower, upper); and the random texts → lower."""
    program = shutil.which("java")
    assert program, "Spark needs Java, and so do these tests"
    source = Path(__file__).parent / "Cases.java"
    asked = subprocess.run(
        [program, "-Dfile.encoding=UTF-8", source],
        input="\n".join(texts(20_000)).encode(),
        capture_output=True,
        check=True,
    )
    cases, _, sentences = asked.stdout.decode().partition("\n\n")
    table = {line.split("\t")[0]: tuple(line.split("\t")[1:]) for line in cases.split("\n")}
    lines = sentences.removesuffix("\n").split("\n")
    return table, {text: line[len(text) + 1 :] for text, line in zip(texts(20_000), lines, strict=True)}


def asked(values: list[str]) -> dict[str, np.ndarray]:
    """lower, upper and what Tokenizer splits, of each value; and which are refused."""
    x = argument(Tensor(np.str_, ("N", 1)))
    down, up, spaced = lower(flat(x)), upper(flat(x)), changed(flat(x), case="LOWER", marks=SPACES, mark=" ")
    model = build({"x": x}, {"lower": down.text, "refused": down.refused, "upper": up.text, "spaced": spaced.text})
    model.ir_version = 10
    session = ort.InferenceSession(model.SerializeToString())
    names = ["lower", "refused", "upper", "spaced"]
    return dict(zip(names, session.run(names, {"x": np.array(values, dtype=object).reshape(-1, 1)}), strict=True))


def test_the_tables_are_javas(java):
    table, _ = java

    assert {c: lower for c, (lower, _) in table.items() if lower != c} == lower_cases()
    assert {c: upper for c, (_, upper) in table.items() if upper != c} == upper_cases()


def test_the_graph_changes_every_character_as_java_does(java):
    table, _ = java

    answers = asked([*table])

    assert answers["lower"].tolist() == [lower for lower, _ in table.values()]
    assert answers["upper"].tolist() == [upper for _, upper in table.values()]
    assert not answers["refused"].any()


def test_a_capital_sigma_is_javas_or_refused(java):
    _, sentences = java

    answers = asked([*sentences])

    decided = ~answers["refused"][:, 0]
    wrong = [
        (text, mine, theirs)
        for (text, theirs), mine, sure in zip(sentences.items(), answers["lower"], decided, strict=True)
        if sure and mine != theirs
    ]
    assert not wrong, wrong[:5]
    assert decided[[SIGMA not in text for text in sentences]].all()
    assert decided.mean() > 0.5
    for text, sure in list(zip(sentences, decided, strict=True))[:2000]:  # stop words take the same decisions
        if sure:
            assert lowered(text) == sentences[text]


def test_marks_are_replaced_in_the_short_way_and_the_long_one():
    answers = asked(["A\tB C", "Ä\tB C", "a b"])

    assert answers["spaced"].tolist() == ["a b c", "ä b c", "a b"]


def test_text_that_is_no_utf_8_is_refused_and_its_neighbours_answered():
    x = argument(Tensor(np.str_, ("N", 1)))
    down = lower(flat(x))
    model = build({"x": x}, {"lower": down.text, "refused": down.refused})
    model.ir_version = 10
    session = ort.InferenceSession(model.SerializeToString())

    text, refused = session.run(None, {"x": np.array([[b"\xff\xfeA"], [b"AB"], ["Ä".encode()]], dtype="S4")})

    assert refused[:, 0].tolist() == [True, False, False]
    assert text.tolist() == ["", "ab", "ä"]
