"""Which columns the stages read, by the names that the schema and the stages before have: done once, in front of all else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from builder.graph.liveness import reads, writes
from builder.graph.rules import Rule
from builder.sparkml.column_names import resolve, same_column
from builder.sparkml.reader import SavedStage
from builder.types import Schema


def resolved(stages: Sequence[SavedStage], schema: Schema, rules: Mapping[str, Rule]) -> tuple[SavedStage, ...]:
    """The stages, each knowing what the names that it reads are called: `SavedStage.names`.

    Raises UsageError where a name could be two columns.
    """
    there = [field.name for field in schema]
    found = []
    for stage in stages:
        meant = {name: resolve(name, there, stage.uid) for name in reads(stage, rules)}
        stage = replace(stage, names={name: column for name, column in meant.items() if column not in (None, name)})
        found.append(stage)
        made = [name for name in writes(stage, rules) if name]
        there = [column for column in there if not any(same_column(column, name) for name in made)] + made
    return tuple(found)
