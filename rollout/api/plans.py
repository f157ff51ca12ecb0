"""Plans over HTTP: what a policy would see on an endpoint, before a rollout."""

from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.api.problems import Impossible
from rollout.core.policy_text import parse_policy
from rollout.errors import Conflict, Malformed
from rollout.inbox import PlanBody, endpoint_name, read_body
from rollout.ports import PolicyFile
from rollout.rehearsal.plan import foretell
from rollout.rehearsal.traffic import TrafficView, given

UNNAMED = "policy"


def planned(parts: Parts, request: Request) -> Response:
    """Tell what a policy would see, cost and miss, before a rollout; nothing is changed."""
    body = read_body(request.body, PlanBody)
    file = _file(parts, body)
    policy = parse_policy(file.text, file.name)
    if body.endpoint is None:
        return answer(foretell(policy, file.name, _given(parts, body)))
    endpoint = parts.engine.resolve(endpoint_name(body.endpoint))
    if body.rps is not None or body.error_rate is not None:
        raise Malformed("endpoint: its traffic is read; leave out rps and error_rate, or endpoint")
    try:
        traffic = parts.memory.traffic(endpoint, policy)
    except Conflict as silent:
        raise Impossible(str(silent)) from silent
    return answer(foretell(policy, file.name, traffic, str(endpoint)))


def _file(parts: Parts, body: PlanBody) -> PolicyFile:
    if (body.policy is None) == (body.text is None):
        raise Malformed("policy: give either the name of a policy, or its text")
    if body.policy is not None:
        return parts.policies.read(body.policy)
    return PolicyFile(UNNAMED, body.text or "")


def _given(parts: Parts, body: PlanBody) -> TrafficView:
    if body.rps is None or body.error_rate is None:
        raise Malformed("endpoint: missing; give it, or both rps and error_rate")
    return given(
        body.rps,
        body.error_rate,
        parts.clock.minute.total_seconds(),
        parts.settings.metrics_lag_minutes,
    )
