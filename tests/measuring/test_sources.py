"""Whole rollouts in virtual time by the source of their numbers: metrics, logs, guards alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from rollout.analysis.report import Guard, Verdict
from rollout.analysis.samples import Counts, tallied
from rollout.core.endpoint import EndpointId
from rollout.core.policy_text import parse_policy
from rollout.core.rollout import HoldCause, Outcome, Phase
from rollout.core.source import Source
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Minutes, Question
from rollout.rehearsal.memory import Memory
from rollout.rehearsal.replay import Ending, replay
from tests.fakes import NOON
from tests.simulation.azure import SimulatedAzure, SimulatedMetrics
from tests.simulation.world import CHURN, POLICY, World

MINUTE = timedelta(minutes=1)
STAGES = POLICY[: POLICY.index("guards:")]
RATE = "{name: slow_batches, kql: '{endpoint} {since} {until}', worse_by_points: 0.01"
NUMBER = "{name: queue, prometheus: 'q{endpoint}', at_most: 5"
PLAIN = "{name: ready, http: 'https://checks.example.com/'"


def policy(*guards: str, source: str = "auto") -> str:
    lines = "".join(f"  - {guard}}}\n" for guard in guards)
    return f"{STAGES}source: {source}\nguards:\n{lines}"


ERRORS = "{metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005"


@dataclass
class Rows:
    """The port Metrics as the traffic log has it: later, exact, with histograms."""

    azure: SimulatedAzure
    source: str = "logs"
    lag: timedelta = 10 * MINUTE
    silent_from: datetime | None = None
    error: RolloutError | None = None

    def read(self, endpoint: EndpointId, since: datetime, until: datetime) -> Minutes:
        if self.error:
            raise self.error
        end = min(until, self.silent_from or until)
        return {
            at: {name: _as_rows(counts) for name, counts in arms.items()}
            for at, arms in self.azure.metrics_of(since, end, "logs").items()
        }


def _as_rows(counts: Counts) -> Counts:
    slow = 10 if counts.latency and (counts.latency.p50 or 0) < 25 else 25
    return Counts(counts.statuses, bins={slow: counts.requests})


@dataclass
class Answers:
    """The port CustomGuards: what each guard is told, by its name."""

    tell: dict[str, Callable[[Question], Minutes]] = field(default_factory=dict)
    asked: list[tuple[str, Question]] = field(default_factory=list)
    took: Callable[[], object] = lambda: None

    def missing(self, guard: Guard) -> str | None:
        return None if guard.title in self.tell else "nobody answers it: set SOMETHING"

    def lag(self, guard: Guard) -> timedelta:
        return 0 * MINUTE if guard.http else MINUTE

    def read(self, guard: Guard, question: Question) -> Minutes:
        self.asked.append((guard.title, question))
        self.took()
        return self.tell[guard.title](question)


def reading(value: float, said: str | None = None) -> Callable[[Question], Minutes]:
    return lambda asked: {asked.until - MINUTE: {asked.canary: Counts(value=value, said=said)}}


def rates(canary: float, baseline: float = 0.01) -> Callable[[Question], Minutes]:
    """1000 of each a minute."""

    def told(asked: Question) -> Minutes:
        count = (asked.until - asked.since) // MINUTE
        arms = {"green": tallied(1000, round(1000 * canary)),
                "blue": tallied(1000, round(1000 * baseline))}  # fmt: skip
        return {asked.since + place * MINUTE: arms for place in range(count)}

    return told


def unable(_: Question) -> Minutes:
    raise Unavailable("503 from over there")


def a_world(text: str, answers: Answers | None = None, **told: Any) -> World:
    world = World(policy=text)
    logs = told.pop("logs", None)
    world.equipped(logs=logs(world.azure) if logs else None, custom=answers)
    return world


def findings(world: World) -> dict[str, tuple[Verdict, str]]:
    report = world.rollout.report
    assert report is not None
    return {one.guard.title: (one.verdict, one.because) for one in report.findings}


# -- the source ------------------------------------------------------------------------------------


def test_logs_that_arrive_in_time_carry_a_rollout_to_its_end() -> None:
    world = a_world(POLICY, logs=Rows)

    world.start()
    rollout = world.run(minutes=300)

    assert rollout.phase is Phase.PROMOTED
    assert rollout.source is Source.LOGS
    assert {source for _, source in world.samples.minutes} == {"logs"}
    assert world.told[0].endswith("numbers from logs: they arrive in time")


def test_histograms_decide_a_latency_guard_on_logs() -> None:
    world = a_world(POLICY, logs=Rows)
    world.azure.deployments["green"].latency_ms = 40.0

    world.start()
    world.run(minutes=40)

    assert world.rollout.stage == 1
    verdict, because = findings(world)["latency_p95"]
    assert verdict is Verdict.FAIL
    assert because.startswith("canary p95")


def test_latency_is_held_to_its_past_at_full_share_by_histograms_too() -> None:
    world = a_world(POLICY, logs=Rows)

    world.start()
    world.run(minutes=300)

    assert "latency_p95" in findings(world)


def test_a_bad_canary_on_logs_is_rolled_back() -> None:
    world = a_world(POLICY, logs=Rows)
    world.azure.deployments["green"].error_rate = lambda _: 0.05

    world.start()

    assert world.run(minutes=120).phase is Phase.ROLLED_BACK


@pytest.mark.parametrize("error", [Refused("403 no"), Unavailable("503 later")])
def test_logs_that_cannot_be_read_leave_metrics(error: RolloutError) -> None:
    world = a_world(POLICY, logs=lambda azure: Rows(azure, error=error))

    world.start()
    rollout = world.run(minutes=200)

    assert (rollout.phase, rollout.source) == (Phase.PROMOTED, Source.METRICS)
    assert str(error) in world.told[0]


def test_logs_that_fall_silent_give_way_with_fresh_evidence() -> None:
    world = a_world(POLICY, logs=lambda azure: Rows(azure, silent_from=NOON + 20 * MINUTE))

    world.start()
    rollout = world.run(minutes=300)

    assert (rollout.phase, rollout.source) == (Phase.PROMOTED, Source.METRICS)
    changes = [why for why in world.told if "starts again with numbers from metrics" in why]
    assert len(changes) == 1
    assert not any("no logs for" in why and why not in changes for why in world.told)
    assert rollout.evidence_since is not None
    assert rollout.evidence_since > NOON + 20 * MINUTE


def test_logs_that_a_policy_insists_on_hold_when_they_fall_silent() -> None:
    text = POLICY + "source: logs\non_no_data: {hold_minutes: 15, then: hold}\n"
    world = a_world(text, logs=lambda azure: Rows(azure, silent_from=NOON + 20 * MINUTE))

    world.start()
    rollout = world.run(minutes=100)

    assert (rollout.phase, rollout.source) == (Phase.HOLDING, Source.LOGS)
    assert rollout.hold is not None
    assert rollout.hold.cause is HoldCause.NO_DATA
    assert "no logs for" in rollout.hold.why


def test_a_workspace_that_was_taken_away_is_named_and_never_a_pass() -> None:
    world = a_world(POLICY + "source: logs\n", logs=Rows)
    world.start()
    world.run(minutes=20)
    stage = world.rollout.stage

    world.equipped(logs=None)
    world.run(minutes=5)

    assert world.head.trouble is not None
    assert "ROLLOUT_LOGS_WORKSPACE" in world.head.trouble
    assert world.rollout.stage == stage


# -- custom guards ---------------------------------------------------------------------------------


def test_guards_that_pass_let_a_rollout_through_and_keep_their_samples() -> None:
    answers = Answers({"slow_batches": rates(0.01), "queue": reading(3), "ready": reading(0)})
    world = a_world(policy(ERRORS, RATE, NUMBER, PLAIN), answers)

    world.start()
    rollout = world.run(minutes=200)

    assert rollout.phase is Phase.PROMOTED
    names = {source.split("-")[1] for _, source in world.samples.minutes if "-" in source}
    assert names == {"slow_batches", "queue", "ready"}
    entry = next(one for one in world.store.history(CHURN.key) if "passed" in one.why)
    told = [one["metric"] for one in entry.numbers["findings"]]
    assert told == ["error_rate", "slow_batches", "queue", "ready"]


@pytest.mark.parametrize(
    ("guard", "name", "tell", "said"),
    [
        (RATE, "slow_batches", rates(0.08), "slow_batches: canary "),
        (NUMBER, "queue", reading(9), "queue: canary 9, 5 allowed: above it in three readings"),
        (PLAIN, "ready", reading(1, "batch 7 is late"), "ready: it says no (batch 7 is late)"),
    ],
    ids=["rate", "number", "plain"],
)
def test_a_guard_of_ones_own_gives_all_traffic_back(
    guard: str, name: str, tell: Callable[[Question], Minutes], said: str
) -> None:
    world = a_world(policy(ERRORS, guard), Answers({name: tell}))

    world.start()
    rollout = world.run(minutes=60)

    assert rollout.outcome is Outcome.ROLLED_BACK
    assert rollout.rollback is not None
    assert said in rollout.rollback.why


@pytest.mark.parametrize(
    ("guard", "name"), [(RATE, "slow_batches"), (NUMBER, "queue"), (PLAIN, "ready")]
)
@pytest.mark.parametrize("tell", [unable, lambda _: {}], ids=["no answer", "nothing in it"])
def test_what_cannot_be_told_is_never_a_pass(
    guard: str, name: str, tell: Callable[[Question], Minutes]
) -> None:
    world = a_world(policy(ERRORS, guard), Answers({name: tell}))

    world.start()
    world.run(minutes=60)

    assert world.rollout.stage == 1
    verdict, because = findings(world)[name]
    assert verdict is Verdict.NOT_MEASURED
    assert because.startswith(f"{name}: ")
    assert findings(world)["error_rate"][0] is Verdict.PASS


def test_a_guard_that_falls_silent_after_a_pass_is_not_measured() -> None:
    answers = Answers({"slow_batches": rates(0.01)})
    world = a_world(policy(ERRORS, RATE), answers)
    world.start()
    world.run(minutes=12)
    stage = world.rollout.stage

    answers.tell["slow_batches"] = lambda _: {}
    world.run(minutes=40)

    assert world.rollout.stage <= stage + 1
    assert findings(world)["slow_batches"][0] is Verdict.NOT_MEASURED
    assert "nothing was counted for" in findings(world)["slow_batches"][1]


def test_a_guard_that_only_watches_stops_nothing() -> None:
    world = a_world(policy(ERRORS, f"{PLAIN}, severity: watch"), Answers({"ready": unable}))

    world.start()

    assert world.run(minutes=200).phase is Phase.PROMOTED


def test_a_failing_canary_is_given_back_before_anybody_else_is_asked() -> None:
    answers = Answers({"ready": reading(0)})
    world = a_world(policy(ERRORS, PLAIN), answers)
    world.azure.deployments["green"].error_rate = lambda _: 0.5

    world.start()
    rollout = world.run(minutes=60)

    assert rollout.phase is Phase.ROLLED_BACK
    assert findings(world)["ready"] == (
        Verdict.NOT_MEASURED,
        "ready: not asked: another guard has failed already",
    )
    assert rollout.rollback is not None
    assert all(one.until <= rollout.rollback.decided_at for _, one in answers.asked)


def test_a_slow_guard_takes_no_more_than_the_patience_of_a_look() -> None:
    first = PLAIN.replace("ready", "first")
    answers = Answers({"first": reading(0), "ready": reading(0)})
    world = a_world(policy(ERRORS, first, PLAIN), answers)
    answers.took = lambda: world.clock.advance(timedelta(seconds=21))

    world.start()
    world.run(minutes=15)

    assert findings(world)["ready"][1] == "ready: the guards before it took too long"
    assert {name for name, _ in answers.asked} == {"first"}


def test_a_guard_nobody_can_answer_is_refused_at_the_start() -> None:
    world = a_world(policy(ERRORS, PLAIN), Answers())

    decision = world.start()

    assert not decision.taken
    assert decision.why == "guard ready: nobody answers it: set SOMETHING"


def test_an_absolute_guard_is_asked_about_its_stage_alone() -> None:
    answers = Answers({"queue": reading(3)})
    world = a_world(policy(ERRORS, NUMBER), answers)

    world.start()
    world.run(minutes=40)

    begins = {one.since for _, one in answers.asked}
    shares = [one.since for one in world.rollout.shares]
    assert begins == {_next_minute(at) for at in shares}


def _next_minute(at: datetime) -> datetime:
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + MINUTE


# -- Kubernetes ------------------------------------------------------------------------------------

KUBERNETES = "".join(line for line in STAGES.splitlines(keepends=True) if "mirror" not in line)


@pytest.mark.parametrize(("value", "phase"), [(3, Phase.PROMOTED), (9, Phase.ROLLED_BACK)])
def test_guards_alone_carry_a_kubernetes_endpoint(value: float, phase: Phase) -> None:
    text = f"{KUBERNETES}guards:\n  - {NUMBER}}}\n"
    world = a_world(text, Answers({"queue": reading(value)}))
    world.azure.managed = False

    world.start()
    rollout = world.run(minutes=200)

    assert (rollout.phase, rollout.source) == (phase, Source.GUARDS)
    assert {source.split("-")[0] for _, source in world.samples.minutes} == {"guard"}


def test_guards_alone_that_fall_silent_hold() -> None:
    answers = Answers({"queue": reading(3)})
    world = a_world(f"{KUBERNETES}guards:\n  - {NUMBER}}}\n", answers)
    world.azure.managed = False
    world.start()
    world.run(minutes=5)

    answers.tell["queue"] = unable
    rollout = world.run(minutes=10)

    assert rollout.phase is Phase.HOLDING
    assert rollout.hold is not None
    assert "no numbers of its guards for" in rollout.hold.why


# -- the record ------------------------------------------------------------------------------------


def _replayed(world: World, text: str) -> Any:
    memory = Memory(
        world.azure, SimulatedMetrics(world.azure), world.samples, world.clock, world.logs
    )
    return replay(parse_policy(text, "p"), "p", memory.recording(world.rollout))


def test_a_replay_knows_what_the_guards_were_told() -> None:
    guards = (ERRORS, RATE, NUMBER, PLAIN)
    answers = Answers({"slow_batches": rates(0.01), "queue": reading(3), "ready": reading(0)})
    world = a_world(policy(*guards), answers)
    world.start()
    assert world.run(minutes=200).phase is Phase.PROMOTED

    same = _replayed(world, policy(*guards))
    stricter = _replayed(world, policy(ERRORS, NUMBER.replace("at_most: 5", "at_most: 2")))

    assert same.ending is Ending.PROMOTED
    assert stricter.ending is Ending.ROLLED_BACK
    assert "queue: canary 3, 2 allowed" in stricter.moments[-1].why


def test_a_guard_that_was_not_asked_then_has_no_answer_in_a_replay() -> None:
    world = a_world(POLICY)
    world.start()
    world.run(minutes=200)

    replayed = _replayed(world, policy(ERRORS, PLAIN))

    assert replayed.ending is Ending.UNDECIDED
    assert {one.decided for one in replayed.moments} == {"overtaken"}


def test_a_rollout_on_logs_is_replayed_on_its_logs() -> None:
    world = a_world(POLICY, logs=Rows)
    world.start()
    world.run(minutes=300)

    assert _replayed(world, POLICY).ending is Ending.PROMOTED


def test_guards_alone_are_replayed() -> None:
    text = f"{KUBERNETES}guards:\n  - {NUMBER}}}\n"
    world = a_world(text, Answers({"queue": reading(3)}))
    world.azure.managed = False
    world.start()
    world.run(minutes=200)

    assert _replayed(world, text).ending is Ending.PROMOTED
    worse = _replayed(world, text.replace("at_most: 5", "at_most: 1"))
    assert worse.ending is Ending.ROLLED_BACK
