"""The promises of the machine, held against random policies, platforms and people."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.analysis.capacity import Load
from rollout.analysis.report import Evidence, Kind, Report, Severity, Verdict
from rollout.core.actions import Action, RunSmoke, SetTraffic
from rollout.core.alerts import AlertSeverity
from rollout.core.endpoint import Provisioning
from rollout.core.events import (
    AbortRequested,
    ActionRefused,
    AlertFired,
    ApprovalGiven,
    ApprovalRefused,
    Event,
    ForeignChangeFound,
    Looked,
    PauseRequested,
    PromoteRequested,
    ResumeRequested,
    SkipRequested,
    SmokeFinished,
    TrafficAccepted,
    UndoRequested,
)
from rollout.core.head import Head
from rollout.core.machine.decide import decide, next_look
from rollout.core.machine.decision import Decision
from rollout.core.patience import Then, TooLittle
from rollout.core.policy import Approval, Bake, Canary, Mirror, Policy, Retire, Smoke
from rollout.core.rollout import Phase, Rollout
from rollout.core.traffic import Traffic
from tests.builders import (
    APPROVAL,
    BLUE,
    DELETE,
    KEEP,
    MINUTE,
    SCALE,
    SMOKE,
    a_deployment,
    a_finding,
    a_head,
    a_policy,
    a_view,
    found,
    looked,
    retried,
    rollout_of,
    split,
    started,
)
from tests.fakes import NOON

STEPS = 25
THIN = Report(
    (
        replace(
            a_finding(Verdict.INCONCLUSIVE),
            evidence=Evidence(Kind.SPLITS, 0, 0, 3.2, excess_bound=0.01, requests_needed=9),
        ),
    )
)
COIN = (False, True)
SELDOM = (False, False, False, True)
OFTEN = (True, *[True] * 8, False)
COMMANDS = (
    PauseRequested,
    ResumeRequested,
    SkipRequested,
    PromoteRequested,
    AbortRequested,
    ApprovalGiven,
    ApprovalRefused,
    UndoRequested,
)
MAPS = (
    BLUE,
    split(5),
    split(25),
    split(60),
    split(0, red=10),
    split(10, red=30),
    Traffic.all_to("red"),
    Traffic.all_to("green"),
    BLUE.mirrored_to("green", 20),
    BLUE.mirrored_to("red", 10),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Stages in their order, each there or not, and every rule each way."""
    shortest = draw(st.sampled_from([0, 1, 5]))
    times = {"shortest_minutes": shortest, "longest_minutes": draw(st.sampled_from([5, 20]))}
    weights = sorted(draw(st.sets(st.sampled_from([1, 5, 25, 95]), max_size=3)))
    parts: list[list[dict[str, Any]]] = [
        [SMOKE],
        [{"mirror": {"percent": 20, **times}}],
        *([{"canary": {"weight": weight, **times}}] for weight in weights),
        [APPROVAL],
        [{"bake": times}],
        [draw(st.sampled_from([DELETE, KEEP, SCALE]))],
    ]
    stages = [stage for part in parts if draw(st.booleans()) for stage in part]
    one_of = st.sampled_from
    too_little = st.fixed_dictionaries(
        {"then": one_of(TooLittle), "minutes": one_of([1, 30]), "points": one_of([1, 10])}
    )
    return a_policy(
        *(stages or [{"canary": {"weight": 5, **times}}]),
        baseline=draw(one_of(["current", "current", "blue"])),
        on_failure=draw(one_of(["roll_back", "hold"])),
        on_no_data={"hold_minutes": 3, "then": draw(one_of(["roll_back", "hold", "ask"]))},
        on_inconclusive=draw(one_of(["hold", "advance", "ask", "roll_back"])),
        on_too_little=draw(st.none() | too_little),
        on_deadline={
            "minutes": draw(one_of([30, 1440])),
            "then": draw(one_of(["roll_back", "hold", "ask"])),
        },
        on_newer=draw(one_of(["queue_latest", "supersede", "refuse"])),
        on_changed_in_place=draw(one_of(["restart", "roll_back"])),
        on_foreign_change=draw(one_of(["hold", "adopt", "roll_back"])),
    )


