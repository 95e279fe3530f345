"""Rules: one decorated function a Spark class. `@converts` marks, `rules_in` collects, the mapping is an argument.

    @converts("org.apache.spark.ml.feature.MinMaxScalerModel", word="bit")
    def min_max_scaler(stage: SavedStage, x: Vector) -> Vector: ...

The annotations are the declaration: a parameter `Vector`, `Number`, `Text` or `Column` is one input column of that type;
`Sequence[...]` takes all input columns at once (VectorAssembler). A rule with a parameter `i: int` before its column is
asked once per column of a stage that maps column i to column i (StringIndexer with inputCols). A rule with a parameter
`Mapping[str, Column]` is given every column there is and the names of those that somebody reads, and answers by name;
its `reads` and `writes` are functions of the stage (SQLTransformer: the statement names them). A rule with a parameter
`ask: Ask` before its columns has stages inside of its own, and asks their rules with it (OneVsRestModel).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, TypeVar

from builder.errors import Refused
from builder.graph.columns import Column, Number, Text, Texts, Vector
from builder.releases import OLDEST
from builder.sparkml.reader import SavedStage
from builder.types import Session, Word

F = TypeVar("F", bound=Callable[..., Any])
Names = tuple[str, ...] | Callable[[SavedStage], tuple[str, ...]]

_READERS: Mapping[type[Column], str] = {
    Number: "numbers",
    Text: "strings",
    Texts: "arrays of strings",
    Vector: "vectors",
    Column: "columns",
}


class Ask(Protocol):
    """Ask the rule of a stage inside of another one: column params that it writes → its answers."""

    def __call__(self, stage: SavedStage, *columns: Column) -> Mapping[str, Column]: ...


@dataclass(frozen=True)
class Rule:
    """How one Spark class is converted.

    `reads` and `writes` are names of column params: of `reads` those that are set (`inputCols` before `inputCol`), of
    `writes` all, in the order of the rule's answers; one that is unset or empty is not written. Where no param's value
    names the columns, `reads` and `writes` are functions of the stage. `also` are column params whose columns the rule
    takes behind those of `reads`, where they are set. `ignores` are params that only fitting reads. `weakened` tells the
    word of a stage whose params make it weaker than `word`. `each`: the rule is asked per column, `many`: once with all
    of them, `named`: with all columns by their names, `nests`: with the means to ask other rules. `nulls`: the rule reads
    null vectors itself; for every other, a row in which a vector it reads is null is refused. `drops`: whether Spark
    leaves out rows at this stage, where `handleInvalid` does not tell. `unasked`: a client who names no outputs gets none
    of this rule's; `extras`: none of these column params'. A rule's answer may be a Refused: it is raised where somebody
    reads that column. `session`: the answers hang on what no saved model holds.
    `since`: the oldest Triton release that runs its operators. `fixed`: Spark's optimizer moves no later stage's filter
    in front of this one (its function is called nondeterministic). `arrays`: it takes array<double> and array<float> for a vector.
    """

    spark_class: str
    word: Word
    function: Callable[..., Any]
    reads: Names
    writes: Names
    ignores: frozenset[str]
    each: bool
    many: bool
    expects: tuple[type[Column], ...]
    nulls: bool
    note: str
    weakened: Callable[[SavedStage], Word] | None = None
    named: bool = False
    drops: Callable[[SavedStage], bool] | None = None
    also: tuple[str, ...] = ()
    nests: bool = False
    unasked: bool = False
    extras: tuple[str, ...] = ()
    session: bool = False
    since: str = OLDEST.name
    fixed: bool = False
    arrays: bool = False

    @property
    def name(self) -> str:
        """The class's own name, without its package."""
        return self.spark_class.rsplit(".", 1)[-1]

    def word_of(self, stage: SavedStage) -> Word:
        """How equal this stage's answer is, with the params that it has."""
        return self.word if self.weakened is None else self.weakened(stage)

    def inputs(self, stage: SavedStage) -> tuple[str, ...]:
        """Names of the columns that the stage reads, in order."""
        named = columns_of(stage, self.reads) + tuple(name for also in self.also for name in columns_of(stage, [also]))
        return tuple(map(stage.column, named))

    def outputs(self, stage: SavedStage) -> tuple[str, ...]:
        """Names of the columns that the stage writes, aligned with the rule's answers; "" is not written."""
        if callable(self.writes) or self.each or self.writes == _OUTPUT:
            return columns_of(stage, self.writes)
        return tuple(stage.params.text(name) if name in stage.params else "" for name in self.writes)

    def drops_rows(self, stage: SavedStage) -> bool:
        """Whether Spark leaves out rows here, whoever reads the stage's columns."""
        if self.drops is not None:
            return self.drops(stage)
        return "handleInvalid" in stage.params.names() and stage.params.raw("handleInvalid") == "skip"

    def check(self, column: Column, place: int = 0) -> Column:
        """The column, or Refused where it is not of the type annotated at its place."""
        expected = self.expects[min(place, len(self.expects) - 1)]
        if isinstance(column, Vector) and column.element and not (self.arrays and expected is Vector):
            raise Refused(
                f"column {column.name!r} is array<{column.element}>; {self.name} reads {_READERS[expected]}.",
                fix="make it a vector before the pipeline, in fitting too: pyspark.ml.functions.array_to_vector.",
            )
        if not isinstance(column, expected):
            raise Refused(
                f"column {column.name!r} is {column.type}; {self.name} reads {_READERS[expected]}.",
                fix="check the schema given: Spark itself would refuse this column.",
            )
        return column


