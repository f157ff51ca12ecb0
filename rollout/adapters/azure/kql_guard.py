"""A guard that asks Log Analytics in KQL: counts of each minute, or one number of the canary."""

from datetime import UTC, datetime, timedelta
from math import isfinite

from rollout.adapters.azure.logs import LogsClient, Row, iso
from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts, tallied
from rollout.analysis.threshold import relative
from rollout.core.guards import filled, placeholders
from rollout.core.minutes import starts
from rollout.errors import Refused
from rollout.ports import Minutes, Question

_COUNTS = "minute, requests, failures"


class KqlGuard:
    """Rows with `minute`, `requests` and `failures` are counts; rows with `value` are readings.

    Which deployment a row is of, its column `deployment` says, or {deployment} in the query, which
    is then asked once for each.
    """

    def __init__(self, client: LogsClient, minute: timedelta, lag_minutes: int) -> None:
        self._client = client
        self._lag = lag_minutes * minute

    @property
    def lag(self) -> timedelta:
        return self._lag

    def read(self, guard: Guard, question: Question) -> Minutes:
        query = guard.kql or ""
        names = [question.canary, *([question.baseline] if question.baseline else [])]
        minutes: dict[datetime, dict[str, Counts]] = {}
        for name in names if "deployment" in placeholders(query) else [""]:
            text = _filled(query, question, name)
            for row in self._client.ask(text, question.since, question.until):
                at, deployment, counts = _read(guard, question, row, name)
                arms = minutes.setdefault(at, {})
                if deployment in arms:
                    raise Refused(f"kql: {deployment} has two rows for {at:%H:%M}; summarize them")
                arms[deployment] = counts
        return minutes


def _filled(query: str, question: Question, deployment: str) -> str:
    facts = {
        "endpoint": question.endpoint.name,
        "workspace": question.endpoint.workspace,
        "since": iso(question.since),
        "until": iso(question.until),
        "minute": f"{question.minute.total_seconds():g}s",
        **({"deployment": deployment} if deployment else {}),
    }
    try:
        return filled(query, facts)
    except ValueError as error:
        raise Refused(f"kql: {error}") from error


def _read(guard: Guard, question: Question, row: Row, name: str) -> tuple[datetime, str, Counts]:
    deployment = name or row.get("deployment")
    if not isinstance(deployment, str) or not deployment:
        raise Refused(
            "kql: a row without the column deployment; add it, or write {deployment} into the query"
        )
    if "value" not in row:
        return _minute(question, row), deployment, _counts(guard, row)
    value = row["value"]
    if relative(guard):
        raise Refused(f"kql: a margin compares counts; answer {_COUNTS}, not value")
    if not isinstance(value, int | float) or not isfinite(value):
        raise Refused(f"kql: the value of {deployment} is {value!r}, which is no number")
    return question.until - question.minute, deployment, Counts(value=float(value))


def _minute(question: Question, row: Row) -> datetime:
    at = row.get("minute")
    if not isinstance(at, datetime):
        raise Refused(f"kql: a row needs {_COUNTS}, or value; it has {', '.join(row)}")
    at = at.astimezone(UTC)
    if not starts(at, question.minute):
        raise Refused(f"kql: {at} is no whole minute; write bin(TimeGenerated, {{minute}})")
    return at


def _counts(guard: Guard, row: Row) -> Counts:
    requests, failures = row.get("requests"), row.get("failures")
    if not isinstance(requests, int) or not isinstance(failures, int):
        raise Refused(f"kql: {_COUNTS} are wanted as whole numbers; it has {', '.join(row)}")
    if guard.at_most is not None and not 0 <= guard.at_most <= 1:
        raise Refused(
            f"kql: counts are held to a rate from 0 to 1, and at_most is {guard.at_most:g}"
        )
    try:
        return tallied(requests, failures)
    except ValueError as error:
        raise Refused(f"kql: {failures} failures of {requests} requests: {error}") from error
