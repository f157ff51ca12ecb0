"""Hooks as they are written, and the moments that they are told of."""

from typing import Any

import pytest
from pydantic import ValidationError

from rollout.core import moments, outbox
from rollout.core.events import AbortRequested, PromoteRequested
from rollout.core.head import Head, HistoryEntry
from rollout.core.hooks import Hook
from rollout.core.letter import letter
from rollout.core.machine.decide import decide
from rollout.core.policy import Policy
from rollout.core.record import record
from rollout.core.rollout import Phase
from tests.builders import (
    BLUE,
    GREEN,
    MINUTE,
    PASS,
    a_head,
    a_policy,
    a_rollout,
    looked,
    measured,
    rollout_of,
    split,
    started,
)
from tests.fakes import NOON

TOLD = [{"before": "cache"}, {"after": "audit"}]
POLICY = a_policy(
    {"canary": {"weight": 5, "hooks": TOLD}},
    {"canary": {"weight": 25, "hooks": TOLD}},
    hooks=TOLD,
)
LATER = NOON + 10 * MINUTE


def words(head: Head, event: Any, at: Any = NOON) -> list[str]:
    """What its decision makes the outbox owe beyond what was there."""
    row = record(head, decide(head, event, at), event, at)[0]
    return [f"{one.target.name}: {one.topic} {one.about}" for one in row.outbox]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({}, "exactly one kind"),
        ({"confirm": "a", "before": "b"}, "exactly one kind"),
        ({"before": "a", "retries": 5}, "only confirm waits for an answer"),
        ({"after": "a", "on_veto": "roll_back"}, "only confirm waits for an answer"),
        ({"confirm": "a", "on_veto": "advance"}, "on_veto"),
        ({"confirm": "a", "timeout_seconds": 11}, "timeout_seconds"),
        ({"confirm": "https://x"}, "confirm"),
    ],
)
def test_a_hook_that_cannot_be_meant_is_refused(text: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Hook.model_validate(text)


def test_what_is_written_out_can_be_read_again() -> None:
    assert Policy.model_validate_json(POLICY.text()) == POLICY


def test_a_policy_without_hooks_asks_and_tells_nobody() -> None:
    assert words(a_head(), started()) == []


def test_the_beginning_of_a_rollout_is_told() -> None:
    assert words(a_head(), started(policy=POLICY)) == ["cache: before the rollout"]


def test_the_beginning_of_the_first_stage_is_told_when_its_step_is_asked_for() -> None:
    head = a_head(a_rollout(Phase.PREPARING, policy=POLICY))

    assert words(head, looked(BLUE)) == ["cache: before canary 5 %"]


def test_what_is_over_is_told_before_what_begins() -> None:
    head = a_head(a_rollout(policy=POLICY, begun=0))

    told = words(head, measured(split(5), PASS, LATER), LATER)

    assert told == ["audit: after canary 5 %", "cache: before canary 25 %"]


def test_a_way_back_ends_its_stage_and_the_rollout_once_each() -> None:
    head = a_head(a_rollout(policy=POLICY, begun=0))
    stop = AbortRequested(id="x", who="anna")

    back = record(head, decide(head, stop, NOON), stop, NOON)[0]
    seen = looked(BLUE)
    over = record(back, decide(back, seen, NOON), seen, NOON)[0]

    assert [f"{one.topic} {one.about}" for one in back.outbox] == ["after canary 5 %"]
    assert over.phase is Phase.ROLLED_BACK
    assert [f"{one.topic} {one.about}" for one in over.outbox] == [
        "after canary 5 %",
        "after the rollout",
    ]


def test_what_is_over_is_told_once() -> None:
    head = a_head(a_rollout(Phase.ROLLED_BACK, policy=POLICY, begun=0))

    assert words(head, looked(BLUE)) == []
    assert moments.to_tell(head.rollout, head.rollout) == []


def test_a_promotion_ends_its_stage_and_the_rollout() -> None:
    policy = a_policy({"bake": {"hooks": TOLD}}, hooks=TOLD)
    head = a_head(a_rollout(policy=policy, begun=0, observed=GREEN, wanted=GREEN))

    told = words(head, PromoteRequested(id="p", who="anna"))

    assert told == ["audit: after bake 100 %", "audit: after the rollout"]


def test_two_words_of_one_entry_to_one_place_have_ids_of_their_own() -> None:
    policy = a_policy(
        {"canary": {"weight": 5, "hooks": [{"before": "x"}, {"after": "x"}]}},
        {"canary": {"weight": 25, "hooks": [{"before": "x"}]}},
        notify=[{"webhook": "x", "on": ["stage"]}],
    )
    head, event = a_head(a_rollout(policy=policy, begun=0)), measured(split(5), PASS, LATER)

    row = record(head, decide(head, event, LATER), event, LATER)[0]

    assert len(row.outbox) == 3
    assert len({one.id for one in row.outbox}) == 3


def test_a_letter_to_a_hook_says_what_begins() -> None:
    head, event = a_head(), started(policy=POLICY)
    decision = decide(head, event, NOON)
    row, _, entry = record(head, decision, event, NOON)
    assert isinstance(entry, HistoryEntry)

    told = letter(outbox.in_turn(row, NOON)[0], entry, rollout_of(decision))

    assert told.title == "ml/churn: green begins the rollout"
    assert (told.topic, told.about) == ("before", "the rollout")
