"""A part of the process that is made when first asked for, and once."""

from collections.abc import Callable
from functools import cache, update_wrapper
from threading import RLock
from typing import Generic, TypeVar

Made = TypeVar("Made")

_MAKING = RLock()


class Once(Generic[Made]):
    """Makes its part for the first who asks, also when several threads ask at once."""

    def __init__(self, make: Callable[[], Made]) -> None:
        update_wrapper(self, make)
        self._made = cache(make)

    def __call__(self) -> Made:
        with _MAKING:
            return self._made()

    def cache_clear(self) -> None:
        self._made.cache_clear()
