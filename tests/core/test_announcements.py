"""What others announce is decided once, however many come between and whenever it comes again."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from rollout.core.events import AlertFired, Event, ResumeRequested, StartRequested
from rollout.core.head import HEARD_MAX, REFUSALS_MAX, SEEN_MAX, Head
from rollout.core.machine.decide import decide
from rollout.core.machine.decision import Decision
from rollout.core.machine.repeats import answered
from rollout.core.record import record
from tests.builders import a_head, a_view, an_order, started
from tests.fakes import NOON

SECOND = timedelta(seconds=1)
KIB = 1024


def announced(number: int, at: datetime | None = None, **details: Any) -> StartRequested:
    """The start that an announcement asks for; without a time it happened at its number."""
    name = f"github:{number:032}"
    order = an_order(id=name, happened_at=at or NOON + number * SECOND)
    return started(id=name, order=order, **details)


def told(head: Head, event: Event) -> tuple[Head, Decision]:
    """The row after it, and its answer, as the engine has them; what began is over by then."""
    known = answered(head, event.id)
    if known:
        return head, known
    decision = decide(head, event, NOON)
    row, _, _ = record(head, decision, event, NOON)
    return row.model_copy(update={"rollout": None, "queued": None, "owed": ()}), decision


def after(*events: Event) -> Head:
    head = a_head()
    for event in events:
        head, _ = told(head, event)
    return head


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_deliveries_decides_one_twice_or_turns_a_no_into_a_yes(seed: int) -> None:
    dice, numbers = Random(seed), range(2 * HEARD_MAX)
    deliveries = [number for number in numbers for _ in range(dice.randint(1, 3))]
    dice.shuffle(deliveries)
    wrong = {number for number in numbers if dice.random() < 0.3}
    head, decided, refused = a_head(), set[int](), set[int]()

    for number in deliveries:
        view = a_view(green=None) if number in wrong and number not in refused else a_view()
        head, answer = told(head, announced(number, view=view))
        if answer.taken and not answer.repeated:
            assert number not in decided | refused
            decided.add(number)
        if not answer.taken:
            refused.add(number)

    assert decided
    assert len(head.heard) == HEARD_MAX
    assert [one.at for one in head.heard] == sorted(one.at for one in head.heard)


def test_an_older_one_than_those_that_are_known_is_refused_with_the_remedy() -> None:
    head = after(*(announced(number) for number in range(1, HEARD_MAX + 2)))

    _, answer = told(head, announced(1))

    assert answered(head, announced(1).id) is None
    assert not answer.taken
    assert answer.why == (
        "it happened at 2026-03-02 12:00:01 UTC, before the latest 50 announcements for ml/churn:"
        " whether it was decided is not known any more; if it is meant, let it happen again"
    )


def test_one_of_the_same_moment_as_the_oldest_may_have_been_forgotten() -> None:
    head = after(*(announced(number) for number in range(1, HEARD_MAX + 2)))
    order = an_order(id="github:other", happened_at=head.heard[0].at)

    assert not told(head, started(id="github:other", order=order))[1].taken


def test_a_newer_one_is_taken_however_many_are_known() -> None:
    head = after(*(announced(number) for number in range(1, HEARD_MAX + 2)))

    assert told(head, announced(HEARD_MAX + 2))[1].taken


def test_what_people_and_alerts_say_pushes_out_no_announcement() -> None:
    alerts = (
        AlertFired.model_validate(
            {"id": f"a{number}", "rule": "slow", "severity": "Sev4", "fired_at": NOON}
        )
        for number in range(2 * SEEN_MAX)
    )
    refused = (ResumeRequested(id=f"r{number}", who="anna") for number in range(2 * REFUSALS_MAX))
    head = after(announced(1), *alerts, *refused)

    _, again = told(head, announced(1))

    assert (again.taken, again.repeated) == (True, True)


def test_a_no_outlives_the_sentence_it_was_given_with() -> None:
    gone = announced(1, view=a_view(green=None))
    refused = (ResumeRequested(id=f"r{number}", who="anna") for number in range(REFUSALS_MAX))
    head = after(gone, *refused)

    _, again = told(head, announced(1))

    assert not any(no.id == gone.id for no in head.refused)
    assert (again.taken, again.repeated) == (False, True)
    assert again.why == "it was refused before, and what is asked again needs a new id"


def test_what_waited_its_turn_begins_however_many_were_heard_since() -> None:
    head = after(*(announced(number) for number in range(1, HEARD_MAX + 2)))
    waited = an_order(id="github:old", happened_at=NOON - 60 * SECOND)

    begun = decide(a_head(heard=head.heard), started(id="queued:1", order=waited), NOON)

    assert begun.taken


def test_one_that_tells_no_time_and_one_that_people_ask_for_are_known_as_before() -> None:
    head = after(*(announced(number) for number in range(1, HEARD_MAX + 2)))
    asked = started(id="start:k", order=an_order(id="start:k"))

    row, answer = told(head, asked)

    assert answer.taken
    assert (row.heard, row.seen) == (head.heard, (*head.seen, "start:k"))


def test_a_row_of_an_earlier_version_has_heard_nothing() -> None:
    old = a_head(seen=("github:1",)).model_dump(mode="json", exclude={"heard"})

    head = Head.model_validate(old)

    assert head.heard == ()
    known = answered(head, "github:1")
    assert known is not None
    assert known.taken


def test_what_is_known_of_announcements_takes_a_small_part_of_the_row() -> None:
    ids = [f"azure-devops:{number:0100}" for number in range(HEARD_MAX)]
    head = a_head()
    for name in ids:
        order = an_order(id=name, happened_at=NOON)
        head, _ = told(head, started(id=name, order=order))

    told_of = Head.model_validate({**a_head().model_dump(), "heard": head.heard})

    assert len(told_of.model_dump_json()) - len(a_head().model_dump_json()) < 9 * KIB
