"""Whether mirrored requests are counted at all is looked at, told, and never taken for a pass."""

from functools import partial

import pytest

from rollout.core.copies import CopiesSeen
from rollout.core.rollout import HoldCause, Phase
from rollout.core.source import Source
from tests.measuring.models import TEXT, Models, recorded
from tests.measuring.test_sources import Rows
from tests.simulation.world import CHURN, POLICY, World

BOTH = frozenset({"metrics", "logs"})
METRICS = frozenset({"metrics"})


def a_world(unseen: frozenset[str], text: str = POLICY, *, logs: bool = False) -> World:
    world = World(policy=text)
    world.azure.faults.copies_unseen = unseen
    world.policies.recorded = recorded(3000)
    rows = Rows(world.azure) if logs else None
    world.equipped(logs=rows, scoring=Models() if text == TEXT else None)
    return world


def because(world: World) -> str:
    report = world.rollout.report
    assert report is not None
    return report.findings[0].because


def in_mirror(world: World) -> bool:
    return str(world.rollout.here).startswith("mirror")


@pytest.mark.parametrize(
    ("counted", "seen"), [(0, False), (3, False), (10, None), (40, True), (100, True)]
)
def test_what_is_concluded_from_the_counts(counted: int, seen: bool | None) -> None:
    assert CopiesSeen(source=Source.METRICS, expected=100, counted=counted).seen is seen
    assert CopiesSeen(source=Source.METRICS, expected=39, counted=counted).seen is None


def test_copies_that_are_counted_are_remembered_and_told_once() -> None:
    world = a_world(frozenset())

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert world.head.copies == {Source.METRICS: True}
    told = [why for why in world.told if "mirrored requests appear in metrics here" in why]
    assert len(told) == 1


def test_without_another_count_the_stage_is_not_measured_and_never_passes() -> None:
    world = a_world(METRICS, f"{POLICY}on_not_measured: hold\n")

    world.start()
    rollout = world.run(minutes=60)

    assert world.head.copies == {Source.METRICS: False}
    assert rollout.phase is Phase.HOLDING
    assert rollout.hold is not None
    assert rollout.hold.cause is HoldCause.NOT_MEASURED
    assert in_mirror(world)
    assert "mirrored requests do not appear in metrics here" in because(world)
    assert "give the policy agreement" in because(world)


def test_logs_stand_in_for_metrics_and_only_while_copies_are_made() -> None:
    world = a_world(METRICS, f"{POLICY}source: metrics\n", logs=True)
    seen: list[tuple[bool, str]] = []

    def look() -> None:
        if world.rollout.report:
            seen.append((in_mirror(world), because(world)))

    world.checks.append(look)
    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert world.head.copies == {Source.METRICS: False, Source.LOGS: True}
    assert any("(by logs)" in why for mirrors, why in seen if mirrors)
    assert "(by logs)" not in seen[-1][1]
    assert rollout.source is Source.METRICS


def test_recorded_requests_stand_in_where_no_source_counts_copies() -> None:
    world = a_world(BOTH, f"{TEXT}source: metrics\n", logs=True)
    world.equipped(logs=Rows(world.azure), scoring=Models())

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert world.head.copies == {Source.METRICS: False, Source.LOGS: False}
    (passed,) = [
        entry
        for entry in world.store.history(CHURN.key)
        if entry.why.startswith("mirror 20 % passed")
    ]
    assert "(by recorded requests)" in passed.numbers["findings"][0]["because"]


def test_a_canary_that_fails_recorded_requests_is_given_back_though_nobody_counts_copies() -> None:
    world = a_world(METRICS, TEXT)
    fail = partial(lambda name, _: 424 if name == "green" else None)
    world.equipped(scoring=Models(error=fail))

    world.start()

    assert world.run(minutes=60).phase is Phase.ROLLED_BACK
    assert not any(write.traffic.share("green") for write in world.azure.writes)


def test_the_probers_own_requests_are_not_taken_for_copies() -> None:
    """Metrics count them under the canary, and would else hide that no copy is counted."""
    text = TEXT.replace("per_minute: 60", "per_minute: 120")
    world = a_world(METRICS, TEXT)
    world.policies.text = text
    world.azure.requests_per_minute = 900
    world.equipped(scoring=Models())
    counted = world.azure.metrics_of

    def with_ours(*asked: object) -> object:
        from rollout.analysis.samples import Counts  # noqa: PLC0415

        found = counted(*asked)  # type: ignore[arg-type]
        began = world.rollout.shares[0].since if world.rollout.shares else None
        return {
            at: {**arms, "green": Counts({200: 120})} if began and at >= began else arms
            for at, arms in found.items()
        }

    world.azure.metrics_of = with_ours  # type: ignore[method-assign,assignment]
    world.start()
    world.run(minutes=12)

    assert world.head.copies == {Source.METRICS: False}
