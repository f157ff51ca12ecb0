"""The numbers that history keeps of each step of a rotation."""

from datetime import datetime, timedelta
from typing import Any

from rollout.core.head import Head
from rollout.core.rotation.decide import decide_keys
from rollout.core.rotation.events import KeyEvent
from rollout.core.rotation.record import record_keys
from rollout.core.rotation.state import RotationPhase
from tests.builders import MINUTE, a_head
from tests.core.rotations import NEW, a_renewal, proven, rotating, seen, wished
from tests.fakes import NOON

P = RotationPhase


def told(head: Head, event: KeyEvent, now: datetime = NOON) -> dict[str, Any]:
    decision = decide_keys(head, event, now)
    _, entry = record_keys(head, decision, event, now)
    assert entry is not None
    return entry.numbers


def test_a_beginning_tells_the_rules_it_goes_by() -> None:
    rules = {"overlap_minutes": 60, "ready_within_minutes": 15, "lands_within_minutes": 10}

    assert told(a_head(), wished()) == rules
    assert told(a_head(), wished(leaked=True)) == rules | {"overlap_minutes": 0}


def test_a_request_tells_which_one_it_is_and_when_it_must_have_shown() -> None:
    again = rotating(P.RENEWING_SPARE, renewal=a_renewal())

    numbers = told(again, seen(), NOON + 10 * MINUTE)

    assert numbers == {
        "request": 2,
        "requests_max": 3,
        "lands_by": (NOON + 20 * MINUTE).isoformat(),
    }


def test_a_proof_tells_its_answers_what_failed_before_and_how_long_it_took() -> None:
    trouble = "the secondary key: 503 instead of 200"
    head = rotating(P.PROVING, passed=4, failures=2, trouble=trouble)

    numbers = told(head, proven(passed=6), NOON + timedelta(seconds=75))

    assert numbers == {
        "answers": 10,
        "answers_wanted": 10,
        "seconds": 75.0,
        "failures": 2,
        "last_failure": trouble,
    }


def test_what_is_published_tells_its_end_and_the_overlap() -> None:
    writing = rotating(P.PUBLISHING)

    asked = told(writing, seen(secondary=NEW))
    shown = told(writing, seen(secondary=NEW, published=NEW), NOON + MINUTE)

    assert asked == {"expires_at": (NOON + timedelta(days=90)).isoformat()}
    assert shown == {
        "version": "v1",
        "seconds": 60.0,
        "overlap_until": (NOON + 61 * MINUTE).isoformat(),
    }
