"""The one table of the HTTP API: what may be asked, who may ask it, and what is answered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from rollout.api import (
    alerts,
    answers,
    approvals,
    audit,
    callers,
    events,
    hooks,
    installation,
    keys,
    listing,
    plans,
    policies,
    prunes,
    rollouts,
)
from rollout.api.exchange import PATH_WORD_MAX, Request, Response, answer
from rollout.api.openapi import Operation, Query, Schema, document
from rollout.api.parts import Parts
from rollout.api.problems import problem_of
from rollout.core.callers import Role
from rollout.doctor import Report
from rollout.errors import RolloutError
from rollout.inbox import (
    ENDPOINT_PATTERN,
    AlertmanagerGroup,
    CheckBody,
    CommonAlert,
    PlanBody,
    PushBody,
    RolloutCommandBody,
    StartBody,
)
from rollout.keys.views import KeysStatus
from rollout.rehearsal.plan import PlanView
from rollout.rehearsal.recording import Recording
from rollout.retention import PrunedPage
from rollout.views import RolloutView

Handler = Callable[[Parts, Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that may be asked; its name is also that of the function on Azure.

    `least` is the role that it needs; where none is written, it is for admins alone. `stricter`
    are those of single commands. What is hurried may give traffic back: no limit makes it wait.
    """

    name: str
    method: str
    path: str
    handle: Handler
    answers: Mapping[int, type[BaseModel] | None]
    body: type[BaseModel] | None = None
    query: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()
    optional_headers: tuple[Query, ...] = ()
    events: bool = False
    once: bool = False
    check: callers.Check = callers.token
    refuse: Callable[[RolloutError, str], Response] = problem_of
    least: Role | None = Role.ADMIN
    stricter: Mapping[str, Role] = field(default_factory=dict)
    hurried: bool = False

    def least_for(self, request: Request) -> Role | None:
        """The least role that may ask this; None: everybody may."""
        return self.stricter.get(request.path.get("command", ""), self.least)

    @property
    def operation(self) -> Operation:
        """The same in the words of the OpenAPI document."""
        return Operation(
            name=self.name,
            method=self.method,
            path=self.path,
            summary=(self.handle.__doc__ or self.name).splitlines()[0].rstrip("."),
            answers=self.answers,
            body=self.body,
            query=self.query,
            headers=self.headers,
            optional_headers=self.optional_headers,
            events=self.events,
            takes_key=self.once,
            security=None if self.check is callers.anyone else self.check.__name__,
            least=self.least,
            stricter=self.stricter,
        )


def openapi_json(_parts: Parts, _request: Request) -> Response:
    """Describe this API: the document you are reading."""
    return answer(openapi())


