"""For which Triton release a graph is being lowered, where an idiom has to know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from builder.releases import DEFAULT, Target

_target: ContextVar[Target] = ContextVar("target", default=DEFAULT)


def target() -> Target:
    """The release that the graph at hand shall run on."""
    return _target.get()


@contextmanager
def lowering_for(chosen: Target) -> Iterator[None]:
    """While open, idioms use the operators of this release alone."""
    token = _target.set(chosen)
    try:
        yield
    finally:
        _target.reset(token)
