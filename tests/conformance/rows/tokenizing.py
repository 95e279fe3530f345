"""Tokenizer, RegexTokenizer, StopWordsRemover, NGram."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import Column, Row, column, spark, texts

SENTENCES = texts(
    "Hello World",
    "",
    " ",
    "  two  leading",
    "trailing  ",
    "\t\n\x0b\x0c\r",
    "a\tb\nc\x0bd\x0ce\rf",
    "a\u00a0b\u2003c\u0085d\x1ce",  # no white space of Java's \s
    "ÄÖÜ ẞ ß Éclair",
    "\u0130stanbul I\u0130 \u0130",
    "ΟΔΟΣ ΣΑΣ Σ ΑΣ. ΑΣ, ΣΊΣΥΦΟΣ\nΣ",
    "日本 語　テスト",
    "𝔸 😀 𐐀x",
    "ǅ ǈ ﬁ ŉ",
    "K Å Ω ϴ",
    "\u00c5\u0041\u030a E\u0301",
    "x" * 300 + " " + "Y" * 40,
    "a,b;c.d-e_f 1st 22nd don't",
    None,
)
PUNCTUATED = texts(
    "Hello, World! (It's 42.)",
    "",
    " ",
    ",",
    ",,a,,b,,",
    "a, b ,c",
    "A|B||C|",
    "foo::bar::::baz::",
    ":::a:::",
    "\u0130a\u0130 I\u0307",
    "ÄB c-d_e",
    "x1y22z333",
    "日本,語。テスト",
    "😀,😀😀 a",
    "tab\tnew\nline\x0bvt",
    "  a  b",
    "a\u0085b\u2028c",
    None,
)
WORDS = column(
    "array<string>",
    ["The", "quick", "brown", "fox"],
    ["the", "THE", "I'm", "i'm", "not"],
    [],
    ["", "a", ""],
    [None, "the", None, "fox"],
    ["ÄÖ", "äö", "Straße", "STRASSE"],
    ["ΟΔΟΣ", "οδος", "οδοσ"],
    ["\u0130", "i\u0307", "I", "\u0131"],
    ["x"],
    ["日本", "語", "日本"],
)


def _tokens(name: str, rows: Column = PUNCTUATED, **params: Any) -> Row:
    marks = {key: params.pop(key) for key in ("smoke", "refused") if key in params}
    return Row(
        f"tokenizing/{name}",
        (spark.RegexTokenizer(inputCol="s", outputCol="t", **params),),
        rows={"s": rows},
        outputs=("t",),
        **marks,
    )


TOKENIZER = [
    Row(
        "tokenizing/tokenizer",
        (spark.Tokenizer(inputCol="s", outputCol="t"),),
        rows={"s": SENTENCES},
        outputs=("t",),
        smoke=True,
    ),
    Row(
        "tokenizing/tokenizer-plain",
        (spark.Tokenizer(inputCol="s", outputCol="t"),),
        rows={"s": texts("Hello World", "", " ", "  A b", "C  ", "d  E")},
        outputs=("t",),
    ),
    Row(
        "tokenizing/sigma-undecided",
        (spark.Tokenizer(inputCol="s", outputCol="t"),),
        rows={"s": texts("ΑΣ'", "ΑΣ-", "ΑΣ.Α", "'ΣΑ", "ΑΣ ΑΣ", "ΑΣΣ", "ΣΣ", "ΑΣ1", "(ΑΣ)")},
        outputs=("t",),
    ),
]

REGEX = [
    _tokens("regex", smoke=True),
    _tokens("regex-default-on-sentences", SENTENCES),
    _tokens("regex-keeps-empty", minTokenLength=0),
    _tokens("regex-each-space", pattern=r"\s", minTokenLength=0),
    _tokens("regex-no-words", pattern=r"\W"),
    _tokens("regex-no-words-keeps-empty", pattern=r"\W", minTokenLength=0),
    _tokens("regex-no-words-run-keeps-empty", pattern=r"\W+", minTokenLength=0, toLowercase=False),
    _tokens("regex-cased", pattern=r"\W+", toLowercase=False),
    _tokens("regex-other-than", pattern="[^a-z0-9']+"),
    _tokens("regex-others-cased", pattern="[^a-z]", toLowercase=False, minTokenLength=2),
    _tokens("regex-comma", pattern=",", minTokenLength=0),
    _tokens("regex-literal", pattern="::", minTokenLength=0),
    _tokens("regex-overlapping-literal", pattern=":::", minTokenLength=0),
    _tokens("regex-escaped", pattern=r"\|", minTokenLength=0),
    _tokens("regex-set", pattern=r"[\s,.;!?()]+", minTokenLength=3),
    _tokens("regex-alternatives", pattern=r"\s+|,|\.|:"),
    _tokens("regex-single-alternatives", pattern=r"\s|,", minTokenLength=0),
    _tokens("regex-digits", pattern=r"\d+", minTokenLength=0),
    _tokens("regex-words", pattern=r"\w+", gaps=False, smoke=True),
    _tokens("regex-found-cased", pattern="[A-Z]+", gaps=False, toLowercase=False),
    _tokens("regex-characters", pattern=".", gaps=False),
    _tokens("regex-not-spaces", pattern=r"\S+", gaps=False, minTokenLength=2),
    _tokens("regex-two-or-more", pattern=r"\w{2,}", gaps=False),
    _tokens("regex-two-of-any", pattern=r"\S{2,}", gaps=False, minTokenLength=3),
    _tokens("regex-all", pattern=r"[\s\S]+", gaps=False),
    _tokens("regex-punct", pattern=r"\p{Punct}"),
    _tokens("regex-letters-apart", pattern="i", minTokenLength=0),
    _tokens("regex-dot-above", pattern="\u0307", minTokenLength=0),
    *(
        _tokens(f"regex-refused-{name}", pattern=pattern, refused="a graph splits by sets of characters", **more)
        for name, pattern, more in (
            ("group", r"(\s)", {}),
            ("anchor", "^a", {}),
            ("boundary", r"\b", {}),
            ("star", r"\s*", {}),
            ("two-or-more", r"\s{2,}", {}),
            ("lazy", r"\s+?", {}),
            ("possessive", r"\s++", {}),
            ("look-around", "(?=a)", {}),
            ("unicode", r"\p{L}+", {"gaps": False}),
            ("sequence", r"\s*,\s*", {}),
            ("intersection", "[a-z&&[^b]]", {}),
            ("found-alternatives", "a+|b+", {"gaps": False}),
            ("mixed", r"\s+|::", {}),
            ("runs-apart", r"\s+|,+", {"minTokenLength": 0}),
        )
    ),
]


def _stops(name: str, rows: Column = WORDS, **params: Any) -> Row:
    marks = {key: params.pop(key) for key in ("smoke", "refused") if key in params}
    return Row(
        f"tokenizing/{name}",
        (spark.StopWordsRemover(inputCol="w", outputCol="t", **params),),
        rows={"w": rows},
        outputs=("t",),
        **marks,
    )


STOPS = [
    _stops("stops", smoke=True),
    _stops("stops-cased", caseSensitive=True),
    _stops("stops-own", stopWords=["STRASSE", "Äö", "Ο\u0394ΟΣ", "\u0130", "", "日本"]),
    _stops("stops-own-cased", stopWords=["Äö", "the", "日本", "X"], caseSensitive=True),
    _stops("stops-none", stopWords=[]),
    _stops("stops-locale", locale="de_DE"),
    _stops("stops-turkish", locale="tr", refused="lower case of locale 'tr'"),
    Row(
        "tokenizing/stops-many-columns",
        (spark.StopWordsRemover(inputCols=["v", "w"], outputCols=["a", "b"]),),
        rows={
            "v": column("array<string>", ["The", "a"], [], ["x"]),
            "w": column("array<string>", ["x", "AND"], ["b"], []),
        },
        outputs=("a", "b"),
    ),
    Row(
        "tokenizing/stops-after-tokens",
        (spark.Tokenizer(inputCol="s", outputCol="w"), spark.StopWordsRemover(inputCol="w", outputCol="t")),
        rows={"s": texts("The quick brown Fox", "the", "", " a  b ", "I am not ÄHM the")},
        outputs=("t",),
        smoke=True,
    ),
    Row(
        "tokenizing/stops-after-cased-tokens",
        (
            spark.RegexTokenizer(inputCol="s", outputCol="w", toLowercase=False, minTokenLength=0),
            spark.StopWordsRemover(inputCol="w", outputCol="t"),
        ),
        rows={"s": texts("The quick brown Fox", "THE", "", " a  b ", "I am Not ÄHM thE")},
        outputs=("t",),
    ),
]

NGRAMS = [
    Row(
        f"tokenizing/ngrams-{n}",
        (spark.NGram(inputCol="w", outputCol="t", n=n),),
        rows={"w": WORDS},
        outputs=("t",),
        smoke=n == 2,
    )
    for n in (1, 2, 3, 7)
] + [
    Row(
        "tokenizing/ngrams-without-stops",
        (
            spark.Tokenizer(inputCol="s", outputCol="w"),
            spark.StopWordsRemover(inputCol="w", outputCol="v"),
            spark.NGram(inputCol="v", outputCol="t", n=2),
        ),
        rows={"s": texts("The quick brown Fox and the dog", "the", "", "a b c d e", "one two", "ÄB the cd")},
        outputs=("t",),
    )
]

ROWS = TOKENIZER + REGEX + STOPS + NGRAMS
