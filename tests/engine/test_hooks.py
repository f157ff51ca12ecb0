"""Hooks in a whole rollout: asked under one id, waited for in bounds, and never by a way back."""

from datetime import timedelta

import pytest

from rollout.core.events import AbortRequested
from rollout.core.head import HistoryEntry
from rollout.core.rollout import HookWord, Phase
from rollout.core.traffic import Traffic
from rollout.errors import Refused, Unavailable
from rollout.notice_ports import HookAnswer
from tests.builders import MINUTE
from tests.fakes import NOON
from tests.simulation.world import CHURN, POLICY, World

ASKING = POLICY.replace(
    "{weight: 25, ", "{weight: 25, hooks: [{confirm: board, retries: 4}, {after: audit}], "
)
STOP = AbortRequested(id="stop", who="anna", why="complaints")
GO, NO = HookAnswer(HookWord.GO), HookAnswer(HookWord.VETO, "the load test failed")
SILENT = Unavailable("hook board: no answer (not within 5 s)")


def shares(world: World) -> list[int]:
    """Every share of the canary that was asked for, in order."""
    return [one.traffic.share("green") for one in world.azure.writes if one.expect is not None]


def answers(world: World) -> list[HistoryEntry]:
    return [one for one in world.store.history(CHURN.key) if one.event == "HookAnswered"]


def test_a_whole_rollout_asks_once_and_is_promoted() -> None:
    world = World(policy=ASKING)

    world.start()
    world.run(minutes=300)

    assert world.phase is Phase.PROMOTED
    assert [hook for hook, _ in world.hooks.asked] == ["board"]
    assert [one.why for one in answers(world)] == ["hook board says go to canary 25 %"]
    assert [one.about for one in world.letters] == ["canary 25 %"]


def test_a_veto_keeps_the_share_and_a_person_decides() -> None:
    world = World(policy=ASKING)
    world.hooks.says["board"] = NO
    world.start()
    world.run(minutes=60)

    assert (world.phase, world.azure.traffic.share("green")) == (Phase.HOLDING, 5)
    assert 25 not in shares(world)
    assert world.head.due_at is not None
    told = answers(world)[-1]
    assert told.why == "hook board says no to canary 25 %: the load test failed"
    assert (told.who, told.numbers["answer"]) == ("hook board", "veto")


def test_a_hook_that_never_answers_is_asked_under_one_id_within_bounds_and_then_holds() -> None:
    world = World(policy=ASKING)
    world.hooks.says["board"] = SILENT
    world.start()
    world.run(minutes=60)

    assert world.phase is Phase.HOLDING
    assert len(world.hooks.asked) == 5
    assert len({question_id for _, question_id in world.hooks.asked}) == 1
    why = "hook board does not answer to canary 25 %: asked 5 times: hook board: no answer"
    assert answers(world)[-1].why.startswith(why)


def test_a_hook_that_says_not_yet_is_waited_for() -> None:
    world = World(policy=ASKING.replace("retries: 4", "retries: 100"))
    world.hooks.says["board"] = Unavailable("hook board: it answers 425")
    world.start()
    world.run(minutes=30)
    waiting = world.phase
    world.hooks.says["board"] = GO

    world.run(minutes=200)

    assert waiting is Phase.HOLDING
    assert world.phase is Phase.PROMOTED


def test_a_hook_that_the_settings_do_not_know_is_not_asked_again() -> None:
    world = World(policy=ASKING)
    world.hooks.says["board"] = Refused("the settings know no webhook place 'board'")
    world.start()
    world.run(minutes=60)

    assert len(world.hooks.asked) == 1
    assert answers(world)[-1].why.endswith("the settings know no webhook place 'board'")


@pytest.mark.parametrize("said", [SILENT, NO])
def test_a_rollback_is_decided_and_asked_for_while_a_hook_says_no_or_nothing(
    said: HookAnswer | Unavailable,
) -> None:
    world = World(policy=ASKING.replace("retries: 4", "retries: 100"))
    world.hooks.says["board"] = said
    world.start()
    world.run(minutes=40)
    assert (world.phase, world.head.rollout and world.rollout.stage) == (Phase.HOLDING, 3)
    asked = len(world.hooks.asked)

    world.tell(STOP)

    last = world.azure.writes[-1]
    assert (last.at, last.expect, last.traffic) == (world.clock.now(), None, Traffic.all_to("blue"))
    world.run(minutes=30)
    assert world.phase is Phase.ROLLED_BACK
    assert len(world.hooks.asked) == asked


@pytest.mark.parametrize("seed", range(6))
def test_no_share_grows_before_the_hook_agreed_whoever_dies(seed: int) -> None:
    world = World(seed, ASKING.replace("retries: 4", "retries: 100"))
    world.hooks.says["board"] = SILENT
    world.start()
    world.deaths.rate = 0.01
    world.lost_messages = world.doubled_messages = 0.05
    agrees_at = NOON + timedelta(minutes=60)
    world.at(60, lambda: world.hooks.says.update(board=GO))

    world.run(minutes=600)

    early = [one for one in world.azure.writes if one.at < agrees_at]
    assert world.phase is Phase.PROMOTED
    assert max(one.traffic.share("green") for one in early) == 5
    assert len({question_id for _, question_id in world.hooks.asked}) == 1
    went = next(one.at for one in world.azure.writes if one.traffic.share("green") == 25)
    assert agrees_at <= went <= agrees_at + 5 * MINUTE
