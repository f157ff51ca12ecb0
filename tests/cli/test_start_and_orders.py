"""Asking for something: what is sent, what is said, and who is told."""

import json
from typing import Any

import pytest

from rollout.cli.orders import ORDERS
from rollout.core.rollout import HoldCause, Outcome, Phase
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.stories import ID, a_view, ended

STARTED = """\
contoso/churn: green in place of blue has started under churn@3f2a91c04d7e
  id:    churn-0a1b2c3d4e-3
  waits: for green to be ready
  next:  rollout watch contoso/churn
"""
QUEUED = {
    "queued": "green",
    "order": "start:7",
    "behind": ID,
    "why": f"green waits until {ID} is over",
}
NEXT_ID = "churn-0a1b2c3d4e-4"


def test_start_says_what_began_and_what_to_type_next(canned: Canned, shell: Shell) -> None:
    view = a_view(phase=Phase.PREPARING, waits_for="for green to be ready")
    canned.says("POST", "rollouts", view, status=201)

    done = shell.run(
        *("start", "churn", "green", "--policy", "churn", "--adopt"),
        *("--why", "release 41", "--as", "anna", "--idempotency-key", "run-41"),
    )

    assert (done.exit_code, done.stdout) == (0, STARTED)
    assert done.stderr == f"controller: local, {canned.url}\n"
    assert canned.requests[0].key == "run-41"
    assert canned.requests[0].body == {
        "endpoint": "churn",
        "deployment": "green",
        "policy": "churn",
        "adopt": True,
        "take_over": False,
        "who": "anna",
        "why": "release 41",
    }


def test_a_start_may_overlook_alerts(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", a_view(), status=201)

    shell.run("start", "churn", "green", "--despite-alert", "slow", "--despite-alert", "a b")

    assert canned.requests[0].body["despite_alerts"] == ["slow", "a b"]


def test_who_asks_is_by_default_the_user_of_this_machine(
    canned: Canned, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "berta")
    canned.says("POST", "rollouts", a_view(), status=201)

    shell.run("start", "churn", "green")

    assert canned.requests[0].body["who"] == "berta"
    assert "policy" not in canned.requests[0].body


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.PROMOTED, 0), (Outcome.ROLLED_BACK, 1)])
def test_start_and_wait_ends_as_the_rollout_ends(
    outcome: Outcome, code: int, canned: Canned, shell: Shell
) -> None:
    canned.says("POST", "rollouts", a_view(), status=201)
    canned.shows([a_view(), ended(outcome)])

    assert shell.run("start", "churn", "green", "--wait", "--json").exit_code == code


def test_a_queued_start_says_behind_what_it_waits(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)

    done = shell.run("start", "churn", "green")

    assert done.exit_code == 0
    assert done.stdout == (
        f"green waits for its turn: green waits until {ID} is over\n"
        f"  behind: {ID}\n"
        f"  next:   rollout watch {ID}\n"
    )


def test_wait_goes_on_with_the_queued_one_when_its_turn_comes(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)
    before = a_view(canary="teal", queued="green", queued_order="start:7")
    over = ended(Outcome.ABORTED, canary="teal", queued="green", queued_order="start:7")
    canned.shows([before, over])
    canned.says("GET", "rollouts/contoso~churn", over, a_view(id=NEXT_ID, order="start:7"))
    canned.says("GET", f"rollouts/{NEXT_ID}", ended(Outcome.PROMOTED, id=NEXT_ID, order="start:7"))
    canned.says("GET", f"rollouts/{NEXT_ID}/history", {"entries": []})

    assert shell.run("start", "churn", "green", "--wait").exit_code == 0


def test_a_queued_one_whose_place_is_taken_exits_3(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)
    canned.shows([a_view(canary="teal", queued="red", queued_order="start:8")])

    done = shell.run("start", "churn", "green", "--wait")

    assert done.exit_code == 3
    assert "red is newer and took the place of green" in done.stderr


def test_a_queued_one_that_could_not_start_exits_4(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)
    over = ended(Outcome.PROMOTED, canary="teal")
    canned.shows([over])

    done = shell.run("start", "churn", "green", "--wait")

    assert done.exit_code == 4
    assert "do:    read why: rollout explain contoso/churn" in done.stderr


