"""Grids of alternatives, their values in lists, and averages of what is kept as logarithms."""

import math
import operator
from collections.abc import Iterable, Sequence
from itertools import repeat

BIT = math.log(2)
"""In nats. `math.log2` costs half of what `math.log` does, which takes a base too."""


def iterated(low: float, high: float, points: int) -> tuple[float, ...]:
    """Points from `low` to `high` (both above 1), evenly apart in ln ln: dense near 1."""
    first, last = math.log(math.log(low)), math.log(math.log(high))
    return tuple(math.exp(math.exp(u)) for u in spaced(first, last, points))


def geometric(low: float, high: float, points: int) -> tuple[float, ...]:
    return tuple(math.exp(u) for u in spaced(math.log(low), math.log(high), points))


def spaced(first: float, last: float, points: int) -> tuple[float, ...]:
    return tuple(first + (last - first) * i / (points - 1) for i in range(points))


def log_mean(logs: Sequence[float]) -> float:
    """The logarithm of the mean of the values whose logarithms are given."""
    top, exp = max(logs), math.exp
    return top + math.log(sum([exp(one - top) for one in logs]) / len(logs))


def log_sum(one: float, other: float) -> float:
    """The logarithm of the sum of two values."""
    top, low = (one, other) if one >= other else (other, one)
    return top + math.log(1.0 + math.exp(low - top))


def scaled(factor: float, values: Iterable[float]) -> list[float]:
    return list(map(operator.mul, values, repeat(factor)))


def added(values: Iterable[float], others: Iterable[float]) -> list[float]:
    """Sums place by place."""
    return list(map(operator.add, values, others))
