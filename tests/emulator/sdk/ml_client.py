"""azure-ai-ml: create, deploy, set traffic and mirror, invoke, read logs, delete."""

# mypy: ignore-errors
# Its imports are in another environment.

import logging

from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    CodeConfiguration,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    OnlineRequestSettings,
)
from local import ASKED, AllowHttp, AnyToken, tell

logging.getLogger("azure").setLevel(logging.ERROR)
client = MLClient(
    AnyToken(),
    ASKED["subscription"],
    ASKED["resource_group"],
    ASKED["workspace"],
    per_call_policies=[AllowHttp()],
    enforce_https=False,
)
endpoints, deployments = client.online_endpoints, client.online_deployments

endpoint = endpoints.begin_create_or_update(
    ManagedOnlineEndpoint(name="by-sdk", auth_mode="key", tags={"team": "churn"})
).result()

for name in ("blue", "green"):
    deployments.begin_create_or_update(
        ManagedOnlineDeployment(
            name=name,
            endpoint_name="by-sdk",
            code_configuration=CodeConfiguration(code=ASKED["code"], scoring_script="score.py"),
            environment=ASKED["environment"],
            instance_type="Standard_DS3_v2",
            instance_count=1,
            request_settings=OnlineRequestSettings(request_timeout_ms=3000),
        )
    ).result()

endpoint = endpoints.get("by-sdk")
endpoint.traffic = {"blue": 100, "green": 0}
endpoints.begin_create_or_update(endpoint).result()
endpoint.mirror_traffic = {"green": 20}
endpoints.begin_create_or_update(endpoint).result()
shown = endpoints.get("by-sdk")

keys = endpoints.get_keys("by-sdk")
answer = endpoints.invoke("by-sdk", request_file=ASKED["request_file"])
logs = deployments.get_logs("green", "by-sdk", 50)
listed = sorted(one.name for one in deployments.list("by-sdk"))

endpoint.traffic, endpoint.mirror_traffic = {"blue": 0}, {}
endpoints.begin_create_or_update(endpoint).result()
deployments.begin_delete("green", "by-sdk").result()
endpoints.begin_delete("by-sdk").result()

tell(
    traffic=shown.traffic,
    mirror=shown.mirror_traffic,
    tags=shown.tags,
    state=shown.provisioning_state,
    has_keys=bool(keys.primary_key and keys.secondary_key),
    answer=answer,
    ready="ready: by-sdk" in logs,
    listed=listed,
    left=[one.name for one in endpoints.list()],
)