def test_a_queued_one_may_wait_no_longer_than_asked(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)
    canned.shows([a_view(canary="teal", queued="green", queued_order="start:7")])

    done = shell.run("start", "churn", "green", "--wait", "--timeout", "2")

    assert done.exit_code == 2
    assert sum(shell.slept) == 120


def test_a_freeze_after_the_one_in_front_does_not_lengthen_the_wait(
    canned: Canned, shell: Shell
) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)
    waits = {"canary": "teal", "queued": "green", "queued_order": "start:7"}
    over = ended(Outcome.PROMOTED, **waits)
    canned.shows([*[a_view(**waits)] * 20, over])
    canned.says("GET", "rollouts/contoso~churn", over)

    done = shell.run("start", "churn", "green", "--wait", "--timeout", "1")

    assert done.exit_code == 2
    assert sum(shell.slept) == 60


def test_the_time_in_the_queue_is_of_the_time_to_wait(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)
    waits = {"canary": "teal", "queued": "green", "queued_order": "start:7"}
    over = ended(Outcome.PROMOTED, **waits)
    canned.shows([*[a_view(**waits)] * 15, over])
    begun = a_view(id=NEXT_ID, order="start:7")
    canned.says("GET", "rollouts/contoso~churn", begun)
    canned.says("GET", f"rollouts/{NEXT_ID}", begun)
    canned.says("GET", f"rollouts/{NEXT_ID}/history", {"entries": []})

    done = shell.run("start", "churn", "green", "--wait", "--timeout", "1")

    assert done.exit_code == 2
    assert sum(shell.slept) == 60


