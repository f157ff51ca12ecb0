"""One action, one call on one port; what the world answers at once comes back as an event."""

import json
from collections.abc import Callable
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
from rollout.core.smoke import FAILURES_LONG, PIECE, Smoked, SmokeRequest, gone_on, read_smoke
from rollout.core.way_back import AbortedAtAzure
from rollout.errors import Malformed, PolicyError, Refused, Unavailable, Unknown
from rollout.notice_ports import HookPlaces
from rollout.ports import (
    Accepted,
    Clock,
    Endpoints,
    OtherMap,
    PolicyFiles,
    Scoring,
    Withdrawn,
)

SMOKE_TRIES_MAX = 5
"""So often a canary that is busy or out of reach is tried again; then that is its answer."""

SMOKE_SLOW = timedelta(seconds=1)
"""After an answer that took longer it is asked whether anybody still wants to know."""

StillWanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Partly:
    """Not done yet: how far it came, and, where the world said "later", what it said."""

    smoked: Smoked | None
    later: Unavailable | None = None


class Effects:
    """Performs owed actions. Each may be performed twice: what is done already is only read."""

    def __init__(
        self,
        endpoints: Endpoints,
        scoring: Scoring,
        policies: PolicyFiles,
        owner: str,
        clock: Clock,
        hooks: HookPlaces | None = None,
    ) -> None:
        """Without `hooks` no hook can be asked: each counts as one that does not answer."""
        self._endpoints = endpoints
        self._scoring = scoring
        self._policies = policies
        self._owner = owner
        self._clock = clock
        self._hooks = hooks

    def perform(self, debt: Debt, still_wanted: StillWanted) -> Event | Partly | None:
        """Do an owed action, or a piece of it; raises Unavailable where it is to be tried again."""
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

    def _call(self, debt: Debt, answer_id: str, still_wanted: StillWanted) -> Event | Partly | None:
        match debt.action:
            case SetTraffic() as wish:
                return self._set_traffic(wish, answer_id, still_wanted)
            case RunSmoke() as wish:
                return self._smoke(wish, debt, answer_id, still_wanted)
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
        self, wish: RunSmoke, debt: Debt, answer_id: str, still_wanted: StillWanted
    ) -> SmokeFinished | Partly | None:
        """A piece of them, from where the one before ended; None where it was withdrawn.

        However long an answer takes, no more than that one is waited for when the time is over.
        """
        requests = read_smoke(self._policies.attachment(wish.requests), wish.requests)
        smoked, ends = gone_on(debt.smoked, requests), self._clock.now() + PIECE
        while not smoked.over:
            request = requests[smoked.sent]
            try:
                objection, took = self._objection(wish, request)
            except Unavailable as busy:
                if debt.attempts < SMOKE_TRIES_MAX:
                    return Partly(smoked, busy)
                objection, took = str(busy), FAILURES_LONG
            place = f"request {smoked.sent + 1} of {wish.requests}"
            smoked = smoked.answered(request, objection and f"{place}: {objection}", took)
            if smoked.over:
                break
            if took > SMOKE_SLOW and not still_wanted():
                return None
            if self._clock.now() >= ends:
                return Partly(smoked)
        unsent = smoked.total - smoked.sent
        return SmokeFinished(
            id=answer_id, passed=smoked.passed, failures=smoked.failures, unsent=unsent
        )

    def _objection(self, wish: RunSmoke, request: SmokeRequest) -> tuple[str | None, timedelta]:
        """What is wrong with the answer, and how long it took."""
        body = json.dumps(request.body).encode()
        answer = self._scoring.score(wish.endpoint, wish.deployment, body)
        if answer.status in {429, 503} and request.status != answer.status:
            raise Unavailable(f"{wish.deployment} is busy ({answer.status})")
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
