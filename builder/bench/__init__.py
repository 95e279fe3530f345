"""How fast a served model answers, beside a model that does nothing."""

from builder.bench.load import Connect, Latency, Load, measure, summarise

__all__ = ["Connect", "Latency", "Load", "measure", "summarise"]
