"""What the operations on a deployment do while they run."""

import asyncio
from dataclasses import dataclass
from typing import Any

from emulator.arm.calls import Call
from emulator.arm.control import Control
from emulator.arm.refusals import Refusal
from emulator.arm.resources import Deployment, Endpoint
from emulator.scoring.fleet import Limits
from emulator.scoring.instance import Launch, NotReady


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment as its PUT asks for it."""

    properties: dict[str, Any]
    sku: dict[str, Any]
    tags: dict[str, str]
    limits: Limits


async def roll(
    control: Control, call: Call, deployment: Deployment, launch: Launch, wanted: Wanted
) -> None:
    """Replace the instances; a deployment whose instances never got healthy is Failed."""
    switches = control.board.set
    count = _instances(control, wanted.sku)
    try:
        await control.take_time(call)
        await deployment.fleet.roll_to(launch, count, switches.provision_seconds_max)
        await asyncio.sleep(switches.deployment_seconds)
    except NotReady as error:
        deployment.state = "Failed"
        raise Refusal(400, "ResourceNotReady", str(error)) from error
    except Refusal:
        deployment.state = "Failed"
        raise
    deployment.fleet.limit(wanted.limits)
    deployment.properties, deployment.sku = wanted.properties, wanted.sku
    deployment.tags, deployment.state = wanted.tags, "Succeeded"


async def scale(
    control: Control,
    call: Call,
    deployment: Deployment,
    tags: dict[str, str],
    sku: dict[str, Any],
) -> None:
    seconds_max = control.board.set.provision_seconds_max
    try:
        await control.take_time(call)
        await deployment.fleet.scale_to(_instances(control, sku), seconds_max)
    except NotReady as error:
        deployment.state = "Failed"
        raise Refusal(400, "ResourceNotReady", str(error)) from error
    except Refusal:
        deployment.state = "Failed"
        raise
    deployment.tags, deployment.sku, deployment.state = tags, sku, "Succeeded"


async def remove(control: Control, call: Call, endpoint: Endpoint, deployment: Deployment) -> None:
    name = deployment.name.lower()
    try:
        await control.take_time(call)
    except Refusal:
        deployment.state = "Failed"
        raise
    endpoint.traffic = endpoint.traffic.without(name)
    endpoint.deployments.pop(name, None)
    await deployment.fleet.stop()


def _instances(control: Control, sku: dict[str, Any]) -> int:
    return min(int(sku["capacity"]), control.board.set.processes_max)
