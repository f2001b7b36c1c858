"""Jets from first principles: generator → detector → jets → labels → Parquet shards."""

from jetkit.simulation.run import simulate

__all__ = ["simulate"]
