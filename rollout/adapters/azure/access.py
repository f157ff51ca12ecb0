"""What the controller's identity may see and do, as Azure itself tells it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from azure.core.exceptions import AzureError, ClientAuthenticationError
from pydantic import TypeAdapter

from rollout.access_ports import Lack
from rollout.adapters.azure.answers import Foreign, parsed
from rollout.adapters.azure.arm import PAGES_MAX, STABLE
from rollout.adapters.azure.permissions import Permission, lacks
from rollout.adapters.azure.pipeline import ArmClient
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.errors import Refused, Unavailable

PERMISSIONS_VERSION = "2022-04-01"

_ACTIONS = "Microsoft.MachineLearningServices/workspaces/"
_MAY_READ_PERMISSIONS = "Microsoft.Authorization/permissions/read"


class _Named(Foreign):
    name: str


class _Page(Foreign):
    value: list[_Named]
    next_link: str | None = None


class _Permissions(Foreign):
    value: list[Permission]
    next_link: str | None = None


_PAGE = TypeAdapter(_Page)
_PERMISSIONS = TypeAdapter(_Permissions)


class ArmAccess:
    """The port Access."""

    def __init__(self, arm: ArmClient) -> None:
        self._arm = arm

    def sign_in(self) -> datetime:
        scope = f"{self._arm.base_url}/.default"
        try:
            token = self._arm.credential.get_token(scope)
        except ClientAuthenticationError as error:
            raise Refused(f"no token for {scope} ({type(error).__name__})") from error
        except AzureError as error:
            raise Unavailable(f"no token for {scope} yet ({type(error).__name__})") from error
        return datetime.fromtimestamp(token.expires_on, UTC)

    def visit(self, workspace: WorkspaceId) -> datetime | None:
        url = self._arm.url(workspace.arm_id, {"api-version": STABLE})
        answer = self._arm.send("GET", url, _ACTIONS + "read")
        try:
            return parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            return None

    def endpoints(self, workspace: WorkspaceId) -> Sequence[EndpointId]:
        return [workspace.endpoint(one.name) for one in self._listed(workspace)]

    def lacks(self, workspace: WorkspaceId) -> Sequence[Lack]:
        """Raises Unknown where nobody answers for permissions, Refused where they are hidden."""
        path = f"{workspace.arm_id}/providers/Microsoft.Authorization/permissions"
        link: str | None = self._arm.url(path, {"api-version": PERMISSIONS_VERSION})
        found: list[Permission] = []
        for _ in range(PAGES_MAX):
            if not link:
                return lacks(found)
            page = parsed(self._arm.send("GET", link, _MAY_READ_PERMISSIONS), _PERMISSIONS)
            found += page.value
            link = page.next_link
        raise Refused(f"the permissions on {workspace.workspace} do not end")

    def _listed(self, workspace: WorkspaceId) -> Iterator[_Named]:
        path = f"{workspace.arm_id}/onlineEndpoints"
        link: str | None = self._arm.url(path, {"api-version": STABLE})
        for _ in range(PAGES_MAX):
            if not link:
                return
            page = parsed(self._arm.send("GET", link, _ACTIONS + "onlineEndpoints/read"), _PAGE)
            yield from page.value
            link = page.next_link
        raise Refused(f"the endpoints of {workspace.workspace} do not end after {PAGES_MAX} pages")
