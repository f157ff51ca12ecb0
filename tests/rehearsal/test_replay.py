"""A replay decides as the controller would have, on minutes that are given."""

from datetime import timedelta
from typing import Any

import pytest

from rollout.analysis.samples import Counts
from rollout.core.policy import Policy
from rollout.core.rollout import Phase
from rollout.core.source import Source
from rollout.errors import Malformed
from rollout.rehearsal.memory import Memory
from rollout.rehearsal.recording import (
    RecordedMinute,
    Recording,
    of_kubernetes,
    parse_recording,
)
from rollout.rehearsal.replay import Ending, ReplayView, replay
from tests.builders import APPROVAL, StageText, a_policy, a_rollout
from tests.rehearsal.builders import a_minute, a_recording, at, counts, legs_of
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.world import World

ERRORS: dict[str, Any] = {"metric": "error_rate", "worse_by_ratio": 1.25}


def canary(weight: int, shortest: int = 5, longest: int = 60) -> StageText:
    times = {"shortest_minutes": shortest, "longest_minutes": longest}
    return {"canary": {"weight": weight, **times}}


def bake(shortest: int = 5) -> StageText:
    return {"bake": {"shortest_minutes": shortest}}


def policy(*stages: StageText, **rules: Any) -> Policy:
    given = stages or (canary(5), canary(25), bake())
    return a_policy(*given, **{"guards": [ERRORS], **rules})


def told(view: ReplayView) -> list[tuple[int, str, str]]:
    return [(one.minute, one.decided, one.stage) for one in view.moments]


GOOD = a_recording(legs_of((5, 8), (25, 8), (100, 8)))


def test_a_good_record_passes_every_stage_at_its_first_chance() -> None:
    view = replay(policy(), "churn", GOOD)

    assert told(view) == [
        (7, "passed", "canary 5 %"),
        (15, "passed", "canary 25 %"),
        (23, "passed", "bake 100 %"),
    ]
    assert (view.ending, view.verdict) == (Ending.PROMOTED, "promoted in minute 23")


def test_a_bad_record_is_rolled_back_in_the_first_minute_that_shows_it() -> None:
    view = replay(policy(), "churn", a_recording(legs_of((5, 8), (25, 8), rate=0.2)))

    assert told(view) == [(3, "rolled back", "canary 5 %")]
    assert view.ending is Ending.ROLLED_BACK
    assert view.verdict == (
        "rolled back in minute 3, after 900 live requests to the canary; the record has 13500 more"
    )
    assert "evidence" in view.moments[0].why


def test_the_guards_are_those_of_the_policy_that_is_replayed() -> None:
    record = a_recording(legs_of((5, 8), (25, 8), rate=0.02))

    kind = replay(policy(guards=[{**ERRORS, "worse_by_ratio": 20.0}]), "kind", record)
    strict = replay(policy(), "strict", record)

    assert (kind.ending, strict.ending) == (Ending.PASSED, Ending.ROLLED_BACK)
    assert kind.verdict.endswith("the record ends before 100 %")


def test_a_policy_that_holds_is_overtaken_by_the_record() -> None:
    record = a_recording(legs_of((5, 8), (25, 8), rate=0.2))

    view = replay(policy(on_failure="hold"), "churn", record)

    assert told(view)[:2] == [(3, "held", "canary 5 %"), (8, "overtaken", "canary 5 %")]


def test_a_stage_that_the_record_left_early_is_overtaken() -> None:
    record = a_recording(legs_of((5, 8), (25, 8)))

    view = replay(policy(canary(5, shortest=20), canary(25)), "churn", record)

    assert told(view)[0] == (8, "overtaken", "canary 5 %")
    assert view.moments[0].why == "skipped canary 5 % by the record"


def test_a_record_that_ends_too_soon_leaves_it_undecided() -> None:
    view = replay(policy(), "churn", a_recording(legs_of((5, 3))))

    assert (told(view), view.ending) == ([], Ending.UNDECIDED)
    assert view.verdict.startswith("undecided where the record ends, in canary 5 %: ")
    assert "canary 25 % is not in the record" in view.notes


def test_too_few_requests_hold_at_the_longest_time() -> None:
    few: dict[str, Any] = {"canary": counts(3, 0), "baseline": counts(57, 0)}
    record = a_recording([a_minute(place, 5, **few) for place in range(20)])

    view = replay(policy(canary(5, shortest=5, longest=10), canary(25)), "churn", record)

    assert told(view) == [(10, "held", "canary 5 %")]


def test_the_mirror_is_replayed_as_a_mirror() -> None:
    copied = [a_minute(place, 20, mirrored=True) for place in range(6)]
    live = [a_minute(place, 5) for place in range(6, 14)]
    mirror: StageText = {"mirror": {"percent": 20, "shortest_minutes": 3}}

    view = replay(policy(mirror, canary(5)), "churn", a_recording([*copied, *live]))

    assert told(view) == [(5, "passed", "mirror 20 %"), (13, "passed", "canary 5 %")]


def test_a_first_deployment_has_no_baseline() -> None:
    alone = [a_minute(place, 100, baseline=None) for place in range(10)]

    view = replay(policy(), "churn", a_recording(alone, baseline=None, history=()))

    assert told(view) == [(7, "passed", "bake 100 %")]


# -- what does not fit -----------------------------------------------------------------------------


