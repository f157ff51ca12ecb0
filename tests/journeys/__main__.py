"""`python -m tests.journeys ROLLOUTS`: a season over real parts; its figures go into the docs."""

import sys
import tempfile
from pathlib import Path

from tests.journeys.season import LIVES, Seen, a_season

PAGE = Path(__file__).parents[2] / "docs/reference/bad-days.md"
BEGIN, END = "<!-- season: make season -->", "<!-- season ends -->"
NAMES = ("mirrored-1", "stepped-1", "mirrored-2", "stepped-2", "mirrored-3")


def figures(seen: Seen) -> str:
    """The table of what a season has shown."""
    rows = {
        "good canaries promoted": seen.ended["promoted"],
        "bad canaries rolled back, to the map of before": seen.ended["rolled_back"],
        f"`kill -9`, {LIVES[0]} to {LIVES[1]} s after each start": seen.deaths,
        "history entries, none missing and none twice": seen.entries,
        "traffic writes, all whole, copies cleared before live requests": seen.writes,
        "requests of users": seen.requests,
        "requests that failed because of a change of ours": seen.failed_by_us,
        "requests that bad canaries failed before they were rolled back": seen.failed_by_canaries,
    }
    told = "\n".join(f"| {name} | {count:,} |" for name, count in rows.items())
    return f"| what | how many |\n|---|---:|\n{told}"


def main(rollouts: int) -> None:
    with tempfile.TemporaryDirectory() as folder, a_season(Path(folder), NAMES) as season:
        seen = season.run(rollouts)
    text = PAGE.read_text()
    assert BEGIN in text, f"{PAGE} has no place for it: {BEGIN}"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures(seen)}\n\n{END}{after}")
    sys.stdout.write(f"{figures(seen)}\nin {seen.seconds:.0f} s; failed: {dict(seen.failed)}\n")
    sys.stdout.writelines(f"{told}\n" for told in seen.unexplained)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
