"""The way back without a controller: from this machine to Azure, by the rights of who asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Protocol, TypeVar

import click

from rollout.cli.endings import Failure, Unreachable
from rollout.cli.session import Session
from rollout.core.endpoint import EndpointId, EndpointView, WorkspaceId
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure
from rollout.errors import Malformed, RolloutError, Unavailable

Answer = TypeVar("Answer")

_PAUSES = (1.0, 2.0)
_PAUSE = 5.0


class AtAzure(Protocol):
    """What is needed of Azure for it, and nothing else."""

    def read(self, endpoint: EndpointId) -> EndpointView: ...

    def give_back(
        self, endpoint: EndpointId, traffic: Traffic, mark: AbortedAtAzure | None
    ) -> object: ...


@dataclass(frozen=True, slots=True)
class WentBack:
    """What was found, what is there now, and which rollout it ended, where that is known."""

    endpoint: EndpointId
    found: Traffic
    now: Traffic
    rollout_id: str | None


def find_endpoint(ref: str, environment: Mapping[str, str]) -> EndpointId:
    """Read S/RG/W/ENDPOINT or an ARM id; a shorter name where the workspaces are set here."""
    parts = ref.split("/")
    if not ref.startswith("/") and len(parts) == 4 and all(parts):
        subscription, group, workspace, name = (part.lower() for part in parts)
        return EndpointId(
            subscription=subscription, resource_group=group, workspace=workspace, name=name
        )
    try:
        return EndpointId.parse(ref) if ref.startswith("/") else _by_name(ref, environment)
    except Malformed as error:
        raise Failure(str(error), remedy=_WRITE) from error


_WRITE = "write SUBSCRIPTION/GROUP/WORKSPACE/ENDPOINT, or the endpoint's ARM id"


def _by_name(ref: str, environment: Mapping[str, str]) -> EndpointId:
    workspace, _, name = ref.rpartition("/")
    known = [
        WorkspaceId.parse(part)
        for part in environment.get("ROLLOUT_WORKSPACES", "").split(",")
        if part.strip()
    ]
    meant = [one for one in known if not workspace or one.workspace == workspace.lower()]
    if len(meant) != 1:
        raise Failure(f"without a controller {ref!r} does not say which endpoint", remedy=_WRITE)
    return meant[0].endpoint(name)


def give_back(
    azure: AtAzure, session: Session, endpoint: EndpointId, to: str | None, who: str, why: str
) -> WentBack:
    """Ask for the way back until Azure shows it; busy, it is asked again, as long as it takes."""
    busy = _Patience(session, endpoint)
    found = busy.until_answered(lambda: azure.read(endpoint))
    back = _the_map(found, to)
    left = found.way_back
    mark = AbortedAtAzure(rollout_id=left.rollout_id, who=who, why=why) if left else None
    click.echo(f"{endpoint}: {found.traffic} → {back}", err=True)
    while True:
        busy.until_answered(lambda: azure.give_back(endpoint, back, mark))
        seen = _settled(busy, azure, endpoint)
        if seen.traffic == back:
            rollout_id = mark.rollout_id if mark else None
            return WentBack(endpoint, found.traffic, seen.traffic, rollout_id)


def _settled(busy: "_Patience", azure: AtAzure, endpoint: EndpointId) -> EndpointView:
    while not (seen := busy.until_answered(lambda: azure.read(endpoint))).state.settled:
        busy.wait()
    return seen


def _the_map(found: EndpointView, to: str | None) -> Traffic:
    """The map that a person names, or the one that the rollout left in the endpoint's tags."""
    there = ", ".join(sorted(found.deployments)) or "none"
    if to is None and found.way_back is None:
        raise Failure(
            f"{found.id} ({found.traffic}) tells no way back: no rollout has moved its traffic",
            remedy=f"name who gets everything: --to DEPLOYMENT; there are: {there}",
        )
    if found.way_back and to == found.way_back.canary:
        raise Failure(
            f"{to} is the deployment on trial",
            remedy="leave --to out, or name another deployment",
        )
    wanted = Traffic.all_to(to) if to else found.way_back.traffic if found.way_back else Traffic()
    gone = sorted((wanted.live.keys() | wanted.mirror.keys()) - found.deployments.keys())
    if gone:
        raise Failure(
            f"{found.id} has no deployment {', '.join(gone)}: {wanted} cannot be restored",
            remedy=f"name who gets everything: --to DEPLOYMENT; there are: {there}",
        )
    return wanted


class _Patience:
    """Asks again after 1, 2, then every 5 seconds, and says once that it does."""

    def __init__(self, session: Session, endpoint: EndpointId) -> None:
        self._session = session
        self._endpoint = endpoint
        self._told = ""

    def wait(self, seconds: float = _PAUSE) -> None:
        self._session.sleep(seconds)

    def until_answered(self, ask: Callable[[], Answer]) -> Answer:
        for pause in chain(_PAUSES, repeat(_PAUSE)):
            try:
                return ask()
            except Unavailable as later:
                self._tell(str(later))
            except RolloutError as no:
                raise self._no(no) from no
            self.wait(pause)
        raise AssertionError  # the pauses have no end

    def _tell(self, why: str) -> None:
        if why != self._told:
            click.echo(f"asking again, Ctrl-C ends it: {why}", err=True)
        self._told = why

    def _no(self, no: RolloutError) -> Failure:
        command = self._endpoint.az_command("update")
        return Unreachable(
            str(no),
            where=str(self._endpoint),
            remedy=f"with other rights: {command} --traffic 'DEPLOYMENT=100 OTHER=0'",
        )
