"""Reading rollouts: what needs a person comes first, with the command that helps."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from rollout.cli.endings import Exit
from rollout.core.rollout import Outcome, Phase
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.stories import (
    BAD,
    HISTORY,
    Json,
    a_view,
    approving,
    ended,
    stuck_rollback,
)

LISTED = """\
Needs a person (2)
  ✘ contoso/fraud  NOT SAFE: the traffic is not given back yet
      green in place of blue; canary 25 %, stage 4 of 7
      Azure refuses to set traffic to blue 100 %: quota.
      → az ml online-endpoint update
  ■ contoso/churn  Waiting for your yes or no
      green in place of blue; approval, stage 5 of 7
      for people: go on to canary 95 %?
      → rollout approve churn   (or: rollout reject churn)

On the way (1)
  ● contoso/digits  Nothing bad so far, too early to tell
      green in place of blue; canary 25 %, stage 4 of 7

Over (1)
  ✔ contoso/prices  Promoted: green has all traffic
      green in place of blue; 2026-03-02 12:00:00 UTC
"""

SHOWN = """\
  contoso/churn   green in place of blue   churn@3f2a91c04d7e

  ● Nothing bad so far, too early to tell
    green answers 25 % of the live requests

  next     nothing to do   (stop it: rollout abort contoso/churn)
  waits    for the verdict on canary 25 %
  stages   ✔ smoke  ✔ mirror 20 %  ✔ canary 5 %  ▶ canary 25 %  · approval  · canary 95 %  · bake 100 %
  time     stage 4 of 7; 3:12 gone, at least 1:48 to go, at most 56:48
  traffic  ██████░░░░░░░░░░░░░░░░░░  blue 75 %, green 25 %

  guard        if bad  canary  requests  baseline  requests  verdict
  error rate   fail    0.42 %     2,841    0.40 %     8,523  ✔ pass
  latency p95  hold    183 ms     2,841    181 ms     8,523  · too early to tell
  latency p95: 159 more requests needed
  numbers up to 12:00:00 UTC

  12:00:01  anna starts green against blue under churn
  12:00:02  canary 5 % passed: error rate worse by -0.10% to +0.05%, 0.10% allowed

  id        churn-0a1b2c3d4e-3
  asked by  anna, 2026-03-02 11:29:00 UTC: release 41
  before    blue 100 % (what a rollback restores)
  looks     2026-03-02 12:00:20 UTC
"""  # noqa: E501 - as wide as in a pipe

EXPLAINED = """\
contoso/churn: green in place of blue, under churn@3f2a91c04d7e
asked by anna: release 41

2026-03-02 12:00:01 UTC  anna asked for the start
  anna starts green against blue under churn
    did    mark the endpoint as worked on by this installation
    phase  idle → preparing (smoke)

2026-03-02 12:00:02 UTC  a look at the endpoint
  canary 5 % passed: error rate worse by -0.10% to +0.05%, 0.10% allowed
    seen   blue 95 %, green 5 %
    number error rate (fail): pass; error rate worse by -0.10% to +0.05%, 0.10% allowed
    did    set traffic to blue 75 %, green 25 %
    phase  measuring → shifting (canary 25 %)

Now  Nothing bad so far, too early to tell
    waits  for the verdict on canary 25 %
    number error rate (fail): pass; error rate worse by -0.10% to +0.05%, 0.10% allowed
    number latency p95 (hold): inconclusive; latency p95: 159 more requests needed
    next   nothing to do   (stop it: rollout abort contoso/churn)
