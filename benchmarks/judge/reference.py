"""Whether the peers' rules do here what they did in the reference runs."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.judge.measure import Outcome, bounded, geometric_mean
from benchmarks.judge.scenarios import Scenarios

REFERENCE = Path(__file__).with_name("reference.json")
ERRORS_ALLOWED = 3.0


def differences(scenarios: Scenarios, outcomes: Sequence[Outcome]) -> list[str]:
    """What lies more than three standard errors from the reference, in sentences."""
    raw: dict[str, Any] = json.loads(REFERENCE.read_text())
    found = list[str]()
    for rule, wanted in raw["rules"].items():
        rates = zip(scenarios.worlds, wanted["false_alarms"], strict=True)
        for world, percent in rates:
            cells = [
                one
                for one in outcomes
                if (one.rule, one.world, one.effect) == (rule, world.name, 1.0)
            ]
            found += _rate(f"{rule}, {world.name}", cells, percent, raw["rollouts"]["false_alarms"])
        ratios = zip(scenarios.effects, wanted["efficiency"], strict=True)
        for effect, ratio in ratios:
            late = bounded(outcomes, rule, scenarios.worlds[0].name, effect)
            found += _ratio(f"{rule}, x{effect:g}", late, ratio, raw["rollouts"]["efficiency"])
    return found


def _rate(name: str, cells: Sequence[Outcome], percent: float, rollouts: int) -> Iterator[str]:
    """Compare the median over the cells; its error is that of one cell, which is more than it."""
    seen = 100 * median(one.rolled_back for one in cells)
    part = min(0.99, max(0.01, percent / 100))
    each = len(cells[0].minutes)
    error = 100 * math.sqrt(part * (1 - part) * (1 / each + 1 / rollouts))
    if abs(seen - percent) > ERRORS_ALLOWED * error + _rounding(percent):
        yield f"{name}: false alarms {seen:.1f} %, reference {percent} %, error {error:.1f}"


def _ratio(name: str, cells: Sequence[Outcome], ratio: float, rollouts: int) -> Iterator[str]:
    seen = geometric_mean(one.efficiency for one in cells)
    each = len(cells[0].exposures)
    variance = fmean(one.efficiency_error**2 for one in cells)
    # The reference runs gave all cells the same seeds, so their errors do not cancel.
    error = ratio * math.sqrt(variance * (1 / len(cells) + each / rollouts))
    if abs(seen - ratio) > ERRORS_ALLOWED * error + _rounding(ratio):
        yield f"{name}: exposure {seen:.2f} x bound, reference {ratio}, error {error:.2f}"


def _rounding(number: float) -> float:
    """Half of the last digit that is printed."""
    return 0.5 if number >= 20 or (number == int(number) and number >= 5) else 0.05
