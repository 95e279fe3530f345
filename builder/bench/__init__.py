"""How fast a served model answers, beside a model that does nothing."""

from builder.bench.load import Connect, Latency, Load, measure, summarise
from builder.bench.served import measure_served, measure_spark

__all__ = ["Connect", "Latency", "Load", "measure", "measure_served", "measure_spark", "summarise"]
