"""Which stages and columns the outputs need: the backward half of lowering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.errors import Refused, UsageError
from builder.graph.rules import Rule, columns_of
from builder.sparkml.column_names import resolve, root_of
from builder.sparkml.reader import SavedStage
from builder.sparkml.schema import how_to_flatten
from builder.types import INVALID, NoTensor, Schema, tensors_of

_READS = ("inputCols", "inputCol", "featuresCol")
_WRITES = ("outputCols", "outputCol", "predictionCol", "probabilityCol", "rawPredictionCol")


@dataclass(frozen=True)
class Plan:
    """`kept`: per stage, whether it is converted. `live`: columns that something kept, or a client, reads.

    `lost`: columns that are asked for and that only a stage of an unknown class can have written.
    """

    kept: tuple[bool, ...]
    live: frozenset[str]
    outputs: tuple[str, ...]
    lost: frozenset[str] = frozenset()


def plan(
    stages: Sequence[SavedStage], schema: Schema, rules: Mapping[str, Rule], outputs: Sequence[str] | None
) -> Plan:
    """Decide what is kept. A stage that only drops rows (`skip`) is kept where all it reads is there anyway.

    A stage that no rule knows is kept, to be refused, where nothing tells what it writes, or where it may have written a
    column that is missing. Raises UsageError where an output does not exist, or a kept stage reads a column that nothing
    gives, and no such stage is there to blame.
    """
    chosen = _meant(outputs, stages, rules) if outputs is not None else default_outputs(stages, rules)
    inputs = {field.name for field in tensors_of(schema)}
    unknown = {index for index, stage in enumerate(stages) if not _is_told(stage, rules)}
    lost = _check_outputs(chosen, stages, rules, inputs, bool(unknown))
    forced = set(unknown) if lost or not chosen else {index for index in unknown if not writes(stages[index], rules)}
    while True:
        kept, live = _backwards(stages, rules, set(chosen), forced)
        more = {
            index
            for index, stage in enumerate(stages)
            if not kept[index]
            and index not in unknown
            and _drops_rows(stage, rules)
            and set(reads(stage, rules)) <= live
        }
        if not more:
            break
        forced |= more
    missing = _check_inputs(stages, rules, kept, live, schema, bool(unknown))
    if missing:
        kept = [keep or index in unknown for index, keep in enumerate(kept)]
    if INVALID.name in live & inputs:
        raise UsageError(
            f"the input column {INVALID.name!r} has the name of the output that every model answers with.",
            fix="rename that column where the pipeline is fitted.",
        )
    return Plan(tuple(kept), frozenset(live), chosen, lost | missing)


def _meant(outputs: Sequence[str], stages: Sequence[SavedStage], rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """The outputs that a person asks for, as the stages spell them."""
    made = list(dict.fromkeys(name for stage in stages for name in writes(stage, rules) if name))
    return tuple(name if name in made else resolve(name, made, "the outputs") or name for name in outputs)


def default_outputs(stages: Sequence[SavedStage], rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """The columns of the last predictor and of what follows it; without one, the columns that no later stage reads."""
    predictors = [i for i, stage in enumerate(stages) if "predictionCol" in stage.params.names()]
    if predictors:
        return tuple(name for stage in stages[predictors[-1] :] for name in _offered(stage, rules) if name)
    read_later: set[str] = set()
    found: list[str] = []
    for stage in reversed(stages):
        found = [name for name in _offered(stage, rules) if name and name not in read_later] + found
        read_later |= set(reads(stage, rules))
    return tuple(found)


def reads(stage: SavedStage, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Columns that a stage reads; of a class that no rule knows, what its params' names tell; none where it cannot tell."""
    rule = rules.get(stage.spark_class)
    if rule is None:
        return columns_of(stage, _READS)
    return rule.inputs(stage) if _is_told(stage, rules) else ()


