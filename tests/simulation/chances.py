"""What goes wrong, each fault by dice of its own: leaving one out changes no other's throws."""

from collections import Counter
from random import Random


class Chances:
    """The dice of one storm, and how often each fault struck."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._dice: dict[str, Random] = {}
        self.struck: Counter[str] = Counter()

    def dice(self, name: str) -> Random:
        if name not in self._dice:
            self._dice[name] = Random(f"{self._seed}/{name}")
        return self._dice[name]

    def strikes(self, name: str, rate: float) -> bool:
        """Whether this fault strikes now; one that never does throws no dice."""
        if rate <= 0 or self.dice(name).random() >= rate:
            return False
        self.struck[name] += 1
        return True
