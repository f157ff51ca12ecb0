"""What is measured of a rollout: minutes are read, kept and judged."""

from rollout.measuring.measure import Measuring, Sources

__all__ = ["Measuring", "Sources"]
