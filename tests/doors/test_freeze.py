"""A freeze over HTTP: what waits says until when, and despite it is one word."""

from datetime import timedelta
from pathlib import Path

import pytest

from rollout.api.exchange import Response
from rollout.api.rollouts import ASKED
from rollout.core.rollout import Phase
from rollout.inbox import UPWARD
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
        "order": "start:id1",
        "behind": None,
        "until": "2026-03-02T12:30:00Z",
        "why": "green waits: it is frozen (launch) until Mon 2026-03-02 12:30 UTC",
    }
    assert caller.world.head.phase is Phase.IDLE

    rollout = caller.world.run(minutes=33)

    assert rollout.started_at == NOON + timedelta(minutes=30)
    assert caller.world.head.queued is None


def test_a_start_that_waits_is_listed_and_can_be_taken_back(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, FROZEN)
    caller.start(why="new model")

    listed = read(caller.ask("list_rollouts"))
    unknown = caller.ask("show_rollout", ref="churn")
    cancelled = caller.command("cancel", who="anna")
    again = caller.command("cancel")
    after = read(caller.ask("list_rollouts"))
    caller.world.clock.advance(timedelta(minutes=33))
    caller.world.engine.sweep()

    assert listed["rollouts"] == []
    assert listed["waiting"] == [
        {
            "endpoint": "w/churn",
            "deployment": "green",
            "who": "ci",
            "why": "new model",
            "behind": None,
            "until": "2026-03-02T12:30:00Z",
        }
    ]
    assert "green waits to start: take it back by rollout cancel w/churn" in read(unknown)["detail"]
    assert read(cancelled) == {
        "decided": "the start of green is cancelled by anna",
        "rollout": None,
    }
    assert (cancelled.status, again.status) == (200, 409)
    assert after["waiting"] == []
    assert caller.world.head.phase is Phase.IDLE
    assert caller.world.head.due_at is None


def test_a_start_that_waits_behind_a_rollout_is_listed_with_it(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, POLICY)
    caller.start()
    caller.world.azure.deployments["red"] = caller.world.azure.deployments["green"]
    caller.start(deployment="red")

    (waiting,) = read(caller.ask("list_rollouts"))["waiting"]
    cancelled = read(caller.command("cancel"))

    assert (waiting["deployment"], waiting["behind"]) == ("red", caller.world.rollout.id)
    assert cancelled["rollout"]["queued"] is None
    assert caller.world.head.live


def test_only_the_start_that_is_named_is_taken_back(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, FROZEN)
    order = read(caller.start())["order"]

    def command(name: str, order: str) -> Response:
        body = {"who": "ci", "order": order}
        return caller.ask("command_rollout", body, ref="churn", command=name)

    other = command("cancel", "start:another")
    kept = caller.world.head.queued
    mine = command("cancel", order)
    nonsense = command("pause", order)

    assert (other.status, mine.status) == (409, 200)
    assert kept is not None
    assert caller.world.head.queued is None
    assert nonsense.status == 409
    assert "order: taken by cancel alone; leave it out of pause" in read(nonsense)["detail"]


def test_a_start_despite_the_freeze_begins_at_once(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, FROZEN)

    answer = caller.start(despite_freeze=True)

    assert answer.status == 201
    assert read(answer)["frozen"] is None


@pytest.mark.parametrize("command", sorted(set(ASKED) - set(UPWARD)))
def test_a_command_that_no_freeze_holds_up_is_refused_with_the_word(
    tmp_path: Path, command: str
) -> None:
    caller = a_caller(tmp_path, POLICY)
    caller.start()
    before = caller.world.head

    body = {"who": "anna", "despite_freeze": True}
    answer = caller.ask("command_rollout", body, ref="churn", command=command)

    assert answer.status == 409
    assert "despite_freeze: taken by resume, skip, promote, approve alone" in read(answer)["detail"]
    assert caller.world.head == before


@pytest.mark.parametrize("command", UPWARD)
def test_a_command_that_a_freeze_may_hold_up_takes_the_word(tmp_path: Path, command: str) -> None:
    caller = a_caller(tmp_path, POLICY)
    caller.start()

    body = {"who": "anna", "despite_freeze": True}
    answer = caller.ask("command_rollout", body, ref="churn", command=command)

    assert "alone" not in read(answer).get("detail", "")


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
