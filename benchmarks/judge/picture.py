"""Draws false alarms against exposure: the lower left corner is where one wants to be."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import matplotlib as mpl

from benchmarks.judge.measure import Outcome, bounded, geometric_mean
from benchmarks.judge.rules import RULES
from benchmarks.judge.scenarios import Scenarios

mpl.use("Agg")

from matplotlib import pyplot as plt


def draw(scenarios: Scenarios, outcomes: Sequence[Outcome], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for rule in RULES:
        false = fmean(
            100 * one.rolled_back for one in outcomes if (one.rule, one.effect) == (rule, 1.0)
        )
        exposure = geometric_mean(
            one.efficiency
            for effect in scenarios.effects
            for one in bounded(outcomes, rule, scenarios.worlds[0].name, effect)
        )
        if math.isnan(exposure):
            continue  # no canary of the file could be found out in time by anybody
        axes.scatter([exposure], [max(false, 0.05)], s=60, zorder=3)
        axes.annotate(rule, (exposure, max(false, 0.05)), (6, 5), textcoords="offset points")
    axes.axhline(1, color="grey", lw=0.8, ls="--")
    axes.axvline(1, color="grey", lw=0.8, ls="--")
    axes.set(xscale="log", yscale="log", ylim=(0.03, 150), xlim=(0.2, 40))
    axes.set_xlabel("requests a bad canary answers before it is rolled back / least possible")
    axes.set_ylabel("good canaries rolled back, % (mean of all worlds)")
    axes.grid(visible=True, which="major", alpha=0.3)
    figure.savefig(path)
    plt.close(figure)
