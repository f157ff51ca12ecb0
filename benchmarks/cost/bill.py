"""A month's bill from what was counted and from the one file of prices."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PRICES = Path(__file__).with_name("prices.yaml")
MINUTES_OF_MONTH = 30 * 24 * 60
MILLION = 1_000_000


@cache
def prices() -> Mapping[str, Any]:
    document: Mapping[str, Any] = yaml.safe_load(PRICES.read_text())
    return document


def price(part: str, name: str) -> float:
    return float(prices()[part][name]["value"])


def told() -> Iterator[tuple[str, float, str]]:
    """Every price with where it comes from."""
    for part, some in prices().items():
        for name, one in some.items() if isinstance(some, Mapping) else ():
            if isinstance(one, Mapping):
                yield f"{part}.{name}", one["value"], one.get("source", "assumed")


def month(each: Counter[str], idle_hour: Counter[str], rollouts: int) -> dict[str, float]:
    """Dollars by part, for so many rollouts and a sweep every minute."""
    sweeps = idle_hour["sweep execution"]
    used = {name: rollouts * each[name] for name in _COUNTED}
    swept = {name: MINUTES_OF_MONTH * idle_hour[f"sweep {name}"] / sweeps for name in _COUNTED}
    whole = {name: used[name] + swept[name] for name in _COUNTED}
    executions = whole["execution"]
    gb_seconds = executions * price("functions", "memory_gb") * price("functions", "seconds_least")
    return {
        "executions": _beyond(executions, price("functions", "executions_free"))
        * price("functions", "million_executions")
        / MILLION,
        "memory": _beyond(gb_seconds, price("functions", "gb_seconds_free"))
        * price("functions", "gb_second"),
        "Service Bus": price("service_bus", "month")
        + _beyond(whole["queue"], price("service_bus", "operations_included"))
        * price("service_bus", "million_operations")
        / MILLION,
        "storage": whole["table"] * price("storage", "table_operations_10000") / 10_000
        + whole["blob"] * price("storage", "blob_operations_10000") / 10_000,
        "metrics": _beyond(whole["metrics"], price("monitor", "metrics_queries_free"))
        * price("monitor", "million_metrics_queries")
        / MILLION,
    }


_COUNTED = ("execution", "queue", "table", "blob", "metrics")


def _beyond(used: float, free: float) -> float:
    return max(0.0, used - free)
