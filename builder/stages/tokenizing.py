"""Text taken apart into words, and words left out or put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.casing import lowered
from builder.graph.columns import Mask, Text, Texts
from builder.graph.idioms import any_of, constant
from builder.graph.rules import converts
from builder.graph.texts import (
    Case,
    Changed,
    changed,
    characters_of,
    flat,
    further,
    in_set,
    long_enough,
    lower,
    places,
    split,
    upright,
)
from builder.sparkml.letters import SPACES, Branch, Letters, branches
from builder.sparkml.reader import SavedStage
from builder.types import TextArray

_UNREADABLE = "holds bytes that are no UTF-8, or a capital sigma whose lower case its neighbours do not decide"


@converts("org.apache.spark.ml.feature.Tokenizer", word="bit")
def tokenizer(stage: SavedStage, x: Text) -> Texts:
    """The string in lower case, split at each white space.

    Shapes: x [N, 1] -> [N, T].
    Order:  Java's `split("\\\\s")`: leading and inner empty strings stay, trailing ones go; "" is one empty token.
    Null:   refuses. Locale: Spark takes the JVM's; here it is Java's root (English and most others).
    Source: Tokenizer.createTransformFunc (ml/feature/Tokenizer.scala, Spark 4.0.1)
    """
    text = changed(flat(x.var), case="LOWER", marks=SPACES, mark=" ")
    return _tokens(x, text, *split(text.text, " "), is_lower=True)


@converts("org.apache.spark.ml.feature.RegexTokenizer", word="bit")
def regex_tokenizer(stage: SavedStage, x: Text) -> Texts:
    """The string split at what the pattern matches (`gaps`), or what it matches; tokens of `minTokenLength` or more.

    Shapes: x [N, 1] -> [N, T].
    Order:  as Java splits: trailing empty strings go, then short tokens.
    Null:   refuses.
    Raises: Refused where the pattern is outside the grammar of sparkml/letters.py.
    Source: RegexTokenizer.createTransformFunc (ml/feature/Tokenizer.scala, Spark 4.0.1)
    """
    pattern, gaps = stage.params.text("pattern"), stage.params.flag("gaps")
    least, is_lower = stage.params.integer("minTokenLength"), stage.params.flag("toLowercase")
    try:
        parts = branches(pattern)
        tokens = _split_at if gaps else _found
        return tokens(x, parts, least, is_lower)
    except ValueError as error:
        raise Refused(
            f"the pattern {pattern!r} of {stage.uid} holds {error}; a graph splits by sets of characters alone.",
            fix=r"write it as a set, such as \s+, \W, [^a-z0-9]+ or a literal text; `minTokenLength` drops empty tokens.",
        ) from error


def _split_at(x: Text, parts: Sequence[Branch], least: int, is_lower: bool) -> Texts:
    """Tokens between matches. Several alternatives are one set where it does not matter how many empty tokens lie between."""
    if len(parts) == 1 and parts[0].text:
        text = changed(flat(x.var), case=_case(is_lower))
        return _long(_tokens(x, text, *split(text.text, parts[0].text), is_lower=is_lower), least)
    if any(part.text or part.least > 1 for part in parts):
        raise ValueError("a literal text, or several characters at least, beside other alternatives or between tokens")
    repeat = parts[0].repeat
    if least == 0 and len(parts) > 1 and any(part.repeat for part in parts):
        raise ValueError("alternatives with + while minTokenLength is 0")
    answer = _marked(x, Letters.union(*(part.letters for part in parts)), is_lower)
    if least == 0 and repeat:  # a run of matches is one: of the empty strings only a first one is a token
        first = op.equal(places(answer.var), constant(0))
        return answer.keeping(op.or_(first, _not_empty(answer.var)))
    return _long(answer, least)


def _found(x: Text, parts: Sequence[Branch], least: int, is_lower: bool) -> Texts:
    """The matches themselves: runs of a set's characters, or each of them alone."""
    if len(parts) > 1 or parts[0].text:
        raise ValueError("alternatives or a literal text, to be found rather than split at")
    part = parts[0]
    if part.repeat:
        answer = _marked(x, part.letters.others(), is_lower) if part.letters.others().ranges else _whole(x, is_lower)
        answer = answer.keeping(_not_empty(answer.var))
        if part.least > 1:
            answer = answer.keeping(op.regex_full_match(answer.var, pattern=f"(?s).{{{part.least},}}"))
        return _long(answer, least)
    text = changed(flat(x.var), case=_case(is_lower))
    characters = characters_of(text.text)
    inside = op.regex_full_match(characters, pattern=part.letters.pattern())
    return _long(_tokens(x, text, characters, inside, is_lower=is_lower, is_packed=False), least)


