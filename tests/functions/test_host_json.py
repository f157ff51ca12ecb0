"""What host.json tells the platform, and why each value is what it is."""

import json
from datetime import timedelta
from typing import Any

from rollout.adapters.azure.pipeline import CONNECT_SECONDS
from rollout.adapters.azure.scoring import ANSWER_MAX
from rollout.api.rollouts import PREFIX
from rollout.core.record import _GRACE_OF_SMOKE
from rollout.core.smoke import PIECE
from tests.functions.deployment import ROOT
from tests.functions.doors import DRIVEN

HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
BUS: dict[str, Any] = HOST["extensions"]["serviceBus"]

HTTP_MAX = timedelta(seconds=230)
"""So long Azure's load balancer waits for the answer of an HTTP function."""

LOCK = timedelta(minutes=1)
"""A message's lock on the queue, which the platform renews while the function runs."""


def duration(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def test_nothing_is_set_that_is_not_explained_here() -> None:
    """A value that nobody can explain is one that nobody dares to change."""
    assert set(HOST) == {
        *("version", "functionTimeout", "telemetryMode", "extensionBundle", "extensions")
    }
    assert set(HOST["extensions"]) == {"http", "serviceBus"}
    assert set(BUS) == {
        *("autoCompleteMessages", "maxConcurrentSessions", "sessionIdleTimeout"),
        *("maxAutoLockRenewalDuration", "prefetchCount"),
    }


def test_the_lock_is_renewed_longer_than_a_function_may_run() -> None:
    """Otherwise a second worker gets the session while the first still works."""
    assert duration(BUS["maxAutoLockRenewalDuration"]) > duration(HOST["functionTimeout"])


def test_a_function_may_run_longer_than_azure_may_take_to_answer_and_not_much_longer() -> None:
    """A timeout ends the whole process with all that runs beside it: it is the last resort."""
    longest = duration(HOST["functionTimeout"])

    assert timedelta(seconds=10 * CONNECT_SECONDS) < longest <= timedelta(minutes=10)
    assert longest > LOCK


def test_a_piece_of_smoke_ends_before_the_function_does_and_before_another_takes_it_up() -> None:
    """The last request of a piece may take as long as Azure lets any."""
    longest = PIECE + ANSWER_MAX

    assert longest < HTTP_MAX  # whoever resumes waits for the first piece
    assert longest < _GRACE_OF_SMOKE < duration(HOST["functionTimeout"])


def test_a_session_that_has_nothing_more_makes_room_within_seconds() -> None:
    """Unset it is a minute: with eight sessions held, the ninth endpoint would wait for one."""
    assert timedelta(seconds=1) <= duration(BUS["sessionIdleTimeout"]) <= timedelta(seconds=15)


def test_no_message_ages_under_its_lock_before_its_turn() -> None:
    assert BUS["prefetchCount"] == 0


def test_a_message_is_done_when_its_function_returns() -> None:
    """Python cannot settle by hand: what raises goes back, what returns is complete."""
    assert BUS["autoCompleteMessages"] is True


def test_sessions_go_on_side_by_side_and_each_in_order() -> None:
    """More than one call of one session would break the order, and batches get no renewal."""
    assert BUS["maxConcurrentSessions"] >= 1
    assert "maxConcurrentCallsPerSession" not in BUS
    assert not any("atch" in name for name in BUS)


def test_paths_have_the_prefix_that_the_api_knows() -> None:
    assert HOST["extensions"]["http"]["routePrefix"] == PREFIX


def test_the_bundle_is_the_one_of_the_present_model() -> None:
    bundle = HOST["extensionBundle"]

    assert bundle["id"] == "Microsoft.Azure.Functions.ExtensionBundle"
    assert bundle["version"] == "[4.*, 5.0.0)"


def test_the_host_speaks_open_telemetry() -> None:
    assert HOST["telemetryMode"] == "OpenTelemetry"


def test_no_retry_of_the_platform_is_asked_for() -> None:
    """It would multiply with the queue's own redelivery, and go on after the lock is lost."""
    assert "retry" not in HOST
    assert "clientRetryOptions" not in BUS


def test_a_timer_is_watched_by_the_platform() -> None:
    """Every period is a minute or more, so that a missed one fires once when the app comes back."""
    schedules = [one["schedule"] for one in DRIVEN.values() if "schedule" in one]

    assert schedules
    assert all(schedule.split()[0].isdecimal() for schedule in schedules)
