"""Room for deep statements: a thousand terms are a tree of a thousand levels, and each level takes some of Python's frames."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from builder.errors import Refused

P = ParamSpec("P")
R = TypeVar("R")

LEVELS = 2_000
"""Levels of a statement that are followed. Spark's own parser ends by a StackOverflowError at some thousands."""
_FRAMES = 50_000  # parsing takes up to 20 a level, evaluating 6
_STACK_BYTES = 1 << 28  # reserved, used as far as needed
_roomy = threading.local()


def deep(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run where LEVELS levels have room: in a thread with a large stack, in the caller's context.

    Raises what it raises; RecursionError becomes Refused.
    """

    @wraps(function)
    def with_room(*args: P.args, **named: P.kwargs) -> R:
        if getattr(_roomy, "here", False):
            return function(*args, **named)
        return _in_a_thread(lambda: function(*args, **named))

    return with_room


def _in_a_thread(function: Callable[[], R]) -> R:
    answers: list[R] = []
    errors: list[BaseException] = []
    context = copy_context()

    def run() -> None:
        _roomy.here = True
        try:
            answers.append(context.run(function))
        except RecursionError as error:
            refused = Refused(
                "the statement is nested too deep.", fix="compute parts of it in statements of their own."
            )
            refused.__cause__ = error
            errors.append(refused)
        except BaseException as error:
            errors.append(error)

    limit, size = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(max(limit, _FRAMES))
    try:
        thread = threading.Thread(target=run, name="statement")
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    if errors:
        raise errors[0]
    return answers[0]


def check_depth(tree: Any) -> None:
    """Raises Refused where an expression has more than LEVELS levels; takes no stack itself."""
    level, nodes = 0, [tree]
    while nodes:
        level += 1
        if level > LEVELS:
            raise Refused(
                f"the statement is nested more than {LEVELS:,} levels deep.",
                fix="compute parts of it in statements of their own.",
            )
        nodes = [child for node in nodes for child in node.iter_expressions()]
