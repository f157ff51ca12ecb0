"""`python -m tests.journeys ROLLOUTS [--parts azure]`: a season over real parts, for the docs."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from tests.journeys.parts import PARTS, Parts
from tests.journeys.season import Seen, a_season

PAGE = Path(__file__).parents[2] / "docs/reference/bad-days.md"
BEGIN, END = "<!-- season: make season PARTS={} -->", "<!-- season of {} ends -->"
NAMES = ("mirrored-1", "stepped-1", "mirrored-2", "stepped-2", "mirrored-3")
ROLLOUTS = 100
"""As many as it takes."""


def figures(seen: Seen, parts: Parts) -> str:
    """The table of what a season has shown."""
    least, most = parts.lives
    rows = {
        "good canaries promoted": seen.ended["promoted"],
        "bad canaries rolled back, to the map of before": seen.ended["rolled_back"],
        f"`kill -9`, {least:g} to {most:g} s after each start": seen.deaths,
        **seen.outages,
        "history entries, none missing and none twice": seen.entries,
        "traffic writes, all whole, copies cleared before live requests": seen.writes,
        "requests of users": seen.requests,
        "requests that failed because of a change of ours": seen.failed_by_us,
        "requests that bad canaries failed before they were rolled back": seen.failed_by_canaries,
        "requests that users had no room for, and did not send": seen.unsent,
    }
    told = "\n".join(f"| {name} | {count:,} |" for name, count in rows.items())
    return f"| what | how many |\n|---|---:|\n{told}"


def main(rollouts: int, parts: str) -> None:
    logging.getLogger("rollout.host").setLevel(logging.CRITICAL)  # workers die: that is no news
    with (
        tempfile.TemporaryDirectory() as folder,
        a_season(Path(folder), NAMES, parts) as season,
    ):
        seen = season.run(rollouts)
        told = figures(seen, season.parts)
    begin, end = BEGIN.format(parts), END.format(parts)
    text = PAGE.read_text()
    assert begin in text, f"{PAGE} has no place for it: {begin}"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n\n{told}\n\n{end}{after}")
    sys.stdout.write(f"{told}\nin {seen.seconds:.0f} s; failed: {dict(seen.failed)}\n")
    sys.stdout.writelines(f"{told}\n" for told in seen.unexplained)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("rollouts", type=int, nargs="?", default=ROLLOUTS)
    asked.add_argument("--parts", choices=sorted(PARTS), default="embedded")
    main(**vars(asked.parse_args()))
