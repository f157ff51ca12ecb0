"""A policy as text: what it says, all that is wrong or unwise in it, and which one to take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from rollout.analysis.report import Metric, Severity
from rollout.analysis.threshold import relative
from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.patience import Then
from rollout.core.policy import Approval, Bake, Canary, Policy, Retire, planned_minutes
from rollout.core.policy_problems import check_policy, spoken
from rollout.core.yaml_lines import Problem, Value, read_yaml
from rollout.errors import PolicyError

PROBLEMS_MAX = 50
REMEMBERED = 64
"""Texts whose policies are kept: each start reads all files, and few have changed."""

_Document = TypeVar("_Document", bound=Frozen)


@lru_cache(maxsize=REMEMBERED)
def parse_policy(text: str, name: str) -> Policy:
    """Read a policy from YAML or JSON.

    Raises PolicyError with all that is wrong, one problem a line: `name:line: place: what; remedy`.
    """
    return parse_as(Policy, text, name)


def parse_as(kind: type[_Document], text: str, name: str) -> _Document:
    """The same for a document of any kind."""
    written = read_yaml(text)
    problems = list(written.problems)
    if isinstance(written.value, dict):
        document, told = check_policy(written.value, kind)
        if document and not problems:
            return document
        problems += [written.problem(place, text) for place, text in told]
    elif not problems:
        problems.append(_no_mapping(written.value))
    raise PolicyError(_lines(name, problems))


def choose_policy(policies: Mapping[str, Policy], endpoint: EndpointId) -> str:
    """The name of the policy whose match is most specific; raises PolicyError on none and ties."""
    fitting = {
        name: policy.match.precision
        for name, policy in policies.items()
        if policy.match.fits(endpoint.workspace, endpoint.name)
    }
    best = sorted(name for name in fitting if fitting[name] == max(fitting.values()))
    if len(best) == 1:
        return best[0]
    if best:
        raise PolicyError(
            f"{endpoint}: {' and '.join(best)} match it equally well;"
            " make one pattern more specific, or name the policy to take"
        )
    patterns = [f"{policy.match.endpoint} ({name})" for name, policy in sorted(policies.items())]
    raise PolicyError(
        f"{endpoint}: no policy matches it; add one, or name the policy to take;"
        f" there are: {', '.join(patterns) or 'none'}"
    )


def warnings(policy: Policy) -> tuple[str, ...]:
    """What is allowed and probably not meant."""
    return tuple(sentence for look in _LOOKS for sentence in look(policy))


def _lines(name: str, problems: Sequence[Problem]) -> str:
    lines = [f"{name}:{problem}" for problem in sorted(set(problems))]
    left_out = len(lines) - PROBLEMS_MAX
    more = [f"{name}: and {left_out} more problems"] if left_out > 0 else []
    return "\n".join(lines[:PROBLEMS_MAX] + more)


def _no_mapping(value: Value) -> Problem:
    if value is None:
        return Problem(1, "", "empty; write at least match and stages")
    return Problem(1, "", f"a policy has keys such as match and stages; this is {spoken(value)}")


# -- what is allowed and probably not meant --------------------------------------------------


def _look_at_weights(policy: Policy) -> Iterator[str]:
    weights = [entry.stage.weight for entry in policy.stages if isinstance(entry.stage, Canary)]
    if not weights:
        yield "stages: no canary stage; all live traffic moves at once"
    elif weights[-1] < 50:
        yield (
            f"stages: from {weights[-1]} % all traffic follows at once;"
            " add a canary stage from 50 to 95"
        )
    elif weights[-1] > 95:
        yield (
            f"stages: at {weights[-1]} % the baseline has only {100 - weights[-1]} % of the"
            " requests left to compare with; 95 leaves enough"
        )


def _look_at_guards(policy: Policy) -> Iterator[str]:
    errors = [guard for guard in policy.guards if guard.metric is Metric.ERROR_RATE]
    if not errors:
        yield "guards: none is on error_rate; failing answers are not noticed"
    elif all(guard.severity is Severity.WATCH for guard in errors):
        yield "guards: error_rate is only watched; failing answers give nothing back"
    if all(guard.severity is not Severity.FAIL for guard in policy.guards):
        yield "guards: none has severity fail; no measurement gives the traffic back"


def _look_at_pace(policy: Policy) -> Iterator[str]:
    errors = [guard for guard in policy.guards if guard.metric is Metric.ERROR_RATE]
    if policy.pace == "adaptive" and not any(relative(guard) for guard in errors):
        yield (
            "pace: adaptive goes by what a guard knows that compares error_rate with the"
            " baseline's, and there is none; each weight is waited for until on_inconclusive"
            " decides"
        )


def _look_at_bake(policy: Policy) -> Iterator[str]:
    bakes = [entry.stage for entry in policy.stages if isinstance(entry.stage, Bake)]
    if not bakes or bakes[0].shortest_minutes == 0:
        yield (
            "stages: no time at 100 %; the rollout ends at its first passing look there,"
            " and what comes later rolls nothing back; add bake"
        )


def _look_at_retire(policy: Policy) -> Iterator[str]:
    if any(
        isinstance(entry.stage, Retire) and entry.stage.baseline == "delete"
        for entry in policy.stages
    ):
        yield "stages: retire deletes the baseline; nothing is left for undo to go back to"


def _look_at_time(policy: Policy) -> Iterator[str]:
    least = planned_minutes(entry.stage for entry in policy.stages)
    if least >= policy.on_deadline.minutes:
        yield (
            f"on_deadline: the stages take at least {least} minutes, and the deadline is after"
            f" {policy.on_deadline.minutes}; it comes before the end"
        )
    if policy.on_deadline.then is Then.HOLD:
        yield "on_deadline: then hold waits for a person, for ever if need be"


def _look_at_approvals(policy: Policy) -> Iterator[str]:
    for place, entry in enumerate(policy.stages):
        if isinstance(entry.stage, Approval) and entry.stage.then is Then.ADVANCE:
            yield f"stages[{place}]: then advance takes no answer for a yes"


_LOOKS: Sequence[Callable[[Policy], Iterator[str]]] = (
    _look_at_weights,
    _look_at_guards,
    _look_at_pace,
    _look_at_bake,
    _look_at_retire,
    _look_at_time,
    _look_at_approvals,
)
