"""Prints what was measured as Markdown tables."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from statistics import fmean, median

from benchmarks.judge.measure import Outcome, bounded, geometric_mean
from benchmarks.judge.rules import RULES
from benchmarks.judge.scenarios import ALL, Scenarios
from benchmarks.judge.whole import Paced


def compared(scenarios: Scenarios, outcomes: Sequence[Outcome]) -> str:
    """False alarms by world (mean, median, highest cell), and exposure to the bound by effect."""
    worlds = [world.name for world in scenarios.worlds]
    effects = [effect_name(effect) for effect in scenarios.effects]
    lines = [
        _line("rule", *(f"{world}, %" for world in worlds), *effects, "mean"),
        _rule(worlds, effects),
    ]
    for rule in RULES:
        rates = [_rates(outcomes, rule, world) for world in worlds]
        ratios = [
            geometric_mean(one.efficiency for one in bounded(outcomes, rule, worlds[0], effect))
            for effect in scenarios.effects
        ]
        known = [ratio for ratio in ratios if not math.isnan(ratio)]
        told = [_ratio(one) for one in (*ratios, geometric_mean(known))]
        lines.append(_line(rule, *rates, *told))
    return "\n".join(lines)


def _rates(outcomes: Iterable[Outcome], rule: str, world: str) -> str:
    cells = [
        100 * one.rolled_back
        for one in outcomes
        if (one.rule, one.world, one.effect) == (rule, world, 1.0)
    ]
    return f"{fmean(cells):.1f} / {median(cells):.1f} [{max(cells):.1f}]"


def _ratio(number: float) -> str:
    """A dash where no canary of the kind could be found out in time by anybody."""
    return "-" if math.isnan(number) else f"{number:.2f}"


def exposed(scenarios: Scenarios, outcomes: Sequence[Outcome]) -> str:
    """Exposure to the bound in each world, over all bad canaries."""
    worlds = [world.name for world in scenarios.worlds]
    lines = [_line("rule", *worlds), _line("---", *("---:" for _ in worlds))]
    for rule in RULES:
        means = [
            geometric_mean(
                one.efficiency
                for effect in scenarios.effects
                for one in bounded(outcomes, rule, world, effect)
            )
            for world in worlds
        ]
        lines.append(_line(rule, *map(_ratio, means)))
    return "\n".join(lines)


def detected(scenarios: Scenarios, outcomes: Sequence[Outcome]) -> str:
    """How many bad canaries are rolled back, and the excess failures they cost, per rule."""
    effects, world = scenarios.effects, scenarios.worlds[0].name
    lines = [_line("rule", *(effect_name(effect) for effect in effects))]
    lines.append(_line("---", *("---:" for _ in effects)))
    for rule in RULES:
        of_rule = [one for one in outcomes if one.rule == rule and one.world == world]
        cells = [[one for one in of_rule if one.effect == effect] for effect in effects]
        lines.append(_line(rule, *(_detected(each) for each in cells)))
    return "\n".join(lines)


def _detected(cells: Sequence[Outcome]) -> str:
    share = fmean(one.rolled_back for one in cells)
    excess = fmean(one.excess / one.cell.requests_per_minute for one in cells)
    return f"{100 * share:.0f} %, {excess:.2g} min"


def paced(found: Sequence[Paced], by_default: Sequence[Paced]) -> str:
    """Whole rollouts in adaptive pace, without a margin and with the default guard's."""
    lines = [_line("canary", "requests/s", "rolled back, %", "done after, min", "cost, min")]
    lines.append(_line("---", "---:", "---:", "---:", "---:"))
    return "\n".join([*lines, *_paced(found, ""), *_paced(by_default, ", default margin")])


def _paced(found: Sequence[Paced], margin: str) -> Iterator[str]:
    ordered = sorted(found, key=_effect_and_load)
    for (effect, load), each in groupby(ordered, key=_effect_and_load):
        cells = list(each)
        yield _line(
            effect_name(effect) + margin,
            f"{load:g}",
            f"{100 * fmean(one.rolled_back for one in cells):.1f}",
            _done(cells),
            f"{fmean(one.cost for one in cells):.2f}",
        )


def good(found: Sequence[Paced]) -> str:
    """When good canaries are done, by load and by how often the baseline fails."""
    rates = sorted({one.task.cell.baseline_rate for one in found})
    loads = sorted({one.task.cell.requests_per_second for one in found})
    names = [f"{100 * rate:g} %" for rate in rates]
    lines = [_line("requests/s", *names, "all"), _line("---:", *("---:" for _ in (*rates, 0)))]
    for load in loads:
        here = [one for one in found if one.task.cell.requests_per_second == load]
        each = [[one for one in here if one.task.cell.baseline_rate == rate] for rate in rates]
        lines.append(_line(f"{load:g}", *map(_done, [*each, here])))
    return "\n".join(lines)


def _done(found: Sequence[Paced]) -> str:
    times = [minute for one in found for minute in one.promoted_after]
    return f"{median(times):g}" if times else "-"


def _effect_and_load(one: Paced) -> tuple[float, float]:
    return one.task.effect, one.task.cell.requests_per_second


def effect_name(effect: float) -> str:
    return {1.0: "good", ALL: "100 %"}.get(effect, f"x{effect:g}")


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(worlds: Sequence[str], effects: Sequence[str]) -> str:
    return _line("---", *("---:" for _ in (*worlds, *effects, "mean")))