_STATE = Query("state", {"enum": list(rollouts.STATES), "default": rollouts.STATES[0]})
_LIMIT = Query(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": rollouts.LIMIT_MAX, "default": rollouts.LIMIT},
)
_AFTER = Query("after", {"type": "integer", "minimum": 0, "default": 0})
_BEHIND = Query("after", {"type": "string", "pattern": listing.PLACE})
_PERMIT = Query("permit", {"type": "string", "maxLength": 2000, "pattern": "^[\\x21-\\x7e]*$"})
_PLACE = {"type": "string", "pattern": "^[0-9]{1,12}$"}
_ENDPOINT = Query("endpoint", {"type": "string", "maxLength": 600, "pattern": ENDPOINT_PATTERN})
_FROM = Query("after", _PLACE)
_LAST = Query("last", {"type": "integer", "minimum": 0, "maximum": events.LAST_MAX, "default": 0})
_WAIT = Query(
    "wait",
    {
        "type": "integer",
        "minimum": 0,
        "maximum": events.WAIT_SECONDS_MAX,
        "default": events.WAIT_SECONDS,
    },
)
_LAST_EVENT_ID = Query("Last-Event-ID", _PLACE)
_OBJECT = answers.AnyObject
_TAKEN = answers.QueuedOrDecided
_ORIGIN = Query(
    hooks.ORIGIN_HEADER, {"type": "string", "maxLength": 100, "pattern": "^eventgrid\\.[\\w.-]*$"}
)
_NAMED = {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$"}
_REF = {"type": "string", "maxLength": PATH_WORD_MAX, "pattern": "^[A-Za-z0-9][A-Za-z0-9_.~-]*$"}
_ID = {"type": "string", "maxLength": PATH_WORD_MAX, "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:~-]*$"}
_STRICTER = dict.fromkeys(rollouts.OVERRULING, Role.APPROVER)
_WORDS: Mapping[str, Schema] = {
    "ref": {
        "description": "A rollout's id; or an endpoint, `churn` or `workspace~churn`, for its live"
        " or last rollout.",
        "schema": _REF,
    },
    "command": {"schema": {"enum": list(rollouts.ASKED)}},
    "verb": {"schema": {"enum": list(keys.KEY_COMMANDS)}},
    "name": {"description": "The policy's name.", "schema": _NAMED},
    "queue": {"schema": _NAMED},
    "id": {"schema": _ID},
}

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("health", "GET", "health", installation.health, {200: answers.Health},
          check=callers.anyone, least=None, hurried=True),
    Route("openapi", "GET", "openapi.json", openapi_json, {200: _OBJECT},
          check=callers.anyone, least=None),
    Route("about", "GET", "about", installation.about, {200: answers.About}, least=Role.READER),
    Route("doctor", "GET", "doctor", installation.doctor, {200: Report}, least=Role.READER),
    Route("stream_events", "GET", "events", events.stream, {200: events.EventTold},
          query=(_ENDPOINT, _FROM, _LAST, _WAIT), optional_headers=(_LAST_EVENT_ID,),
          events=True, least=Role.READER),
    Route("start_rollout", "POST", "rollouts", rollouts.start,
          {201: RolloutView, 202: answers.Queued}, body=StartBody, once=True, least=Role.OPERATOR),
    Route("list_rollouts", "GET", "rollouts", rollouts.listed,
          {200: answers.RolloutList}, query=(_STATE, _LIMIT, _BEHIND), least=Role.READER),
    Route("show_rollout", "GET", "rollouts/{ref}", rollouts.shown, {200: RolloutView},
          least=Role.READER),
    Route("rollout_history", "GET", "rollouts/{ref}/history", rollouts.history,
          {200: answers.History}, query=(_AFTER,), least=Role.READER),
    Route("rollout_minutes", "GET", "rollouts/{ref}/minutes", rollouts.minutes, {200: Recording},
          least=Role.READER),
    Route("rollout_disagreements", "GET", "rollouts/{ref}/disagreements", rollouts.disagreements,
          {200: answers.Disagreements}, least=Role.READER),
    Route("command_rollout", "POST", "rollouts/{ref}/{command}", rollouts.command,
          {200: answers.DecidedRollout}, body=RolloutCommandBody, once=True,
          least=Role.OPERATOR, stricter=_STRICTER, hurried=True),
    Route("show_approval", "GET", "approval", approvals.show,
          dict.fromkeys((200, 401, 410), answers.Page),
          query=(_PERMIT,),
          check=callers.approval_link, least=Role.APPROVER, refuse=approvals.refused),
    Route("answer_approval", "POST", "approval", approvals.answer,
          dict.fromkeys((200, 401, 409, 422), answers.Page),
          check=callers.approval_link, least=Role.APPROVER, hurried=True,
          refuse=approvals.refused),
    Route("list_keys", "GET", "keys", keys.listed, {200: keys.KeysList}, least=Role.READER),
    Route("show_keys", "GET", "keys/{ref}", keys.shown, {200: KeysStatus},
          least=Role.READER),
    Route("keys_history", "GET", "keys/{ref}/history", keys.history,
          {200: answers.History}, query=(_AFTER,), least=Role.READER),
    Route("rotate_keys", "POST", "keys/{ref}/rotate", keys.rotate,
          {201: keys.DecidedRotation}, body=keys.RotateBody, once=True,
          least=Role.OPERATOR),
    Route("command_keys", "POST", "keys/{ref}/{verb}", keys.command,
          {200: keys.DecidedRotation}, body=keys.KeyCommandBody, once=True,
          least=Role.OPERATOR),
    Route("audit_endpoint", "GET", "audits/{ref}", audit.audited, {200: answers.AuditView},
          least=Role.READER),
    Route("audit_entries", "GET", "audits/{ref}/entries", audit.page,
          {200: answers.AuditPage}, query=(_AFTER,), least=Role.READER),
    Route("prune_history", "POST", "prunes", prunes.pruned,
          {200: PrunedPage}, body=prunes.PruneBody, least=Role.ADMIN),
    Route("list_policies", "GET", "policies", policies.listed, {200: answers.PolicyList},
          least=Role.READER),
    Route("check_policy", "POST", "policies/check", policies.checked,
          {200: answers.PolicyCheck}, body=CheckBody, least=Role.READER),
    Route("policy_schema", "GET", "policies/schema", policies.schema, {200: _OBJECT},
          least=Role.READER),
    Route("show_policy", "GET", "policies/{name}", policies.shown, {200: answers.PolicyView},
          least=Role.READER),
    Route("push_policy", "PUT", "policies/{name}", policies.pushed,
          {200: answers.PolicyView}, body=PushBody, least=Role.ADMIN),
    Route("remove_policy", "DELETE", "policies/{name}", policies.removed, {204: None},
          least=Role.ADMIN),
    Route("plan_rollout", "POST", "plans", plans.planned, {200: PlanView}, body=PlanBody,
          least=Role.READER),
    Route("take_alert", "POST", "alerts", alerts.azure_monitor,
          {202: answers.Decided}, body=CommonAlert, least=Role.ALERTER, hurried=True),
    Route("take_alertmanager", "POST", "alerts/alertmanager", alerts.alertmanager,
          {202: answers.Decided}, body=AlertmanagerGroup, least=Role.ALERTER, hurried=True),
    Route("take_github", "POST", "hooks/github", hooks.github,
          {201: RolloutView, 202: _TAKEN}, body=_OBJECT, check=callers.github, least=Role.OPERATOR),
    Route("take_azure_devops", "POST", "hooks/azure-devops", hooks.azure_devops,
          {201: RolloutView, 202: _TAKEN}, body=_OBJECT, check=callers.azure_devops,
          least=Role.OPERATOR),
    Route("take_events", "POST", "hooks/event-grid", hooks.event_grid,
          {200: answers.EventsTaken}, body=answers.AnyEvents, check=callers.event_grid,
          least=Role.OPERATOR),
    Route("event_grid_origin", "OPTIONS", "hooks/event-grid", hooks.event_grid_origin,
          {200: None}, headers=(_ORIGIN,), check=callers.anyone, least=None),
    Route("list_dead_letters", "GET", "dead-letters", installation.dead_letters,
          {200: answers.DeadLetterList}, least=Role.READER),
    Route("resend_dead_letter", "POST", "dead-letters/{queue}/{id}/resend", installation.resend,
          {204: None}, least=Role.OPERATOR),
)
# fmt: on
BY_NAME: Mapping[str, Route] = {route.name: route for route in ROUTES}


def openapi() -> dict[str, object]:
    """The OpenAPI document of the table."""
    operations = [route.operation for route in ROUTES]
    return document(operations, _WORDS, rollouts.PREFIX, installation.VERSION)


def openapi_text() -> str:
    """The same as it is kept in the reference."""
    return json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n"
