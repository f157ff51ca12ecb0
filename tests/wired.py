"""The parts that the wiring makes, to be made anew under a test's own settings."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from rollout import wiring
from rollout.once import Once


def parts() -> Iterator[Once[object]]:
    for found in iter_modules(wiring.__path__, f"{wiring.__name__}."):
        made = vars(import_module(found.name)).values()
        yield from (one for one in made if isinstance(one, Once))


def forget_parts() -> None:
    """The next who asks gets what the settings choose then."""
    for part in parts():
        part.cache_clear()
