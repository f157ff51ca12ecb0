"""Which deployment answers a request."""

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol


class Router(Protocol):
    """Draws one deployment by weight; asked only when some weight is positive."""

    def choose(self, weights: Mapping[str, int]) -> str: ...


class RandomRouter:
    """Every request is drawn on its own, which is what percentages amount to on Azure."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def choose(self, weights: Mapping[str, int]) -> str:
        return self._random.choices(tuple(weights), tuple(weights.values()))[0]


class BlocksRouter:
    """Shuffled blocks with the exact shares: after every block the counts are the weights."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left: dict[tuple[tuple[str, int], ...], list[str]] = {}

    def choose(self, weights: Mapping[str, int]) -> str:
        shares = tuple(sorted(weights.items()))
        left = self._left.get(shares) or self._shuffled(shares)
        self._left[shares] = left
        return left.pop()

    def _shuffled(self, shares: tuple[tuple[str, int], ...]) -> list[str]:
        unit = math.gcd(*(share for _, share in shares))
        block = [name for name, share in shares for _ in range(share // unit)]
        self._random.shuffle(block)
        return block


ROUTERS: Mapping[str, Callable[[Random], Router]] = {"random": RandomRouter, "blocks": BlocksRouter}
