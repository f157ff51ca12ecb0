"""Resources as the JSON documents Azure shows."""

from typing import Any

from emulator.arm.lenient import mapping
from emulator.arm.resources import Asset, Deployment, Endpoint, Workspace

_TYPE = "Microsoft.MachineLearningServices/workspaces"
_PROBE = {
    "failureThreshold": 30,
    "successThreshold": 1,
    "timeout": "PT2S",
    "period": "PT10S",
    "initialDelay": "PT10S",
}
_DEPLOYMENT_DEFAULTS: dict[str, Any] = {
    "instanceType": "Standard_F4s_v2",
    "appInsightsEnabled": False,
    "egressPublicNetworkAccess": "Enabled",
    "environmentVariables": {},
    "properties": {},
    "description": None,
    "dataCollector": None,
}
_FILLED_IN: dict[str, dict[str, Any]] = {
    "scaleSettings": {"scaleType": "Default"},
    "requestSettings": {
        "requestTimeout": "PT5S",
        "maxConcurrentRequestsPerInstance": 1,
        "maxQueueWait": "PT0S",
    },
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
}


def with_defaults(properties: dict[str, Any]) -> dict[str, Any]:
    """A deployment's properties with what the service fills in."""
    given = {name: value for name, value in properties.items() if value is not None}
    filled = {name: {**rest, **mapping(given.get(name), name)} for name, rest in _FILLED_IN.items()}
    return {**_DEPLOYMENT_DEFAULTS, **given, **filled}


def workspace(shown: Workspace, base: str) -> dict[str, Any]:
    return {
        "id": shown.id,
        "name": shown.name,
        "type": _TYPE,
        "location": shown.location,
        "tags": shown.tags,
        "kind": "Default",
        "identity": {"type": "SystemAssigned"},
        "sku": {"name": "Basic", "tier": "Basic"},
        "properties": {
            "friendlyName": shown.name,
            "workspaceId": shown.guid,
            "provisioningState": "Succeeded",
            "discoveryUrl": f"{base}/discovery",
            "mlFlowTrackingUri": f"{base}/mlflow",
            "publicNetworkAccess": "Enabled",
        },
    }


def endpoint(shown: Endpoint, base: str, now: float) -> dict[str, Any]:
    traffic = shown.shown_traffic(now)
    host = f"{base}/inference/{shown.location}/{shown.name}" if shown.ready else None
    own = {"azureml.onlineendpointid": shown.guid} if shown.ready else {}
    return {
        "id": shown.id,
        "name": shown.name,
        "type": f"{_TYPE}/onlineEndpoints",
        "location": shown.location,
        "kind": "Kubernetes" if shown.kubernetes else "Managed",
        "tags": shown.tags,
        "identity": shown.identity,
        "properties": {
            **shown.settings,
            "properties": {**shown.settings["properties"], **own},
            "traffic": dict(traffic.live),
            "mirrorTraffic": dict(traffic.mirror),
            "scoringUri": host and f"{host}/score",
            "swaggerUri": host and f"{host}/swagger.json",
            "provisioningState": shown.state,
            "keys": None,
        },
        "systemData": _system_data(shown.created_at),
    }


def deployment(shown: Deployment) -> dict[str, Any]:
    return {
        "id": shown.id,
        "name": shown.name,
        "type": f"{_TYPE}/onlineEndpoints/deployments",
        "location": shown.location,
        "kind": shown.properties["endpointComputeType"],
        "tags": shown.tags,
        "sku": shown.sku,
        "properties": {**shown.properties, "provisioningState": shown.state},
        "systemData": _system_data(shown.created_at),
    }


def asset(shown: Asset) -> dict[str, Any]:
    return {
        "id": shown.id,
        "name": shown.version,
        "type": f"{_TYPE}/{shown.kind}/versions",
        "properties": {**shown.properties, "provisioningState": "Succeeded"},
    }


def _system_data(created_at: str) -> dict[str, str]:
    return {"createdAt": created_at, "createdByType": "User", "lastModifiedAt": created_at}
