"""What people see of a rotation: what it waits for, until when, and what happens then."""

from datetime import datetime
from typing import Any

import pytest

from rollout.core.rotation.state import RotationPhase
from rollout.keys.views import deadline, rotation_view
from tests.builders import MINUTE
from tests.core.rotations import a_renewal, a_rotation
from tests.fakes import NOON

P = RotationPhase


@pytest.mark.parametrize(
    ("phase", "details", "until", "then"),
    [
        (P.WAITING, {}, None, ""),
        (P.TRYING_SPARE, {}, None, ""),
        (P.RENEWING_SPARE, {}, None, ""),
        (P.RENEWING_SPARE, {"renewal": a_renewal()}, NOON + 10 * MINUTE, "Azure is asked once"),
        (P.RENEWING_OLD, {"renewal": a_renewal(sent_times=3)}, NOON + 10 * MINUTE, "a person"),
        (P.PROVING, {}, NOON + 15 * MINUTE, "a person is asked"),
        (P.CONFIRMING, {}, NOON + 15 * MINUTE, "a person is asked"),
        (P.OVERLAPPING, {}, NOON + 60 * MINUTE, "the new key is proven once more"),
        (P.OVERLAPPING, {"leaked": True}, NOON, "the new key is proven once more"),
        (P.ROTATED, {}, None, ""),
    ],
)
def test_a_phase_tells_until_when_it_waits_and_what_happens_then(
    phase: RotationPhase, details: dict[str, Any], until: datetime | None, then: str
) -> None:
    told = deadline(a_rotation(phase, **details))

    assert told[0] == until
    assert told[1].startswith(then)
    assert bool(told[1]) is bool(then)


@pytest.mark.parametrize("phase", P)
def test_every_phase_says_what_it_waits_for(phase: RotationPhase) -> None:
    view = rotation_view(a_rotation(phase))

    over = view.waits_for == "nothing: it is over"
    assert over is a_rotation(phase).over
