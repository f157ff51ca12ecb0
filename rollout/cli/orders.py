"""What a person may ask of a rollout: one command for each, all alike."""

from collections.abc import Mapping
from dataclasses import dataclass

import click

from rollout.cli.abort import abort
from rollout.cli.cancel import cancel
from rollout.cli.controller import in_path
from rollout.cli.glance import told_of
from rollout.cli.talk import Talk, changes
from rollout.inbox import UPWARD


@dataclass(frozen=True, slots=True)
class _Order:
    """What the help says: one sentence, and a reason such as people give."""

    sentence: str
    why: str


_ORDERS: Mapping[str, _Order] = {
    "pause": _Order("Hold the rollout of REF where it is, its guards still on.", "launch day"),
    "resume": _Order("Let the rollout of REF go on where it stands still.", "the alert was ours"),
    "skip": _Order("Go on to the next stage without this one's verdict.", "mirrored yesterday"),
    "promote": _Order("Give the canary of REF all traffic now.", "hotfix"),
    "retry": _Order("Start the last rollout of REF, or its held stage, again.", "quota raised"),
    "undo": _Order("Give traffic back to the previous baseline after a promotion.", "complaints"),
    "release": _Order(
        "End the rollback of REF where Azure cannot do it: the map stays as it is.", "blue is gone"
    ),
    "approve": _Order("Say yes where the rollout of REF waits for people.", "numbers look good"),
    "reject": _Order("Say no where the rollout of REF waits for people: it goes back.", "too slow"),
}


def _command(name: str, order: _Order) -> click.Command:
    def ordered(talk: Talk, ref: str, who: str | None, why: str, key: str, **given: bool) -> None:
        path = f"rollouts/{in_path(ref)}/{name}"
        body = {"who": who, "why": why, **{flag: True for flag, is_set in given.items() if is_set}}
        answer = talk.controller.change("POST", path, body, key)
        told = told_of(answer.body["decided"], talk.controller.view(answer.body.get("rollout")))
        talk.answer(answer.body, lambda: told)

    epilog = f'\b\nExamples:\n  rollout {name} churn\n  rollout {name} churn --why "{order.why}"'
    asked = click.argument("ref")(changes(ordered))
    if name in UPWARD:
        asked = click.option(
            "--despite-freeze", is_flag=True, help="Overlook the freeze of now; it is recorded."
        )(asked)
    return click.command(name, help=order.sentence, epilog=epilog)(asked)


ORDERS = (abort, cancel, *(_command(name, order) for name, order in _ORDERS.items()))
