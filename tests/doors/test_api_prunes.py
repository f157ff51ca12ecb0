"""Retention over HTTP: an admin's, about the past alone, and first told, then done."""

from datetime import timedelta
from pathlib import Path

import pytest

from rollout.core.rollout import Phase
from tests.doors.callers import Caller, a_caller, read
from tests.simulation.world import POLICY

YEAR = timedelta(days=365)


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    """Two rollouts of long ago."""
    caller = a_caller(tmp_path, POLICY, keep_days=365)
    for canary in ("green", "blue"):
        caller.start(deployment=canary)
        assert caller.world.run(minutes=200).phase is Phase.PROMOTED
    caller.world.clock.advance(2 * YEAR)
    return caller


def test_what_would_go_is_told_and_then_goes(caller: Caller) -> None:
    told = read(caller.ask("prune_history", {"who": "anna", "dry_run": True}))
    before = len(read(caller.ask("audit_entries", ref="churn"))["entries"])

    done = read(caller.ask("prune_history", {"who": "anna", "before": told["before"]}))

    (one,) = done["pruned"]
    assert done == told
    assert (one["endpoint"], len(one["rollouts"]), done["next"]) == ("w/churn", 1, None)
    entries = read(caller.ask("audit_entries", ref="churn"))["entries"]
    assert len(entries) == before - one["entries"] + 1
    assert entries[0]["number"] == one["through"] + 1


def test_an_audit_of_what_is_left_finds_it_whole(caller: Caller) -> None:
    caller.ask("prune_history", {"who": "anna"})

    audit = read(caller.ask("audit_endpoint", ref="churn"))

    assert audit["faults"] == []
    assert audit["pruned"]["through"] > 0
    assert audit["entries"] == audit["written"] - audit["pruned"]["through"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"who": "anna", "before": "2999-01-01T00:00:00Z"}, "is still to come"),
        ({"who": "anna", "before": "2026-01-01T00:00:00"}, "timezone"),
        ({"before": "2026-01-01T00:00:00Z"}, "who: missing"),
        ({"who": "anna", "days": 3}, "unknown key"),
    ],
)
def test_what_makes_no_sense_removes_nothing(
    body: dict[str, object], told: str, caller: Caller
) -> None:
    head = caller.world.head

    answer = caller.ask("prune_history", body)

    assert answer.status in {400, 409, 422}
    assert told in read(answer)["detail"]
    assert caller.world.head == head


def test_without_a_setting_the_time_has_to_be_given(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, POLICY)

    answer = caller.ask("prune_history", {"who": "anna"})

    assert "set ROLLOUT_KEEP_DAYS" in read(answer)["detail"]
