"""kill -9, a broker and an account that come and go, on all of Azure's own parts."""

from pathlib import Path

import pytest

from tests.journeys.season import a_season

pytestmark = pytest.mark.journey


def test_rollouts_end_as_they_must_whatever_goes_away_on_azure(tmp_path: Path) -> None:
    with a_season(tmp_path, ["short-1", "short-2", "short-3"], "azure") as season:
        seen = season.run(3)

    assert seen.ended == {"promoted": 2, "rolled_back": 1}
    assert seen.deaths >= 2
    assert seen.outages["the AMQP broker stopped and started"]
    assert seen.outages["Azurite stopped and started"]
    assert seen.requests
    assert seen.failed_by_us == 0, seen.unexplained
