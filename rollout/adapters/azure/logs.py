"""Log Analytics: queries, and the exact rows of the traffic log counted by the minute."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from rollout.adapters.azure.answers import retry_after as told_time
from rollout.adapters.azure.answers import told, without_secrets
from rollout.adapters.azure.pipeline import is_safe
from rollout.analysis.samples import Counts
from rollout.core.endpoint import EndpointId
from rollout.core.minutes import ceil, floor, starts
from rollout.errors import Refused, Unavailable
from rollout.ports import Minutes

if TYPE_CHECKING:
    from azure.monitor.query import LogsQueryClient

ACTION = "Microsoft.OperationalInsights/workspaces/query/read"
TABLE = "AmlOnlineEndpointTrafficLog"
SERVER_SECONDS = 30
LATER = frozenset({408, 429})
TEXT_MAX = 500

_ROWS = """{table}
| where TimeGenerated >= datetime({since}) and TimeGenerated < datetime({until})
| where AzureMLWorkspaceName =~ {workspace} and EndpointName =~ {endpoint}
| where _ResourceId startswith {resource}
| where isnotempty(DeploymentName)
| extend ms = todouble(TotalDurationMs)
| extend bin10 = toint(bin(log(iff(ms < 1.0, 1.0, ms) / 5.0) / log(1.1), 1.0))
| summarize answers = count()
    by minute = bin(TimeGenerated, {grain}), deployment = DeploymentName,
       status = toint(ResponseCode), bin10
"""

_REMEDIES: Mapping[int, str] = {
    401: "; see that the setting `identity` names somebody who has signed in to this tenant",
    403: f"; give the controller's identity a role with the action {ACTION}",
    404: "; see that ROLLOUT_LOGS_WORKSPACE is the workspace's customer id",
}

Row = Mapping[str, Any]


class _AllowHttp(SansIOHTTPPolicy[Any, Any]):
    """The emulator speaks plain http, and takes any token."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context.options["enforce_https"] = False


