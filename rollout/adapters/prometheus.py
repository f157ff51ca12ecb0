"""A guard that asks Prometheus: counts of each minute, or one number of the canary."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Literal
from urllib.parse import urlencode

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError

from rollout.adapters.outgoing import Outgoing
from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts, tallied
from rollout.core.guards import filled, placeholders
from rollout.errors import Refused, Unavailable
from rollout.ports import Minutes, Question

LAG_MINUTES = 1
TEXT_MAX = 300

Points = Mapping[tuple[datetime, str], float]
"""Values by the minute that ends there, and deployment."""


class _Series(BaseModel):
    metric: dict[str, str] = Field(default_factory=dict)
    values: list[tuple[float, float]]


class _Data(BaseModel):
    resultType: Literal["matrix"]  # noqa: N815 - theirs
    result: list[_Series]


class _Answer(BaseModel):
    status: Literal["success"]
    data: _Data


class _Error(BaseModel):
    error: str


_ANSWER = TypeAdapter(_Answer)


class PrometheusGuard:
    """Asks /api/v1/query_range; the value at a minute's end is that minute's."""

    def __init__(
        self, outgoing: Outgoing, url: str, minute: timedelta, token: SecretStr | None = None
    ) -> None:
        self._outgoing = outgoing
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if token:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._lag = LAG_MINUTES * minute

    @property
    def lag(self) -> timedelta:
        return self._lag

    def read(self, guard: Guard, question: Question) -> Minutes:
        """With `of`: failures of requests in each minute; without: the number at the end."""
        if guard.of is None:
            return self._number(guard.prometheus or "", question)
        requests = self._points(guard.of, question, question.since)
        failures = self._points(guard.prometheus or "", question, question.since)
        minutes: dict[datetime, dict[str, Counts]] = {}
        for (at, deployment), count in sorted(requests.items()):
            failed = failures.get((at, deployment), 0.0)
            arms = minutes.setdefault(at, {})
            arms[deployment] = _counts(guard, at, count, failed)
        return minutes

    def _number(self, query: str, question: Question) -> Minutes:
        last = question.until - question.minute
        found = self._points(query, question, last)
        value = found.get((last, question.canary))
        return {} if value is None else {last: {question.canary: Counts(value=value)}}

    def _points(self, query: str, question: Question, since: datetime) -> Points:
        """Of both deployments: asked of each, or told apart by the label `deployment`."""
        each = "deployment" in placeholders(query)
        names = [question.canary, *([question.baseline] if question.baseline else [])]
        points: dict[tuple[datetime, str], float] = {}
        for name in names if each else [""]:
            for series in self._ask(_filled(query, question, name), question, since):
                deployment = name or series.metric.get("deployment", "")
                if not deployment:
                    raise Refused(
                        "Prometheus answers a series without the label deployment; sum by"
                        " (deployment), or write {deployment} into the query"
                    )
                for stamp, value in series.values:
                    at = datetime.fromtimestamp(stamp, UTC) - question.minute
                    if (at, deployment) in points:
                        raise Refused(
                            f"Prometheus answers more than one series of {deployment}; sum them"
                        )
                    if isfinite(value):  # NaN: nothing was asked in that minute
                        points[at, deployment] = value
        return points

    def _ask(self, query: str, question: Question, since: datetime) -> Iterator[_Series]:
        asked = {
            "query": query,
            "start": f"{(since + question.minute).timestamp():.3f}",
            "end": f"{question.until.timestamp():.3f}",
            "step": f"{question.minute.total_seconds():g}",
        }
        place = f"{self._url}/api/v1/query_range"
        reply = self._outgoing.send("POST", place, urlencode(asked).encode(), self._headers)
        if reply.status in {408, 429} or reply.status >= 500:
            raise Unavailable(f"Prometheus answers {reply.status}: {_said(reply.body)}")
        if reply.status != 200:
            raise Refused(f"Prometheus answers {reply.status}: {_said(reply.body)}")
        try:
            yield from _ANSWER.validate_json(reply.body).data.result
        except ValidationError as error:
            raise Refused(f"{place}: the answer is not one of Prometheus") from error


def _filled(query: str, question: Question, deployment: str) -> str:
    facts = {
        "endpoint": question.endpoint.name,
        "workspace": question.endpoint.workspace,
        "minute": f"{question.minute.total_seconds():g}s",
        **({"deployment": deployment} if deployment else {}),
    }
    try:
        return filled(query, facts)
    except ValueError as error:
        raise Refused(str(error)) from error


def _counts(guard: Guard, at: datetime, requests: float, failures: float) -> Counts:
    """Prometheus extrapolates an increase: counts are rounded, and failures are requests too."""
    try:
        return tallied(round(requests), min(round(failures), round(requests)))
    except ValueError as error:
        raise Refused(f"{guard.title}: {at}: {error}") from error


def _said(body: bytes) -> str:
    try:
        return _Error.model_validate_json(body).error[:TEXT_MAX]
    except ValidationError:
        return "without a word"