def _case(is_lower: bool) -> Case:
    return "LOWER" if is_lower else "NONE"


def _marked(x: Text, letters: Letters, is_lower: bool) -> Texts:
    mark = letters.one()
    text = changed(flat(x.var), case=_case(is_lower), marks=letters, mark=mark)
    return _tokens(x, text, *split(text.text, mark), is_lower=is_lower)


def _whole(x: Text, is_lower: bool) -> Texts:
    text = changed(flat(x.var), case=_case(is_lower))
    token = upright(text.text)
    return _tokens(x, text, token, op.equal(token, token), is_lower=is_lower)


def _not_empty(tokens: Var) -> Var:
    return op.not_(op.equal(tokens, constant(np.array([""], dtype=np.str_))))


def _long(x: Texts, least: int) -> Texts:
    if least == 0:
        return x
    return x.keeping(_not_empty(x.var) if least == 1 else long_enough(x.var, least))


def _tokens(x: Text, text: Changed, tokens: Var, there: Var, *, is_lower: bool, is_packed: bool = True) -> Texts:
    masks = [Mask(text.refused, f"string column {x.name!r} {_UNREADABLE}")]
    if x.nullable:
        masks.append(Mask(x.is_null(), f"string column {x.name!r} is null"))
    return Texts(tokens, TextArray(), there=there, lowered=is_lower, is_packed=is_packed).because(*masks)


@converts("org.apache.spark.ml.feature.StopWordsRemover", word="bit")
def stop_words_remover(stage: SavedStage, i: int, x: Texts) -> Texts:
    """The words that are none of `stopWords`; without `caseSensitive` both in lower case.

    Shapes: x [N, T] -> [N, T].
    Null:   elements that are null stay.
    Raises: Refused for Turkish, Azeri and Lithuanian locales, whose lower case is another.
    Source: StopWordsRemover.transform (ml/feature/StopWordsRemover.scala, Spark 4.0.1)
    """
    words, locale = stage.params.texts("stopWords"), stage.params.text("locale")
    if stage.params.flag("caseSensitive"):
        return x.keeping(_other_than(x, x.var, frozenset(words)))
    if locale.lower() in ("tr", "az", "lt"):  # `new Locale("tr_TR")` is no Turkish one: its language is "tr_tr"
        raise Refused(
            f"{stage.uid} compares in the lower case of locale {locale!r}, which is not the usual one.",
            fix="setLocale('en_US') where the words need no dotless i, or setCaseSensitive(True).",
        )
    try:
        chosen = frozenset(map(lowered, words))
    except ValueError as error:
        raise Refused(f"{stage.uid}: {error}.", fix="write that stop word in lower case.") from error
    if x.lowered:
        return x.keeping(_other_than(x, x.var, chosen))
    text = lower(op.reshape(x.var, constant(np.array([-1], dtype=np.int64))))
    shape = op.shape(x.var)
    lost = op.and_(op.reshape(text.refused, shape), x.tokens)
    kept = x.keeping(_other_than(x, op.reshape(text.text, shape), chosen))
    return kept.because(Mask(any_of(lost), f"a word of column {x.name!r} {_UNREADABLE}"))


def _other_than(x: Texts, tokens: Var, words: frozenset[str]) -> Var:
    kept = op.not_(in_set(tokens, words))
    return kept if x.nulls is None else op.or_(kept, x.nulls)


@converts("org.apache.spark.ml.feature.NGram", word="bit")
def ngram(stage: SavedStage, x: Texts) -> Texts:
    """Each n words that follow one another, with a space between; none where there are fewer than n.

    Shapes: x [N, T] -> [N, T].
    Null:   an element that is null is the word "null".
    Source: NGram.createTransformFunc (ml/feature/NGram.scala, Spark 4.0.1)
    """
    n, packed = stage.params.integer("n"), x.packed()
    tokens, there = packed.var, packed.tokens
    if packed.nulls is not None:
        tokens = op.where(packed.nulls, constant(np.array([["null"]], dtype=np.str_)), tokens)
    space = constant(np.array([[" "]], dtype=np.str_))
    gram, last = tokens, there
    for step in range(1, n):
        gram = op.string_concat(op.string_concat(gram, space), further(tokens, step, ""))
        last = further(there, step, False)
    return Texts(gram, TextArray(), there=last, lowered=x.lowered, is_packed=True)
