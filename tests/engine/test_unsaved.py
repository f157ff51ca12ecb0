"""Ways back that could not be saved: what is done of them, what waits, and for how long."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from rollout.core.endpoint import EndpointId
from rollout.core.events import AbortRequested, AlertFired, Event, Looked
from rollout.core.machine.back import CONTROLLER, roll_back
from rollout.core.machine.decision import Decision
from rollout.core.rollout import Outcome, Phase, Rollout
from rollout.core.way_back import AbortedAtAzure
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Message
from rollout.unsaved import Unsaved
from rollout.wakes import wake_of
from tests.builders import BLUE, a_head, a_rollout, a_view
from tests.fakes import NOON, FakeClock, FakeQueue

FULL = Unavailable("the disk is full")
ABORT = AbortRequested(id="abort", who="anna", why="complaints")
ALERT = AlertFired.model_validate(
    {"id": "a1", "rule": "errors", "severity": "Sev1", "fired_at": NOON}
)


@dataclass
class Azure:
    """Takes the traffic back, or says no."""

    says: RolloutError | None = None
    marks: list[AbortedAtAzure] = field(default_factory=list)

    def give_back(self, _rollout: Rollout, mark: AbortedAtAzure) -> None:
        self.marks.append(mark)
        if self.says:
            raise self.says


class Line(FakeQueue):
    """Keeps what is sent, unless it is down."""

    down = False

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.went: list[Message] = []

    def send(self, message: Message) -> None:
        if self.down:
            raise Unavailable("no connection to the namespace")
        self.went.append(message)


@dataclass
class Bench:
    azure: Azure = field(default_factory=Azure)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.queue = Line(self.clock)
        self.unsaved = Unsaved(self.azure.give_back, self.queue, self.clock)
        self.head = a_head(a_rollout(Phase.MEASURING))

    @property
    def endpoint(self) -> EndpointId:
        return self.head.endpoint

    def back(self, outcome: Outcome = Outcome.ROLLED_BACK, who: str = "rollout") -> Decision:
        assert self.head.rollout
        return roll_back(self.head, self.head.rollout, "too many errors", NOON, outcome, who)

    def give_back(self, event: Event, decision: Decision | None = None) -> Decision:
        return self.unsaved.give_back(self.head, decision or self.back(), event, FULL)

    def refused(self, event: Event) -> str:
        self.azure.says = Refused("403 nobody may")
        with pytest.raises(Unavailable) as error:
            self.give_back(event)
        return str(error.value)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def a_look(aborted: AbortedAtAzure | None = None) -> Looked:
    return Looked(id="look", view=a_view(BLUE).model_copy(update={"aborted": aborted}))


# -- what is done --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "event", "who", "why", "event_id"),
    [
        (Outcome.ABORTED, ABORT, "anna", "complaints", "abort"),
        (Outcome.ROLLED_BACK, a_look(), CONTROLLER, "too many errors", ""),
        (Outcome.ROLLED_BACK, ALERT, CONTROLLER, "too many errors", "a1"),
    ],
)
def test_a_person_signs_an_abort_and_the_controller_what_it_decides_itself(
    outcome: Outcome, event: Event, who: str, why: str, event_id: str, bench: Bench
) -> None:
    decision = bench.give_back(event, bench.back(outcome, "anna"))

    left = AbortedAtAzure(rollout_id="churn-1", who=who, why=why, event_id=event_id)
    assert bench.azure.marks == [left]
    assert "the endpoint's tags tell who asked" in decision.why
    assert bench.unsaved.waiting(bench.endpoint) is None


def test_what_is_found_at_azure_keeps_its_signature(bench: Bench) -> None:
    there = AbortedAtAzure(rollout_id="churn-1", who="ben", why="it is night")

    bench.give_back(a_look(there), bench.back(Outcome.ABORTED, "ben"))

    assert bench.azure.marks == [there]


def test_what_an_earlier_rollout_left_there_signs_nothing(bench: Bench) -> None:
    bench.give_back(a_look(AbortedAtAzure(rollout_id="churn-0", who="ben", why="it is night")))

    assert [one.who for one in bench.azure.marks] == [CONTROLLER]


@pytest.mark.parametrize("outcome", [Outcome.SUPERSEDED, Outcome.UNDONE])
def test_what_ends_for_another_rollout_waits_until_it_can_be_saved(
    outcome: Outcome, bench: Bench
) -> None:
    with pytest.raises(Unavailable, match=r"^the disk is full$"):
        bench.give_back(ABORT, bench.back(outcome, "anna"))

    assert bench.azure.marks == []
    assert bench.unsaved.waiting(bench.endpoint) is None


def test_a_decision_that_asks_for_no_map_is_not_done(bench: Bench) -> None:
    with pytest.raises(Unavailable, match=r"^the disk is full$"):
        bench.give_back(ABORT, replace(bench.back(), actions=()))

    assert bench.azure.marks == []


# -- what waits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [ABORT, ALERT], ids=["abort", "alert"])
def test_what_people_and_alerts_say_waits_and_is_asked_again_in_a_second(
    event: Event, bench: Bench
) -> None:
    told = bench.refused(event)

    assert "said: 403 nobody may; it is asked again as long as this process lives" in told
    assert bench.unsaved.waiting(bench.endpoint) == event
    assert [one.not_before for one in bench.queue.went] == [NOON + timedelta(seconds=1)]


def test_what_a_look_found_waits_for_the_next_look(bench: Bench) -> None:
    told = bench.refused(a_look())

    assert "asked again" not in told
    assert bench.unsaved.waiting(bench.endpoint) is None
    assert bench.queue.went == []


def test_the_same_one_is_sent_once_and_another_by_a_message_of_its_own(bench: Bench) -> None:
    bench.refused(ABORT)
    bench.refused(ABORT)
    bench.refused(ALERT)

    assert len({one.id for one in bench.queue.went}) == len(bench.queue.went) == 2
    assert bench.unsaved.waiting(bench.endpoint) == ALERT


def test_where_something_waits_a_failed_message_comes_again_within_five_seconds(
    bench: Bench,
) -> None:
    wake = wake_of(bench.head, 1).model_copy(update={"retries": 9})
    before = bench.unsaved.patience(wake)
    bench.refused(ABORT)

    during = bench.unsaved.patience(wake)
    bench.unsaved.settled(bench.endpoint)

    assert during == timedelta(seconds=5)
    assert before == bench.unsaved.patience(wake) > timedelta(seconds=30)


def test_one_that_fails_again_holds_up_no_other(bench: Bench) -> None:
    tried = list[EndpointId]()
    heads = [a_head(a_rollout(Phase.MEASURING), endpoint=bench.endpoint)]
    other = bench.endpoint.model_copy(update={"name": "fraud"})
    heads.append(a_head(a_rollout(Phase.MEASURING), endpoint=other))
    for bench.head in heads:
        bench.refused(ABORT)

    def attempt(endpoint: EndpointId) -> None:
        tried.append(endpoint)
        raise Unavailable("the disk is full still")

    bench.unsaved.each(attempt)

    assert tried == [head.endpoint for head in heads]


def test_without_a_queue_it_waits_for_the_sweep(bench: Bench) -> None:
    bench.queue.down = True

    bench.refused(ABORT)

    assert bench.unsaved.waiting(bench.endpoint) == ABORT


def test_what_is_settled_is_asked_no_more(bench: Bench) -> None:
    bench.refused(ABORT)
    tried = list[EndpointId]()

    bench.unsaved.settled(bench.endpoint)
    bench.unsaved.each(tried.append)

    assert tried == []
