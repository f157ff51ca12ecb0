"""What a team does before a rollout, where nobody answers."""

import pytest

from demo.azure import Workspace


def test_an_emulator_that_does_not_run_is_told_so() -> None:
    team = Workspace("http://127.0.0.1:9", "/subscriptions/s")

    with pytest.raises(SystemExit, match=r"nobody answers at http://127\.0\.0\.1:9: is the emulat"):
        team.create_endpoint("churn")
