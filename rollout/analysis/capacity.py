"""Whether a deployment's instances can take the share they are to get."""

import math
from dataclasses import dataclass

from rollout.analysis.words import count, figures

USE_MAX = 0.8
"""Above this use of the workers queues grow long."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the endpoint carries: requests a second, and how long one takes on average."""

    requests_per_second: float
    mean_seconds: float

    def __post_init__(self) -> None:
        for number in (self.requests_per_second, self.mean_seconds):
            if not 0 <= number < math.inf:
                raise ValueError(f"a load is made of numbers from 0 up, not {self}")


@dataclass(frozen=True, slots=True)
class Room:
    """How many instances the share needs, and how many are missing (0: there is room)."""

    use: float | None
    needed: int
    missing: int
    sentence: str

    @property
    def enough(self) -> bool:
        return self.missing == 0


def capacity(load: Load, instances: int, concurrency: int, share: int) -> Room:
    """Compare a deployment's workers with what a share in percent keeps busy (Little's law).

    `concurrency` is how many requests an instance works on at once. More than 80 % busy is a
    shortage. Raises ValueError for no concurrency, fewer than 0 instances, or a share beyond 100.
    """
    if concurrency < 1 or instances < 0 or not 0 <= share <= 100:
        wrong = f"{instances} instances, {concurrency} at once, {share} %"
        raise ValueError(f"capacity needs instances, concurrency and a share: {wrong}")
    busy = load.requests_per_second * share / 100 * load.mean_seconds
    needed = math.ceil(busy / (concurrency * USE_MAX) - 1e-9)
    missing = max(0, needed - instances)
    workers = instances * concurrency
    use = busy / workers if workers else (None if busy else 0.0)
    told = (
        f"{share} % of {figures(load.requests_per_second)} requests a second keeps {figures(busy)}"
        f" of {workers} workers busy"
    )
    if missing:
        lack = f"{count(missing, 'instance')} missing of {needed}"
        return Room(use, needed, missing, f"{told}: {lack}")
    return Room(use, needed, 0, f"{told}: {count(instances - needed, 'instance')} to spare")
