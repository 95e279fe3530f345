"""The forward walk: each stage's rule is asked once, and what it answers, refuses and decides is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, get_args

import numpy as np
import spox.opset.ai.onnx.v21 as op
from onnx.shape_inference import InferenceError
from spox import Tensor, Var, argument

from builder.errors import Refusal, Refused, SourceError
from builder.graph import liveness
from builder.graph.columns import Column, Mask, Number, Origin, Text, Texts, Vector, of_type
from builder.graph.forests import Forest, collecting_forests
from builder.graph.idioms import any_of, collecting_tables
from builder.graph.refusing import Met
from builder.graph.resolution import resolved
from builder.graph.rules import Rule
from builder.graph.targeting import lowering_for, target
from builder.graph.unpacking import Unpacked, unpacked
from builder.releases import Target
from builder.sparkml.attributes import scalar_attribute, vector_attributes, vector_width
from builder.sparkml.reader import SavedPipeline, SavedStage
from builder.sparkml.schema import ELEMENT, decimal_digits
from builder.sparkml.verdicts import no_rule
from builder.types import (
    Array,
    Field,
    Pack,
    Probe,
    Scalar,
    Schema,
    StageVerdict,
    TensorSpec,
    TextArray,
    VectorType,
    Word,
    dtype_of,
    tensors_of,
)


@dataclass
class Trace:
    """What the walk knows so far."""

    live: frozenset[str]
    outputs: tuple[str, ...]
    null_text: str
    target: Target
    tables: list[tuple[Var, Array]]
    forests: list[Forest]
    unpacked: Unpacked
    columns: dict[str, Column] = field(default_factory=dict)
    arguments: dict[str, Var] = field(default_factory=dict)
    specs: dict[str, TensorSpec] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)  # columns that a refused stage would have written
    refusals: list[Refusal] = field(default_factory=list)
    masks: list[Met] = field(default_factory=list)
    behind: dict[int, frozenset[int]] = field(default_factory=dict)  # stage → the stages that Spark runs before it
    fixed: int = 0  # the last stage that no filter is moved in front of
    makers: dict[str, frozenset[int]] = field(default_factory=dict)  # column → the stages that it comes from
    probes: list[Probe] = field(default_factory=list)
    verdicts: list[StageVerdict] = field(default_factory=list)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    asking: str = ""  # uid of the stage whose rule is being asked
    apart: dict[str, str] = field(default_factory=dict)  # input column → the first stage that tells its null from NaN
    inside: list[Word] = field(default_factory=list)  # words of the stages inside of the one that is being asked


def walk(
    pipeline: SavedPipeline,
    schema: Schema,
    rules: Mapping[str, Rule],
    outputs: Sequence[str] | None,
    null_text: str,
    target: Target,
    packs: Sequence[Pack] = (),
) -> Trace:
    """The stages that the outputs need, in their order. What is refused is gathered in the trace.

    `packs`: columns of the schema that come together, in one tensor.
    """
    stages = resolved(pipeline.stages, schema, rules)
    plan = liveness.plan(stages, schema, rules, outputs)
    with lowering_for(target), collecting_tables() as tables, collecting_forests() as forests:
        together = unpacked(packs, {given.name: _spec(given, 1, null_text) for given in tensors_of(schema)})
        known: dict[str, Any] = {"lost": set(plan.lost), "rules": rules, "arguments": dict(together.arguments)}
        trace = Trace(plan.live, plan.outputs, null_text, target, tables, forests, together, **known)
        for given in tensors_of(schema):
            _add_input(trace, given)
        for ordinal, (stage, kept) in enumerate(zip(stages, plan.kept, strict=True), start=1):
            if wrong := stage.refused_params():
                name = stage.spark_class.rpartition(".")[2]
                reason = f"Spark itself does not load this {name}: {'; '.join(wrong)}."
                _refuse(trace, stage, Refused(reason, fix="copy the saved model again."))
            elif kept:
                _convert(trace, ordinal, stage)
            else:
                trace.verdicts.append(
                    StageVerdict(
                        stage.uid, stage.spark_class, "dropped", note="no output needs it; its inputs are not asked for"
                    )
                )
    return trace


def _add_input(trace: Trace, given: Field) -> None:
    match given.type:
        case VectorType(width):
            width = vector_width(given.metadata) if width is None else width
            element = given.metadata.get(ELEMENT, "")
            if width is None:
                trace.columns[given.name] = Vector(
                    argument(Tensor(np.float64, ("N", None))),
                    VectorType(None),
                    given.nullable,
                    name=given.name,
                    element=element,
                    resize=lambda wanted: _size_input(trace, given, wanted),
                )
            else:
                trace.columns[given.name] = replace(
                    _vector_input(trace, given, width), attributes=vector_attributes(given.metadata)
                )
        case TextArray():
            var = _argument(trace, given, -1)
            trace.columns[given.name] = Texts.given(var, trace.null_text, nullable=given.nullable, name=given.name)
        case Scalar():
            known = {"nullable": given.nullable, "name": given.name, "origins": (Origin(given.name),)}
            if given.type == Scalar("string"):
                known["null_text"] = trace.null_text
            if given.type == Scalar("decimal"):
                known["digits"] = decimal_digits(given.metadata)
            if given.nullable and given.type in (Scalar("double"), Scalar("float")):  # a decimal holds no NaN
                known["on_is_null"] = lambda: trace.apart.setdefault(given.name, trace.asking)
            attribute = scalar_attribute(given.metadata, given.name)
            trace.columns[given.name] = of_type(_argument(trace, given, 1), given.type, attribute=attribute, **known)


def _argument(trace: Trace, given: Field, width: int) -> Var:
    trace.specs[given.name] = _spec(given, width, trace.null_text)
    if given.name in trace.unpacked.columns:
        return trace.unpacked.columns[given.name]
    dtype = dtype_of(given.type, given.nullable)
    var = argument(Tensor(np.str_ if dtype == np.object_ else dtype, ("N", None if width < 0 else width)))
    trace.arguments[given.name] = var
    return var


def _rounded(var: Var, element: str) -> Var:
    """As the client's doubles stand in Spark's array<float>."""
    return op.cast(op.cast(var, to=np.float32), to=np.float64) if element == "float" else var


def _spec(given: Field, width: int, null_text: str) -> TensorSpec:
    return TensorSpec(given.name, given.type, given.nullable, width, null_text)


def _size_input(trace: Trace, given: Field, width: int) -> Vector:
    """An input vector takes the width that its first consumer wants."""
    known = trace.columns[given.name]
    if isinstance(known, Vector) and known.type != VectorType(None):  # another asker inside of the same stage
        return known.sized(width)
    sized = replace(given, type=VectorType(width))
    column = _vector_input(trace, sized, width)
    trace.columns[given.name] = column
    return column


def _vector_input(trace: Trace, given: Field, width: int) -> Vector:
    """A vector as it travels: in a nullable column, NaN in every slot is null, as NaN is in one of doubles."""
    var = _argument(trace, given, width)
    nulls = op.not_(any_of(op.not_(op.isnan(var)))) if given.nullable and width else None
    element = given.metadata.get(ELEMENT, "")
    known = {"name": given.name, "nulls": nulls, "element": element}
    return Vector(_rounded(var, element), VectorType(width), given.nullable, **known)


def _convert(trace: Trace, ordinal: int, stage: SavedStage) -> None:
    """Ask the rule, name its answers, and keep what it refused."""
    trace.inside.clear()
    trace.asking = stage.uid
    try:
        rule = _rule_of(stage, trace.rules)
        if any(name in trace.lost for name in rule.inputs(stage)):
            trace.lost |= set(rule.outputs(stage))
            trace.verdicts.append(
                StageVerdict(
                    stage.uid,
                    stage.spark_class,
                    "kept",
                    rule.word,
                    note="not judged: it reads a refused stage's column",
                )
            )
            return
        with _blaming(stage, rule):
            answers = _ask(trace, stage, rule)
        _check_unread(stage, rule)
    except Refused as refused:
        _refuse(trace, stage, refused)
        return
    before = frozenset(range(1, trace.fixed + 1))
    trace.behind[ordinal] = before.union(*(trace.makers.get(name, ()) for name in rule.inputs(stage)))
    trace.fixed = ordinal if rule.fixed else trace.fixed
    _keep_answers(trace, ordinal, stage, answers)
    word = max([rule.word_of(stage), *trace.inside], key=get_args(Word).index)
    note = "; ".join(part for part in (rule.note, _unanswered(stage, rule, answers)) if part)
    trace.verdicts.append(StageVerdict(stage.uid, stage.spark_class, "kept", word, note=note))


def _unanswered(stage: SavedStage, rule: Rule, answers: Sequence[tuple[str, Column]]) -> str:
    """What the stage writes in Spark and nobody gets here."""
    there = {name for name, _ in answers}
    left = [] if rule.named or rule.each else [name for name in rule.outputs(stage) if name and name not in there]
    return f"left out: {', '.join(left)}" if left else ""


def _refuse(trace: Trace, stage: SavedStage, refused: Refused) -> None:
    trace.refusals.append(Refusal(refused.uid or stage.uid, refused.reason, refused.fix))
    trace.lost |= set(liveness.writes(stage, trace.rules))
    trace.verdicts.append(StageVerdict(stage.uid, stage.spark_class, "refused", note=refused.reason, fix=refused.fix))


def _rule_of(stage: SavedStage, rules: Mapping[str, Rule]) -> Rule:
    if stage.spark_class not in rules:
        unknown = no_rule(stage.spark_class)
        raise Refused(unknown.reason, fix=unknown.fix)
    rule = rules[stage.spark_class]
    if target().older_than(rule.since):
        raise Refused(f"{rule.name} needs Triton {rule.since} or newer.", fix=f"publish it with --triton {rule.since}.")
    return rule


@contextmanager
def _blaming(stage: SavedStage, rule: Rule) -> Iterator[None]:
    """What a rule stumbles over is the stage's files: SourceError, not a trace of ours.

    InferenceError: sizes that disagree. RuntimeError: what is nested too deep.
    """
    try:
        yield
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        InferenceError,
    ) as error:
        raise SourceError(
            f"{stage.uid}: its saved params and data are not those of a {rule.name} ({str(error)[:300] or error!r}).",
            fix="copy the saved model again; if Spark itself loads it, report the stage with its folder.",
        ) from error


def _check_unread(stage: SavedStage, rule: Rule) -> None:
    unread = sorted(stage.params.unread() - rule.ignores)
    if unread:
        raise Refused(
            f"{rule.name} has params that its rule does not read: {', '.join(unread)}.",
            fix="they may change its answers: report the class, the params and the Spark version that saved them.",
        )


def _ask(trace: Trace, stage: SavedStage, rule: Rule) -> list[tuple[str, Column]]:
    """Output name → column, from the rule's answers."""
    if rule.named:
        return list(rule.function(stage, trace.columns, trace.live).items())
    outputs = rule.outputs(stage)
    if rule.each:
        inputs = rule.inputs(stage)
        if len(inputs) != len(outputs):
            raise Refused(f"{len(inputs)} input columns and {len(outputs)} output columns.")
        wanted = [
            (i, name, out)
            for i, (name, out) in enumerate(zip(inputs, outputs, strict=True))
            if out in trace.live or (rule.drops_rows(stage) and name in trace.columns)
        ]
        given = [(out, i, rule.check(trace.columns[name])) for i, name, out in wanted]
        return [
            (out, _answers(trace, stage, rule, i, col)[0].because(*_nulls(rule, [trace.columns[col.name]])))
            for out, i, col in given
        ]
    columns = [rule.check(trace.columns[name], place) for place, name in enumerate(rule.inputs(stage))]
    answers = _answers(trace, stage, rule, *([columns] if rule.many else columns))
    assert len(answers) == len(outputs), f"{rule.name} writes {outputs} and its rule gave {len(answers)} columns"
    masks = _nulls(rule, [trace.columns[column.name] for column in columns])  # sized by now
    for name, answer in zip(outputs, answers, strict=True):
        if isinstance(answer, Refused) and name and name in trace.live:
            raise Refused(f"column {name!r}: {answer.reason}", fix=answer.fix)
    answers = tuple(None if isinstance(answer, Refused) else answer for answer in answers)
    return [(name, answer.because(*masks)) for name, answer in zip(outputs, answers, strict=True) if answer is not None]


