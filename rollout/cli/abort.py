"""`rollout abort`: all traffic back, through the controller or without one."""

import secrets

import click

from rollout.cli.controller import in_path
from rollout.cli.direct import WentBack, find_endpoint, give_back
from rollout.cli.endings import Failure, Unreachable
from rollout.cli.glance import told_of
from rollout.cli.talk import MayTalk, asking, key_option, may_talk, user, who_option, why_option

ARM_URL = "https://management.azure.com"


@click.command(
    epilog="""\b
Examples:
  rollout abort churn
  rollout abort churn --why "wrong model"
  rollout abort --direct S/RG/W/churn              # no controller: by your `az login`
  rollout abort --direct S/RG/W/churn --to blue    # and nothing told the way back"""
)
@click.argument("ref")
@click.option("--direct", is_flag=True, help="Ask Azure itself; no controller is needed.")
@click.option("--to", metavar="DEPLOYMENT", help="With --direct: who gets all traffic.")
@click.option(
    "--arm-url",
    metavar="URL",
    envvar="ROLLOUT_ARM_URL",
    default=ARM_URL,
    show_default=True,
    help="With --direct: where ARM answers.",
)
@why_option
@who_option
@key_option
@may_talk
def abort(  # noqa: PLR0913 - options
    talk: MayTalk,
    ref: str,
    *,
    direct: bool,
    to: str | None,
    arm_url: str,
    who: str | None,
    why: str,
    key: str | None,
) -> None:
    """Give all traffic back now and end the rollout of REF.

    With --direct the map is the one that the rollout left in the endpoint's tags; a controller
    that comes back finds there who aborted, and agrees.
    """
    if to and not direct:
        raise click.UsageError("--to is for --direct: a controller knows the map itself")
    if direct:
        _directly(talk, ref, to, arm_url, who or user(), why)
    else:
        _by_controller(talk, ref, who, why, key or secrets.token_hex(16))


def _by_controller(talk: MayTalk, ref: str, who: str | None, why: str, key: str) -> None:
    try:
        talking = talk.begin()
        talking.name_controller()
        path = f"rollouts/{in_path(ref)}/abort"
        body = {"who": who or asking(talking.controller.place), "why": why}
        answer = talking.controller.change("POST", path, body, key)
    except Unreachable as silent:
        way = "if it cannot wait: rollout abort --direct S/RG/W/ENDPOINT"
        remedy = f"{silent.remedy}; {way}" if silent.remedy else way
        raise Unreachable(silent.message, where=silent.where, remedy=remedy) from silent
    view = talking.controller.view(answer.body.get("rollout"))
    talk.answer(answer.body, lambda: told_of(answer.body["decided"], view))


def _directly(talk: MayTalk, ref: str, to: str | None, arm_url: str, who: str, why: str) -> None:
    from rollout.errors import RolloutError  # noqa: PLC0415 - only who goes to Azure pays for it
    from rollout.wiring.alone import endpoints_alone  # noqa: PLC0415

    endpoint = find_endpoint(ref, talk.session.environment)
    try:
        azure = endpoints_alone(arm_url)
    except RolloutError as error:
        raise Failure(str(error), where="--arm-url") from error
    done = give_back(azure, talk.session, endpoint, to, who, why)
    talk.answer(_as_json(done), lambda: _told(done))


def _as_json(done: WentBack) -> dict[str, object]:
    maps = {"found": done.found.model_dump(mode="json"), "now": done.now.model_dump(mode="json")}
    return {"endpoint": done.endpoint.arm_id, **maps, "rollout": done.rollout_id}


def _told(done: WentBack) -> str:
    ended = f"; {done.rollout_id} is aborted when its controller looks" if done.rollout_id else ""
    return f"{done.endpoint}: the endpoint has {done.now}{ended}"
