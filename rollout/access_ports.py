"""What an examination asks of Azure: what the controller's identity may see and do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rollout.core.endpoint import EndpointId, WorkspaceId


@dataclass(frozen=True, slots=True)
class Lack:
    """A permission that the controller's identity has not, and what it is for.

    `always` tells that no rollout goes without it.
    """

    action: str
    purpose: str
    always: bool


class Access(Protocol):
    """What the controller's identity may see and do at Azure; changes nothing.

    Every call raises Unavailable, Refused or Unknown, as those of Endpoints do.
    """

    def sign_in(self) -> datetime:
        """Get a token; tells when it runs out."""
        ...

    def visit(self, workspace: WorkspaceId) -> datetime | None:
        """Read the workspace; tells the time at Azure, to the second, where the answer does."""
        ...

    def endpoints(self, workspace: WorkspaceId) -> Sequence[EndpointId]: ...

    def lacks(self, workspace: WorkspaceId) -> Sequence[Lack]:
        """What the identity may not do there; raises Unknown where Azure does not tell."""
        ...
