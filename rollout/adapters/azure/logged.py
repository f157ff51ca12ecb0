"""Rows of the traffic log one by one: how each request went, by the ids that name it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from rollout.adapters.azure.logs import TABLE, LogsClient, Row, iso, quoted
from rollout.core.endpoint import EndpointId
from rollout.errors import Refused
from rollout.pair_ports import Served, ServedRead
from rollout.ports import Answer

ROWS_MAX = 20_000
"""So many rows of one deployment are read in a look, the latest; Azure gives 30 000 at most."""

_ROWS = """{table}
| where TimeGenerated >= datetime({since}) and TimeGenerated < datetime({until})
| where AzureMLWorkspaceName =~ {workspace} and EndpointName =~ {endpoint}
| where _ResourceId startswith {resource} and DeploymentName =~ {deployment}
| project at = TimeGenerated, status = toint(ResponseCode), ms = todouble(TotalDurationMs),
    request = XRequestId, client = XMSClientRequestId
| order by at desc
| take {most}
"""


class LoggedAnswers:
    """The port ServedAnswers on the traffic log, which has no answers: statuses and times."""

    def __init__(self, client: LogsClient, minute: timedelta, lag_minutes: int) -> None:
        self._client = client
        self.lag = lag_minutes * minute

    def read(
        self,
        endpoint: EndpointId,
        deployment: str,
        collection: str,
        since: datetime,
        until: datetime,
    ) -> ServedRead:
        """All rows, whatever the collection; raises Refused for what is no row of the log."""
        del collection
        query = _ROWS.format(
            table=TABLE,
            since=iso(since),
            until=iso(until),
            workspace=quoted(endpoint.workspace),
            endpoint=quoted(endpoint.name),
            resource=quoted(endpoint.in_workspace.arm_id),
            deployment=quoted(deployment),
            most=ROWS_MAX,
        )
        rows = self._client.ask(query, since, until)
        served = sorted(_served(rows), key=lambda one: one.at)
        cut = len(rows) >= ROWS_MAX and served
        return ServedRead(served, served[0].at if cut else since)


def _served(rows: Sequence[Row]) -> Iterator[Served]:
    for row in rows:
        at, status, took = row.get("at"), row.get("status"), row.get("ms")
        if not isinstance(at, datetime):
            raise Refused("logs: a row without a time came back")
        ids = frozenset(one for one in (row.get("request"), row.get("client")) if one)
        known = isinstance(status, int) and isinstance(took, int | float)
        if known and ids:
            answer = Answer(int(status or 0), b"", timedelta(milliseconds=float(took or 0)))
            yield Served(at.astimezone(UTC), frozenset(map(str, ids)), answer)
