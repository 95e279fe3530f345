"""Shapes of model and of settings: each has a golden config.pbtxt, and the real server loads it."""

from __future__ import annotations

from collections.abc import Callable

from builder.triton.settings import Settings
from builder.types import Servable
from tests.small_models import carriers, every_scalar, every_type, picks, text_identity, words

SHAPES: dict[str, tuple[Callable[[], Servable], Settings]] = {
    "carriers": (carriers, Settings()),
    "every_type": (every_type, Settings()),
    "packed": (every_scalar, Settings(pack="always")),
    "words": (words, Settings()),
    "picks": (picks, Settings(max_batch_size=1)),
    "text": (text_identity, Settings(max_batch_size=1 << 20)),
    "overload": (carriers, Settings(max_queue_size=64, queue_timeout_us=50_000)),
    "priorities": (carriers, Settings(priority_levels=4, max_queue_size=8)),
    "company": (carriers, Settings(max_queue_delay_us=500, preferred_batch_sizes=(16, 64))),
    "side_by_side": (carriers, Settings(instances=3, intra_op_threads=2, inter_op_threads=2)),
    "all_versions": (carriers, Settings(versions="all")),
    "two_versions": (carriers, Settings(versions="latest:2")),
    "one_version": (carriers, Settings(versions="1")),
    "cached": (carriers, Settings(response_cache=True)),
    "limited": (carriers, Settings(rate_limit={"cores": 2, "memory": 1})),
    "tagged": (carriers, Settings(metric_tags={"team": "risk", "tier": 'gold "1"'})),
    "unoptimized": (carriers, Settings(optimization="none")),
    "basic": (every_type, Settings(optimization="basic", response_cache=True, versions="all")),
}