@dataclass
class World:
    """A small endpoint with its engine: it does what is owed, or not yet, and shows old maps.

    A calm one mostly does what it is asked to, so that a rollout comes to its end.
    """

    draw: Any
    policy: Policy = field(default_factory=a_policy)
    calm: bool = False
    head: Head = field(default_factory=a_head)
    now: datetime = NOON
    maps: list[Traffic] = field(default_factory=lambda: [BLUE])
    owed: tuple[Action, ...] = ()
    prints: dict[str, str] = field(default_factory=lambda: {"blue": "v1", "green": "v1"})
    measuring_since: datetime | None = None
    measured_before: timedelta = timedelta(0)

    def of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def event(self) -> Event:
        if self.calm and self.of(*OFTEN):
            return self._honest_answer(self.owed[0]) if self.owed else self._good_look()
        kind = self.of("look", "look", "look", "look", "perform", "perform", "person", "others")
        if kind == "person":
            return self._person()
        if kind == "others":
            return self._others()
        if kind == "perform" and self.owed:
            return self._answer(self.owed[0])
        return self._look()

    def _person(self) -> Event:
        what = self.of(*COMMANDS, "start", "retry", "alert")
        if what == "start":
            return self._start(self.of("green", "red"))
        if what == "retry":
            return retried(view=self._view(), policy=self.policy)
        if what == "alert":
            severity = self.of(*AlertSeverity)
            return AlertFired(id="a", rule="errors", severity=severity, fired_at=self.now)
        event: Event = what(id="c", who=self.of("anna", "zoe"))
        return event

    def _start(self, deployment: str) -> Event:
        policy, adopt = self.policy, self.of(*COIN)
        return started(deployment, view=self._view(), policy=policy, adopt=adopt)

    def _others(self) -> Event:
        """Someone changes the traffic or a deployment, and it is looked at."""
        what = self.of("map", "map", "green", "blue")
        if what == "map":
            self.maps.append(self.of(*MAPS))
        else:
            self.prints[what] = self.of("v1", "v2", "v3")
        return self._look()

    def _view(self, *, stale: bool = False) -> Any:
        traffic = self.maps[-2] if stale and len(self.maps) > 1 else self.maps[-1]
        deployments = {
            name: a_deployment(
                name, fingerprint=self.prints.get(name, "v1"), instances=self.of(1, 2)
            )
            for name in ("blue", "green", "red")
        }
        usual = Provisioning.SUCCEEDED
        state = self.of(usual, usual, usual, Provisioning.UPDATING, Provisioning.FAILED)
        return a_view(traffic, state=state, **deployments)

    def _look(self) -> Looked:
        verdicts = self.of((), *[(one,) for one in Verdict], tuple(Verdict)[:2])
        severity = self.of(*Severity)
        few = Evidence(Kind.SPLITS, 0, 0, 3.2, excess_bound=0.01, requests_needed=9)
        evidence = self.of(None, few)
        findings = tuple(
            replace(a_finding(verdict, severity), evidence=evidence) for verdict in verdicts
        )
        lag = self.of(0, 1, 3) * MINUTE
        return Looked(
            id="look",
            view=self._view(stale=self.of(*SELDOM)),
            report=self.of(None, Report(findings), Report(findings)),
            readable_until=self.of(None, self.now - lag, self.now - lag),
            heard_until=self.of(None, self.now - lag, self.now - lag),
            lag=lag,
            load=self.of(None, Load(1, 0.01)),
            operation_failed=self.of(None, None, None, "it failed"),
        )

    def _good_look(self) -> Looked:
        rollout = self.head.rollout
        gone = rollout is not None and rollout.phase is Phase.RETIRING
        blue = None if gone and self.of(*COIN) else a_deployment("blue", instances=1)
        green = a_deployment(fingerprint=self.prints["green"])
        report = self.of(*[found(Verdict.PASS)] * 3, Report(), THIN, THIN)
        look = looked(a_view(self.maps[-1], blue=blue, green=green), report)
        look = look.model_copy(update={"load": Load(1, 0.01)})
        readable_until = self.now - self.of(0, 2) * MINUTE
        readable = {"readable_until": readable_until, "heard_until": self.now, "lag": MINUTE}
        return look.model_copy(update=readable)

    def _answer(self, action: Action) -> Event:
        if self.of(*SELDOM):
            self.owed = self.owed[1:]
            return ActionRefused(id="no", action=str(action), reason="quota", remedy="az ...")
        return self._honest_answer(action)

    def _honest_answer(self, action: Action) -> Event:
        self.owed = self.owed[1:]
        match action:
            case SetTraffic(traffic=wish, expect=expect):
                if expect is not None and self.maps[-1] not in (expect, wish):
                    return ForeignChangeFound(id="f", found=self.maps[-1])
                self.maps.append(wish)
                return TrafficAccepted(id="t", traffic=wish, operation="url")
            case RunSmoke():
                return SmokeFinished(id="s", passed=1, failures=self.of((), (), (), ("bad",)))
            case _:
                return self._look()

    def lose_what_is_owed(self) -> None:
        self.owed = ()

    def take(self, decision: Decision) -> None:
        before, after = self.head.rollout, decision.head.rollout
        moved = _place(before) != _place(after)
        withdrawn = moved or decision.head.generation != self.head.generation or decision.actions
        self.owed = decision.actions if withdrawn else self.owed
        self._count(before, after)
        self.head = decision.head

    def _count(self, before: Rollout | None, after: Rollout | None) -> None:
        """Our own stopwatch of the time the stage was measured."""
        was = before is not None and before.phase is Phase.MEASURING
        now_measuring = after is not None and after.phase is Phase.MEASURING
        moved = before and after and (before.id, before.stage) != (after.id, after.stage)
        if was and now_measuring and not moved:
            return  # it runs on
        if was and self.measuring_since:
            self.measured_before += self.now - self.measuring_since
        if moved:
            self.measured_before = timedelta(0)
        self.measuring_since = self.now if now_measuring else None