"""


def test_list_shows_first_what_needs_a_person(canned: Canned, shell: Shell) -> None:
    prices = ended(Outcome.PROMOTED, endpoint="contoso/prices", id="prices-1")
    digits = a_view(endpoint="contoso/digits", id="digits-1")
    fraud = {**stuck_rollback(), "endpoint": "contoso/fraud", "id": "fraud-1"}
    canned.says("GET", "rollouts", {"rollouts": [prices, digits, approving(), fraud]})

    done = shell.run("list")

    assert (done.exit_code, done.stdout, done.stderr) == (Exit.OK, LISTED, "")


def test_list_asks_for_the_wanted_state(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "rollouts", {"rollouts": []})

    done = shell.run("list", "--state", "live", "--limit", "3")

    assert done.stdout == (
        "No rollout is on the way. Those that are over: rollout list --state ended\n"
    )
    assert canned.requests[0].query == "state=live&limit=3"


def test_an_empty_list_says_how_to_begin(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "rollouts", {"rollouts": []})

    told = shell.run("list").stdout

    assert told == "No rollouts yet. Start one: rollout start ENDPOINT DEPLOYMENT --wait\n"


def test_get_shows_one_rollout_in_full(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view()], HISTORY)

    done = shell.run("get", "contoso/churn")

    assert done.exit_code == Exit.OK
    assert done.stdout.startswith(SHOWN)


def test_get_says_what_was_not_seen_yet_and_what_is_owed(canned: Canned, shell: Shell) -> None:
    canned.shows([stuck_rollback()])

    shown = shell.run("get", "churn").stdout

    assert "✘ NOT SAFE: the traffic is not given back yet" in shown
    assert "  next     az ml online-endpoint update\n" in shown
    assert shown.endswith("\n\n  → az ml online-endpoint update\n")
    assert "asked for blue 100 %, not seen yet" in shown
    assert "tried 7 times, again at 12:00:05 UTC (409: the endpoint is being updated)" in shown
    assert "to go" not in shown


def test_get_says_who_may_approve_and_what_happens_if_nobody_does(
    canned: Canned, shell: Shell
) -> None:
    asked = {"approvers": ("anna", "ben"), "quorum": 2, "approved_by": ("anna",)}
    canned.shows([approving(until="2026-03-02T13:00:00Z", then="roll_back", **asked)])

    shown = shell.run("get", "churn").stdout

    assert (
        "  asked    anna, ben may say yes; 1 of 2 have (anna);"
        " at 2026-03-02 13:00:00 UTC: roll back\n"
    ) in shown


def test_a_hold_that_ends_by_itself_says_when_and_how(canned: Canned, shell: Shell) -> None:
    why = "alert slow (Sev1) fired; if it is not resolved at the next look, the traffic goes back"
    held = {"until": "2026-03-02T12:01:00Z", "then": "roll_back", "waits_for": why}
    canned.shows([a_view(phase=Phase.HOLDING, **held)])

    shown = shell.run("get", "churn").stdout

    assert "■ Standing still; if nothing changes, at 2026-03-02 12:01:00 UTC: roll back\n" in shown
    assert f"  waits    {why}\n" in shown


def test_what_is_old_is_shown_as_old(canned: Canned, shell: Shell) -> None:
    stale = a_view(late_seconds=2832)
    canned.shows([stale])
    canned.says("GET", "rollouts", {"rollouts": [stale]})
    told = "its next look is 47:12 late: all this is old; why: rollout doctor"

    assert f"  late     {told}\n" in shell.run("get", "churn").stdout
    assert f"      {told}\n" in shell.run("list").stdout


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ({"frozen": "launch"}, "Standing still until the freeze is over"),
        ({"hook": "board"}, "Standing still until hook board has answered"),
    ],
)
def test_what_it_stands_still_for_is_said_first(
    why: Json, words: str, canned: Canned, shell: Shell
) -> None:
    canned.shows([a_view(phase=Phase.HOLDING, **why)])

    assert f"  ■ {words}\n" in shell.run("get", "churn").stdout


def test_while_it_stands_still_the_time_of_the_stage_does_not_run(
    canned: Canned, shell: Shell
) -> None:
    canned.shows([a_view(phase=Phase.HOLDING)])

    shown = shell.run("get", "churn").stdout

    assert "  time     stage 4 of 7; 3:12 gone, its clock stands still\n" in shown


@pytest.mark.parametrize(("share", "cells"), [(0, 0), (1, 1), (50, 12), (99, 23), (100, 24)])
def test_a_share_is_seen_in_the_bar_however_small(
    share: int, cells: int, canned: Canned, shell: Shell
) -> None:
    live = {"blue": 100 - share, "green": share}
    canned.shows([a_view(observed={"live": {name: one for name, one in live.items() if one}})])

    shown = shell.run("get", "churn").stdout

    assert f"  traffic  {'█' * cells}{'░' * (24 - cells)}  " in shown


def test_get_says_why_it_was_rolled_back(canned: Canned, shell: Shell) -> None:
    back = {"why": "error rate", "decided_at": "2026-03-02T12:00:00Z"}
    canned.shows([ended(Outcome.ROLLED_BACK, rollback=back, findings=BAD)])

    shown = shell.run("get", "churn").stdout

    assert "↩ Rolled back, and safe: blue 100 % again" in shown
    assert "  because  error rate\n" in shown
    assert "error rate worse by +4.59% to +5.44%, 0.10% allowed" in shown


def test_an_arm_id_is_asked_for_by_name(canned: Canned, shell: Shell) -> None:
    view = a_view()
    canned.shows([view])

    done = shell.run("get", str(view["endpoint_id"]), "--json")

    assert json.loads(done.stdout) == view
    assert canned.requests[0].path == "rollouts/contoso~churn"


def test_what_a_newer_controller_says_more_is_left_alone(canned: Canned, shell: Shell) -> None:
    canned.shows([{**a_view(), "mood": "calm"}])

    assert shell.run("get", "churn").exit_code == Exit.OK


def test_explain_retells_the_history(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view()], HISTORY)

    done = shell.run("explain", "churn")

    assert done.stdout == EXPLAINED


def test_each_reading_has_json(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view()], HISTORY)
    canned.says("GET", "rollouts", {"rollouts": [a_view()]})

    assert json.loads(shell.run("list", "--json").stdout) == {"rollouts": [a_view()]}
    assert json.loads(shell.run("get", "churn", "--json").stdout) == a_view()
    assert json.loads(shell.run("explain", "churn", "--json").stdout) == {
        "rollout": a_view(),
        "entries": list(HISTORY),
    }


def test_a_long_list_is_asked_for_page_by_page(canned: Canned, shell: Shell) -> None:
    views = [a_view(id=f"churn-0123456789-{number}") for number in range(600)]
    pages: list[dict[str, Any]] = [
        {"rollouts": views[:500], "waiting": [], "next": "live:a"},
        {"rollouts": views[500:], "next": "ended:1:b"},
    ]
    canned.says("GET", "rollouts", *pages)

    body = json.loads(shell.run("list", "--limit", "600", "--json").stdout)

    assert body["rollouts"] == views
    assert body["next"] == "ended:1:b"
    assert [parse_qs(one.query) for one in canned.requests] == [
        {"state": ["all"], "limit": ["500"]},
        {"state": ["all"], "limit": ["100"], "after": ["live:a"]},
    ]


def test_what_ends_between_two_pages_is_listed_once_as_it_ended(
    canned: Canned, shell: Shell
) -> None:
    over = a_view(phase="promoted", outcome="promoted")
    live = {"rollouts": [a_view()], "waiting": [], "next": "live:a"}
    canned.says("GET", "rollouts", live, {"rollouts": [over], "next": None})

    body = json.loads(shell.run("list", "--json").stdout)

    assert body["rollouts"] == [over]


def test_a_list_that_goes_on_says_how_to_see_more(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "rollouts", {"rollouts": [a_view()], "next": "live:a"})

    done = shell.run("list", "--limit", "1")

    assert "There are more: rollout list --state all --limit 2" in done.stdout


def test_starts_that_wait_are_listed_with_the_command_that_takes_them_back(
    canned: Canned, shell: Shell
) -> None:
    start = {"endpoint": "contoso/churn", "deployment": "green", "who": "anna", "why": ""}
    frozen = {**start, "behind": None, "until": "2026-03-02T13:00:00Z"}
    behind = {**start, "endpoint": "contoso/fraud", "behind": "fraud-1", "until": None}
    canned.says("GET", "rollouts", {"rollouts": [], "waiting": [frozen, behind]})

    done = shell.run("list")

    assert done.output == (
        "Waiting to start (2)\n"
        "  contoso/churn  green waits until 2026-03-02 13:00:00 UTC; started by anna\n"
        "      → rollout cancel contoso/churn\n"
        "  contoso/fraud  green waits for its turn behind fraud-1; started by anna\n"
        "      → rollout cancel contoso/fraud\n"
    )
