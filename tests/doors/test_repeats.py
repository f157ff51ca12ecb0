"""What is delivered again is answered as it was, and acts on nothing that came after."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollout.core.events import ApprovalGiven
from rollout.core.head import REFUSALS_MAX
from rollout.core.machine.decide import decide
from rollout.core.machine.repeats import answered
from rollout.core.record import record
from rollout.core.rollout import Phase
from tests.builders import a_head, a_question, a_rollout
from tests.doors.callers import Caller, a_caller, read
from tests.fakes import NOON
from tests.simulation.world import CHURN, POLICY

COMMANDS = ("pause", "resume", "skip", "promote", "abort", "approve", "reject", "release", "undo")


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return a_caller(tmp_path, POLICY)


def _over(caller: Caller) -> str:
    """The id of a rollout that was aborted, with its watch behind it."""
    rollout_id = str(read(caller.start())["id"])
    caller.command("abort")
    caller.world.run(minutes=30)
    return rollout_id


def _next(caller: Caller) -> str:
    begun = caller.start(why="again")
    assert begun.status == 201
    return str(read(begun)["id"])


@pytest.mark.parametrize("name", ["pause", "abort", "promote"])
def test_a_refused_command_that_comes_again_is_refused_to_the_next_rollout_too(
    caller: Caller, name: str
) -> None:
    _over(caller)
    first = caller.command(name, key="k")
    latest = _next(caller)
    before = caller.world.head

    again = caller.command(name, key="k")

    assert (first.status, again.status) == (409, 409)
    assert read(again)["detail"].startswith(read(first)["detail"])
    assert "what is asked again needs a new id" in read(again)["detail"]
    assert caller.world.head == before
    assert read(caller.command("abort", key="another"))["rollout"]["id"] == latest


def test_an_abort_that_comes_again_does_not_abort_the_next_rollout(caller: Caller) -> None:
    first = str(read(caller.start())["id"])
    caller.command("abort", key="k")
    caller.world.run(minutes=30)
    _next(caller)

    again = caller.command("abort", key="k")

    assert again.status == 200
    assert read(again)["rollout"]["id"] == first
    assert caller.world.phase is Phase.PREPARING


def test_the_same_key_for_another_rollout_named_by_its_id_is_another_command(
    caller: Caller,
) -> None:
    first = str(read(caller.start())["id"])
    caller.command("abort", ref=first, key="stop")
    caller.world.run(minutes=30)
    second = _next(caller)

    answer = caller.command("abort", ref=second, key="stop")

    assert read(answer)["rollout"]["id"] == second
    assert caller.world.phase is Phase.ROLLING_BACK


def test_a_refused_start_that_comes_again_starts_nothing(caller: Caller) -> None:
    _over(caller)
    refused = caller.start("purple", key="k")
    caller.world.azure.deployments["purple"] = caller.world.azure.deployments["green"]

    again = caller.start("purple", key="k")

    assert (refused.status, again.status) == (422, 422)
    assert caller.start("purple", key="k2").status == 201


def test_a_refusal_keeps_its_status_when_a_rollout_has_begun_since(caller: Caller) -> None:
    _over(caller)
    caller.start("purple", key="k")
    _next(caller)

    assert caller.start("purple", key="k").status == 422


def test_refusals_put_off_no_look_and_push_out_no_decided_event(caller: Caller) -> None:
    caller.start(key="run-1")
    before = caller.world.head

    for number in range(3 * REFUSALS_MAX):
        assert caller.command("resume", key=f"k{number}").status == 409

    after = caller.world.head
    assert (after.due_at, after.turn, after.seen) == (before.due_at, before.turn, before.seen)
    assert len(after.refused) == REFUSALS_MAX
    assert len(after.model_dump_json()) < 32 * 1024


# -- a start waits behind what is over: which rollout is its own? --------------------------------


def test_a_start_while_the_last_is_watched_is_not_answered_with_the_last(caller: Caller) -> None:
    """Two starts that are alike in every word: a job that follows must not see the one before."""
    first = str(read(caller.start(key="run-1"))["id"])
    caller.world.run(minutes=20)
    caller.command("abort")
    caller.world.run(minutes=3)
    assert caller.world.phase is Phase.ROLLED_BACK

    answer = caller.start(key="run-2")

    assert answer.status == 202, read(answer)
    assert read(answer)["behind"] == first
    caller.world.run(minutes=15)
    shown = read(caller.ask("show_rollout", ref="churn"))
    assert (shown["order"], shown["id"] != first) == (read(answer)["order"], True)
    assert read(caller.start(key="run-2"))["id"] == shown["id"]
    assert read(caller.start(key="run-1"))["id"] == first


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from((*COMMANDS, "start", "wait")), st.integers(0, 4)),
        min_size=1,
        max_size=14,
    )
)
def test_whatever_comes_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, int]]
) -> None:
    caller = a_caller(tmp_path_factory.mktemp("again"), POLICY)
    caller.start(key="first")
    answers: dict[tuple[str, int], int] = {}
    for name, number in asked:
        if name == "wait":
            caller.world.run(minutes=1 + 3 * number)
            continue
        before = caller.world.store.load(CHURN)
        if name == "start":
            answer = caller.start(key=f"{number}", why=f"{number}")
        else:
            answer = caller.command(name, key=f"{number}")
        if (name, number) in answers:
            assert caller.world.store.load(CHURN) == before
            # a start that waited has begun, or another took its place
            assert name == "start" or answers[name, number] == answer.status
        answers[name, number] = answer.status


# -- a link is another matter ----------------------------------------------------------------------


def test_a_no_to_a_link_leaves_it_good_for_somebody_who_may() -> None:
    asked = a_rollout(Phase.APPROVING, asked=a_question())
    link = {"id": "link", "question_since": asked.phase_since}
    stranger = ApprovalGiven.model_validate({**link, "who": "carla"})

    refused = decide(a_head(asked), stranger, NOON)
    row, _, _ = record(a_head(asked), refused, stranger, NOON)

    assert not refused.taken
    assert answered(row, "link") is None
