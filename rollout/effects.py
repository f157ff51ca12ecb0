"""One action, one call on one port; what the world answers at once comes back as an event."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from rollout.core.actions import (
    AskHook,
    ClaimEndpoint,
    CreateDeployment,
    DeleteDeployment,
    RunSmoke,
    ScaleDeployment,
    SetTraffic,
)
from rollout.core.endpoint import EndpointId
from rollout.core.events import (
    ActionRefused,
    Event,
    ForeignChangeFound,
    HookAnswered,
    SmokeFinished,
    TrafficAccepted,
)
from rollout.core.head import Debt
from rollout.core.rollout import HookWord, Rollout
from rollout.core.smoke import SmokeRequest, read_smoke
from rollout.core.way_back import AbortedAtAzure
from rollout.errors import Malformed, PolicyError, Refused, Unavailable, Unknown
from rollout.notice_ports import HookPlaces
from rollout.ports import Accepted, Endpoints, OtherMap, PolicyFiles, Scoring, Withdrawn

SMOKE_TRIES_MAX = 5
"""So often a canary that is busy or out of reach is tried again; then that is its answer."""

FAILURES_MAX = 10
FAILURES_LONG = timedelta(seconds=60)
"""So many failed smoke requests, or such that took so long together, are proof enough.

The rest is not sent: one request may take three minutes, and a function has five in all.
"""

SMOKE_SLOW = timedelta(seconds=1)
"""After an answer that took longer it is asked whether anybody still wants to know."""

StillWanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Smoke:
    endpoint: EndpointId
    deployment: str
    path: str
    requests: Sequence[SmokeRequest]


class Effects:
    """Performs owed actions. Each may be performed twice: what is done already is only read."""

    def __init__(
        self,
        endpoints: Endpoints,
        scoring: Scoring,
        policies: PolicyFiles,
        owner: str,
        hooks: HookPlaces | None = None,
    ) -> None:
        """Without `hooks` no hook can be asked: each counts as one that does not answer."""
        self._endpoints = endpoints
        self._scoring = scoring
        self._policies = policies
        self._owner = owner
        self._hooks = hooks

    def perform(self, debt: Debt, still_wanted: StillWanted) -> Event | None:
        """Do one owed action; raises Unavailable where it is to be tried again."""
        answer_id = f"{debt.id}:answer"
        try:
            return self._call(debt, answer_id, still_wanted)
        except (Refused, Unknown, PolicyError, Malformed) as no:
            return ActionRefused(
                id=answer_id,
                action=str(debt.action),
                kind=debt.action.type,
                reason=str(no),
                remedy=_remedy(debt),
            )

    def give_back(self, rollout: Rollout, mark: AbortedAtAzure) -> None:
        """Restore the recorded map, and leave the mark there; raises what Azure says against it."""
        self._endpoints.give_back(rollout.endpoint, rollout.recorded, mark)

    def _call(self, debt: Debt, answer_id: str, still_wanted: StillWanted) -> Event | None:
        match debt.action:
            case SetTraffic() as wish:
                return self._set_traffic(wish, answer_id, still_wanted)
            case RunSmoke(endpoint=endpoint, deployment=deployment, requests=path):
                requests = read_smoke(self._policies.attachment(path), path)
                smoke = _Smoke(endpoint, deployment, path, requests)
                last_try = debt.attempts >= SMOKE_TRIES_MAX
                return self._smoke(smoke, answer_id, still_wanted, last_try=last_try)
            case AskHook() as question:
                return self._ask(question, debt, answer_id)
            case ClaimEndpoint(endpoint=endpoint):
                self._endpoints.claim(endpoint, self._owner)
            case ScaleDeployment(endpoint=endpoint, deployment=deployment, instances=instances):
                self._endpoints.scale(endpoint, deployment, instances)
            case DeleteDeployment(endpoint=endpoint, deployment=deployment):
                self._endpoints.delete(endpoint, deployment)
            case CreateDeployment(endpoint=endpoint, deployment=deployment, creation=creation):
                self._endpoints.create(endpoint, deployment, creation)
            case _:
                assert_never(debt.action)
        return None

    def _ask(self, question: AskHook, debt: Debt, answer_id: str) -> HookAnswered:
        """What the hook says; where it says nothing, that is its answer at the last try."""
        said = {"id": answer_id, "hook": question.hook, "stage": question.stage}
        if self._hooks is None:
            return HookAnswered(**said, word=HookWord.NONE, reason="no hook can be asked here")
        try:
            answer = self._hooks.ask(question, debt.id)
        except Unavailable as silent:
            if debt.attempts < question.retries:
                raise
            times = f"asked {debt.attempts + 1} times: " if debt.attempts else ""
            return HookAnswered(**said, word=HookWord.NONE, reason=f"{times}{silent}")
        except Refused as no:
            return HookAnswered(**said, word=HookWord.NONE, reason=str(no))
        return HookAnswered(**said, word=answer.word, reason=answer.reason)

    def _set_traffic(
        self, wish: SetTraffic, answer_id: str, still_wanted: StillWanted
    ) -> Event | None:
        answer = self._endpoints.set_traffic(
            wish.endpoint, wish.traffic, wish.expect, still_wanted, wish.way_back
        )
        match answer:
            case Accepted(operation=operation):
                return TrafficAccepted(id=answer_id, traffic=wish.traffic, operation=operation)
            case OtherMap(found=found):
                return ForeignChangeFound(id=answer_id, found=found)
            case Withdrawn():
                return None

    def _smoke(
        self, smoke: _Smoke, answer_id: str, still_wanted: StillWanted, *, last_try: bool
    ) -> SmokeFinished | None:
        """None where it was withdrawn while the canary took its time."""
        passed, failures, failing = 0, list[str](), timedelta(0)
        for number, request in enumerate(smoke.requests, 1):
            try:
                objection, took = self._objection(smoke, request)
            except Unavailable as busy:
                if not last_try:
                    raise
                objection, took = str(busy), FAILURES_LONG
            if objection is None:
                passed += 1
            else:
                failures.append(f"request {number} of {smoke.path}: {objection}")
                failing += took
            if len(failures) == FAILURES_MAX or failing >= FAILURES_LONG:
                break
            if took > SMOKE_SLOW and not still_wanted():
                return None
        return SmokeFinished(id=answer_id, passed=passed, failures=tuple(failures))

    def _objection(self, smoke: _Smoke, request: SmokeRequest) -> tuple[str | None, timedelta]:
        """What is wrong with the answer, and how long it took."""
        body = json.dumps(request.body).encode()
        answer = self._scoring.score(smoke.endpoint, smoke.deployment, body)
        if answer.status in {429, 503} and request.status != answer.status:
            raise Unavailable(f"{smoke.deployment} is busy ({answer.status})")
        took_ms = answer.took / timedelta(milliseconds=1)
        told = request.objection(answer.status, took_ms, answer.body)
        told = f"{told} ({answer.reason})" if told and answer.reason else told
        return told, answer.took


def _remedy(debt: Debt) -> str:
    """The command with which a person can do the same; empty where there is none."""
    match debt.action:
        case SetTraffic():
            return debt.action.by_hand
        case DeleteDeployment(endpoint=endpoint, deployment=deployment):
            return endpoint.az_command("delete", deployment)
        case ScaleDeployment(endpoint=endpoint, deployment=deployment, instances=instances):
            return f"{endpoint.az_command('update', deployment)} --set instance_count={instances}"
        case CreateDeployment(endpoint=endpoint, deployment=deployment, creation=creation):
            return f"{endpoint.az_command('create', deployment)} --file {creation.template}"
        case ClaimEndpoint() | RunSmoke() | AskHook():
            return ""
