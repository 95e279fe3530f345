"""RFormula, and the stages that it saves within."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import INF, NAN, Columns, Row, Stage, column, doubles, rolled, spark, texts, vectors, width

FITTED: Columns = {
    "y": doubles(0.0, 1.0, 1.0, 0.0, 1.0, 0.0),
    "s": texts("a", "ß", "a", "日本", "ß", "a"),
    "t": texts("u", "v", "u", "v", "v", "w"),
    "x": doubles(1 / 3, -2.7, 3.1, 0.1, 16777217.0, -1.5),
    "n": column("int", 3, 1, 4, 1, 5, 9),
    "b": column("boolean", True, False, True, True, False, False),
    "v": vectors(*rolled((1 / 3, -2.7, 3.1, 0.1, 7.7, -1.5), 2)),
}
ASKED: Columns = {
    "s": texts("a", "ß", "日本", "unseen", None, "a", "ß", "a"),
    "t": texts("u", "v", "w", "u", "v", None, "w", "v"),
    "x": doubles(0.1, 1 / 3, -0.0, 1.0, 2.0, 3.0, None, INF),
    "n": column("int", -7, 7, 2147483647, 1, 1, 1, 1, 5),
    "b": column("boolean", True, False, True, False, True, True, False, True),
    "v": vectors(*rolled((1 / 3, -2.7, INF, 0.1, 7.7, -1.5, 0.0, 2.5), 2)),
}


def _formula(
    name: str,
    formula: str,
    smoke: bool = False,
    outputs: tuple[str, ...] = ("features",),
    after: tuple[Stage, ...] = (),
    rows: Columns | None = None,
    fitted: Columns | None = None,
    word: Any = "bit",
    chosen: bool = False,
    **params: Any,
) -> Row:
    names = set(fitted or FITTED) & set(rows or ASKED)
    return Row(
        f"formulating/{name}",
        (spark.RFormula(formula=formula, **params), *after),
        train=fitted or FITTED,
        rows={column: values for column, values in (rows or ASKED).items() if column in names},
        outputs=outputs,
        chosen=chosen,
        word=word,
        smoke=smoke,
    )


LABELS: Columns = {**ASKED, "y": doubles(0.0, 1.0, None, NAN, INF, -0.0, 0.1, 2.0)}
WORDY: Columns = {**FITTED, "y": texts("no", "yes", "yes", "no", "yes", "no")}
WORDS: Columns = {**ASKED, "y": texts("no", "yes", "yes", "no", "unseen", None, "yes", "no")}

ROWS = [
    *(_formula(f"all-{handle}", "y ~ s + t + x + n", handleInvalid=handle, smoke=handle == "keep") for handle in ("error", "skip", "keep")),
    _formula("numbers", "y ~ x + n + b", handleInvalid="keep"),
    _formula("vector", "y ~ v + x", handleInvalid="keep"),
    _formula("vector-interaction", "y ~ n:t + v", handleInvalid="keep"),
    _formula("dot", "y ~ . - v - b", handleInvalid="keep"),
    _formula("dot-all", "y ~ .", handleInvalid="keep"),
    _formula("no-intercept", "y ~ s + t + x - 1", handleInvalid="keep", smoke=True),
    _formula("no-intercept-zero", "y ~ t + s + 0", handleInvalid="keep"),
    _formula("interaction", "y ~ s:t + x:n", handleInvalid="keep", smoke=True),
    _formula("interaction-error", "y ~ s:t + x:n"),
    _formula("interaction-skip", "y ~ s:t + x:n", handleInvalid="skip"),
    _formula("cross", "y ~ s * x", handleInvalid="keep"),
    _formula("power", "y ~ (s + t + x) ^ 2", handleInvalid="keep"),
    _formula("three", "y ~ s:t:n", handleInvalid="skip"),
    _formula("order", "y ~ s + t", handleInvalid="keep", stringIndexerOrderType="alphabetDesc"),
    _formula("no-label", "~ s + x", handleInvalid="keep"),
    _formula("label-absent", "missing ~ s + x", handleInvalid="keep", featuresCol="f", labelCol="l", outputs=("f",)),
    _formula("label-number", "y ~ x + n", handleInvalid="keep", rows=LABELS, outputs=("features", "label"), chosen=True, smoke=True),
    _formula("label-alone", "y ~ x + n", handleInvalid="keep", rows=LABELS, outputs=("label",), chosen=True),
    _formula("label-boolean", "b ~ x + n", handleInvalid="keep", outputs=("features", "label"), chosen=True),
    _formula("label-integer", "n ~ x + s", handleInvalid="keep", outputs=("features", "label"), chosen=True),
    *(
        _formula(f"label-text-{handle}", "y ~ x + n", fitted=WORDY, rows=WORDS, handleInvalid=handle, outputs=("features", "label"), chosen=True)
        for handle in ("error", "skip", "keep")
    ),
    _formula("label-text-unasked", "y ~ x + n", fitted=WORDY, handleInvalid="keep"),
    _formula("label-forced", "y ~ x + n", forceIndexLabel=True, rows=LABELS, handleInvalid="keep", outputs=("features", "label"), chosen=True),
    _formula("label-forced-unasked", "y ~ x + n", forceIndexLabel=True),
    _formula(  # what is called as the label is to be, stays as it is: a whole number here
        "label-called-label",
        "label ~ x + n",
        fitted={**FITTED, "label": column("int", 0, 1, 2, 3, 4, 5)},
        rows={**ASKED, "label": column("int", 0, 1, 7, None, -3, 2, 2147483647, 5)},
        after=(spark.SQLTransformer(statement="SELECT *, label % 2 AS o FROM __THIS__"),),
        handleInvalid="keep",
        outputs=("features", "o"),
        chosen=True,
    ),
    Row(  # the names that the formula leaves: none of its own columns in them
        "formulating/names",
        (
            spark.RFormula(formula="y ~ s + t:x + v", handleInvalid="keep"),
            spark.VectorSlicer(inputCol="features", outputCol="o", names=["s_a", "s_ß", "t_v:x", "t_u:x", "v_1"]),
        ),
        train=FITTED,
        rows={name: ASKED[name] for name in "stxv"},
        outputs=("o",),
    ),
    _formula("classifier", "y ~ s + x + v", after=(spark.LogisticRegression(regParam=0.1),), fitted={**WORDY, "v": vectors(*rolled((1 / 3, -2.7, 3.1, 0.1, 7.7, -1.5), 2), metadata=width(2))},
             rows={"s": texts("a", "ß", "日本", "a"), "x": doubles(0.1, -2.7, 1 / 3, 3.1), "v": vectors((1.0, 2.0), (0.1, 0.0), (-2.7, 3.1), (1 / 3, 7.7))},
             outputs=("rawPrediction", "probability", "prediction"), word="elementary", smoke=True),
    _formula("regressor", "x ~ s * n", after=(spark.LinearRegression(regParam=0.1),), rows={"s": ASKED["s"], "n": ASKED["n"]}, handleInvalid="keep",
             outputs=("prediction",), word="dot"),
]  # fmt: skip
