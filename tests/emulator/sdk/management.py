"""azure-mgmt-machinelearningservices 2.0.0b2: endpoints, deployments, keys, by the older client."""

# mypy: ignore-errors
# Its imports are in another environment.

from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient, models
from local import ASKED, AllowHttp, AnyToken, tell

client = MachineLearningServicesMgmtClient(
    AnyToken(),
    ASKED["subscription"],
    base_url=ASKED["url"],
    per_call_policies=[AllowHttp()],
)
where = (ASKED["resource_group"], ASKED["workspace"])
endpoints, deployments = client.online_endpoints, client.online_deployments


def endpoint(traffic: dict[str, int]) -> models.OnlineEndpoint:
    properties = models.OnlineEndpointProperties(auth_mode="Key", traffic=traffic)
    return models.OnlineEndpoint(location="westeurope", properties=properties)


deployment = models.OnlineDeployment(
    location="westeurope",
    sku=models.Sku(name="Default", capacity=1),
    properties=models.ManagedOnlineDeployment(
        code_configuration=models.CodeConfiguration(
            code_id=ASKED["code"], scoring_script="score.py"
        ),
        instance_type="Standard_DS3_v2",
    ),
)

endpoints.begin_create_or_update(*where, "by-mgmt", endpoint({})).result()
made = deployments.begin_create_or_update(*where, "by-mgmt", "blue", deployment).result()
moved = endpoints.begin_create_or_update(*where, "by-mgmt", endpoint({"blue": 100})).result()
patch = models.PartialMinimalTrackedResourceWithIdentity(tags={"team": "churn"})
endpoints.begin_update(*where, "by-mgmt", patch).result()
tags = endpoints.get(*where, "by-mgmt").tags
keys = endpoints.list_keys(*where, "by-mgmt")
logs = deployments.get_logs(*where, "by-mgmt", "blue", models.DeploymentLogsRequest(tail=50))
skus = list(deployments.list_skus(*where, "by-mgmt", "blue"))
listed = [one.name for one in endpoints.list(*where)]
endpoints.begin_delete(*where, "by-mgmt").result()

tell(
    made=made.properties.provisioning_state,
    traffic=moved.properties.traffic,
    tags=tags,
    has_keys=bool(keys.primary_key and keys.secondary_key),
    ready="ready: by-sdk" in logs.content,
    capacity=skus[0].capacity.maximum,
    listed="by-mgmt" in listed,
)
