"""Recordings, each from the one detail that matters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rollout.analysis.samples import Counts, Latency
from rollout.rehearsal.recording import BaselineMinute, RecordedMinute, Recording
from tests.builders import MINUTE
from tests.fakes import NOON

RATE = 0.004
REQUESTS = 6000


def counts(requests: float, rate: float = RATE, p95: float = 50.0) -> Counts:
    """So many answers, the failed ones among them, without any chance."""
    bad = round(requests * rate)
    statuses = {200: round(requests) - bad, 424: bad}
    return Counts({status: n for status, n in statuses.items() if n}, Latency(p95=p95))


def a_minute(place: int, share: int, rate: float = RATE, **details: Any) -> RecordedMinute:
    """The minute so many after noon; the canary fails at that rate."""
    live = 0 if details.get("mirrored") else share
    given = {
        "at": at(place),
        "share": share,
        "canary": counts(REQUESTS * share / 100, rate) if share else None,
        "baseline": counts(REQUESTS * (100 - live) / 100),
    }
    return RecordedMinute.model_validate({**given, **details})


def legs_of(*legs: tuple[int, int], rate: float = RATE) -> tuple[RecordedMinute, ...]:
    """Shares in percent and how many minutes each lasts, one after the other."""
    shares = [share for share, minutes in legs for _ in range(minutes)]
    return tuple(a_minute(place, share, rate) for place, share in enumerate(shares))


def a_recording(minutes: Sequence[RecordedMinute], **details: Any) -> Recording:
    history = tuple(
        BaselineMinute(at=NOON - before * MINUTE, baseline=counts(REQUESTS))
        for before in range(120, 0, -1)
    )
    return Recording.model_validate({"minutes": minutes, "history": history, **details})


def at(place: int) -> datetime:
    return NOON + place * MINUTE
