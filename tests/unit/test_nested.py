"""A stage that holds stages, and a rule that reads a second column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import spox.opset.ai.onnx.v21 as op

from builder.errors import ConversionRefused, Refused, SourceError
from builder.graph.columns import Number, Vector, number
from builder.graph.idioms import slots
from builder.graph.lowering import judge, lower
from builder.graph.rules import Ask, Rule, converts
from builder.graph.session import in_process
from builder.sparkml.reader import SavedStage, read_pipeline, read_stage
from builder.types import Field, Scalar, Table, VectorType
from tests.saved import Stage, write_pipeline, write_stage

SCHEMA = (Field("v", VectorType(None), False), Field("o", Scalar("double")))


@converts("test.Inner", word="dot", reads=["featuresCol"], writes=["outputCol"])
def inner(stage: SavedStage, x: Vector) -> Number:
    if stage.params.flag("broken"):
        raise Refused("it is broken.", fix="mend it.")
    return number(slots(x.sized(2).var, np.array([stage.params.integer("slot")])))


@converts("test.Outer", word="bit", reads=["featuresCol"], also=["offsetCol"], writes=["outputCol"])
def outer(stage: SavedStage, ask: Ask, x: Vector, offset: Number | None = None) -> Number:
    first, second = (ask(stage.nested(f"model_{index}"), x)["outputCol"] for index in range(2))
    total = op.sub(first.var, second.var)
    return number(total if offset is None else op.add(total, offset.var))


RULES: Mapping[str, Rule] = {rule.spark_class: rule for f in (inner, outer) for rule in f.__rules__}


def saved(folder: Path, *, offset: bool = False, kind: str = "test.Inner", **params: object) -> Path:
    """An outer stage with two inner ones, the second with these params."""
    reads = {"featuresCol": "v", **({"offsetCol": "o"} if offset else {})}
    path = write_pipeline(folder / "pipeline", [Stage("test.Outer", "Outer_1", {**reads, "outputCol": "y"})])
    for index, more in enumerate(({}, params)):
        given = {"featuresCol": "elsewhere", "outputCol": "same", "broken": False, "slot": index, **more}
        stage = Stage("test.Inner" if index == 0 else kind, f"Inner_{index}", given)
        write_stage(path / "stages" / "0_Outer_1" / f"model_{index}", stage)
    return path


def test_inner_stages_read_what_the_outer_one_gives_them(tmp_path: Path) -> None:
    servable = lower(read_pipeline(saved(tmp_path)), SCHEMA, RULES)

    answers = in_process(servable)(Table({"v": np.array([[3.5, 0.25]])}))

    assert answers["y"].tolist() == [[3.25]]


def test_a_second_column_is_read_where_its_param_is_set(tmp_path: Path) -> None:
    servable = lower(read_pipeline(saved(tmp_path, offset=True)), SCHEMA, RULES)

    answers = in_process(servable)(Table({"v": np.array([[3.5, 0.25]]), "o": np.array([[1.0]])}))

    assert answers["y"].tolist() == [[4.25]]


def test_a_second_column_of_another_type_is_refused(tmp_path: Path) -> None:
    schema = (SCHEMA[0], Field("o", Scalar("string")))

    with pytest.raises(ConversionRefused, match=r"column 'o' is string; Outer reads numbers"):
        lower(read_pipeline(saved(tmp_path, offset=True)), schema, RULES)


def test_the_weakest_word_inside_is_the_outer_ones(tmp_path: Path) -> None:
    verdicts, _ = judge(read_pipeline(saved(tmp_path)), SCHEMA, RULES)

    assert [verdict.word for verdict in verdicts] == ["dot"]


@pytest.mark.parametrize(
    ("params", "kind", "reason"),
    [
        ({"broken": True}, "test.Inner", "it is broken"),
        ({"tricky": 1}, "test.Inner", "params that its rule does not read: tricky"),
        ({}, "test.Nobody", r"no rule converts test\.Nobody"),
    ],
)
def test_a_refusal_inside_bears_the_inner_uid(
    tmp_path: Path, params: dict[str, object], kind: str, reason: str
) -> None:
    with pytest.raises(ConversionRefused, match=reason) as caught:
        lower(read_pipeline(saved(tmp_path, kind=kind, **params)), SCHEMA, RULES)

    assert [refusal.stage for refusal in caught.value.refusals] == ["Inner_1"]


def test_files_inside_that_are_another_stages_are_told_with_the_inner_uid(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Inner_1"):
        lower(read_pipeline(saved(tmp_path, slot="one")), SCHEMA, RULES)


def test_what_pyspark_saves_by_itself_has_the_jvms_name(tmp_path: Path) -> None:
    stage = read_stage(
        write_stage(tmp_path / "s", Stage("pyspark.ml.classification.OneVsRestModel", "OneVsRest_1", {}))
    )

    assert stage.spark_class == "org.apache.spark.ml.classification.OneVsRestModel"
