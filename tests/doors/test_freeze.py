"""A freeze over HTTP: what waits says until when, and despite it is one word."""

from datetime import timedelta
from pathlib import Path

from rollout.core.rollout import Phase
from tests.doors.callers import a_caller, read
from tests.fakes import NOON
from tests.simulation.world import POLICY

FROZEN = f"""{POLICY}
freeze: {{windows: [{{weekly: "mon 11:00 - mon 12:30", name: launch}}]}}
"""


def test_a_start_in_a_freeze_waits_and_begins_by_itself(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, FROZEN)

    answer = caller.start()

    assert answer.status == 202
    assert read(answer) == {
        "queued": "green",
        "behind": None,
        "until": "2026-03-02T12:30:00Z",
        "why": "green waits: it is frozen (launch) until Mon 2026-03-02 12:30 UTC",
    }
    assert caller.world.head.phase is Phase.IDLE

    rollout = caller.world.run(minutes=33)

    assert rollout.started_at == NOON + timedelta(minutes=30)
    assert caller.world.head.queued is None


def test_a_start_despite_the_freeze_begins_at_once(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, FROZEN)

    answer = caller.start(despite_freeze=True)

    assert answer.status == 201
    assert read(answer)["frozen"] is None


def test_a_rollout_shows_the_freeze_and_its_end(tmp_path: Path) -> None:
    frozen_later = FROZEN.replace("mon 11:00 - mon 12:30", "mon 12:08 - mon 13:00")
    caller = a_caller(tmp_path, frozen_later)
    caller.start()
    caller.world.run(minutes=10)

    seen = read(caller.ask("show_rollout", ref="churn"))

    assert seen["frozen"] == "frozen (launch) until Mon 2026-03-02 13:00 UTC"
    assert seen["frozen_until"] == "2026-03-02T13:00:00Z"


def test_a_commit_needs_its_repository(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, POLICY)

    no = caller.start(commit="ab" * 20)
    yes = caller.start(commit="ab" * 20, repository="contoso/churn")

    assert (no.status, yes.status) == (400, 201)
    assert "repository and commit belong together" in read(no)["detail"]
    origin = caller.world.rollout.order.origin
    assert origin is not None
    assert (origin.repository, origin.commit) == ("contoso/churn", "ab" * 20)
