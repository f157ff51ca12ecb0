"""kill -9 all the while, several endpoints at once, Azure at its worst: all end as they must."""

from pathlib import Path

import pytest

from tests.journeys.season import a_season

pytestmark = pytest.mark.journey


def test_rollouts_of_a_controller_that_is_killed_all_the_while_end_as_they_must(
    tmp_path: Path,
) -> None:
    with a_season(tmp_path, ["mirrored-1", "stepped-1"]) as season:
        seen = season.run(4)

    assert seen.ended == {"promoted": 3, "rolled_back": 1}
    assert seen.deaths >= 3
    assert seen.requests
    assert seen.failed_by_us == 0, seen.unexplained
