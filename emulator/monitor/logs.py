"""The tables of Log Analytics, made of the answers the gateway gave, and queries on them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.arm import durations
from emulator.arm.refusals import Refusal
from emulator.arm.resources import Workspace
from emulator.monitor.answers import Answer
from emulator.monitor.kql import query
from emulator.monitor.kql.query import Row, Table
from emulator.monitor.kql.words import QueryError

TRAFFIC = "AmlOnlineEndpointTrafficLog"
COLUMNS: Mapping[str, str] = {
    "TenantId": "string",
    "TimeGenerated": "datetime",
    "OperationName": "string",
    "AzureMLWorkspaceId": "string",
    "AzureMLWorkspaceName": "string",
    "Location": "string",
    "EndpointName": "string",
    "DeploymentName": "string",
    "Method": "string",
    "Path": "string",
    "Protocol": "string",
    "AuthType": "string",
    "IdentityData": "string",
    "ResponseCode": "int",
    "ResponseCodeReason": "string",
    "ModelStatusCode": "int",
    "ModelStatusReason": "string",
    "RequestPayloadSize": "long",
    "ResponsePayloadSize": "long",
    "RequestDurationMs": "long",
    "ResponseDurationMs": "long",
    "TotalDurationMs": "long",
    "RequestThrottlingDelayMs": "long",
    "ResponseThrottlingDelayMs": "long",
    "UserAgent": "string",
    "XRequestId": "string",
    "XMSClientRequestId": "string",
    "SourceSystem": "string",
    "Type": "string",
    "_ResourceId": "string",
    "_SubscriptionId": "string",
}
_TYPES = {bool: "bool", int: "long", float: "real", str: "string", timedelta: "timespan"}


def traffic(answers: Iterable[Answer], workspaces: Mapping[str, Workspace]) -> Table:
    """One row an answer; whole milliseconds, as Azure logs them."""
    return Table(tuple(COLUMNS), (_row(answer, workspaces) for answer in answers))


def result(text: object, table: Table, now: float) -> dict[str, Any]:
    """The response's document."""
    try:
        found = query.run(str(text or ""), {TRAFFIC: table}, datetime.fromtimestamp(now, UTC))
    except QueryError as error:
        raise _syntax_error(str(error)) from error
    rows = list(found.rows)
    columns = [{"name": name, "type": _type(name, rows)} for name in found.columns]
    shown = [[_shown(row[name]) for name in found.columns] for row in rows]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": shown}]}


def _row(answer: Answer, workspaces: Mapping[str, Workspace]) -> Row:
    workspace_id, _, endpoint = answer.endpoint_id.partition("/onlineEndpoints/")
    workspace = workspaces[workspace_id.lower()]
    return dict.fromkeys(COLUMNS, "") | {
        "TenantId": workspace.guid,
        "TimeGenerated": datetime.fromtimestamp(answer.at, UTC),
        "OperationName": "Score",
        "AzureMLWorkspaceId": workspace.guid,
        "AzureMLWorkspaceName": workspace.name,
        "Location": workspace.location,
        "EndpointName": endpoint,
        "DeploymentName": answer.deployment,
        "Method": answer.method,
        "Path": answer.path,
        "Protocol": "HTTP/1.1",
        "AuthType": answer.auth_type,
        "ResponseCode": answer.status,
        "ResponseCodeReason": answer.reason,
        "ModelStatusCode": answer.model_status,
        "ModelStatusReason": answer.reason,
        "RequestPayloadSize": answer.request_bytes,
        "ResponsePayloadSize": answer.response_bytes,
        "RequestDurationMs": 0,
        "ResponseDurationMs": round(answer.model_ms),
        "TotalDurationMs": round(answer.total_ms),
        "RequestThrottlingDelayMs": 0,
        "ResponseThrottlingDelayMs": 0,
        "UserAgent": answer.user_agent,
        "XRequestId": answer.request_id,
        "XMSClientRequestId": answer.client_request_id,
        "SourceSystem": "Azure",
        "Type": TRAFFIC,
        "_ResourceId": workspace_id.lower(),
        "_SubscriptionId": workspace.subscription,
    }


def span(timespan: object, now: float) -> tuple[float, float]:
    """`start/end`, `start/duration`, `duration/end`, a duration up to now, or everything."""
    first, slash, second = str(timespan or "").partition("/")
    if not first:
        return 0.0, now
    if not slash:
        return now - durations.seconds(first, "timespan"), now
    if first.upper().startswith("P"):
        end = durations.moment(second, "timespan")
        return end - durations.seconds(first, "timespan"), end
    start = durations.moment(first, "timespan")
    if second.upper().startswith("P"):
        return start, start + durations.seconds(second, "timespan")
    return start, durations.moment(second, "timespan")


def _type(name: str, rows: list[Row]) -> str:
    """A computed column has the type of its values."""
    sample = next((row[name] for row in rows if row[name] is not None), None)
    if sample is None or isinstance(sample, datetime):
        return COLUMNS.get(name, "dynamic" if sample is None else "datetime")
    return COLUMNS.get(name) or _TYPES.get(type(sample), "dynamic")


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        return durations.iso(value.timestamp())
    return str(value) if isinstance(value, timedelta) else value


def _syntax_error(why: str) -> Refusal:
    return Refusal(400, "BadArgumentError", f"A syntax error was found in the query: {why}.")
