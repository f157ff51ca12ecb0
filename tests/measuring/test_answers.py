"""Pairs from what the platform wrote of copies: where they join they count, else the prober."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.analysis.report import Verdict
from rollout.core.endpoint import EndpointId
from rollout.core.pairs_from import PairsFrom
from rollout.core.policy_text import parse_policy
from rollout.core.rollout import HoldCause, Phase
from rollout.errors import RolloutError, Unavailable
from rollout.measuring.joining import joined, rounded
from rollout.pair_ports import Served, ServedRead
from rollout.ports import Answer
from rollout.rehearsal.memory import Memory
from rollout.rehearsal.recording import Recording, parse_recording
from rollout.rehearsal.replay import Ending, replay
from tests.fakes import NOON
from tests.measuring.models import TEXT, Models, finding, recorded
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.world import CHURN, World

SECOND = timedelta(seconds=1)
HOLDS = "on_not_measured: hold\n"
LABELS = "compare: {label: {path: label}}"


def a_text(source: str = "auto", compare: str = LABELS) -> str:
    """The prober's policy with another source."""
    return TEXT.replace(LABELS, f"source: {source}, {compare}") + HOLDS


@dataclass
class Records:
    """The port ServedAnswers: a request each second, and what green was sent copies of."""

    world: World
    wrong: Callable[[int], bool] = lambda _: False
    joins: bool = True
    error: RolloutError | None = None
    lag: timedelta = timedelta(minutes=2)
    shape: Callable[[int], object] = lambda label: {"label": label}
    slow: Callable[[int], bool] = lambda _: False
    reads: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def read(
        self,
        endpoint: EndpointId,
        deployment: str,
        collection: str,
        since: datetime,
        until: datetime,
    ) -> ServedRead:
        assert (endpoint, collection) == (CHURN, "model_outputs")
        self.reads.append((deployment, since, until))
        if self.error:
            raise self.error
        return ServedRead(list(self._served(deployment, since, until)), since)

    def _served(self, deployment: str, since: datetime, until: datetime) -> Iterator[Served]:
        known_until = min(until, self.world.clock.now() - timedelta(seconds=2))
        first = -((NOON - since) // SECOND)
        for number in range(first, (known_until - NOON) // SECOND):
            at = NOON + number * SECOND
            if deployment == "green" and not self._mirrored(at):
                continue
            mislabels = deployment == "green" and self.wrong(number)
            body = json.dumps(self.shape(3 if mislabels else number % 10)).encode()
            slow = deployment == "green" and self.slow(number)
            took = timedelta(milliseconds=400 if slow else 20)
            name = f"r{number}" if self.joins else f"{deployment} {number}"
            yield Served(at, frozenset({name}), Answer(200, body, took))

    def _mirrored(self, at: datetime) -> bool:
        traffic = [each for when, each in self.world.azure.maps if when <= at][-1]
        return bool(traffic.mirror.get("green"))


def a_world(text: str, models: Models | None = None, **about: object) -> tuple[World, Records]:
    world = World(policy=text)
    world.policies.recorded = recorded(3000)
    records = Records(world, **about)  # type: ignore[arg-type]
    source = PairsFrom.LOGS if "status" in text else PairsFrom.COLLECTOR
    world.equipped(scoring=models or Models(), written={source: records})
    return world, records


def kept(world: World) -> Recording:
    return memory(world).recording(world.rollout)


def memory(world: World) -> Memory:
    return Memory(world.azure, SimulatedMetrics(world.azure), world.samples, world.clock)


# -- the choice --------------------------------------------------------------------------------


def test_pairs_that_join_are_taken_and_no_request_is_sent() -> None:
    models = Models()
    world, _ = a_world(a_text(), models)

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert rollout.pairs_from is PairsFrom.COLLECTOR
    assert models.asked == []
    told = [why for why in world.told if "pairs of answers from the data collector" in why]
    assert len(told) == 1
    assert "are joined by request id" in told[0]


def test_copies_that_are_answered_otherwise_serve_nobody() -> None:
    world, _ = a_world(a_text(), wrong=lambda n: n % 5 == 0)

    world.start()
    rollout = world.run(minutes=60)

    assert rollout.phase is Phase.ROLLED_BACK
    assert not any(write.traffic.share("green") for write in world.azure.writes)
    assert any("answers differ" in why and "5 % allowed" in why for why in world.told)


def test_ids_that_do_not_join_leave_the_prober() -> None:
    models = Models()
    world, _ = a_world(a_text(), models, joins=False)

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert rollout.pairs_from is PairsFrom.PROBER
    (told,) = [why for why in world.told if "pairs of answers from the prober" in why]
    assert "none joins" in told
    assert len(models.requests) > 100


def test_the_prober_that_takes_over_sends_no_faster_for_having_waited() -> None:
    models = Models()
    world, _ = a_world(a_text(), models, joins=False)
    seen: list[int] = []
    world.checks.append(lambda: seen.append(len(models.requests)))

    world.start()
    world.run(minutes=16)

    since = world.rollout.pairs_since
    assert since is not None
    assert 0 < seen[-1] <= (world.clock.now() - since) / timedelta(minutes=1) * 60 + 1


def test_a_collector_that_cannot_be_read_leaves_the_prober_and_says_why() -> None:
    world, _ = a_world(a_text(), error=Unavailable("storage account x: busy"))

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert any("from the prober: the data collector cannot be read" in one for one in world.told)


def test_where_a_policy_insists_nothing_else_is_asked_and_nothing_passes() -> None:
    models = Models()
    world, _ = a_world(a_text("collector"), models, joins=False)

    world.start()
    rollout = world.run(minutes=60)

    assert (rollout.phase, rollout.pairs_from) == (Phase.HOLDING, PairsFrom.COLLECTOR)
    assert rollout.hold is not None
    assert rollout.hold.cause is HoldCause.NOT_MEASURED
    assert finding(world) == (Verdict.NOT_MEASURED, "no answer of both arms was compared")
    assert models.asked == []


def test_a_collector_that_falls_silent_on_the_way_never_passes() -> None:
    world, records = a_world(a_text("collector"))

    def fail() -> None:
        if (
            world.head.rollout
            and world.rollout.report
            and finding(world)[0] is Verdict.INCONCLUSIVE
        ):
            records.error = Unavailable("busy")

    world.checks.append(fail)
    world.start()
    rollout = world.run(minutes=90)

    assert rollout.phase is Phase.HOLDING
    assert finding(world)[0] is Verdict.NOT_MEASURED
    assert "the data collector cannot be read: busy" in finding(world)[1]


def test_a_controller_without_a_collector_refuses_a_policy_that_insists_on_one() -> None:
    world = World(policy=a_text("collector"))
    world.equipped(scoring=Models())
    world.policies.recorded = recorded(200)

    refused = world.start()

    assert not refused.taken
    assert "set ROLLOUT_COLLECTOR, or write source: auto" in refused.why


def test_without_a_mirror_stage_the_prober_is_told_at_the_start() -> None:
    text = a_text().replace("  - mirror: {percent: 20, shortest_minutes: 5}\n", "")
    world, records = a_world("\n".join(one for one in text.split("\n") if "- mirror" not in one))

    started = world.start()

    assert "pairs of answers from the prober" in started.why
    assert world.rollout.pairs_from is PairsFrom.PROBER
    assert records.reads == []


# -- what is compared --------------------------------------------------------------------------


def test_the_place_in_a_record_may_be_another_than_in_an_answer() -> None:
    where = f"{LABELS}, collection: {{path: 0.label}}"
    world, _ = a_world(a_text(compare=where), shape=lambda label: [{"label": label}])

    world.start()
    world.run(minutes=300)

    assert world.rollout.phase is Phase.PROMOTED
    assert world.rollout.pairs_from is PairsFrom.COLLECTOR


def test_rows_of_the_log_tell_who_is_slower_on_the_same_requests() -> None:
    slower = "compare: {status: {slower_by_ms: 100}}"
    world, _ = a_world(a_text("logs", slower), slow=lambda n: n % 4 == 0)

    world.start()
    rollout = world.run(minutes=60)

    assert rollout.phase is Phase.ROLLED_BACK
    assert any("answers differ" in why for why in world.told)


@pytest.mark.parametrize(("shift", "phase"), [(0, Phase.PROMOTED), (25, Phase.ROLLED_BACK)])
def test_histograms_need_no_pairs(shift: int, phase: Phase) -> None:
    text = a_text("collector", "compare: {numeric: {path: score}}").replace(
        "{metric: disagreement_rate, at_most: 0.05}", "{metric: score_histogram}"
    )
    world, records = a_world(text, joins=False)
    plain = records._served

    def scored(deployment: str, since: datetime, until: datetime) -> Iterator[Served]:
        for one in plain(deployment, since, until):
            second = (one.at - NOON) // SECOND
            score = (second * 37 % 100 + (shift if deployment == "green" else 0)) / 100
            body = json.dumps({"score": score}).encode()
            yield Served(one.at, one.ids, Answer(200, body, timedelta(0)))

    records._served = scored  # type: ignore[method-assign]
    records._mirrored = lambda at: True  # type: ignore[method-assign]

    world.start()

    assert world.run(minutes=100).phase is phase


def test_the_probers_answers_fill_histograms_too() -> None:
    text = TEXT.replace(LABELS, "compare: {numeric: {path: label}}").replace(
        "{metric: disagreement_rate, at_most: 0.05}", "{metric: score_histogram}"
    )
    world = World(policy=text)
    world.policies.recorded = recorded(3000)
    world.equipped(scoring=Models(wrong=lambda _: True))

    world.start()

    assert world.run(minutes=60).phase is Phase.ROLLED_BACK


def test_recorded_requests_may_be_a_folder() -> None:
    models = Models()
    world = World(policy=TEXT.replace("samples/churn.jsonl", "samples/churn/"))
    world.policies.recorded = recorded(150)
    world.equipped(scoring=models)

    world.start()
    world.run(minutes=15)

    assert len(models.requests) == 150


# -- what is kept ------------------------------------------------------------------------------


def test_disagreements_of_copies_are_kept_for_people() -> None:
    text = a_text().replace("label}}}", "label}}, keep: 4}")
    world, _ = a_world(text, wrong=lambda n: n % 5 == 0)

    world.start()
    world.run(minutes=60)
    found = memory(world).probes(world.rollout).kept("green", 4)

    assert len(found) == 4
    assert all(one.canary.startswith("sha256:") for one in found)
    assert {int(one.request[1:]) % 5 for one in found} == {0}


@pytest.mark.parametrize(
    ("joins", "every", "ending"),
    [
        (True, 5, Ending.ROLLED_BACK),
        (False, 5, Ending.ROLLED_BACK),
        (True, 10_000, Ending.PROMOTED),
    ],
)
def test_recorded_pairs_are_replayed_without_a_request(
    joins: bool, every: int, ending: Ending
) -> None:
    models = Models(wrong=lambda n: n % every == 0)
    world, records = a_world(a_text(), models, joins=joins, wrong=lambda n: n % every == 0)
    world.start()
    world.run(minutes=100)
    asked, reads = len(models.asked), len(records.reads)

    text = kept(world).model_dump_json()
    view = replay(parse_policy(a_text(), "churn"), "churn", parse_recording(text, "a.json"))

    assert view.ending is ending
    assert (len(models.asked), len(records.reads)) == (asked, reads)
    assert any("pairs are counted as they were compared then" in one for one in view.notes)


@pytest.mark.parametrize("source", ["auto", "collector"])
def test_a_record_without_pairs_measures_none(source: str) -> None:
    world, _ = a_world(a_text())
    world.start()
    world.run(minutes=300)
    recording = kept(world).model_copy(update={"pairs": None})

    view = replay(parse_policy(a_text(source), "churn"), "churn", recording)

    passed = {one.stage for one in view.moments if one.decided == "passed"}
    assert passed <= {"bake 100 %"}
    assert {"mirror 20 %"} <= {one.stage for one in view.moments if one.decided == "overtaken"}
    assert "pairs: not recorded, so guards on answers are not measured" in view.notes


# -- joins -------------------------------------------------------------------------------------


def one(*ids: str) -> Served:
    return Served(NOON, frozenset(ids), Answer(200, b"1", timedelta(0)))


def test_an_id_that_comes_twice_joins_nothing() -> None:
    assert list(joined([one("a"), one("a"), one("b")], [one("a"), one("b")])) == [
        ("b", one("b"), one("b"))
    ]


def test_either_id_joins_and_a_request_is_joined_once() -> None:
    mine, theirs = one("client", "green"), one("client", "blue")

    assert [name for name, *_ in joined([mine], [theirs])] == ["client"]
    assert len(list(joined([one("a", "b")], [one("a", "b")]))) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("abc", max_size=2), max_size=20), st.lists(st.text("abc", max_size=2)))
def test_no_answer_is_in_two_pairs(mine: list[str], theirs: list[str]) -> None:
    found = list(joined([one(name) for name in mine], [one(name) for name in theirs]))

    assert len({id(canary) for _, canary, _ in found}) == len(found)
    assert len({id(baseline) for _, _, baseline in found}) == len(found)
    assert all(mine.count(name) == theirs.count(name) == 1 for name, *_ in found)


def test_scores_of_any_size_have_bins_of_two_digits() -> None:
    assert [rounded(each) for each in (0.0, 0.123, -0.999, 12345.0)] == [0.0, 0.12, -1.0, 12000.0]
