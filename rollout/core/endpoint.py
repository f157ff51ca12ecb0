"""An endpoint as the platform shows it: what one GET tells, and how it is named."""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Self

from pydantic import Field

from rollout.core.frozen import Frozen
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack
from rollout.errors import Malformed

_WORKSPACE = (
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<resource_group>[^/]+)"
    r"/providers/microsoft\.machinelearningservices/workspaces/(?P<workspace>[^/]+)"
)
_WORKSPACE_ID = re.compile(_WORKSPACE)
_ARM_ID = re.compile(_WORKSPACE + r"/onlineendpoints/(?P<name>[^/]+)")


class WorkspaceId(Frozen):
    """Where a workspace is: the parts of its ARM id, all in lower case."""

    subscription: str
    resource_group: str
    workspace: str

    @classmethod
    def parse(cls, arm_id: str) -> Self:
        """Read an ARM id in any case; raises Malformed."""
        found = _WORKSPACE_ID.fullmatch(arm_id.strip().rstrip("/").lower())
        if not found:
            raise Malformed(
                f"{arm_id!r} is not the ARM id of a workspace: /subscriptions/S/resourceGroups/G"
                "/providers/Microsoft.MachineLearningServices/workspaces/W"
            )
        return cls(**found.groupdict())

    @property
    def arm_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourcegroups/{self.resource_group}"
            f"/providers/microsoft.machinelearningservices/workspaces/{self.workspace}"
        )

    def endpoint(self, name: str) -> "EndpointId":
        return EndpointId(**self.model_dump(), name=name.lower())


class EndpointId(Frozen):
    """Where an endpoint is: the parts of its ARM id, all in lower case."""

    subscription: str
    resource_group: str
    workspace: str
    name: str

    @classmethod
    def parse(cls, arm_id: str) -> Self:
        """Read an ARM id in any case; raises Malformed."""
        found = _ARM_ID.fullmatch(arm_id.strip().rstrip("/").lower())
        if not found:
            raise Malformed(f"{arm_id!r} is not the ARM id of an online endpoint")
        return cls(**found.groupdict())

    @property
    def arm_id(self) -> str:
        return f"{self.in_workspace.arm_id}/onlineendpoints/{self.name}"

    @property
    def in_workspace(self) -> WorkspaceId:
        return WorkspaceId(**self.model_dump(exclude={"name"}))

    @property
    def key(self) -> str:
        """Partition key and session id: the name, made unique by a short hash of the ARM id."""
        return _key(self.subscription, self.resource_group, self.workspace, self.name)

    def az_command(self, verb: str, deployment: str | None = None) -> str:
        """The command line with which a person does the same by hand, up to its own arguments."""
        what = "online-endpoint" if deployment is None else "online-deployment"
        name = f"--name {self.name}"
        if deployment is not None:
            name = f"--name {deployment} --endpoint-name {self.name}"
        return (
            f"az ml {what} {verb} {name} --workspace-name {self.workspace}"
            f" --resource-group {self.resource_group} --subscription {self.subscription}"
        )

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"


@lru_cache(maxsize=1024)
def _key(subscription: str, resource_group: str, workspace: str, name: str) -> str:
    """Asked for at every call of the store; an endpoint's key never changes."""
    where = WorkspaceId(
        subscription=subscription, resource_group=resource_group, workspace=workspace
    )
    arm_id = f"{where.arm_id}/onlineendpoints/{name}"
    return f"{name}-{hashlib.sha256(arm_id.encode()).hexdigest()[:10]}"


class Provisioning(StrEnum):
    """The platform's `provisioningState`."""

    CREATING = "Creating"
    UPDATING = "Updating"
    SCALING = "Scaling"
    DELETING = "Deleting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"

    @property
    def settled(self) -> bool:
        return self in {Provisioning.SUCCEEDED, Provisioning.FAILED, Provisioning.CANCELED}


class DeploymentView(Frozen):
    """One deployment as a GET shows it; `fingerprint` changes when it is changed in place."""

    name: str
    state: Provisioning
    fingerprint: str
    instances: int = 1
    concurrency: int = Field(1, description="requests one instance answers at a time")
    model: str | None = Field(None, description="the ARM id of its model")


class EndpointView(Frozen):
    """One endpoint as a GET shows it, with its deployments and the owner its tag names."""

    id: EndpointId
    state: Provisioning
    traffic: Traffic
    deployments: Mapping[str, DeploymentView] = Field(default_factory=dict)
    owner: str | None = None
    way_back: WayBack | None = None
    aborted: AbortedAtAzure | None = None
    managed: bool = True

    @property
    def live(self) -> tuple[str, ...]:
        """The deployments with live traffic."""
        return tuple(self.traffic.live)