def writes(stage: SavedStage, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Columns that a stage writes, "" where one is switched off; of other stages as `reads` has it."""
    rule = rules.get(stage.spark_class)
    if rule is None:
        return tuple(column for name in _WRITES for column in columns_of(stage, [name]))
    return rule.outputs(stage) if _is_told(stage, rules) else ()


def _offered(stage: SavedStage, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """What a stage writes, but for what nobody gets unasked."""
    rule = rules.get(stage.spark_class)
    if rule is None:
        return writes(stage, rules)
    extras = columns_of(stage, [name for name in rule.extras if name in stage.params]) if rule.extras else ()
    return () if rule.unasked else tuple(name for name in writes(stage, rules) if name not in extras)


def _backwards(
    stages: Sequence[SavedStage], rules: Mapping[str, Rule], live: set[str], forced: set[int]
) -> tuple[list[bool], set[str]]:
    kept = [False] * len(stages)
    for index in reversed(range(len(stages))):
        stage = stages[index]
        rule = rules.get(stage.spark_class)
        written, read = writes(stage, rules), reads(stage, rules)
        if index in forced or live & set(written):
            kept[index] = True
            if rule and rule.each and len(read) == len(written) and index not in forced and not rule.drops_rows(stage):
                read = tuple(name for name, out in zip(read, written, strict=True) if out in live)
            live |= set(read)
    return kept, live


def _drops_rows(stage: SavedStage, rules: Mapping[str, Rule]) -> bool:
    rule = rules.get(stage.spark_class)
    return rule is not None and rule.drops_rows(stage)


def _is_told(stage: SavedStage, rules: Mapping[str, Rule]) -> bool:
    """Whether a rule knows the stage's class, and the stage tells its columns (a statement must be understood first)."""
    if stage.spark_class not in rules:
        return False
    try:
        rules[stage.spark_class].inputs(stage)
        rules[stage.spark_class].outputs(stage)
    except Refused:
        return False
    return True


def _check_outputs(
    chosen: Sequence[str], stages: Sequence[SavedStage], rules: Mapping[str, Rule], inputs: set[str], blamable: bool
) -> frozenset[str]:
    """Outputs that no known stage writes, where an unknown one may (`blamable`). Raises UsageError on any other."""
    made = [name for stage in stages for name in writes(stage, rules) if name]
    unknown = [name for name in chosen if name not in made]
    if unknown and not (blamable and not inputs & set(unknown)):
        kind = "an input column, not an answer" if unknown[0] in inputs else "written by no stage"
        raise UsageError(f"output {unknown[0]!r} is {kind}.", fix=f"choose of: {', '.join(dict.fromkeys(made))}.")
    clash = [name for name in chosen if name in inputs or name == INVALID.name]
    if clash:
        raise UsageError(
            f"output {clash[0]!r} has the name of an input or of the column {INVALID.name!r} that every model answers with.",
            fix="set another name for it in the pipeline (setOutputCol, setPredictionCol).",
        )
    if not chosen and not blamable:
        raise UsageError(
            "this pipeline writes no column.", fix="publish a pipeline with at least one transformer or model."
        )
    return frozenset(unknown)


def _check_inputs(
    stages: Sequence[SavedStage],
    rules: Mapping[str, Rule],
    kept: Sequence[bool],
    live: set[str],
    schema: Schema,
    blamable: bool,
) -> frozenset[str]:
    """Columns that kept stages read and nothing gives, where an unknown stage may. Raises UsageError where none is there."""
    there = {field.name for field in tensors_of(schema)}
    missing: dict[str, str] = {}
    for stage, keep in zip(stages, kept, strict=True):
        if keep:
            missing |= {name: stage.uid for name in reads(stage, rules) if name not in there and name in live}
        there |= set(writes(stage, rules))
    if missing and not blamable:
        raise _lacking(missing, schema)
    return frozenset(missing)


def _lacking(missing: Mapping[str, str], schema: Schema) -> UsageError:
    """What is missing, and why: not there at all, or there and of a type that has no tensor."""
    types = {field.name: field.type for field in schema}
    fixes, said = [], []
    for name, uid in missing.items():
        column = name if name in types else root_of(name, types)
        type = types.get(column or "")
        if isinstance(type, NoTensor):
            what = (
                f"{name!r} (read by {uid})"
                if name == column
                else f"{name!r} (read by {uid}) is a field of {column!r}, which"
            )
            said.append(f"column {what} is {type}: it has no tensor")
            fixes.append(how_to_flatten(column or "", type))
    absent = [
        f"{name!r} (read by {uid})"
        for name, uid in missing.items()
        if not isinstance(types.get(name if name in types else root_of(name, types) or ""), NoTensor)
    ]
    if absent:
        said.append(f"the schema lacks {'; '.join(absent)}")
        fixes.append(
            "give the schema of the DataFrame that the pipeline was fitted on (df.schema.json(), or MLflow's signature)."
        )
    return UsageError("; ".join(said) + ".", fix=" ".join(dict.fromkeys(fixes)))
