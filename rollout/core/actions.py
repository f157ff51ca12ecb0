"""What we ask of the world: requests, in the imperative."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from rollout.core.creation import Creation
from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.traffic import Traffic
from rollout.core.way_back import WayBack


class SetTraffic(Frozen):
    """Make the endpoint split its requests like this.

    `expect` is the map that must be found before the write; a rollback expects nothing. `canary`
    is the deployment on trial, which a command for people names also where it gets nothing. A step
    forward leaves the `way_back` on the endpoint, for the day on which there is no controller.
    """

    type: Literal["set_traffic"] = "set_traffic"
    endpoint: EndpointId
    traffic: Traffic
    expect: Traffic | None
    canary: str
    way_back: WayBack | None = None

    @property
    def is_rollback(self) -> bool:
        return self.expect is None

    @property
    def by_hand(self) -> str:
        """The command with which a person does the same.

        Both maps in full, the canary's nothing included, so that it matters not if `az` merges.
        """
        live = {self.canary: 0, **self.traffic.live}
        mirrored = dict(self.traffic.mirror)
        mirror = mirrored if self.traffic.share(self.canary) else {self.canary: 0, **mirrored}
        told = [("--traffic", live), ("--mirror-traffic", mirror)]
        maps = [f'{option} "{_shares(shares)}"' for option, shares in told if shares]
        return " ".join([self.endpoint.az_command("update"), *maps])

    def __str__(self) -> str:
        return f"set traffic to {self.traffic}"


def _shares(shares: Mapping[str, int]) -> str:
    return " ".join(f"{name}={share}" for name, share in sorted(shares.items()))


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


class AskHook(Frozen):
    """Ask a program whether a stage may begin; the id of what is owed is that of the question."""

    type: Literal["ask_hook"] = "ask_hook"
    endpoint: EndpointId
    rollout_id: str
    hook: str
    canary: str
    baseline: str | None
    stage: str
    traffic: Traffic
    timeout_seconds: int
    retries: int

    def __str__(self) -> str:
        return f"ask hook {self.hook} before {self.stage}"


Action = Annotated[
    SetTraffic
    | ClaimEndpoint
    | RunSmoke
    | ScaleDeployment
    | DeleteDeployment
    | CreateDeployment
    | AskHook,
    Field(discriminator="type"),
]
