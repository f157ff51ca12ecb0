"""What others announce, and the one start that the policies' rules make of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.frozen import Frozen
from rollout.core.pattern import fits
from rollout.core.policy import Policy
from rollout.core.start_on import Source, StartRule, filled
from rollout.errors import PolicyError

NEAR_MAX = 5

_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class News(Frozen):
    """One announcement as a rule may ask for it: who brings it, and its values by name."""

    id: str = Field(description="one for one announcement, however often it is delivered")
    source: Source
    values: Mapping[str, str]
    who: str
    why: str = ""
    at: datetime = Field(description="when it happened: what is forgotten is known by it")
    workspace: WorkspaceId | None = Field(None, description="where a model was registered")
    endpoint: EndpointId | None = Field(None, description="whose deployment was written")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be started: the endpoint as a person would name it, and under which policy."""

    policy: str
    endpoint: str
    deployment: str
    template: str | None = None


def start_of(news: News, policies: Mapping[str, Policy]) -> Wanted | str:
    """The start that one rule makes of it; or why none does.

    Raises PolicyError where several do, or where the rule that fits has no value for a name.
    """
    rules = list(_rules(news, policies))
    fitting = [one for one in rules if _objection(one.rule, news) is None]
    if len(fitting) > 1:
        places = " and ".join(one.place for one in fitting)
        raise PolicyError(
            f"{_told(news)}: {places} all start on it; make their conditions exclude each other"
        )
    if not fitting:
        return _nothing(news, rules)
    return _wanted(news, fitting[0])


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule and where it stands."""

    policy_name: str
    policy: Policy
    number: int
    rule: StartRule

    @property
    def place(self) -> str:
        return f"{self.policy_name}: start_on[{self.number}]"


def _rules(news: News, policies: Mapping[str, Policy]) -> Iterator[_Placed]:
    """The rules for that source; of a written deployment, those of the policies closest to it."""
    chosen = {**policies}
    if news.endpoint:
        where = (news.endpoint.workspace, news.endpoint.name)
        chosen = {name: one for name, one in policies.items() if one.match.fits(*where)}
        best = max((one.match.precision for one in chosen.values()), default=None)
        chosen = {name: one for name, one in chosen.items() if one.match.precision == best}
    for name, policy in sorted(chosen.items()):
        for number, rule in enumerate(policy.start_on):
            if rule.source is news.source:
                yield _Placed(name, policy, number, rule)


def _objection(rule: StartRule, news: News) -> str | None:
    """The first condition that the news does not meet."""
    for name, pattern in rule.conditions.items():
        value = news.values.get(name)
        if value is None or not fits(pattern, value):
            return f"{name} is {'not told' if value is None else repr(value)}, not {pattern!r}"
    return None


def _nothing(news: News, rules: list[_Placed]) -> str:
    if not rules:
        return f"no policy starts on {news.source}"
    near = [f"{one.place}: {_objection(one.rule, news)}" for one in rules[:NEAR_MAX]]
    return f"no rule fits {_told(news)}: {'; '.join(near)}"


def _told(news: News) -> str:
    return f"{news.source} {news.id}"


def _wanted(news: News, found: _Placed) -> Wanted:
    rule = found.rule
    if news.endpoint:
        return Wanted(found.policy_name, news.endpoint.arm_id, news.values["deployment"])
    endpoint = _filled(news, found, "endpoint", rule.endpoint or found.policy.match.endpoint)
    if news.workspace and "/" not in endpoint:
        endpoint = f"{news.workspace.workspace}/{endpoint}"
    deployment = _filled(news, found, "deployment", rule.deployment or "")
    if not _DEPLOYMENT.fullmatch(deployment):
        raise PolicyError(
            f"{found.place}.deployment: {deployment[:100]!r} cannot be the name of a deployment;"
            " take values of letters, digits, '-' and '_'"
        )
    template = rule.create.template if rule.create else None
    return Wanted(found.policy_name, endpoint, deployment, template)


def _filled(news: News, found: _Placed, key: str, template: str) -> str:
    text, missing = filled(template, news.values)
    if missing:
        there = ", ".join(sorted(news.values))
        raise PolicyError(
            f"{found.place}.{key}: {_told(news)} has no {{{missing[0]}}}; it has {there}"
        )
    return text