def test_a_share_the_policy_does_not_have_is_given_the_nearest_times() -> None:
    view = replay(policy(canary(10, shortest=3), canary(50)), "churn", GOOD)

    assert "the policy has no stage canary 5 %: it is given the times of canary 10 %" in view.notes
    assert "canary 50 % is not in the record" in view.notes
    assert told(view)[0] == (5, "passed", "canary 5 %")


def test_people_and_smoke_requests_are_not_replayed() -> None:
    view = replay(policy(canary(5), APPROVAL, canary(25)), "churn", GOOD)

    assert "approval is not replayed: the record has no answers to it" in view.notes
    assert view.ending is Ending.PROMOTED


def test_it_says_that_traffic_is_not_invented() -> None:
    assert replay(policy(), "churn", GOOD).notes[0].endswith("is not invented")


def test_a_record_is_replayed_until_its_share_falls() -> None:
    record = a_recording(legs_of((5, 8), (25, 4), (5, 8)))

    view = replay(policy(), "churn", record)

    assert "the share falls from 25 % to 5 % at 12:12: replayed until then" in view.notes
    assert view.until == at(12)


def test_a_canary_that_vanishes_is_told_and_never_passes() -> None:
    gone = [a_minute(place, 5, canary=Counts()) for place in range(3, 20)]
    record = a_recording([*legs_of((5, 3)), *gone])

    view = replay(policy(canary(5, longest=10), canary(25)), "churn", record)

    assert (
        "the canary answers nothing from 12:03 on, although it has 5 % of the requests:"
        " that is never a pass"
    ) in view.notes
    assert told(view) == [(10, "asked", "canary 5 %")]


def test_a_gap_in_the_record_is_silence() -> None:
    gap = [a_minute(place, 5, canary=None, baseline=None) for place in range(3, 9)]
    record = a_recording([*legs_of((5, 3)), *gap, a_minute(14, 5)])

    view = replay(policy(canary(5, shortest=20)), "churn", record)

    assert "minutes without any number: 11" in view.notes
    assert told(view)[0][1:] == ("held", "canary 5 %")
    assert "no metrics" in view.moments[0].why


def test_a_hold_for_want_of_numbers_ends_with_the_next_one() -> None:
    gap = [a_minute(place, 5, canary=None, baseline=None) for place in range(3, 11)]
    after = [a_minute(place, 5) for place in range(11, 30)]

    view = replay(
        policy(canary(5, shortest=15)), "churn", a_recording([*legs_of((5, 3)), *gap, *after])
    )

    assert [one.decided for one in view.moments] == ["held", "went on", "passed"]


@pytest.mark.parametrize("minutes", [(), (a_minute(0, 0),)])
def test_a_record_without_a_share_is_refused(minutes: tuple[RecordedMinute, ...]) -> None:
    with pytest.raises(Malformed, match="no minute in which the canary had a share"):
        replay(policy(), "churn", a_recording(minutes))


# -- against the controller itself -----------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.002, 0.02, 0.2])
def test_a_replay_under_the_same_policy_decides_as_the_controller_did(rate: float) -> None:
    world = World()
    world.azure.deployments["green"].error_rate = lambda _: rate
    world.start()
    real = world.run(600)
    memory = Memory(world.azure, SimulatedMetrics(world.azure), world.samples, world.clock)

    recording = parse_recording(memory.recording(real).model_dump_json(), "file")
    view = replay(real.policy, "churn", recording)

    ends = {Phase.PROMOTED: Ending.PROMOTED, Phase.ROLLED_BACK: Ending.ROLLED_BACK}
    assert view.ending is ends[real.phase]
    decided = real.rollback.decided_at if real.rollback else real.phase_since
    assert abs(view.moments[-1].at - decided) <= timedelta(minutes=1)


def _gateway_failures() -> Recording:
    """A canary whose gateway gives up on half of its requests."""
    minutes = [
        one.model_copy(update={"canary": Counts({200: 150, 502: 150})}) for one in legs_of((5, 8))
    ]
    return a_recording(minutes)


def test_a_gateway_that_gives_up_is_a_failure_on_kubernetes_only() -> None:
    managed = replay(policy(), "churn", _gateway_failures())
    kubernetes = replay(policy(source="logs"), "churn", of_kubernetes(_gateway_failures()))

    assert managed.ending is not Ending.ROLLED_BACK
    assert kubernetes.ending is Ending.ROLLED_BACK


def test_copies_are_no_record_of_a_kubernetes_endpoint() -> None:
    mirrored = a_recording((a_minute(0, 20, mirrored=True), a_minute(1, 5)))

    with pytest.raises(Malformed, match="a Kubernetes endpoint mirrors nothing"):
        of_kubernetes(mirrored)


@pytest.mark.parametrize(
    ("noted", "source", "managed"),
    [
        (False, Source.LOGS, False),
        (True, Source.LOGS, True),
        (True, Source.METRICS, True),
        (None, Source.GUARDS, False),
        (None, Source.LOGS, True),
    ],
)
def test_a_record_tells_the_kind_of_its_endpoint(
    noted: bool | None, source: Source, managed: bool
) -> None:
    world = World()
    memory = Memory(world.azure, SimulatedMetrics(world.azure), world.samples, world.clock)
    kept = a_rollout().model_copy(update={"managed": noted, "source": source})

    assert memory.recording(kept).managed is managed