def _answers(trace: Trace, stage: SavedStage, rule: Rule, *given: Any) -> tuple[Any, ...]:
    asks = (partial(_ask_inside, trace),) if rule.nests else ()
    answer = rule.function(stage, *asks, *given)
    return answer if isinstance(answer, tuple) else (answer,)


def _ask_inside(trace: Trace, stage: SavedStage, *columns: Column) -> Mapping[str, Column]:
    """`Ask`: a refusal in there is told with the inner stage's uid, and its word counts for the outer one's."""
    try:
        rule = _rule_of(stage, trace.rules)
        with _blaming(stage, rule):
            answers = _answers(trace, stage, rule, *(rule.check(column, i) for i, column in enumerate(columns)))
        rule.inputs(stage)  # its column names are read, and do not matter
        rule.outputs(stage)
        _check_unread(stage, rule)
    except Refused as refused:
        raise Refused(refused.reason, fix=refused.fix, uid=refused.uid or stage.uid) from refused
    assert not callable(rule.writes), f"{rule.name} has no column params to answer by"
    trace.inside.append(rule.word_of(stage))
    return {
        name: _spread(answer) if isinstance(answer, Column) else answer
        for name, answer in zip(rule.writes, answers, strict=True)
        if not isinstance(answer, Refused)
    }


