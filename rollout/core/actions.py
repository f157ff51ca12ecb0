"""What we ask of the world: requests, in the imperative."""

from typing import Annotated, Literal

from pydantic import Field

from rollout.core.creation import Creation
from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.traffic import Traffic


class SetTraffic(Frozen):
    """Make the endpoint split its requests like this.

    `expect` is the map that must be found before the write; a rollback expects nothing. `canary`
    is the deployment on trial, which a command for people names also where it gets nothing.
    """

    type: Literal["set_traffic"] = "set_traffic"
    endpoint: EndpointId
    traffic: Traffic
    expect: Traffic | None
    canary: str

    @property
    def is_rollback(self) -> bool:
        return self.expect is None

    def __str__(self) -> str:
        return f"set traffic to {self.traffic}"


class ClaimEndpoint(Frozen):
    """Mark the endpoint with this installation's tag, so that no other works on it."""

    type: Literal["claim_endpoint"] = "claim_endpoint"
    endpoint: EndpointId

    def __str__(self) -> str:
        return "mark the endpoint as worked on by this installation"


class RunSmoke(Frozen):
    """Send recorded requests to one deployment alone, by header."""

    type: Literal["run_smoke"] = "run_smoke"
    endpoint: EndpointId
    deployment: str
    requests: str

    def __str__(self) -> str:
        return f"send {self.requests} to {self.deployment} alone"


class ScaleDeployment(Frozen):
    type: Literal["scale_deployment"] = "scale_deployment"
    endpoint: EndpointId
    deployment: str
    instances: int

    def __str__(self) -> str:
        return f"scale {self.deployment} to {self.instances} instances"


class DeleteDeployment(Frozen):
    type: Literal["delete_deployment"] = "delete_deployment"
    endpoint: EndpointId
    deployment: str

    def __str__(self) -> str:
        return f"delete {self.deployment}"


class CreateDeployment(Frozen):
    """Create a deployment that is not there; one of that name with the same model is it."""

    type: Literal["create_deployment"] = "create_deployment"
    endpoint: EndpointId
    deployment: str
    creation: Creation

    def __str__(self) -> str:
        return f"create {self.deployment} from {self.creation.template}"


Action = Annotated[
    SetTraffic | ClaimEndpoint | RunSmoke | ScaleDeployment | DeleteDeployment | CreateDeployment,
    Field(discriminator="type"),
]