def _place(rollout: Rollout | None) -> tuple[Any, ...]:
    return (rollout.id, rollout.phase, rollout.stage) if rollout else ()


def weight_allowed(rollout: Rollout) -> int:
    """The live share the policy's stage gives the canary, whatever the machine thinks."""
    for stage in reversed(rollout.stages[: rollout.stage + 1]):
        match stage:
            case Smoke() | Mirror():
                return 0
            case Canary(weight=weight):
                return weight + (notch(rollout, weight) if stage is rollout.here else 0)
            case Bake():
                return 100
            case Approval() | Retire():
                continue
    return 0


def notch(rollout: Rollout, weight: int) -> int:
    """So much more the policy itself gives a canary stage that wants traffic."""
    rule = rollout.policy.on_too_little
    if rule is None or rule.then != "notch":
        return 0
    higher = [one.stage.weight for one in rollout.policy.stages if isinstance(one.stage, Canary)]
    return min(rule.points, min((one for one in higher if one > weight), default=99) - weight)


def _forward_by_a_look(world: World, event: Event, decision: Decision) -> bool:
    before, after = world.head.rollout, decision.head.rollout
    if before is None or after is None or not isinstance(event, Looked):
        return False
    return before.id == after.id and (
        after.stage > before.stage or (after.phase is Phase.PROMOTED and not before.over)
    )


def _goes_down_while_held(rollout: Rollout, action: SetTraffic) -> bool:
    """A canary that was changed under its name has lost its evidence, also while a person holds."""
    found = action.expect or action.traffic
    more = action.traffic.share(rollout.canary) > found.share(rollout.canary)
    return rollout.phase is Phase.HOLDING and not more


def check_traffic(before: Head, decision: Decision) -> None:
    """Promises 1 and 2, and the platform's rule about mirrors."""
    for action in decision.actions:
        if not isinstance(action, SetTraffic):
            continue
        rollout, wish = rollout_of(decision), action.traffic
        assert sum(wish.live.values()) in {0, 100}
        if action.is_rollback:
            assert rollout.phase is Phase.ROLLING_BACK
            assert wish == rollout.recorded
            assert not wish.reaches(rollout.canary)
        else:
            assert action.expect is not None
            assert rollout.phase is Phase.SHIFTING or _goes_down_while_held(rollout, action)
            assert wish.share(rollout.canary) <= weight_allowed(rollout)
            assert not _swaps(action.expect, wish, rollout.canary)
    if decision.head.phase is Phase.ROLLING_BACK:
        assert all(isinstance(one, SetTraffic) and one.is_rollback for one in decision.actions)


def _swaps(now: Traffic, then: Traffic, canary: str) -> bool:
    into_live = canary in now.mirror and canary in then.live
    return into_live or (canary in now.live and canary in then.mirror)


