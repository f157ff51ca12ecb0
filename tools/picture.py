"""Draws the picture of the front page from two recorded rollouts.

`python -m tools.picture` draws `docs/pictures/rollout.svg` from the record beside it. To record
anew, write the answers of `GET /api/rollouts/{ref}` to a file, one a line, while a good canary is
promoted, the same for a bad one, and give both files: `python -m tools.picture GOOD BAD`.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

PLACE = Path(__file__).resolve().parent.parent / "docs/pictures"
RECORD, PICTURE = PLACE / "rollout.json", PLACE / "rollout.svg"
GREEN, RED, GREY, INK = "#1a7f37", "#cf222e", "#9aa4ae", "#57606a"
TITLES = ("a good canary is promoted", "a bad one is rolled back")
ODDS_MAX = 10_000

Point = Mapping[str, float]


def condense(lines: Sequence[str]) -> list[Point]:
    """What is drawn of one rollout: the canary's share, and the evidence, where they change."""
    points: list[Point] = []
    for point in map(_point, map(json.loads, lines)):
        if not points or {**point, "minute": 0} != {**points[-1], "minute": 0}:
            points.append(point)
    return [*points, _point(json.loads(lines[-1]))]


def _point(view: Mapping[str, Any]) -> Point:
    evidence = [one["evidence"] for one in view["findings"] if one["guard"]["severity"] == "fail"]
    known = [one for one in evidence if one]
    return {
        "minute": round(_last_look(view) / view["minute_seconds"], 2),
        "share": view["observed"]["live"].get(view["canary"], 0),
        "odds": round(math.exp(max((one["ln_e"] for one in known), default=0.0)), 2),
        "asked": round(math.exp(min((one["threshold"] for one in known), default=0.0)), 2),
    }


def _last_look(view: Mapping[str, Any]) -> float:
    """Seconds from the start to the last look: a minute before the next, where one is due."""
    started = datetime.fromisoformat(view["started_at"])
    if view["outcome"]:
        return (datetime.fromisoformat(view["phase_since"]) - started).total_seconds()
    due = datetime.fromisoformat(view["next_look_at"])
    return float((due - started).total_seconds() - view["minute_seconds"])


def draw(rollouts: Sequence[Sequence[Point]]) -> None:
    """Two columns, one for each rollout: the share above, the evidence below."""
    mpl.rcParams.update(
        {
            "font.family": "sans-serif",
            "font.size": 10,
            "svg.hashsalt": "rollout",
            "svg.fonttype": "path",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.labelcolor": INK,
        }
    )
    widths = [points[-1]["minute"] for points in rollouts]
    figure, rows = plt.subplots(
        2,
        len(rollouts),
        sharex="col",
        figsize=(9, 4.2),
        gridspec_kw={"width_ratios": [max(1.0, w / max(widths) * 1.3) for w in widths]},
    )
    for column, points in enumerate(rollouts):
        colour = (GREEN, RED)[column]
        _share(rows[0][column], points, colour)
        _odds(rows[1][column], points, colour)
        rows[0][column].set_title(TITLES[column], color=colour, loc="left", weight="bold")
    rows[0][0].set_ylabel("share of live traffic")
    rows[1][0].set_ylabel("evidence against")
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None}, facecolor="white")


def _share(axes: Axes, points: Sequence[Point], colour: str) -> None:
    minutes, shares = zip(*((one["minute"], one["share"]) for one in points), strict=True)
    axes.step(minutes, shares, where="post", color=colour, linewidth=2)
    axes.fill_between(minutes, shares, step="post", color=colour, alpha=0.15)
    axes.set_ylim(0, 108)
    axes.set_yticks([0, 10, 50, 90, 100] if max(shares) > 10 else [0, 10, 50, 100])
    axes.yaxis.set_major_formatter("{x:.0f} %")


def _odds(axes: Axes, points: Sequence[Point], colour: str) -> None:
    odds = [(one["minute"], min(ODDS_MAX, max(0.1, one["odds"]))) for one in points]
    axes.step(*zip(*odds, strict=True), where="post", color=colour, linewidth=2)
    first = next(one["asked"] for one in points if one["asked"] > 1)
    asked = [(one["minute"], max(one["asked"], first)) for one in points]
    axes.step(*zip(*asked, strict=True), where="post", color=INK, linewidth=1, linestyle="--")
    axes.annotate(
        "enough to roll back",
        (0, first),
        xytext=(0, 4),
        textcoords="offset points",
        color=INK,
        fontsize=9,
    )
    axes.set_yscale("log")
    axes.set_ylim(0.08, ODDS_MAX)
    axes.yaxis.set_major_locator(FixedLocator([0.1, 1, 10, 100, 1000]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda odds, _: f"{odds:g} : 1")
    axes.set_xlabel("minutes of the policy")


def recorded() -> tuple[Sequence[Point], Sequence[Point]]:
    """The good one, and the bad one."""
    good, bad = json.loads(RECORD.read_text("utf-8"))
    return good, bad


def main() -> None:
    """Condense what was recorded, where files are given, and draw."""
    if len(sys.argv) > 1:
        rollouts = [condense(Path(name).read_text("utf-8").splitlines()) for name in sys.argv[1:]]
        told = ",\n".join(json.dumps(points).replace("}, ", "},\n ") for points in rollouts)
        RECORD.write_text(f"[{told}]\n", "utf-8")
    draw(recorded())


if __name__ == "__main__":
    main()