def test_a_queued_one_outlasts_a_restart_of_the_controller(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", QUEUED, status=202)
    over = ended(Outcome.PROMOTED, canary="teal", queued="green", queued_order="start:7")
    canned.shows([over])
    canned.says("GET", "rollouts/contoso~churn", over, over, a_view(id=NEXT_ID, order="start:7"))
    canned.says("GET", f"rollouts/{NEXT_ID}", ended(Outcome.PROMOTED, id=NEXT_ID, order="start:7"))
    canned.says("GET", f"rollouts/{NEXT_ID}/history", {"entries": []})
    restart = {1: canned.stop, 5: canned.start}
    shell.on_sleep = lambda count: restart.get(count, lambda: None)()

    assert shell.run("start", "churn", "green", "--wait").exit_code == 0
    assert len(shell.slept) >= 5


def test_a_time_to_wait_without_a_wait_is_no_command(canned: Canned, shell: Shell) -> None:
    done = shell.run("start", "churn", "green", "--timeout", "5")

    assert done.exit_code == 64
    assert "--timeout is for --wait" in done.stderr
    assert canned.requests == []


@pytest.mark.parametrize("order", [str(one.name) for one in ORDERS])
def test_each_order_is_sent_and_its_decision_told(order: str, canned: Canned, shell: Shell) -> None:
    held = a_view(
        phase=Phase.HOLDING,
        needs_person=True,
        waits_for=f"{HoldCause.PAUSED} by anna",
        remedy="rollout resume churn   (or: rollout abort churn)",
    )
    answer = {"decided": f"{order} by anna: launch day", "rollout": held}
    canned.says("POST", f"rollouts/contoso~churn/{order}", answer)

    done = shell.run(order, "contoso/churn", "--as", "anna", "--why", "launch day")

    assert done.exit_code == 0
    assert done.stdout == (
        f"contoso/churn: {order} by anna: launch day\n"
        "  now:  Standing still: it waits for you\n"
        "  next: rollout resume churn   (or: rollout abort churn)\n"
    )
    assert done.stderr == f"controller: local, {canned.url}\n"
    assert canned.requests[0].body == {"who": "anna", "why": "launch day"}
    assert json.loads(shell.run(order, "contoso/churn", "--json").stdout) == answer


def test_an_order_without_an_answer_is_sent_again_under_one_key(
    canned: Canned, shell: Shell
) -> None:
    busy = {"title": "Later", "detail": "ARM does not answer"}
    canned.says("POST", "rollouts/churn/abort", busy, status=503)
    good = {"decided": "aborted by anna", "rollout": a_view()}
    shell.on_sleep = lambda _: canned.says("POST", "rollouts/churn/abort", good)

    done = shell.run("abort", "churn")

    keys = [one.key for one in canned.requests]
    assert done.exit_code == 0
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert keys[0]


def test_despite_a_freeze_is_said_only_where_it_is_meant(canned: Canned, shell: Shell) -> None:
    canned.says("POST", "rollouts", a_view(), status=201)

    shell.run("start", "churn", "green", "--despite-freeze")
    shell.run("start", "churn", "green")

    meant, not_meant = [one.body for one in canned.requests if one.method == "POST"]
    assert meant["despite_freeze"] is True
    assert "despite_freeze" not in not_meant


def test_a_start_that_waits_for_a_freeze_says_until_when(canned: Canned, shell: Shell) -> None:
    why = "green waits: it is frozen (launch) until Mon 2026-03-02 13:00 UTC"
    waits = {"queued": "green", "behind": None, "until": "2026-03-02T13:00:00Z", "why": why}
    canned.says("POST", "rollouts", waits, status=202)

    done = shell.run("start", "churn", "green")

    assert done.output.endswith(f"{why}; it begins by itself\n")


def test_a_start_that_waits_is_taken_back_where_nothing_was_rolled_out_yet(
    canned: Canned, shell: Shell
) -> None:
    said = {"decided": "the start of green is cancelled by berta", "rollout": None}
    canned.says("POST", "rollouts/churn/cancel", said)

    done = shell.run("cancel", "churn", "--why", "wrong model", "--as", "berta")

    assert done.exit_code == 0
    assert canned.requests[-1].body == {"who": "berta", "why": "wrong model"}
    assert done.output.endswith("churn: the start of green is cancelled by berta\n")


def test_a_start_is_taken_back_by_its_key_from_the_queue(canned: Canned, shell: Shell) -> None:
    said = {"decided": "the start of green is cancelled by ci", "rollout": None}
    canned.says("POST", "rollouts/churn/cancel", said)

    done = shell.run("cancel", "churn", "--start-key", "41-1", "--as", "ci")

    assert done.exit_code == 0
    assert canned.requests[-1].body == {"who": "ci", "why": "", "order": "start:41-1"}


def test_a_start_that_has_begun_is_aborted_by_the_id_of_its_rollout(
    canned: Canned, shell: Shell
) -> None:
    mine = a_view(order="start:41-1")
    canned.refuses("POST", "rollouts/churn/cancel", 409, "no start waits here")
    canned.says("GET", "rollouts/churn", mine)
    said = {"decided": "aborted by ci", "rollout": mine}
    canned.says("POST", f"rollouts/{mine['id']}/abort", said)

    done = shell.run("cancel", "churn", "--start-key", "41-1", "--as", "ci", "--why", "stopped")

    assert done.exit_code == 0, done.output
    assert canned.requests[-1].body == {"who": "ci", "why": "stopped"}
    assert "aborted by ci" in done.output


@pytest.mark.parametrize(
    "there", [a_view(order="start:42-1"), ended(Outcome.PROMOTED, order="start:41-1"), None]
)
def test_what_others_started_and_what_is_over_is_left_alone(
    there: dict[str, Any] | None, canned: Canned, shell: Shell
) -> None:
    canned.refuses("POST", "rollouts/churn/cancel", 409, "no start waits here")
    if there:
        canned.says("GET", "rollouts/churn", there)
    else:
        canned.refuses("GET", "rollouts/churn", 404, "nothing was rolled out on churn yet")

    done = shell.run("cancel", "churn", "--start-key", "41-1", "--as", "ci")

    assert done.exit_code == 0, done.output
    assert done.output.endswith("churn: nothing waits or goes on from that start\n")
    assert [one.method for one in canned.requests] == ["POST", "GET"]


def test_who_may_not_take_it_back_is_told_so(canned: Canned, shell: Shell) -> None:
    canned.refuses("POST", "rollouts/churn/cancel", 403, "the role operator is needed")

    assert shell.run("cancel", "churn", "--start-key", "41-1", "--as", "ci").exit_code == 4