def check_evidence(world: World, event: Event, decision: Decision) -> None:
    """Promises 4 and 5: no pass without data, and none before the shortest time."""
    rollout = world.head.rollout
    if rollout is None or not _forward_by_a_look(world, event, decision):
        return
    stage = rollout.here
    if isinstance(stage, Approval):
        assert stage.then is Then.ADVANCE
    if not isinstance(stage, Mirror | Canary | Bake):
        return
    assert isinstance(event, Looked)
    assert rollout.phase is Phase.MEASURING
    assert event.report is not None
    verdicts = {
        one.verdict for one in event.report.findings if one.guard.severity is not Severity.WATCH
    }
    assert verdicts
    allowed = {Verdict.PASS}
    if rollout.policy.on_inconclusive is Then.ADVANCE:
        allowed.add(Verdict.INCONCLUSIVE)
    assert verdicts <= allowed
    short = [one.evidence.requests_needed for one in event.report.open if one.evidence]
    assert not event.report.open or not all(short) or len(short) < len(event.report.open)
    assert rollout.canary not in rollout.observed.mirror or isinstance(stage, Mirror)
    assert world.measuring_since is not None
    shortest = stage.shortest_minutes * rollout.minute
    assert world.measured_before + (world.now - world.measuring_since) >= shortest
    if shortest:
        readable = event.readable_until or rollout.readable_until  # the watermark last seen
        assert readable is not None
        assert readable >= world.measuring_since
        seen = readable - world.measuring_since
        assert world.measured_before + seen >= shortest


def check_answer(world: World, event: Event, decision: Decision) -> None:
    """Deterministic, storable, and at rest when nothing is new."""
    head = decision.head
    assert decision == decide(world.head, event, world.now)
    assert Head.model_validate_json(head.model_dump_json(by_alias=True)) == head
    if not decision.taken:
        assert decision.actions == ()
        assert head.model_copy(update={"queued": None}) == world.head.model_copy(
            update={"queued": None}
        )
    if head.live:
        at = next_look(head, world.now)
        assert at is not None
        assert at > world.now
    if isinstance(event, Looked) and _kept(world.head) == _kept(head) and not decision.actions:
        again = decide(head, event, world.now)
        assert (again.head, again.actions) == (head, ())


def _kept(head: Head) -> dict[str, Any]:
    """All but what is only noticed."""
    noticed = {"observed", "report", "readable_until"}
    return head.model_dump(exclude={"rollout": noticed})


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_promise_is_broken_whatever_happens(data: st.DataObject) -> None:
    policy = data.draw(policies())
    world = World(data.draw, policy, calm=data.draw(st.booleans()))
    if policy.baseline == "blue":
        world.maps = [split(0, red=20)]
    elif data.draw(st.integers(0, 9)) == 0:
        world.maps = [Traffic()]
    world.take(decide(world.head, started(policy=policy, view=a_view(world.maps[0])), world.now))
    for _ in range(STEPS):
        world.now += data.draw(st.sampled_from([1, 5, 60, 60, 180, 400])) * timedelta(seconds=1)
        event = world.event()

        decision = decide(world.head, event, world.now)

        check_traffic(world.head, decision)
        check_evidence(world, event, decision)
        check_answer(world, event, decision)
        world.take(decision)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_after_a_rollback_the_recorded_map_is_asked_for_until_it_is_seen(
    data: st.DataObject,
) -> None:
    policy = data.draw(policies())
    world = World(data.draw, policy, calm=data.draw(st.booleans()))
    world.take(decide(world.head, started(policy=policy, view=a_view()), world.now))
    for _ in range(data.draw(st.integers(0, 15))):
        world.now += data.draw(st.sampled_from([5, 60, 180])) * timedelta(seconds=1)
        world.take(decide(world.head, world.event(), world.now))
    if not world.head.live or world.head.phase is Phase.ROLLING_BACK:
        return
    world.take(decide(world.head, AbortRequested(id="stop", who="anna"), world.now))

    asked = _looks_until_seen(world)

    assert world.head.phase is Phase.ROLLED_BACK
    assert world.maps[-1] == rollout_of(Decision(world.head, "")).recorded
    assert asked


def _looks_until_seen(world: World) -> Sequence[Action]:
    """Honest looks at a platform that loses every other write."""
    asked = list(world.owed)
    world.lose_what_is_owed()
    for turn in range(6):
        if turn % 2:
            world.maps.extend(one.traffic for one in world.owed if isinstance(one, SetTraffic))
        world.now += timedelta(seconds=20)
        decision = decide(world.head, Looked(id="l", view=a_view(world.maps[-1])), world.now)
        world.take(decision)
        asked += decision.actions
        if world.head.phase is Phase.ROLLED_BACK:
            break
    return asked
