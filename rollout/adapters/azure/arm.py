"""Online endpoints by the REST protocol of Azure Resource Manager."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NoReturn

from azure.core.rest import HttpResponse
from pydantic import JsonValue, TypeAdapter

from rollout.adapters.azure.answers import Foreign, parsed, recognised, without_secrets
from rollout.adapters.azure.documents import (
    DOCUMENT,
    ENDPOINT,
    Document,
    EndpointDocument,
    check_deployment,
    deployment_view,
    part,
    with_tags,
    with_traffic,
)
from rollout.adapters.azure.pipeline import ArmClient
from rollout.core.creation import Creation
from rollout.core.endpoint import EndpointId, EndpointView, Provisioning
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack
from rollout.errors import Refused, Unavailable, Unknown
from rollout.ports import Accepted, OperationStatus, OtherMap, Withdrawn

STABLE = "2023-04-01"
PREVIEW = "2022-02-01-preview"  # the only known version whose PATCH changes traffic
PAGES_MAX = 100

_ACTIONS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"
_OPERATION_HEADERS = ("Azure-AsyncOperation", "Location")
_FAILED = frozenset({"failed", "canceled"})
_OVER = _FAILED | {"succeeded"}


class WriteVerb(StrEnum):
    """How a traffic map is written: the whole endpoint, or both maps alone by a preview."""

    PUT = "put"
    PATCH_PREVIEW = "patch-preview"


class _Page(Foreign):
    value: list[Document]
    next_link: str | None = None


class _Failure(Foreign):
    code: str = ""
    message: str = ""


class _Progress(Foreign):
    """A status document, or the resource itself where that is all there is to look at."""

    status: str | None = None
    error: _Failure | None = None
    properties: Document | None = None


_PAGE = TypeAdapter(_Page)
_PROGRESS = TypeAdapter(_Progress)


class ArmEndpoints:
    """The port Endpoints."""

    def __init__(self, arm: ArmClient, write_verb: str = WriteVerb.PUT) -> None:
        self._arm = arm
        self._verb = WriteVerb(write_verb)

    def read(self, endpoint: EndpointId) -> EndpointView:
        found = recognised(self._document(endpoint), ENDPOINT, endpoint.arm_id)
        views = [deployment_view(document) for document in self._deployments(endpoint)]
        return EndpointView(
            id=endpoint,
            state=found.state,
            traffic=found.traffic,
            deployments={view.name: view for view in views},
            owner=found.owner,
            way_back=found.way_back,
            aborted=found.aborted,
            managed=found.managed,
        )

    def set_traffic(
        self,
        endpoint: EndpointId,
        traffic: Traffic,
        expect: Traffic | None,
        still_wanted: Callable[[], bool],
        way_back: WayBack | None = None,
    ) -> Accepted | OtherMap | Withdrawn:
        """Write both maps, unless the platform is busy, shows another map, or shows these.

        With `expect` None, the way back, the write is sent even while the platform is busy, and
        whatever it shows.
        """
        document = self._document(endpoint)
        found = recognised(document, ENDPOINT, endpoint.arm_id)
        if found.state.settled and _shows(found, traffic):
            return Accepted(None)
        if expect is not None:
            if not found.state.settled:
                _busy(endpoint, found.state)
            if found.traffic != expect:
                return OtherMap(found.traffic)
            if _was_aborted(found, way_back) or not still_wanted():
                return Withdrawn()
        if way_back:
            document = with_tags(document, found.leading_back(way_back))
        return self._write(endpoint, document, traffic)

    def give_back(
        self, endpoint: EndpointId, traffic: Traffic, mark: AbortedAtAzure | None
    ) -> Accepted:
        """Write that map whatever the platform shows, and leave the mark, unless both are there."""
        document = self._document(endpoint)
        if mark:
            found = recognised(document, ENDPOINT, endpoint.arm_id)
            if _is_given_back(found, traffic, mark):
                return Accepted(None)
            document = with_tags(document, found.aborted_by(mark))
        return self._write(endpoint, document, traffic)

    def claim(self, endpoint: EndpointId, owner: str) -> Accepted:
        """Write the owner's tag, keeping all other tags."""
        found = recognised(self._document(endpoint), ENDPOINT, endpoint.arm_id)
        if found.owner == owner:
            return Accepted(None)
        url = self._url(endpoint.arm_id)
        tags: JsonValue = dict(found.owned_by(owner))
        return self._accepted(url, self._arm.send("PATCH", url, _ACTIONS + "write", {"tags": tags}))

    def create(self, endpoint: EndpointId, deployment: str, creation: Creation) -> Accepted:
        """PUT a deployment that is not there, at the endpoint's own location if none is given."""
        url = self._url(_deployment_id(endpoint, deployment))
        try:
            found = parsed(self._arm.send("GET", url, _ACTIONS + "deployments/read"), DOCUMENT)
        except Unknown:
            location = self._document(endpoint).get("location")
            body: JsonValue = {"location": location, **creation.body}
            return self._accepted(
                url, self._arm.send("PUT", url, _ACTIONS + "deployments/write", body)
            )
        there = deployment_view(found)
        if not creation.is_model_of(there.model):
            raise Refused(
                f"{endpoint} has a deployment {there.name} already, with the model {there.model},"
                f" not {creation.model}"
            )
        return Accepted(None)

    def scale(self, endpoint: EndpointId, deployment: str, instances: int) -> Accepted:
        url = self._url(_deployment_id(endpoint, deployment))
        document = parsed(self._arm.send("GET", url, _ACTIONS + "deployments/read"), DOCUMENT)
        sku = part(document, "sku")
        if sku.get("capacity") == instances and deployment_view(document).state.settled:
            return Accepted(None)
        body: JsonValue = {"sku": {**sku, "capacity": instances}}
        return self._accepted(
            url, self._arm.send("PATCH", url, _ACTIONS + "deployments/write", body)
        )

    def delete(self, endpoint: EndpointId, deployment: str) -> Accepted:
        """Delete a deployment; the platform refuses one that has live traffic."""
        url = self._url(_deployment_id(endpoint, deployment))
        try:
            response = self._arm.send("DELETE", url, _ACTIONS + "deployments/delete")
        except Unknown:
            return Accepted(None)
        return Accepted(None) if response.status_code == 204 else self._accepted(url, response)

    def operation(self, url: str) -> OperationStatus:
        """Follow the URL verbatim; the token goes to ARM's own address only, else Refused."""
        try:
            response = self._arm.send("GET", url, _ACTIONS + "read")
        except Unknown:
            return OperationStatus(running=False)
        if response.status_code in {202, 204} or not response.read().strip():
            return OperationStatus(running=response.status_code == 202)
        return _status(parsed(response, _PROGRESS))

    def _write(self, endpoint: EndpointId, document: Document, traffic: Traffic) -> Accepted:
        send, url = self._arm.send, self._url(endpoint.arm_id)
        if self._verb is WriteVerb.PUT:
            body: JsonValue = with_traffic(document, traffic)
            return self._accepted(url, send("PUT", url, _ACTIONS + "write", body))
        preview = self._arm.url(endpoint.arm_id, {"api-version": PREVIEW})
        patch = _patch(document, traffic)
        return self._accepted(url, send("PATCH", preview, _ACTIONS + "write", patch))

    def _accepted(self, url: str, response: HttpResponse) -> Accepted:
        """Where the write tells how it goes on; the resource itself, where it names nothing."""
        named = filter(None, map(response.headers.get, _OPERATION_HEADERS))
        found = next(named, None) or _in_body(response) or url
        return Accepted(self._arm.base_url + found if found.startswith("/") else found)

    def _document(self, endpoint: EndpointId) -> Document:
        url = self._url(endpoint.arm_id)
        return parsed(self._arm.send("GET", url, _ACTIONS + "read"), DOCUMENT)

    def _deployments(self, endpoint: EndpointId) -> Iterator[Document]:
        link: str | None = self._url(f"{endpoint.arm_id}/deployments")
        for _ in range(PAGES_MAX):
            if not link:
                return
            page = parsed(self._arm.send("GET", link, _ACTIONS + "deployments/read"), _PAGE)
            yield from page.value
            link = page.next_link
        raise Refused(f"{endpoint}: its deployments do not end after {PAGES_MAX} pages")

    def _url(self, arm_id: str) -> str:
        return self._arm.url(arm_id, {"api-version": STABLE})


