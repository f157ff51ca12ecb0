"""The outbox: what is owed to people, in which order, for how long, in how little room."""

from datetime import timedelta
from typing import Any

import pytest

from rollout.core import outbox
from rollout.core.events import AbortRequested, PauseRequested
from rollout.core.head import Head
from rollout.core.machine.decide import decide
from rollout.core.notify import Notice, Target, TargetKind, Targets, Topic
from rollout.core.record import record
from rollout.core.rollout import Phase
from rollout.errors import Malformed
from tests.builders import MINUTE, a_head, a_policy, a_rollout, an_order, started
from tests.fakes import NOON

ROOM = {"teams": "room"}
ALL = [topic.value for topic in Topic]


def told(head: Head, event: Any) -> Head:
    """The row after that event was decided and recorded."""
    return record(head, decide(head, event, NOON), event, NOON)[0]


def a_notice(name: str = "room", entry: int = 1, **details: Any) -> Notice:
    known = {"id": f"{name}-{entry}", "target": Target(kind=TargetKind.TEAMS, name=name)}
    times = {"since": NOON, "not_before": NOON, "topic": Topic.ENDED, "entry": entry}
    return Notice.model_validate({**known, **times, **details})


def test_a_start_is_told_to_whom_the_policy_names() -> None:
    policy = a_policy(notify=[ROOM, {"slack": "quiet", "on": ["ended"]}, {"webhook": "audit"}])

    head = told(a_head(), started(policy=policy))

    assert [(str(one.target), one.topic, one.entry) for one in head.outbox] == [
        ("teams room", Topic.STARTED, 1),
        ("webhook audit", Topic.STARTED, 1),
    ]
    assert len({one.id for one in head.outbox}) == 2


def test_github_is_told_only_of_a_commit_that_the_start_named() -> None:
    policy = a_policy(notify=[{"github": "ci"}])
    origin = {"repository": "contoso/churn", "commit": "ab" * 20}

    without = told(a_head(), started(policy=policy))
    named = told(a_head(), started(policy=policy, order=an_order(origin=origin)))

    assert without.outbox == ()
    assert [str(one.target) for one in named.outbox] == ["github ci"]


def test_a_notice_outlives_the_rollback_that_drops_all_other_debts() -> None:
    waiting = a_notice(attempts=3, not_before=NOON + MINUTE)
    rollout = a_rollout(policy=a_policy(notify=[ROOM]))

    head = told(a_head(rollout, outbox=(waiting,)), AbortRequested(id="x", who="anna"))

    assert head.phase is Phase.ROLLING_BACK
    assert [one.topic for one in head.outbox] == [Topic.ENDED, Topic.ROLLS_BACK]
    assert all(debt.action.type == "set_traffic" for debt in head.owed)


def test_a_full_outbox_lets_the_oldest_go_and_says_so() -> None:
    full = tuple(a_notice(entry=number) for number in range(1, outbox.OUTBOX_MAX + 1))
    before = a_head(a_rollout(policy=a_policy(notify=[ROOM])), outbox=full, entries=50)
    event = PauseRequested(id="p", who="anna")

    head, _, entry = record(before, decide(before, event, NOON), event, NOON)

    assert len(head.outbox) == outbox.OUTBOX_MAX
    assert head.outbox[0].entry == 2
    assert entry is not None
    assert entry.actions == ("give up the notice of entry 1 to teams room",)


def test_a_place_that_fails_holds_back_its_own_notices_alone() -> None:
    failing = a_notice("deaf", 1, not_before=NOON + MINUTE)
    head = a_head(outbox=(failing, a_notice("deaf", 2), a_notice("room", 3)))

    now = [one.entry for one in outbox.in_turn(head, NOON)]
    later = [one.entry for one in outbox.in_turn(head, NOON + MINUTE)]

    assert (now, later) == ([3], [1, 3])
    assert outbox.next_turn(head) == NOON


def test_the_waits_grow_to_a_quarter_of_an_hour_and_end() -> None:
    head, at, waits = a_head(outbox=(a_notice(),)), NOON, []
    while not outbox.is_last_try(head.outbox[0]):
        head = outbox.postponed(head, head.outbox[0], "no answer", at)
        waits.append((head.outbox[0].not_before - at).total_seconds())
        at = head.outbox[0].not_before

    assert waits == [10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]
    assert at - NOON == timedelta(seconds=4870)


def test_giving_up_is_an_entry_of_the_history() -> None:
    notice = a_notice(attempts=11)
    head = a_head(a_rollout(), outbox=(notice,), entries=7)

    after, entry = outbox.given_up(head, notice, "it answers 500", NOON)

    assert (after.outbox, after.entries) == ((), 8)
    assert (entry.number, entry.event) == (8, "NoticeGivenUp")
    assert entry.why == (
        "the notice of entry 1 (ended) did not reach teams room, asked 12 times: it answers 500"
    )


def test_the_outbox_is_a_small_part_of_the_row() -> None:
    """Full, of the longest names, each with an error of the longest: a fifth of 32 KiB."""
    name = "n" * 64
    worst = a_notice(name, id=f"churn-0123456789:99999:webhook:{name}", last_error="x" * 200)
    head = a_head(outbox=(worst,) * outbox.OUTBOX_MAX)

    assert len(head.model_dump_json()) < 16 * 1024


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ('{"teams": {"room": {"url": "s3cret", "uri": "s3cret"}}}', "teams.room.uri: Extra"),
        (
            '{"webhook": {"audit": {"url": "s3cret", "secret": "s3"}}}',  # pragma: allowlist secret
            "at least 16",
        ),
        ('{"mail": {}}', "mail: Extra inputs"),
    ],
)
def test_what_is_wrong_with_the_places_is_told_without_their_secrets(text: str, said: str) -> None:
    with pytest.raises(Malformed, match=said) as caught:
        Targets.parse(text)

    assert "s3cret" not in str(caught.value)


def test_a_rule_names_one_place() -> None:
    with pytest.raises(ValueError, match="exactly one place, not none: teams, slack"):
        a_policy(notify=[{"on": ["ended"]}])
    with pytest.raises(ValueError, match="exactly one place"):
        a_policy(notify=[{"teams": "a", "slack": "b"}])
