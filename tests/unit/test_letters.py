"""Which of Java's regular expressions are sets of characters."""

from __future__ import annotations

import re

import pytest

from builder.sparkml.letters import SPACES, Letters, branches

SAMPLE = [chr(code) for code in (*range(1, 0x180), 0x2028, 0x3000, 0x65E5, 0x1F600)]


@pytest.mark.parametrize(
    "pattern",
    [".", r"\w", r"\W", r"\d", r"\D", "[a-z]", "[^a-z]", "[a-c,x-z]", r"[\w.]", r"[^\s,]", r"[\]\-]", "[-a]", "[a-]", r"\.", "a"],
)  # fmt: skip
def test_a_set_holds_what_the_expression_matches(pattern):
    letters = branches(pattern)[0].letters

    java = re.compile(pattern.replace(r"\s", r"\t\n\x0b\f\r "), re.ASCII)
    matched = {c for c in SAMPLE if java.fullmatch(c)} - ({"\r", "\x85", "\u2028"} if pattern == "." else set())
    assert {c for c in SAMPLE if c in letters} == matched


def test_white_space_is_javas():
    assert [c for c in SAMPLE if c in SPACES] == list("\t\n\x0b\x0c\r ")


def test_a_quantifier_and_a_literal_are_told():
    run, literal, several = branches(r"\s+|::|a{3,}")

    assert (run.repeat, run.least, literal.text, several.repeat, several.least) == (True, 1, "::", True, 3)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "end"), ("(a)", r"'\('"), ("^a", r"'\^'"), ("a$", "sequence|'\\$'"), (r"\b", "b"), ("a*", r"'\*'"), ("a?", r"'\?'"),
        ("a+?", r"'\?'"), ("a++", r"'\+'"), ("a{2}", "quantifier"), ("a{1,2}", "quantifier"), (r"\p{L}", "class"),
        (r"\p{IsGreek}", "class"), ("[a-z&&[b]]", "inside a set"), ("[[a]]", "inside a set"), ("[z-a]", "range"), ("[a", "end"),
        (r"\s*,", r"'\*'"), ("ab+", "sequence"), (r"\sa", "sequence"), ("a|", "end"), (r"\1", "1"), (r"\Qa\E", "Q"), ("[]a]", "inside"),
    ],
)  # fmt: skip
def test_what_is_more_than_a_set_is_refused_by_name(pattern, said):
    with pytest.raises(ValueError, match=said):
        branches(pattern)


def test_sets_are_told_as_re2_reads_them():
    assert Letters.of("ba ").pattern() == r"[\x{20}-\x{20}\x{61}-\x{62}]"
    assert Letters.of("a").others().others() == Letters.of("a")
    assert Letters().others().others() == Letters()