def _deployment_id(endpoint: EndpointId, deployment: str) -> str:
    check_deployment(deployment)
    return f"{endpoint.arm_id}/deployments/{deployment}"


def _shows(found: EndpointDocument, traffic: Traffic) -> bool:
    try:
        return found.traffic == traffic
    except Refused:  # a map that breaks the rules is not the one that is wanted
        return False


def _is_given_back(found: EndpointDocument, traffic: Traffic, mark: AbortedAtAzure) -> bool:
    there = found.aborted
    marked = there is not None and there.rollout_id == mark.rollout_id
    return marked and found.state.settled and _shows(found, traffic)


def _was_aborted(found: EndpointDocument, way_back: WayBack | None) -> bool:
    """Whether a person ended that rollout on the endpoint itself: a look will decide it."""
    mark = found.aborted
    return bool(mark and way_back and mark.rollout_id == way_back.rollout_id)


def _busy(endpoint: EndpointId, state: Provisioning) -> NoReturn:
    raise Unavailable(f"{endpoint} is {state}: another operation runs on it")


def _patch(document: Document, traffic: Traffic) -> JsonValue:
    """Both maps; who loses their share is named with 0, whether maps are replaced or merged."""
    shown = part(document, "properties")
    return {
        "location": document.get("location"),
        "tags": part(document, "tags"),
        "properties": {
            "traffic": _instead_of(part(shown, "traffic"), traffic.live),
            "mirrorTraffic": _instead_of(part(shown, "mirrorTraffic"), traffic.mirror),
        },
    }


def _instead_of(shown: Document, wanted: Mapping[str, int]) -> JsonValue:
    named = {name.lower() for name in wanted}
    gone = {name: 0 for name, share in shown.items() if share and name.lower() not in named}
    return {**gone, **wanted}


def _in_body(response: HttpResponse) -> str | None:
    """The operation's URL as the body repeats it; the write is taken, whatever the body is."""
    try:
        document = parsed(response, DOCUMENT)
    except (Refused, Unavailable):
        return None
    inner = part(part(document, "properties"), "properties")
    link = inner.get("AzureAsyncOperationUri")
    return link if isinstance(link, str) else None


def _status(progress: _Progress) -> OperationStatus:
    state = progress.status or (progress.properties or {}).get("provisioningState")
    said = str(state or "").lower()
    if progress.error or said in _FAILED:
        return OperationStatus(running=False, failure=_failure(progress, str(state)))
    return OperationStatus(running=said not in _OVER)


def _failure(progress: _Progress, state: str) -> str:
    if progress.error is None:
        return f"the operation ended as {state}"
    return without_secrets(f"{progress.error.code}: {progress.error.message}")
