"""`rollout watch`: each ending has its exit code, and a restart in the middle is survived."""

import json

import pytest

from rollout.analysis.report import Verdict
from rollout.cli.endings import Exit
from rollout.cli.follow import PATIENCE_SECONDS
from rollout.core.rollout import Outcome
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.stories import HISTORY, a_view, approving, ended, entry, finding, stuck_rollback

WATCHED = """\
contoso/churn: green in place of blue, policy churn@3f2a91c04d7e
controller: local, {url}; times are UTC
12:00:01  preparing     anna starts green against blue under churn
12:00:02  shifting      canary 5 % passed: error rate worse by -0.10% to +0.05%, 0.10% allowed
          error rate: ✔ pass; canary 0.42 % of 2,841, baseline 0.40 % of 8,523; all well
          error rate: ✘ fail; canary 0.42 % of 2,841, baseline 0.40 % of 8,523; too many
Rolled back, and safe: blue 100 % again; green answers no live request
"""


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.PROMOTED, 0),
        (Outcome.ROLLED_BACK, 1),
        (Outcome.ABORTED, 3),
        (Outcome.SUPERSEDED, 3),
        (Outcome.UNDONE, 3),
        (Outcome.REFUSED, 4),
    ],
)
def test_the_exit_code_tells_the_ending(
    outcome: Outcome, code: int, canned: Canned, shell: Shell
) -> None:
    canned.shows([a_view(), a_view(), ended(outcome)])

    assert shell.run("watch", "churn").exit_code == code


def test_what_is_undecided_in_time_exits_2(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view()])

    done = shell.run("watch", "churn", "--timeout", "1")

    assert done.exit_code == 2
    assert sum(shell.slept) == 60
    assert done.stderr == (
        "rollout: contoso/churn is undecided after 1 minute; it goes on\n"
        "  waits: for the verdict on canary 25 %\n"
        "  do:    rollout watch contoso/churn\n"
    )


def test_without_a_terminal_each_new_thing_is_one_line(canned: Canned, shell: Shell) -> None:
    well = a_view(findings=(finding(Verdict.PASS, "all well"),))
    ill = a_view(findings=(finding(Verdict.FAIL, "too many"),))
    canned.shows([well, well, well, ill, ended(Outcome.ROLLED_BACK)], HISTORY)

    done = shell.run("watch", "churn")

    assert done.stdout == WATCHED.format(url=canned.url)


def test_a_need_for_a_person_is_said_once_with_the_remedy(canned: Canned, shell: Shell) -> None:
    canned.shows([approving(), approving(), approving(), ended(Outcome.PROMOTED)])

    told = shell.run("watch", "churn").stdout

    assert told.count("needs a person: Waiting for your yes or no; for people: go on") == 1
    assert told.count("do: rollout approve churn   (or: rollout reject churn)") == 1


def test_that_nobody_looks_is_said_once(canned: Canned, shell: Shell) -> None:
    stale = a_view(late_seconds=121)
    canned.shows([a_view(), stale, stale, ended(Outcome.PROMOTED)])

    told = shell.run("watch", "churn").stdout

    assert told.count("its next look is 2:01 late: all this is old; why: rollout doctor\n") == 1


def test_trouble_is_said_when_it_comes(canned: Canned, shell: Shell) -> None:
    late = a_view(trouble="ARM does not answer")
    canned.shows([a_view(), late, late, stuck_rollback(), ended(Outcome.ROLLED_BACK)])

    told = shell.run("watch", "churn").stdout

    assert told.count("trouble: ARM does not answer\n") == 1
    assert "NOT SAFE: the traffic is not given back yet; Azure refuses to set traffic" in told


def test_the_same_rollout_is_watched_to_its_end(canned: Canned, shell: Shell) -> None:
    """A newer rollout on the endpoint does not slip under the watch."""
    canned.shows([a_view(), ended(Outcome.ABORTED)])

    shell.run("watch", "churn")

    asked = [one.path for one in canned.requests if not one.path.endswith("history")]
    assert asked == ["rollouts/churn", "rollouts/churn-0a1b2c3d4e-3", "rollouts/churn-0a1b2c3d4e-3"]


def test_only_new_history_is_asked_for(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view(), ended(Outcome.PROMOTED)], [entry(7, "seven")])

    shell.run("watch", "churn")

    asked = [one.query for one in canned.requests if one.path.endswith("history")]
    assert asked == ["after=0", "after=7"]


def test_a_restart_in_the_middle_is_survived(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view(), a_view(), ended(Outcome.PROMOTED)])
    restart = {1: canned.stop, 20: canned.start}
    shell.on_sleep = lambda count: restart.get(count, lambda: None)()

    done = shell.run("watch", "churn")

    assert done.exit_code == 0
    assert done.stdout.count("the controller does not answer; trying again") == 1
    assert done.stdout.count("the controller answers again") == 1


def test_a_controller_that_stays_away_exits_5_in_bounded_time(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view()])
    shell.on_sleep = lambda count: canned.stop() if count == 1 else None

    done = shell.run("watch", "churn")

    assert done.exit_code == 5
    assert PATIENCE_SECONDS < sum(shell.slept) < PATIENCE_SECONDS + 10
    assert "When last seen, contoso/churn was measuring" in done.stderr
    assert "then: rollout watch churn-0a1b2c3d4e-3" in done.stderr


def test_json_is_one_document_and_the_progress_is_on_stderr(canned: Canned, shell: Shell) -> None:
    last = ended(Outcome.ROLLED_BACK)
    canned.shows([a_view(), last], HISTORY)

    done = shell.run("watch", "churn", "--json")

    assert json.loads(done.stdout) == last
    assert "12:00:02  shifting      canary 5 % passed" in done.stderr
    assert done.exit_code == 1


def test_ctrl_c_says_that_the_rollout_goes_on(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view()])

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    shell.on_sleep = interrupt

    done = shell.run("watch", "churn")

    assert done.exit_code == Exit.INTERRUPTED
    assert "the rollout goes on; look again: rollout watch contoso/churn" in done.stderr


def test_a_fast_clock_is_watched_more_often(canned: Canned, shell: Shell) -> None:
    canned.shows([a_view(minute_seconds=3), ended(Outcome.PROMOTED, minute_seconds=3)])

    shell.run("watch", "churn")

    assert shell.slept == [0.5]
