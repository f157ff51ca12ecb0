"""What people hear of a rotation: when it asks, fails for long, ends, or should have been."""

from typing import Any

import pytest

from rollout.core import outbox
from rollout.core.head import Head, HistoryEntry
from rollout.core.notify import Notice
from rollout.core.rollout import Phase
from rollout.core.rotation.decide import decide_keys
from rollout.core.rotation.events import (
    KeyEvent,
    LookFailed,
    RotationAbortRequested,
    RotationOverdue,
)
from rollout.core.rotation.letter import KeyLetter, key_letter
from rollout.core.rotation.record import record_keys
from rollout.core.rotation.state import RotationPhase
from rollout.core.rotation.topics import TROUBLED_AFTER
from tests.builders import a_head, a_rollout, an_endpoint
from tests.core.rotations import PRIMARY, a_renewal, a_rotation_policy, rotating, seen, wished
from tests.fakes import NOON

P = RotationPhase
ALL = [{"teams": "room", "on": ["started", "asks", "trouble", "ended", "overdue"]}]
TOLD = a_rotation_policy(notify=ALL)
OVERDUE = RotationOverdue(id="o", who="rollout", why="it did not start", policy=TOLD)
STOP = RotationAbortRequested(id="stop", who="anna", why="not today")


def after(head: Head, event: KeyEvent) -> tuple[Head, HistoryEntry | None]:
    return record_keys(head, decide_keys(head, event, NOON), event, NOON)


def owed(head: Head, event: KeyEvent) -> list[str]:
    return [f"{one.topic} to {one.target}" for one in after(head, event)[0].outbox]


def told(phase: RotationPhase, **changes: Any) -> Head:
    return rotating(phase, policy=TOLD, **changes)


def written(head: Head, event: KeyEvent) -> KeyLetter:
    row, entry = after(head, event)
    assert entry is not None
    return key_letter(row.outbox[-1], entry, an_endpoint())


@pytest.mark.parametrize(
    ("head", "event", "topic"),
    [
        (a_head(), wished(policy=TOLD), "started"),
        (told(P.WAITING), seen(published="print-of-nobody"), "asks"),
        (told(P.PROVING), seen(published="print-of-nobody"), "asks"),
        (told(P.WAITING), seen(mode="aadtoken"), "ended"),
        (told(P.OVERLAPPING), STOP, "ended"),
        (
            told(P.RENEWING_OLD, renewal=a_renewal(key=PRIMARY, fingerprint="gone")),
            seen(secondary="print-of-new", published="print-of-new"),
            "ended",
        ),
        (a_head(), OVERDUE, "overdue"),
        (told(P.ASKING), OVERDUE, "overdue"),
        (told(P.ROTATED), OVERDUE, "overdue"),
    ],
)
def test_what_a_person_should_know_is_owed_with_the_decision(
    head: Head, event: KeyEvent, topic: str
) -> None:
    row, entry = after(head, event)

    assert [str(one.topic) for one in row.outbox] == [topic]
    assert entry is not None
    assert (row.outbox[0].entry, row.outbox[0].of_keys) == (entry.number, True)


def test_nobody_hears_of_a_step_in_between_or_of_what_was_not_asked_for() -> None:
    unasked = a_rotation_policy(notify=[{"slack": "quiet"}])

    assert owed(told(P.WAITING), seen()) == []
    assert owed(a_head(), wished(policy=unasked)) == []
    assert owed(rotating(P.OVERLAPPING, policy=unasked), STOP) == ["ended to slack quiet"]


def test_trouble_is_told_once_when_it_has_lasted() -> None:
    """It goes on trying, so that no question would ever say so."""
    head, entries = told(P.OVERLAPPING), []
    for number in range(2 * TROUBLED_AFTER):
        failed = LookFailed(id=f"look {number}", reason="403: listKeys is not allowed")
        head, entry = after(head, failed)
        entries += [(number + 1, entry.why)] if entry else []

    assert entries == [(TROUBLED_AFTER, "403: listKeys is not allowed")]
    assert [str(one.topic) for one in head.outbox] == ["trouble"]


def test_a_rotation_that_asks_is_due_for_its_notice_alone() -> None:
    row, _ = after(told(P.PROVING), seen(published="print-of-nobody"))

    assert row.rotation is not None
    assert row.rotation.due_at is None
    assert row.due_at == NOON + outbox.GRACE


def test_a_letter_has_the_sentence_the_numbers_and_the_command_that_helps() -> None:
    asking = written(told(P.PROVING), seen(published="print-of-nobody"))
    ended = written(told(P.OVERLAPPING), STOP)
    overdue = written(a_head(), OVERDUE)

    assert asking.title == "ml/churn: the rotation of its keys needs a person"
    assert asking.sentence.startswith("somebody else wrote ml-churn-key; say which key")
    assert asking.command == "rollout keys resume ml/churn --in-use primary|secondary"
    assert (asking.is_bad, asking.kind) == (True, "keys.asks")
    assert ended.title == "ml/churn: the rotation of its keys is aborted"
    assert (ended.who, ended.subject) == ("anna", "churn-keys-1")
    assert (overdue.subject, overdue.command) == ("ml/churn", "rollout keys rotate ml/churn")
    assert overdue.sentence == "it did not start"


def test_a_beginning_is_told_with_the_rules_it_goes_by() -> None:
    begun = written(a_head(), wished(policy=TOLD))

    assert begun.numbers == (
        "a client may keep a key for 60 minutes",
        "a regeneration may take 10 minutes",
        "a new key may be refused for 15 minutes",
    )


def test_a_notice_of_keys_that_is_given_up_is_told_of_the_rotation_beside_a_rollout() -> None:
    row, _ = after(told(P.OVERLAPPING, id="churn-keys-7"), STOP)
    head = row.model_copy(update={"rollout": a_rollout(Phase.MEASURING)})

    _, entry = outbox.given_up(head, head.outbox[0], "it answers 500", NOON)

    assert (entry.rollout_id, entry.rotation_id) == (None, "churn-keys-7")
    assert (entry.before, entry.after, entry.stage) == (P.ABORTED, P.ABORTED, "")


def test_a_row_of_before_keeps_its_notices_as_those_of_rollouts() -> None:
    old = {"id": "a", "target": {"kind": "teams", "name": "room"}, "topic": "ended", "entry": 1}

    notice = Notice.model_validate({**old, "since": NOON, "not_before": NOON})

    assert notice.of_keys is False


@pytest.mark.parametrize(
    "rule",
    [
        {"teams": "room", "on": ["holds"]},
        {"github": "ci"},
        {"on": ["ended"]},
        {"teams": "a", "slack": "b"},
    ],
)
def test_what_means_nothing_for_keys_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"notify\.0"):
        a_rotation_policy(notify=[rule])
