"""Rules that other installed packages bring: the entry-point group `tritonbuild.stages`, each entry a module of rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING

from builder.errors import UsageError

if TYPE_CHECKING:
    from builder.graph.rules import Rule

GROUP = "tritonbuild.stages"


def merged(own: Mapping[str, Rule]) -> dict[str, Rule]:
    """Our rules and those of every package, by Spark class.

    Raises UsageError where an entry point does not load or holds no rule, and where two packages convert one class.
    """
    found = dict(own)
    owners = dict.fromkeys(own, "tritonbuild")
    for rule, package in brought():
        if rule.spark_class in found:
            raise UsageError(
                f"{owners[rule.spark_class]} and {package} both convert {rule.spark_class}.",
                fix=f"uninstall one of them, or take that rule out of {rule.function.__module__} in {package}.",
            )
        found[rule.spark_class], owners[rule.spark_class] = rule, package
    return found


def brought() -> Iterator[tuple[Rule, str]]:
    """Each rule that a package brings, and the package's name."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        package = entry.dist.name if entry.dist is not None else "an unnamed package"
        for rule in _rules_of(entry, package).values():
            yield rule, package


def _rules_of(entry: EntryPoint, package: str) -> dict[str, Rule]:
    from builder.graph.rules import rules_in

    try:
        module = entry.load()
        rules = rules_in([module]) if isinstance(module, ModuleType) else {}
    except Exception as error:  # another's module may raise anything while it is imported
        raise UsageError(
            f"the rules that {package} brings ({entry.name} = {entry.value}) do not load: {error!r}.",
            fix=f"install a {package} that goes with this tritonbuild and its requirements, or uninstall it.",
        ) from error
    if not rules:
        raise UsageError(
            f"{package} brings no rules in {entry.value} ({entry.name}).",
            fix="the entry point names a module whose functions carry @converts; see `builder.rules`.",
        )
    return rules
