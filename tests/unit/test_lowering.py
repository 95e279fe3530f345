"""Lowering: what is kept, what is refused, and what every graph has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
import spox.opset.ai.onnx.v21 as op
import spox.opset.ai.onnx.v22 as op22
from spox import Var

from builder.errors import ConversionRefused, Refused, SourceError, UsageError
from builder.graph import idioms
from builder.graph.columns import Mask, Number, Text, Vector, number, vector
from builder.graph.idioms import constant
from builder.graph.lowering import asked_for, judge, lower
from builder.graph.rules import Rule, converts
from builder.graph.session import in_process
from builder.graph.targeting import lowering_for
from builder.releases import OLDEST
from builder.sparkml.reader import SavedPipeline, SavedStage, read_pipeline
from builder.tables import from_dicts
from builder.types import Field, Scalar, Table, VectorType
from tests.saved import Stage, min_max, write_pipeline

DOUBLE = Scalar("double")
SCHEMA = (Field("a", DOUBLE), Field("b", DOUBLE), Field("v", VectorType(None)))


@converts("test.Halve", word="bit", ignores=["seed"])
def halve(stage: SavedStage, i: int, x: Number) -> Number:
    bad = Mask(op.less(x.var, constant(0.0)), "negative", drops=stage.params.text("handleInvalid") == "skip")
    masks = () if stage.params.text("handleInvalid") == "keep" else (bad,)
    return number(op.mul(x.var, constant(0.5)), masks=masks)


@converts("test.Glue", word="bit", reads=["inputCols"])
def glue(stage: SavedStage, xs: Sequence[Number]) -> Vector:
    return vector(op.concat([x.var for x in xs], axis=1), len(xs))


@converts("test.Model", word="bit", reads=["featuresCol"], writes=["rawPredictionCol", "predictionCol"])
def model(stage: SavedStage, x: Vector) -> tuple[Vector, Number]:
    if stage.params.flag("broken"):
        raise Refused("it is broken.", fix="mend it.")
    return vector(x.var, x.width, slack=op.abs(x.var)), number(idioms.ordered_sum(x.var))


def _own(stage: SavedStage) -> tuple[str, ...]:
    return ("a",)


@converts("test.Doubled", word="bit", reads=_own, writes=_own)
def doubled(stage: SavedStage, x: Number) -> Number:
    return number(op.mul(x.var, constant(2.0)))


@converts("test.Label", word="bit", unasked=True)
def label(stage: SavedStage, x: Number) -> Number:
    return number(x.var)


RULES: Mapping[str, Rule] = {
    rule.spark_class: rule for f in (halve, glue, model, doubled, label) for rule in f.__rules__
}


def halved(uid: str, *pairs: tuple[str, str], invalid: str = "error", **more: object) -> Stage:
    params = {"inputCols": [a for a, _ in pairs], "outputCols": [b for _, b in pairs], "handleInvalid": invalid, **more}
    return Stage("test.Halve", uid, params, {"seed": 1})


def glued(*names: str) -> Stage:
    return Stage("test.Glue", "Glue_1", {"inputCols": list(names), "outputCol": "features"})


def predictor(**more: object) -> Stage:
    params = {"featuresCol": "features", "predictionCol": "prediction", "rawPredictionCol": "raw", "broken": False}
    return Stage("test.Model", "Model_1", {**params, **more})


@pytest.fixture
def saved(tmp_path: Path):
    return lambda *stages: read_pipeline(write_pipeline(tmp_path / f"{len(list(tmp_path.iterdir()))}", stages))


def test_by_default_the_predictor_answers_and_asks_only_for_what_it_needs(saved) -> None:
    pipeline = saved(halved("H_1", ("a", "a2"), ("b", "b2")), glued("a2"), predictor())

    servable = lower(pipeline, SCHEMA, RULES)

    assert [spec.name for spec in servable.inputs] == ["a"]
    assert [spec.name for spec in servable.outputs] == ["raw", "prediction", "invalid"]


def test_a_stage_that_no_output_needs_is_dropped_even_if_no_rule_knows_it(saved) -> None:
    label = Stage("test.Unknown", "Unknown_1", {"inputCol": "b", "outputCol": "label"})

    verdicts, servable = judge(saved(label, glued("a"), predictor()), SCHEMA, RULES)

    assert [verdict.verdict for verdict in verdicts] == ["dropped", "kept", "kept"]
    assert servable is not None


def test_a_switched_off_column_is_not_answered(saved) -> None:
    servable = lower(saved(glued("a"), predictor(rawPredictionCol="")), SCHEMA, RULES)

    assert [spec.name for spec in servable.outputs] == ["prediction", "invalid"]


def test_all_refusals_come_together_each_with_its_fix(saved) -> None:
    unknown = Stage("test.Unknown", "Unknown_1", {"inputCol": "b", "outputCol": "b2"})
    pipeline = saved(halved("H_1", ("a", "a2"), colour="red"), unknown, glued("a"), predictor(broken=True))

    with pytest.raises(ConversionRefused) as caught:
        lower(pipeline, SCHEMA, RULES, ["a2", "b2", "prediction"])

    assert [refusal.stage for refusal in caught.value.refusals] == ["H_1", "Unknown_1", "Model_1"]
    assert "params that its rule does not read: colour" in caught.value.refusals[0].reason
    assert caught.value.refusals[2].fix == "mend it."
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("outputs", [None, ["made"]])
def test_a_column_that_only_an_unknown_stage_can_write_is_refused_by_that_stages_name(saved, outputs) -> None:
    statement = Stage("test.SQL", "SQL_1", {"statement": "SELECT *, a * 2 AS made FROM __THIS__"})

    for stages in ([statement], [statement, glued("made"), predictor()]):
        with pytest.raises(ConversionRefused, match=r"SQL_1 +no rule converts test\.SQL") as caught:
            lower(saved(*stages), SCHEMA, RULES, outputs)
        assert caught.value.exit_code == 3


def test_the_stages_beside_an_unknown_one_are_judged_all_the_same(saved) -> None:
    statement = Stage("test.SQL", "SQL_1", {"statement": "SELECT *, a * 2 AS made FROM __THIS__"})
    pipeline = saved(halved("H_1", ("a", "a2")), halved("H_2", ("b", "b2"), colour="red"), statement,
                     glued("a2", "b2", "made"), predictor())  # fmt: skip

    verdicts, servable = judge(pipeline, SCHEMA, RULES)

    assert servable is None
    assert [(verdict.uid, verdict.verdict) for verdict in verdicts] == [
        ("H_1", "kept"), ("H_2", "refused"), ("SQL_1", "refused"), ("Glue_1", "kept"), ("Model_1", "kept"),
    ]  # fmt: skip
    assert "not judged" in verdicts[3].note
    assert [spec.name for spec in asked_for(pipeline, SCHEMA, RULES)] == ["a", "b"]


def _unreadable(stage: SavedStage) -> tuple[str, ...]:
    raise Refused("its statement is not understood.", fix="write another.")


@converts("test.Statement", word="bit", reads=_unreadable, writes=_unreadable, drops=_unreadable)
def statement_of(stage: SavedStage, x: Number) -> Number:
    return x


def test_a_stage_whose_columns_cannot_be_told_is_refused_beside_the_others(saved) -> None:
    stages = [halved("H_1", ("a", "a2"), colour="red"), Stage("test.Statement", "S_1", {}), glued("a2"), predictor()]
    rules = {**RULES, **{rule.spark_class: rule for rule in statement_of.__rules__}}

    verdicts, servable = judge(saved(*stages), SCHEMA, rules)

    assert servable is None
    assert [(verdict.uid, verdict.verdict) for verdict in verdicts[:2]] == [("H_1", "refused"), ("S_1", "refused")]
    assert verdicts[1].fix == "write another."


def test_an_unknown_stage_that_does_not_tell_what_it_writes_is_never_dropped(saved) -> None:
    statement = Stage("test.SQL", "SQL_1", {"statement": "SELECT * FROM __THIS__ WHERE a > 0"})

    with pytest.raises(ConversionRefused, match=r"SQL_1 +no rule converts test\.SQL"):
        lower(saved(statement, glued("a"), predictor()), SCHEMA, RULES)


@converts("test.Newer", word="bit")
def newer(stage: SavedStage, x: Number) -> Number:
    return number(op22.round(x.var))


def test_a_rule_with_newer_operators_is_refused_for_releases_that_lack_them(saved) -> None:
    pipeline = saved(Stage("test.Newer", "N_1", {"inputCol": "a", "outputCol": "o"}))
    rules = {rule.spark_class: rule for rule in newer.__rules__}

    with pytest.raises(ConversionRefused, match=r"opset 22 \(it has 21\)(.|\n)*--triton 25\.03 or newer"):
        lower(pipeline, SCHEMA, rules, target=OLDEST)
    verdicts, servable = judge(pipeline, SCHEMA, rules, target=OLDEST)

    assert (verdicts[-1].verdict, servable) == ("refused", None)
    assert run(lower(pipeline, SCHEMA, rules), a=[1.4])["o"].tolist() == [[1.0]]


def run(servable, **columns: Sequence[float]) -> Table:
    return in_process(servable)(Table({name: np.array(values).reshape(-1, 1) for name, values in columns.items()}))


def test_a_refused_row_says_its_stage_and_has_no_answer(saved) -> None:
    stages = [halved("H_1", ("a", "a2")), halved("H_2", ("b", "b2"), invalid="skip"), glued("a2", "b2"), predictor()]

    answers = run(lower(saved(*stages), SCHEMA, RULES), a=[1.0, -1.0, 1.0, -1.0], b=[1.0, 1.0, -1.0, -1.0])

    # the last row: Spark moves the filter of H_2 in front of H_1, which it does not read
    assert answers["invalid"].tolist() == [[0], [1], [-2], [-2]]
    assert np.isnan(answers["prediction"][:, 0]).tolist() == [False, True, True, True]
    assert answers["raw"][0].tolist() == [0.5, 0.5]


def test_the_reasons_of_invalid_are_told(saved) -> None:
    servable = lower(saved(halved("H_1", ("a", "a2")), glued("a2"), predictor()), SCHEMA, RULES)

    assert [(r.code, r.stage, r.column, r.reason) for r in servable.invalid] == [(1, "H_1", "a2", "negative")]


def test_a_stage_that_only_drops_rows_is_kept_where_its_inputs_are_there(saved) -> None:
    stages = [halved("H_1", ("a", "unused"), invalid="skip"), glued("a"), predictor()]

    answers = run(lower(saved(*stages), SCHEMA, RULES), a=[1.0, -1.0])

    assert answers["invalid"].tolist() == [[0], [-1]]


def test_a_stage_that_drops_rows_of_an_absent_column_asks_for_nothing(saved) -> None:
    stages = [halved("H_1", ("b", "label"), invalid="skip"), glued("a"), predictor()]

    servable = lower(saved(*stages), SCHEMA, RULES)

    assert [spec.name for spec in servable.inputs] == ["a"]


def test_only_the_proof_graph_answers_with_tolerances(saved) -> None:
    pipeline: SavedPipeline = saved(glued("a"), predictor())

    proof = lower(pipeline, SCHEMA, RULES, proof=True)

    assert run(proof, a=[-3.0])["raw__slack"].tolist() == [[3.0]]
    assert "raw__slack" not in run(lower(pipeline, SCHEMA, RULES), a=[-3.0])


def test_every_column_can_be_answered(saved) -> None:
    servable = lower(saved(halved("H_1", ("a", "a2")), glued("a2"), predictor()), SCHEMA, RULES, every_column=True)

    assert [spec.name for spec in servable.outputs] == ["a2", "features", "raw", "prediction", "invalid"]


def test_the_same_pipeline_gives_the_same_bytes(saved) -> None:
    pipeline = saved(halved("H_1", ("a", "a2"), ("b", "b2")), glued("a2", "b2"), predictor())

    assert lower(pipeline, SCHEMA, RULES).model == lower(pipeline, SCHEMA, RULES).model


def test_the_file_says_no_more_than_every_release_can_load(saved) -> None:
    model = onnx.load_from_string(lower(saved(glued("a"), predictor()), SCHEMA, RULES).model)

    assert model.ir_version <= 10
    assert {imported.domain: imported.version for imported in model.opset_import}[""] <= 21


@pytest.mark.parametrize(
    ("outputs", "message"),
    [(["nothing"], "written by no stage"), (["a"], "an input column"), ([], "writes no column")],
)
def test_an_output_that_is_none_is_a_usage_error(saved, outputs: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        lower(saved(glued("a"), predictor()), SCHEMA, RULES, outputs)


def test_a_schema_that_lacks_a_column_is_a_usage_error_that_names_it(saved) -> None:
    with pytest.raises(UsageError, match=r"lacks 'c' \(read by Glue_1\)"):
        lower(saved(glued("a", "c"), predictor()), SCHEMA, RULES)


def test_a_column_of_another_type_is_refused(saved) -> None:
    with pytest.raises(ConversionRefused, match="column 'v' is vector"):
        lower(saved(glued("v"), predictor()), SCHEMA, RULES)


def test_an_input_vector_takes_the_width_of_its_first_consumer(saved) -> None:
    from builder.stages import all_rules

    servable = lower(saved(min_max("M_1", "v", "w", [0.0] * 3, [1.0] * 3)), SCHEMA, all_rules())

    assert [(spec.name, spec.width) for spec in servable.inputs] == [("v", 3)]


@converts("test.Table", word="bit")
def gather(stage: SavedStage, x: Number) -> Number:
    rows: Var = idioms.table(np.arange(300_000, dtype=np.float64).reshape(-1, 1) / 3)
    return number(op.gather(rows, op.reshape(idioms.to_index(x.var, 300_000), constant(np.array([-1]))), axis=0))


def test_a_large_table_becomes_an_initializer(saved) -> None:
    rules = {rule.spark_class: rule for rule in gather.__rules__}
    servable = lower(saved(Stage("test.Table", "T_1", {"inputCol": "a", "outputCol": "o"})), SCHEMA, rules)

    assert [spec.name for spec in servable.inputs] == ["a"]
    assert run(servable, a=[0.0, 299_999.0, np.nan, 1e30])["o"][:, 0].tolist() == [0.0, 299_999 / 3, 0.0, 299_999 / 3]


def test_elementwise_gives_a_value_the_same_bits_at_every_place_in_a_batch() -> None:
    from onnxruntime import InferenceSession
    from spox import Tensor, argument, build

    x = argument(Tensor(np.float64, ("N", 1)))
    for operator in (idioms.exp, idioms.log):
        session = InferenceSession(build({"x": x}, {"y": operator(x)}).SerializeToString())
        values = np.abs(np.random.default_rng(7).normal(size=(1003, 1))) * 5
        together = session.run(["y"], {"x": values})[0]
        alone = np.concatenate([session.run(["y"], {"x": values[i : i + 1]})[0] for i in range(len(values))])

        assert together.tobytes() == alone.tobytes()


@pytest.mark.parametrize("operator", [idioms.exp, idioms.log])
def test_for_an_old_release_the_smallest_numbers_go_another_way_to_the_same_answer(operator) -> None:
    from onnxruntime import InferenceSession
    from spox import Tensor, argument, build

    x = argument(Tensor(np.float64, ("N", 1)))
    with lowering_for(OLDEST):
        old = InferenceSession(build({"x": x}, {"y": operator(x)}).SerializeToString())
    usual = InferenceSession(build({"x": x}, {"y": operator(x)}).SerializeToString())
    edges = [-np.inf, -1e308, -746.0, -745.1, -744.0, -720.5, -708.4, -708.0, -707.9, -1.0, -0.0, 0.0, 5e-324, 1e-310,
             2.0**-1022, 2.3e-308, 1 / 3, 1.0, 709.7, 710.0, 1e308, np.inf, np.nan]  # fmt: skip
    values = np.array(edges).reshape(-1, 1)

    got, wanted = (session.run(["y"], {"x": values})[0] for session in (old, usual))

    np.testing.assert_allclose(got, wanted, rtol=4 * 2.0**-52, atol=2.0**-1070)


@converts("test.IsNull", word="bit")
def is_null(stage: SavedStage, x: Text) -> Number:
    return number(op.cast(x.is_null(), to=np.float64))


@pytest.mark.parametrize("marker", ["␀", "NULL"])
def test_text_is_null_where_it_is_the_chosen_marker(saved, marker: str) -> None:
    pipeline = saved(Stage("test.IsNull", "N_1", {"inputCol": "s", "outputCol": "o"}))
    rules = {rule.spark_class: rule for rule in is_null.__rules__}

    servable = lower(pipeline, (Field("s", Scalar("string")),), rules, null_text=marker)

    rows = from_dicts([{"s": "a"}, {"s": None}, {"s": ""}], servable.inputs)
    assert rows["s"][1, 0] == marker
    assert in_process(servable)(rows)["o"].tolist() == [[0.0], [1.0], [0.0]]


@converts("test.Labels", word="bit")
def labels(stage: SavedStage, x: Number) -> Number:
    return number(op.mul(x.var, constant(float(stage.row()["factors"][1]))))


def test_saved_data_of_another_shape_is_told_by_stage_and_not_a_traceback(saved) -> None:
    rules = {rule.spark_class: rule for rule in labels.__rules__}
    data = pa.table({"factors": [[1.0]]})

    with pytest.raises(
        SourceError, match=r"L_1: its saved params and data are not those of a Labels .*list index out of range"
    ):
        lower(saved(Stage("test.Labels", "L_1", {"inputCol": "a", "outputCol": "o"}, data=data)), SCHEMA, rules)


def test_a_stage_may_write_onto_the_column_that_it_reads(saved):
    pipeline = saved(Stage("test.Doubled", "Doubled_1", {}), halved("Halve_1", ("a", "c")))

    every = lower(pipeline, SCHEMA, RULES, every_column=True)

    assert [spec.name for spec in every.outputs] == ["c", "invalid"]
    assert in_process(every)(Table({"a": np.array([[3.0]])}))["c"].tolist() == [[3.0]]


def test_an_unasked_column_is_an_output_for_whom_names_it_alone(saved):
    pipeline = saved(
        halved("Halve_1", ("a", "c")), Stage("test.Label", "Label_1", {"inputCol": "b", "outputCol": "label"})
    )

    unnamed, named = (lower(pipeline, SCHEMA, RULES, outputs) for outputs in (None, ["label", "c"]))

    assert [spec.name for spec in (*unnamed.inputs, *unnamed.outputs)] == ["a", "c", "invalid"]
    assert [spec.name for spec in (*named.inputs, *named.outputs)] == ["a", "b", "label", "c", "invalid"]