def _spread(column: Column) -> Column:
    """With a tolerance for each value, where its maker gave one for the row."""
    return column if column.slack is None else column.within(op.expand(column.slack, op.shape(column.var)))


def _nulls(rule: Rule, columns: Sequence[Column]) -> tuple[Mask, ...]:
    """Rows in which a vector is null: Spark's transformers fail on them, all but those that say otherwise."""
    if rule.nulls:
        return ()
    return tuple(mask for column in columns if isinstance(column, Vector) for mask in column.refused_nulls())


def _keep_answers(trace: Trace, ordinal: int, stage: SavedStage, answers: list[tuple[str, Column]]) -> None:
    seen: set[int] = set()
    for name, column in answers:
        for mask in sorted(column.masks, key=lambda mask: not mask.drops):
            if id(mask) not in seen and (mask.drops or mask.always or name in trace.live):
                seen.add(id(mask))
                trace.masks.append(Met(ordinal, stage.uid, name, mask))
        if name in trace.live or not name:
            trace.probes.extend(column.probes)
        if name:
            kept = _marked(column, trace.null_text)
            trace.columns[name] = replace(_spread(kept), name=name, masks=(), probes=())
            trace.made.append(name)
            trace.makers[name] = trace.behind[ordinal] | {ordinal}


def _marked(column: Column, null_text: str) -> Column:
    """Nulls as their marker."""
    match column:
        case Text():
            return column.marked(null_text)
        case Number():
            return column.marked()
    return column