class LogsClient:
    """Asks one workspace; opened once, at the first query. The token goes to `url` alone."""

    def __init__(self, url: str, workspace: str, credential: TokenCredential) -> None:
        self._url = url.rstrip("/")
        self._workspace = workspace
        self._credential = credential
        self._client: LogsQueryClient | None = None
        self._lock = Lock()
        if not is_safe(self._url):
            raise Refused(f"{self._url}: a token is sent over https only; write https://")

    def close(self) -> None:
        with self._lock:
            if self._client:
                self._client.close()
            self._client = None

    def ask(self, query: str, since: datetime, until: datetime) -> Sequence[Row]:
        """The rows of the first table, by the names of its columns.

        Raises Unavailable for throttling, a time-out and a partial result, Refused for the rest.
        """
        try:
            found = self._opened().query_workspace(
                self._workspace, query, timespan=(since, until), server_timeout=SERVER_SECONDS
            )
        except ClientAuthenticationError as error:
            raise Refused(
                f"logs of workspace {self._workspace}: nobody has signed in for the controller, or"
                f" they may not ask ({_short(error.message)})"
            ) from error
        except HttpResponseError as error:
            raise self._no(error) from error
        except AzureError as error:
            raise Unavailable(f"logs: no answer ({type(error).__name__})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"logs: the answer is not understood ({type(error).__name__})") from error
        partial = getattr(found, "partial_error", None)
        if partial is not None:
            raise Unavailable(f"logs: only a part of the result came: {_short(str(partial))}")
        tables = getattr(found, "tables", None) or []
        return [dict(zip(one.columns, row, strict=True)) for one in tables[:1] for row in one.rows]

    def _opened(self) -> "LogsQueryClient":
        from azure.monitor.query import LogsQueryClient  # noqa: PLC0415 - costs half a start

        with self._lock:
            if self._client is None:
                plain = self._url.startswith("http://")
                self._client = LogsQueryClient(
                    self._credential,
                    endpoint=self._url,
                    retry_total=0,  # the engine waits by messages
                    connection_timeout=5,
                    read_timeout=SERVER_SECONDS + 5,
                    use_env_settings=not plain,
                    per_call_policies=[_AllowHttp()] if plain else [],
                )
            return self._client

    def _no(self, error: HttpResponseError) -> Unavailable | Refused:
        status = error.status_code or 0
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        said = told(error.response.text()) if error.response is not None else _short(str(error))
        what = f"logs of workspace {self._workspace}: {status}, {said}"
        if status in LATER or status >= 500:
            return Unavailable(what, told_time(headers))
        what += _REMEDIES.get(status, "")
        return Refused(what)


class LogMetrics:
    """The port Metrics on exact rows: counts by status, and the histogram of total durations."""

    source = "logs"

    def __init__(self, client: LogsClient, minute: timedelta, lag_minutes: int = 10) -> None:
        self._client = client
        self._minute = minute
        self._lag = lag_minutes * minute

    @property
    def lag(self) -> timedelta:
        return self._lag

    def read(self, endpoint: EndpointId, since: datetime, until: datetime) -> Minutes:
        """Whole minutes in [since, until), oldest first; raises Refused for what is no count."""
        first, last = ceil(since, self._minute), floor(until, self._minute)
        if first >= last:
            return {}
        rows = self._client.ask(self._query(endpoint, first, last), first, last)
        return _counted(rows, first, last, self._minute)

    def _query(self, endpoint: EndpointId, first: datetime, last: datetime) -> str:
        return _ROWS.format(
            table=TABLE,
            since=iso(first),
            until=iso(last),
            workspace=quoted(endpoint.workspace),
            endpoint=quoted(endpoint.name),
            resource=quoted(endpoint.in_workspace.arm_id),
            grain=f"{self._minute.total_seconds():g}s",
        )


def quoted(text: str) -> str:
    """A text of KQL, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = (one if one.isprintable() else f"\\u{ord(one):04x}" for one in escaped)
    return f'"{"".join(shown)}"'


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _counted(rows: Sequence[Row], first: datetime, last: datetime, minute: timedelta) -> Minutes:
    statuses: defaultdict[tuple[datetime, str], dict[int, int]] = defaultdict(dict)
    bins: defaultdict[tuple[datetime, str], dict[int, int]] = defaultdict(dict)
    for at, deployment, row in _whole_rows(rows, minute):
        answers, status, slowness = _numbers(row)
        arm = statuses[at, deployment]
        arm[status] = arm.get(status, 0) + answers
        if slowness is not None:
            histogram = bins[at, deployment]
            histogram[slowness] = histogram.get(slowness, 0) + answers
    minutes: dict[datetime, dict[str, Counts]] = {}
    for at, deployment in sorted(statuses):
        if first <= at < last:
            counts = Counts(statuses[at, deployment], bins=bins.get((at, deployment)))
            minutes.setdefault(at, {})[deployment] = counts
    return minutes


def _whole_rows(rows: Sequence[Row], minute: timedelta) -> Iterator[tuple[datetime, str, Row]]:
    for row in rows:
        at, deployment = row.get("minute"), row.get("deployment")
        if not isinstance(at, datetime) or not deployment:
            raise Refused("logs: a row without a minute or a deployment came back")
        at = at.astimezone(UTC)
        if not starts(at, minute):
            raise Refused(f"logs: asked for whole minutes, got one at {at}")
        yield at, str(deployment), row


def _numbers(row: Row) -> tuple[int, int, int | None]:
    """How many answers, with which status (0: none that can be read), in which bin."""
    answers, status, slowness = row.get("answers"), row.get("status"), row.get("bin10")
    if not isinstance(answers, int) or answers < 0:
        raise Refused(f"logs: {answers!r} is no count of answers")
    known = isinstance(status, int) and status > 0
    return answers, int(status or 0) if known else 0, None if slowness is None else int(slowness)


def _short(text: str) -> str:
    return without_secrets(" ".join(text.split())[:TEXT_MAX])
