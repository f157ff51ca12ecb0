"""Online deployments: list, read, write, remove, logs."""

from pathlib import Path
from typing import Any

from emulator.arm import documents, durations, names, provisioning, tracked
from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control
from emulator.arm.endpoints import page
from emulator.arm.lenient import mapping, whole
from emulator.arm.provisioning import Wanted
from emulator.arm.refusals import Refusal, bad_request
from emulator.arm.resources import Deployment, Endpoint
from emulator.scoring.fleet import Limits

_PER_ENDPOINT_MAX = 20
_CAPACITY_MAX = 50
_TAIL = 100
_COMPUTE_TYPES = {"managed": "Managed", "kubernetes": "Kubernetes", "azuremlcompute": "Managed"}


def list_all(control: Control, call: Call) -> Reply:
    found = control.endpoint(call).deployments.values()
    return Reply(200, page(call, [documents.deployment(one) for one in found], "$top"))


def get(control: Control, call: Call) -> Reply:
    _, deployment = control.deployment(call)
    return Reply(200, documents.deployment(deployment))


def put(control: Control, call: Call) -> Reply:
    """Create, or update in place: new instances replace the old when they are healthy."""
    endpoint, wanted = control.endpoint(call), call.document()
    control.refuse_if_busy(endpoint)
    tracked.location(wanted)
    existing = endpoint.deployments.get(call.ids["deployment"].lower())
    properties = _properties(wanted, existing)
    asked = Wanted(
        properties,
        _sku(wanted.get("sku"), existing),
        tracked.tags(wanted),
        _limits(properties),
    )
    deployment = existing or _new(control, call, endpoint, asked)
    launch = control.make_launch(properties, control.assets, deployment.log)
    endpoint.deployments[deployment.name.lower()] = deployment
    deployment.state = "Updating" if existing else "Creating"
    work = provisioning.roll(control, call, deployment, launch, asked)
    operation = control.begin(call, endpoint, deployment.state, work)
    return control.created(call, operation, documents.deployment(deployment))


def patch(control: Control, call: Call) -> Reply:
    """Tags and sku.capacity, nothing else."""
    endpoint, deployment = control.deployment(call)
    control.refuse_if_busy(endpoint)
    wanted = call.document()
    tags = tracked.tags(wanted, deployment.tags)
    sku = _sku(wanted.get("sku"), deployment)
    verb = "Updating" if sku == deployment.sku else "Scaling"
    deployment.state = verb
    work = provisioning.scale(control, call, deployment, tags, sku)
    return control.accepted(call, control.begin(call, endpoint, verb, work))


def delete(control: Control, call: Call) -> Reply:
    """Refused while the deployment has live traffic."""
    try:
        endpoint, deployment = control.deployment(call)
    except Refusal:
        return Reply(204)
    control.refuse_if_busy(endpoint)
    share = endpoint.traffic.weights().get(deployment.name.lower(), 0)
    if share:
        raise bad_request(
            f"Deployment {deployment.name} has {share}% of the traffic; set it to 0 first."
        )
    deployment.state = "Deleting"
    work = provisioning.remove(control, call, endpoint, deployment)
    return control.accepted(call, control.begin(call, endpoint, "Deleting", work))


def logs(control: Control, call: Call) -> Reply:
    """The last lines of what the scoring processes printed."""
    _, deployment = control.deployment(call)
    wanted = call.document()
    tail = whole(wanted.get("tail") or _TAIL, "tail")
    if str(wanted.get("containerType", "")).lower() == "storageinitializer":
        return Reply(200, {"content": f"Mounted {deployment.properties.get('model')}\n"})
    log = Path(deployment.log)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return Reply(200, {"content": "\n".join(lines[-tail:]) + "\n"})


def skus(control: Control, call: Call) -> Reply:
    control.deployment(call)
    capacity = {"minimum": 1, "maximum": _CAPACITY_MAX, "default": 1, "scaleType": "Automatic"}
    return Reply(
        200,
        {
            "value": [
                {
                    "resourceType": "Microsoft.MachineLearning.Services/endpoints/deployments",
                    "sku": {"name": "Default", "tier": "Standard"},
                    "capacity": capacity,
                }
            ]
        },
    )


def _properties(wanted: dict[str, Any], existing: Deployment | None) -> dict[str, Any]:
    """The document to show. An instance type cannot change: another one is ignored."""
    given = mapping(wanted.get("properties"), "properties")
    compute = _COMPUTE_TYPES.get(str(given.get("endpointComputeType")).lower())
    if compute is None:
        raise bad_request("endpointComputeType must be Managed, Kubernetes or AzureMLCompute.")
    given = {name: value for name, value in given.items() if name != "provisioningState"}
    kept = {"instanceType": existing.properties["instanceType"]} if existing else {}
    return documents.with_defaults({**given, "endpointComputeType": compute, **kept})


def _sku(given: object, existing: Deployment | None) -> dict[str, Any]:
    before = existing.sku if existing else {"name": "Default", "tier": "Standard", "capacity": 1}
    asked = {name: value for name, value in mapping(given, "sku").items() if value is not None}
    sku = {**before, **asked}
    sku["capacity"] = whole(sku["capacity"], "sku.capacity")
    if not 1 <= sku["capacity"] <= _CAPACITY_MAX:
        raise bad_request(f"sku.capacity must be 1 to {_CAPACITY_MAX}, not {sku['capacity']}.")
    return sku


def _limits(properties: dict[str, Any]) -> Limits:
    settings = properties["requestSettings"]
    timeout = durations.seconds(settings["requestTimeout"], "requestTimeout")
    concurrent = whole(
        settings["maxConcurrentRequestsPerInstance"], "maxConcurrentRequestsPerInstance"
    )
    longest = 300 if properties["endpointComputeType"] == "Kubernetes" else 180
    if not 0 < timeout <= longest or concurrent < 1:
        raise bad_request(f"requestTimeout must be above 0 and at most PT{longest}S.")
    return Limits(concurrent, timeout)


def _new(control: Control, call: Call, endpoint: Endpoint, asked: Wanted) -> Deployment:
    name = names.checked(call.ids["deployment"], "Deployment")
    if len(endpoint.deployments) >= _PER_ENDPOINT_MAX:
        raise Refusal(400, "OutOfQuota", f"An endpoint has {_PER_ENDPOINT_MAX} deployments at most")
    log = control.log_of(endpoint, name)
    return Deployment(
        id=f"{endpoint.id}/deployments/{name}",
        name=name,
        location=endpoint.location,
        fleet=control.make_fleet(name, endpoint.kubernetes),
        properties=asked.properties,
        sku=asked.sku,
        tags=asked.tags,
        created_at=durations.iso(control.now()),
        log=log,
    )
