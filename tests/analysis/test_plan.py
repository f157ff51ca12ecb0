"""What a rollout will be able to see, and whether it fits."""

import math

import pytest

from benchmarks.judge.measure import Task
from benchmarks.judge.promised import keep
from benchmarks.judge.scenarios import Cell, load
from rollout.analysis.capacity import Load, capacity
from rollout.analysis.chance import Asked
from rollout.analysis.excess import Margin
from rollout.analysis.plan import (
    Leg,
    Traffic,
    divergence,
    evidence_rate,
    evidence_rate_beyond,
    foresee,
    guards_in_vain,
)

LEGS = tuple(Leg(share, 6) for share in (5, 10, 20, 50, 100))


def test_equal_arms_yield_no_evidence() -> None:
    assert evidence_rate(0.05, 0.01, 0.01) == pytest.approx(0)
    assert evidence_rate(1.0, 0.5, 0.01) == 0
    assert evidence_rate_beyond(0.05, 0.012, 0.01, Margin(1.25)) == 0


@pytest.mark.parametrize("times", [2.0, 5.0, 20.0])
def test_a_margin_of_nothing_is_the_plain_rate_where_failures_are_rare(times: float) -> None:
    plain = evidence_rate(0.05, times * 1e-4, 1e-4)

    assert evidence_rate_beyond(0.05, times * 1e-4, 1e-4, Margin()) == pytest.approx(
        plain, rel=0.01
    )


@pytest.mark.parametrize(
    ("times", "failures"), [(1.5, 21.3), (2, 11.9), (3, 7.1), (5, 4.6), (10, 3.0), (20, 2.1)]
)
def test_the_failures_nobody_can_avoid(times: float, failures: float) -> None:
    rate, share = 1e-6, 1e-4
    requests = math.log(100) / evidence_rate(share, times * rate, rate)

    excess = requests * share * (times - 1) * rate

    assert excess == pytest.approx(failures, abs=0.06)


def test_divergence_is_infinite_where_it_must_be() -> None:
    assert divergence(0.5, 0) == math.inf
    assert divergence(0, 0) == 0


def test_a_plan_says_what_it_sees() -> None:
    busy, idle = Traffic(2400, 0.004), Traffic(30, 0.004)

    gross = foresee(LEGS, busy, 15, Asked(Margin(1.25, 0.0005)))
    hidden = foresee(LEGS, idle, 1.7, Asked(Margin(1.25, 0.0005)))

    assert gross.detection > 0.99
    assert gross.minutes is not None
    assert gross.canary_requests == pytest.approx(120 * (gross.minutes + 2))
    assert hidden.detection < 0.1
    assert hidden.minutes is None
    assert hidden.sentence.endswith("mirror first, wait longer, or let a person decide")


@pytest.mark.parametrize(
    ("world", "rps", "rate", "times"),
    [
        ("quiet", 8, 0.004, 5),
        ("quiet", 40, 0.004, 2),
        ("quiet", 40, 0.0008, 5),
        ("wobble", 40, 0.004, 2.5),
        ("clusters", 300, 0.004, 2),
        ("clusters", 40, 0.004, 5),
    ],
)
def test_a_plan_promises_what_is_then_found(
    world: str, rps: float, rate: float, times: float
) -> None:
    played = load()
    here = next(one for one in played.worlds if one.name == world)

    kept = keep(Task(played, Cell(rps, rate), here, times, range(60)))

    assert abs(kept.points) <= 12  # sixty rollouts have a standard error of six points


def test_mirrored_requests_cost_nobody() -> None:
    sight = foresee((Leg(50, 8, mirrored=True),), Traffic(2400, 0.004), 15, Asked())

    assert sight.minutes == 1
    assert sight.canary_requests == 0


def test_guards_that_cannot_decide_are_named() -> None:
    legs = (Leg(5, 4), Leg(50, 6))

    vain = guards_in_vain(legs, Traffic(60, 0.01), least_requests=100, window_minutes=5)

    assert [(one.leg, one.sentence) for one in vain] == [
        (0, "the leg of 5 % lasts four minutes, the guard's window is 5")
    ]
    assert guards_in_vain(legs, Traffic(60, 0.01), 100)[0].sentence == (
        "the leg of 5 % lasts four minutes: the canary answers about 12 of 100 requests"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Leg(101, 5),
        lambda: Leg(5, -1),
        lambda: Traffic(-1, 0.1),
        lambda: Traffic(5, 1.1),
        lambda: Load(-1, 0.1),
        lambda: Load(1, math.nan),
    ],
)
def test_what_cannot_be_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="not"):
        wrong()  # type: ignore[operator]


# -- capacity ------------------------------------------------------------------------------------


def test_room_and_shortage() -> None:
    load = Load(requests_per_second=100, mean_seconds=0.2)

    room = capacity(load, instances=4, concurrency=8, share=50)
    shortage = capacity(load, instances=2, concurrency=8, share=95)

    assert room.enough
    assert room.sentence == (
        "50 % of 100 requests a second keeps 10 of 32 workers busy: two instances to spare"
    )
    assert not shortage.enough
    assert (shortage.needed, shortage.missing) == (3, 1)
    assert shortage.sentence.endswith("19 of 16 workers busy: one instance missing of 3")


def test_no_instances_have_no_room() -> None:
    assert capacity(Load(1, 1), 0, 1, 100).missing == 2
    assert capacity(Load(0, 0), 0, 1, 100).enough
    with pytest.raises(ValueError, match="concurrency"):
        capacity(Load(1, 1), 1, 0, 100)
