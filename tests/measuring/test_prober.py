"""The prober: what was recorded is asked of both deployments: once, in time, in nobody's way."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.analysis.report import Verdict
from rollout.core.rollout import HoldCause, Phase, Rollout, Share
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.measuring.prober import PATIENCE, Prober, Probes
from tests.builders import a_policy, a_rollout
from tests.fakes import NOON, FakeClock, FakeSamples
from tests.measuring.models import Models, a_world, finding, recorded
from tests.simulation.world import FakePolicies

MINUTE = timedelta(minutes=1)


# -- whole rollouts --------------------------------------------------------------------------------


def test_a_canary_that_mislabels_serves_nobody() -> None:
    models = Models(wrong=lambda n: n % 7 == 0)
    world = a_world(models)

    world.start()
    rollout = world.run(minutes=60)

    assert rollout.phase is Phase.ROLLED_BACK
    assert str(rollout.here) == "mirror 20 %"
    assert not any(write.traffic.share("green") for write in world.azure.writes)
    assert any("answers differ" in why and "5 % allowed" in why for why in world.told)


def test_a_canary_that_agrees_is_promoted_and_asked_each_request_once() -> None:
    models = Models()
    world = a_world(models, count=300)

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert set(models.requests.values()) == {1}
    assert len(models.requests) == 300


def test_it_never_sends_faster_than_the_policy_says() -> None:
    models = Models()
    world = a_world(models)
    seen: list[tuple[float, int]] = []
    world.checks.append(
        lambda: seen.append(((world.clock.now() - NOON) / MINUTE, len(models.requests)))
    )

    world.start()
    world.run(minutes=15)

    began = (world.rollout.shares[0].since - NOON) / MINUTE
    assert seen[-1][1] > 500
    assert all(count <= (at - began) * 60 + 1e-6 for at, count in seen if count)


def test_too_few_requests_to_judge_by_never_pass() -> None:
    world = a_world(Models(), count=40)

    world.start()
    rollout = world.run(minutes=60)

    assert (rollout.phase, str(rollout.here)) == (Phase.HOLDING, "mirror 20 %")
    assert finding(world)[0] is Verdict.INCONCLUSIVE
    assert "40 of 100 answers" in finding(world)[1]


def test_without_the_file_a_rollout_does_not_start() -> None:
    world = a_world(Models(), count=0)

    refused = world.start()

    assert not refused.taken
    assert "agreement: samples/churn.jsonl: no recorded requests" in refused.why


def test_nothing_is_sent_where_another_guard_gives_it_back() -> None:
    models = Models()
    world = a_world(models)
    world.azure.deployments["green"].error_rate = lambda _: 1.0
    told: list[tuple[int, Phase]] = []
    world.checks.append(lambda: told.append((len(models.asked), world.phase)))

    world.start()
    rollout = world.run(minutes=30)

    assert rollout.phase is Phase.ROLLED_BACK
    sent = max(count for count, phase in told if phase is Phase.MEASURING)
    assert 0 < sent == len(models.asked)


def test_a_canary_that_was_changed_is_asked_everything_again() -> None:
    models = Models()
    world = a_world(models, count=120)
    world.at(6, lambda: setattr(world.azure.deployments["green"], "fingerprint", "other"))

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert set(models.requests.values()) == {2}


def test_a_rollout_that_a_person_paused_asks_nothing() -> None:
    prober, models, _, rollout = a_prober()
    paused = rollout.model_copy(update={"phase": Phase.HOLDING, "hold": _hold(HoldCause.PAUSED)})

    prober.ask(paused, Probes())

    assert models.asked == []


# -- one look --------------------------------------------------------------------------------------


def a_prober(
    count: int = 500, keep_answers: bool = False, per_minute: int = 60
) -> tuple[Prober, Models, FakeSamples, Rollout]:
    clock = FakeClock(NOON + 5 * MINUTE)
    models, samples = Models(clock=clock), FakeSamples()
    policies = FakePolicies(recorded=recorded(count))
    agreement = {
        "requests": "samples/a.jsonl",
        "per_minute": per_minute,
        "keep": 5,
        "keep_answers": keep_answers,
        "compare": {"label": {"path": "label"}},
    }
    policy = a_policy(
        agreement=agreement, guards=[{"metric": "disagreement_rate", "at_most": 0.05}]
    )
    share = Share(since=NOON + timedelta(seconds=30), percent=20, stage="mirror 20 %")
    rollout = a_rollout(policy=policy, shares=(share,), evidence_since=NOON)
    return Prober(models, policies, samples, clock), models, samples, rollout


def _hold(cause: HoldCause) -> object:
    return a_rollout(Phase.HOLDING).hold.model_copy(update={"cause": cause})  # type: ignore[union-attr]


def test_a_look_has_patience_and_the_next_one_goes_on() -> None:
    prober, models, _, rollout = a_prober()
    models.takes = timedelta(seconds=1)

    first = prober.ask(rollout, prober.known(rollout))
    asked = len(models.asked)
    second = prober.ask(rollout, prober.known(rollout))

    assert 20 <= asked <= 24
    assert timedelta(seconds=20) == PATIENCE
    assert second.sent("green") == 2 * first.sent("green")
    assert set(models.requests.values()) == {1}


def test_two_workers_at_once_count_each_request_once() -> None:
    prober, _, samples, rollout = a_prober()
    known = prober.known(rollout)

    prober.ask(rollout, known)
    prober.ask(rollout, known)

    assert prober.known(rollout).sent("green") == 270  # four and a half minutes of 60
    assert len(samples.minutes) == 1


@pytest.mark.parametrize("silent", [Unavailable("no answer"), 503, 429])
@pytest.mark.parametrize("arm", ["green", "blue"])
def test_what_does_not_answer_is_left_out_and_ends_the_look(
    silent: RolloutError | int, arm: str
) -> None:
    prober, models, _, rollout = a_prober()
    models.error = lambda name, number: silent if (name, number) == (arm, 9) else None

    first = prober.ask(rollout, prober.known(rollout))
    second = prober.ask(rollout, prober.known(rollout))

    assert (first.sent("green"), second.sent("green")) == (10, 270)
    assert sum(one.compared for one in second.pairs("green")) == 269
    assert second.trouble is None


def test_a_canary_that_fails_where_the_baseline_answers_differs() -> None:
    prober, models, _, rollout = a_prober()
    models.error = lambda name, _: 424 if name == "green" else None

    found = prober.ask(rollout, prober.known(rollout)).pairs("green")

    assert sum(one.disagreeing for one in found) == sum(one.compared for one in found) == 270


def test_a_baseline_that_fails_is_no_measure() -> None:
    prober, models, _, rollout = a_prober()
    models.error = lambda name, _: 424 if name == "blue" else None

    found = prober.ask(rollout, prober.known(rollout)).pairs("green")

    assert sum(one.compared for one in found) == 0


def test_a_refusal_loses_no_request_and_is_told() -> None:
    prober, models, _, rollout = a_prober()
    models.error = lambda *_: Refused("403 no right to list keys")

    found = prober.ask(rollout, prober.known(rollout))

    assert found.trouble == "not measured: 403 no right to list keys"
    assert found.sent("green") == 0


def test_another_file_is_evidence_of_something_else() -> None:
    prober, _, samples, rollout = a_prober()
    prober.ask(rollout, prober.known(rollout))
    other = FakePolicies(recorded=recorded(90))

    again = Prober(Models(), other, samples, FakeClock(NOON + 5 * MINUTE))
    found = again.ask(rollout, again.known(rollout))

    assert found.sent("green") == 90


# -- what is kept for people -----------------------------------------------------------------------


def test_disagreements_are_kept_as_hashes_unless_the_policy_says_otherwise() -> None:
    for keep_answers in (False, True):
        prober, models, _, rollout = a_prober(keep_answers=keep_answers)
        models.wrong = lambda n: n % 10 == 4

        found = prober.ask(rollout, prober.known(rollout)).kept("green", 5)

        assert len(found) == 5
        assert {one.canary == "3" for one in found} == {keep_answers}
        assert all(one.canary.startswith("sha256:") for one in found) is not keep_answers
        assert {int(one.request.removeprefix("r")) % 10 for one in found} == {4}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=8), st.integers(1, 120))
def test_however_looks_are_cut_the_same_is_found(cuts: list[int], per_minute: int) -> None:
    """In one long look, and in many that end early."""
    whole, models, _, rollout = a_prober(per_minute=per_minute)
    models.wrong = lambda n: n % 3 == 0
    at_once = whole.ask(rollout, whole.known(rollout))

    pieces, models, _, _ = a_prober(per_minute=per_minute)
    models.wrong = lambda n: n % 3 == 0
    for cut in cuts:
        models.takes = PATIENCE / cut
        pieces.ask(rollout, pieces.known(rollout))
    models.takes = timedelta(0)
    _set(models.clock, NOON + 5 * MINUTE)
    in_pieces = pieces.ask(rollout, pieces.known(rollout))

    ours, theirs = in_pieces.pairs("green"), at_once.pairs("green")
    shared = min(len(ours), len(theirs)) - 1
    assert ours[:shared] == theirs[:shared]
    assert in_pieces.sent("green") >= at_once.sent("green")


def _set(clock: FakeClock | None, at: object) -> None:
    assert clock is not None
    clock.time = at  # type: ignore[assignment]