_INPUT = ("inputCols", "inputCol")
_OUTPUT = ("outputCols", "outputCol")


def converts(
    spark_class: str,
    *,
    word: Word,
    reads: Sequence[str] | Callable[[SavedStage], tuple[str, ...]] = _INPUT,
    writes: Sequence[str] | Callable[[SavedStage], tuple[str, ...]] = _OUTPUT,
    ignores: Iterable[str] = (),
    nulls: bool = False,
    note: str = "",
    weakened: Callable[[SavedStage], Word] | None = None,
    drops: Callable[[SavedStage], bool] | None = None,
    also: Sequence[str] = (),
    unasked: bool = False,
    extras: Sequence[str] = (),
    session: bool = False,
    since: str = OLDEST.name,
    fixed: bool = False,
    arrays: bool = False,
) -> Callable[[F], F]:
    """Mark a function as the rule of `spark_class`. A function may carry several marks (one a class)."""

    def mark(function: F) -> F:
        hints = typing.get_type_hints(function)
        parameters = list(inspect.signature(function).parameters)[1:]
        each, nests = hints[parameters[0]] is int, hints[parameters[0]] is Ask
        named = typing.get_origin(hints[parameters[0]]) is Mapping
        columns = [Column] if named else [hints[name] for name in parameters[each or nests :]]
        many = not named and typing.get_origin(columns[0]) is Sequence
        rule = Rule(
            spark_class,
            word,
            function,
            reads if callable(reads) else tuple(reads),
            writes if callable(writes) else tuple(writes),
            frozenset(ignores),
            each,
            many,
            tuple((typing.get_args(hint) or (hint,))[0] for hint in columns),
            nulls,
            note,
            weakened,
            named,
            drops,
            tuple(also),
            nests,
            unasked,
            tuple(extras),
            session,
            since,
            fixed,
            arrays,
        )
        marks: list[Rule] = getattr(function, "__rules__", [])
        function.__rules__ = [*marks, rule]  # type: ignore[attr-defined]
        return function

    return mark


def rules_in(modules: Iterable[ModuleType]) -> dict[str, Rule]:
    """Spark class → its rule, from every marked function of the modules. Two rules for one class break an inner promise."""
    found: dict[str, Rule] = {}
    for module in modules:
        for function in vars(module).values():
            if getattr(function, "__module__", None) != module.__name__:
                continue
            for rule in getattr(function, "__rules__", ()):
                assert rule.spark_class not in found, f"two rules convert {rule.spark_class}"
                found[rule.spark_class] = rule
    return found


def session_of(stages: Iterable[SavedStage], rules: Mapping[str, Rule]) -> Session:
    """In which session Spark gives the graph's answers; nothing said where no stage hangs on it."""
    asking = [stage for stage in stages if stage.spark_class in rules and rules[stage.spark_class].session]
    return Session(asking[0].ansi, asking[0].session.timezone) if asking else Session()


def columns_of(stage: SavedStage, names: Sequence[str] | Callable[[SavedStage], tuple[str, ...]]) -> tuple[str, ...]:
    """The columns named by the first of these params that is set: a list as it is, a single name as one."""
    if callable(names):
        return names(stage)
    found = [stage.params.columns(name) for name in names]
    return next((columns for columns in found if columns), ())
