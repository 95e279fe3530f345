"""Rules: one module a family, one function a Spark class."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.graph.rules import Rule


def all_rules() -> dict[str, Rule]:
    """Spark class → rule, from every module of this package and from every package that brings rules.

    Raises UsageError where what another package brings cannot be used.
    """
    from builder.graph.bringing import merged

    return merged(own_rules())


def own_rules() -> dict[str, Rule]:
    """Spark class → rule, from every module of this package."""
    from builder.graph.rules import rules_in  # and spox with it: who only lists the classes goes without

    return rules_in(importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
