"""A SQL statement over the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import spox.opset.ai.onnx.v21 as op

from builder.errors import Refused
from builder.graph.columns import Column, Mask, number
from builder.graph.idioms import constant
from builder.graph.rules import converts
from builder.sparkml.reader import SavedStage
from builder.sql.depth import deep
from builder.sql.reading import Statement, parse, written
from builder.types import Word


def _reads(stage: SavedStage) -> tuple[str, ...]:
    return _statement(stage).reads()


def _writes(stage: SavedStage) -> tuple[str, ...]:
    return _statement(stage).writes()


def _word(stage: SavedStage) -> Word:
    return "elementary" if _statement(stage).inexact() else "bit"


def _drops(stage: SavedStage) -> bool:
    return _statement(stage).condition is not None


def _statement(stage: SavedStage) -> Statement:
    return parse(stage.params.text("statement"), stage.since(4, 0))


@converts(
    "org.apache.spark.ml.feature.SQLTransformer",
    word="bit",
    weakened=_word,
    reads=_reads,
    writes=_writes,
    drops=_drops,
    session=True,
    note="ANSI mode and time zone are not saved: by default those of the Spark that saved it; elementary where it calls exp, log, pow or round to places",
)
@deep
def sql_transformer(stage: SavedStage, columns: Mapping[str, Column], live: frozenset[str]) -> dict[str, Column]:
    """Each selected expression, by its name; WHERE drops the rows in which it is not true.

    Shapes: scalars [N, 1] -> [N, 1]; a column selected as it is keeps its shape and what is known of it.
    NaN:    equals NaN and is above every number, as in Spark SQL; null is apart.
    Null:   by each operator's own rule; three-valued logic.
    Raises: what is not converted, by name, all of a statement's live expressions together.
    Source: SQLTransformer.transform (ml/feature/SQLTransformer.scala, Spark 4.0.1), sql/catalyst's expressions
    """
    from builder.sql.comparing import boolean, truth
    from builder.sql.evaluating import Scope
    from builder.sql.functions import RULES, check_title
    from builder.sql.values import written as column_of

    statement, scope = (
        _statement(stage),
        Scope(RULES, columns, stage.ansi, stage.since, stage.session.timezone, stage.names),
    )
    refused: list[Refused] = []
    masks: list[Mask] = []
    if statement.condition is not None:
        try:
            condition = boolean(scope.value(statement.condition))
            text = written(statement.condition)
            masks += [replace(mask, reason=f"WHERE {text}: {mask.reason}", always=True) for mask in condition.fails]
            masks.append(Mask(op.not_(truth(condition)), f"WHERE {text} is not true", drops=True))
        except Refused as error:
            refused.append(Refused(f"WHERE {written(statement.condition)}: {error.reason}", fix=error.fix))
    rows = columns[
        next(iter([*map(stage.column, statement.reads()), *(name for name in columns if name in live), *columns]))
    ].var
    # WHERE goes first: a row that is dropped cannot fail
    made: dict[str, Column] = {"": number(constant(0.0)).because(*masks).probing(*scope.probes)}
    for item in statement.items:
        if item.source is not None and item.source == item.name:
            continue
        if item.name not in live:
            continue
        try:
            if statement.star and item.name.lower() in {name.lower() for name in columns}:
                raise Refused("there is such a column already, and * keeps it.", fix="give it another name.")
            if item.source is not None:
                made[item.name] = replace(columns[stage.column(item.source)], masks=(), probes=())
                continue
            if item.titled:
                check_title(scope, item.expression, item.name)
            scope.probes.clear()
            value = scope.value(item.expression)
            text = item.text if value.fails else ""
            fails = [replace(mask, reason=f"{text}: {mask.reason}") for mask in value.fails]
            made[item.name] = column_of(value, rows).because(*fails).probing(*scope.probes)
        except Refused as error:
            refused.append(Refused(f"{item.name} = {item.text}: {error.reason}", fix=error.fix))
    if refused:
        raise Refused(
            "; ".join(dict.fromkeys(error.reason for error in refused)),
            fix=" ".join(dict.fromkeys(error.fix for error in refused if error.fix)),
        )
    return made
