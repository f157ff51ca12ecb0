"""A hook is asked before a stage: it says go, says no, or gives no answer however often."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from rollout.core.actions import AskHook
from rollout.core.rollout import HookWord
from rollout.errors import RolloutError, Unavailable
from rollout.notice_ports import HookAnswer
from tests.fakes import FakeClock, FakeHooks
from tests.simulation.stories import Story, promoted, rolled_back
from tests.simulation.world import POLICY, World

GO, NO = HookAnswer(HookWord.GO), HookAnswer(HookWord.VETO, "the load test failed")
SILENT = Unavailable("hook board: no answer")


@dataclass
class SlowHooks(FakeHooks):
    """Who gives no answer takes the whole time there is for one."""

    clock: FakeClock = field(kw_only=True)

    def ask(self, question: AskHook, question_id: str) -> HookAnswer:
        try:
            return super().ask(question, question_id)
        except RolloutError:
            self.clock.advance(timedelta(seconds=question.timeout_seconds))
            raise


# -- what happens ------------------------------------------------------------------------------


def _asks(says: HookAnswer | Unavailable, **rules: str) -> Callable[[World, Random], None]:
    def prepare(world: World, _dice: Random) -> None:
        _hooked(world, says, **rules)

    return prepare


def _asks_what_is_down(world: World, dice: Random) -> None:
    """Whoever is asked comes back in time, and says go."""
    _hooked(world, SILENT, retries="100")
    world.at(dice.uniform(20, 50), lambda: world.hooks.says.update(board=GO))


def _hooked(world: World, says: HookAnswer | Unavailable, **rules: str) -> None:
    told = "".join(f", {name}: {value}" for name, value in rules.items())
    hooked = f"{{weight: 25, hooks: [{{confirm: board{told}}}], "
    world.policies.text = POLICY.replace("{weight: 25, ", hooked)
    world.hooks = SlowHooks({"board": says}, clock=world.clock)
    world.engine = world.new_worker()


# -- how it ends -------------------------------------------------------------------------------


def _asked_and_promoted(world: World) -> None:
    _asked_under_one_id(world)
    promoted(world)


def _asked_and_back(world: World) -> None:
    _asked_under_one_id(world)
    rolled_back(world)
    sent = [one.traffic for one in world.azure.writes if one.traffic.share("green") > 5]
    assert not sent, f"P1: {sent[0]} was sent, and the hook never said go"


def _asked_under_one_id(world: World) -> None:
    asked = world.hooks.asked
    assert asked, "no hook was asked"
    assert len({question_id for _, question_id in asked}) == 1, f"P3: asked as several: {asked}"


HOOK_STORIES: Mapping[str, Story] = {
    "hook goes": Story(_asks(GO), _asked_and_promoted),
    "hook vetoes": Story(_asks(NO, on_veto="roll_back"), _asked_and_back),
    "hook hangs": Story(_asks(SILENT, on_no_answer="roll_back"), _asked_and_back),
    "hook hangs, on": Story(_asks(SILENT, on_no_answer="advance"), _asked_and_promoted),
    "hook comes back": Story(_asks_what_is_down, _asked_and_promoted),
}
