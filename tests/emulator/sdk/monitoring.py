"""MetricsClient and LogsQueryClient: the counts of the answers the test got."""

# mypy: ignore-errors
# Its imports are in another environment.

from datetime import timedelta

from azure.monitor.query import LogsQueryClient
from azure.monitor.querymetrics import MetricsClient
from local import ASKED, AllowHttp, AnyToken, tell

NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
options = {"per_call_policies": [AllowHttp()]}

metrics = MetricsClient(ASKED["url"], AnyToken(), **options).query_resources(
    resource_ids=[ASKED["endpoint"]],
    metric_namespace=NAMESPACE,
    metric_names=["RequestsPerMinute", "RequestLatency_P95"],
    timespan=timedelta(minutes=5),
    granularity=timedelta(minutes=1),
    aggregations=["Average"],
    filter="deployment eq '*'",
    max_results=100,
)
counts = {
    series.metadata_values["deployment"]: sum(point.average or 0 for point in series.data)
    for series in metrics[0].metrics[0].timeseries
}

logs = LogsQueryClient(AnyToken(), endpoint=ASKED["url"], **options)
query = """
AmlOnlineEndpointTrafficLog
| where EndpointName =~ "watched"
| summarize n = count(), e = countif(toint(ResponseCode) in (424, 408, 502, 504)),
            p95 = percentile(TotalDurationMs, 95)
  by DeploymentName
"""
found = logs.query_workspace("any", query, timespan=timedelta(minutes=10))
(table,) = found.tables
by_resource = logs.query_resource(
    ASKED["endpoint"].partition("/onlineEndpoints")[0],
    "AmlOnlineEndpointTrafficLog | take 1 | project TimeGenerated, ModelStatusCode",
    timespan=timedelta(minutes=10),
)

tell(
    counts=counts,
    columns=table.columns,
    rows=[list(row)[:3] for row in table.rows],
    types=[type(value).__name__ for value in by_resource.tables[0].rows[0]],
)
