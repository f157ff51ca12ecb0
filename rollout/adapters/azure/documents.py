"""The documents of endpoints and deployments: what we read in them, and what is written back."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, TypeAdapter, ValidationError

from rollout.adapters.azure.answers import Foreign, recognised
from rollout.core.endpoint import DeploymentView, Provisioning
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack
from rollout.errors import Refused, Unknown

OWNER_TAG = "rollout-owner"
WAY_BACK_TAG = "rollout-way-back"
ABORTED_TAG = "rollout-aborted"
TAGS_MAX = 50
"""So many tags a resource has at most: Azure refuses the whole write for one too many."""

Document = dict[str, JsonValue]
DOCUMENT = TypeAdapter(Document)

_WRITABLE = ("location", "kind", "tags", "sku")
_READ_ONLY = frozenset({"scoringUri", "swaggerUri", "provisioningState", "keys"})
_FINGERPRINTED = (
    "model",
    "codeConfiguration",
    "environmentId",
    "environmentVariables",
    "instanceType",
    "requestSettings",
)
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
_NOT_MANAGED = frozenset({"kubernetes", "k8s", "azuremlcompute"})
_STATES = {state.lower(): state for state in Provisioning}


def _filled(value: object) -> object:
    """ARM writes null for what is empty."""
    return {} if value is None else value


def _state(value: object) -> object:
    """A state we have not heard of is one that is not settled."""
    return _STATES.get(value.lower(), Provisioning.UPDATING) if isinstance(value, str) else value


Shares = Annotated[Mapping[str, int], BeforeValidator(_filled)]
State = Annotated[Provisioning, BeforeValidator(_state)]


class _EndpointProperties(Foreign):
    provisioning_state: State
    traffic: Shares = Field(default_factory=dict)
    mirror_traffic: Shares = Field(default_factory=dict)
    auth_mode: str = "Key"
    scoring_uri: str | None = None
    compute: str | None = None


class EndpointDocument(Foreign):
    """An endpoint as ARM shows it."""

    kind: str | None = None
    tags: Annotated[Mapping[str, str], BeforeValidator(_filled)] = Field(default_factory=dict)
    properties: _EndpointProperties

    @property
    def state(self) -> Provisioning:
        return self.properties.provisioning_state

    @property
    def managed(self) -> bool:
        return not self.properties.compute and (self.kind or "").lower() not in _NOT_MANAGED

    @property
    def owner(self) -> str | None:
        return self._tag(OWNER_TAG)

    @property
    def way_back(self) -> WayBack | None:
        return WayBack.parse(self._tag(WAY_BACK_TAG) or "")

    @property
    def aborted(self) -> AbortedAtAzure | None:
        return AbortedAtAzure.parse(self._tag(ABORTED_TAG) or "")

    def _tag(self, name: str) -> str | None:
        return next((value for tag, value in self.tags.items() if tag.lower() == name), None)

    @property
    def traffic(self) -> Traffic:
        """Both maps; raises Refused where they break the platform's own rules."""
        live, mirror = self.properties.traffic, self.properties.mirror_traffic
        try:
            return Traffic(live=live, mirror=mirror)
        except ValidationError as error:
            raise Refused(f"traffic {dict(live)}, mirror {dict(mirror)}: not understood") from error

    def owned_by(self, owner: str) -> Mapping[str, str]:
        """The tags with that owner's in place of any other; tag names know no case."""
        return {**self._without(OWNER_TAG), OWNER_TAG: owner}

    def leading_back(self, way_back: WayBack) -> Mapping[str, str]:
        """The tags with that way back, if there is room; an earlier rollout's are gone."""
        told = {WAY_BACK_TAG: way_back.tag} if way_back.tag else {}
        return _if_room(self._without(WAY_BACK_TAG, ABORTED_TAG), told)

    def aborted_by(self, mark: AbortedAtAzure) -> Mapping[str, str]:
        """The tags with that mark, if need be in the place of the way back that was taken."""
        others = self._without(ABORTED_TAG)
        if len(others) >= TAGS_MAX:
            others = self._without(ABORTED_TAG, WAY_BACK_TAG)
        return _if_room(others, {ABORTED_TAG: mark.tag})

    def _without(self, *names: str) -> Mapping[str, str]:
        return {tag: value for tag, value in self.tags.items() if tag.lower() not in names}


def _if_room(tags: Mapping[str, str], told: Mapping[str, str]) -> Mapping[str, str]:
    """No tag is worth that the traffic stays where it is."""
    return {**tags, **told} if len(tags) < TAGS_MAX else tags


class Sku(Foreign):
    capacity: int | None = None


class _RequestSettings(Foreign):
    max_concurrent_requests_per_instance: int | None = None


class _DeploymentProperties(Foreign):
    provisioning_state: State
    model: JsonValue = None
    request_settings: Annotated[_RequestSettings, BeforeValidator(_filled)] = _RequestSettings()


class DeploymentDocument(Foreign):
    """A deployment as ARM shows it."""

    name: str
    sku: Annotated[Sku, BeforeValidator(_filled)] = Sku()
    properties: _DeploymentProperties


ENDPOINT = TypeAdapter(EndpointDocument)
DEPLOYMENT = TypeAdapter(DeploymentDocument)


def check_deployment(name: str) -> None:
    """Raise Unknown for what the platform gives to no deployment, before it stands in a path."""
    if not _DEPLOYMENT.fullmatch(name):
        raise Unknown(f"{name!r} cannot be the name of a deployment")


def deployment_view(document: Document) -> DeploymentView:
    """One entry of the deployments' list; raises Refused where it is not understood."""
    found = recognised(document, DEPLOYMENT, f"deployment {document.get('name')}")
    concurrency = found.properties.request_settings.max_concurrent_requests_per_instance
    return DeploymentView(
        name=found.name,
        state=found.properties.provisioning_state,
        fingerprint=fingerprint(part(document, "properties")),
        instances=1 if found.sku.capacity is None else found.sku.capacity,
        concurrency=concurrency or 1,
        model=_model_id(found.properties.model),
    )


def _model_id(model: JsonValue) -> str | None:
    """The model's ARM id; older versions of the API wrap it."""
    named = model.get("assetId") if isinstance(model, dict) else model
    return named if isinstance(named, str) else None


def fingerprint(properties: Document) -> str:
    """A short hash of what makes a model answer differently.

    Empty values count as missing, and ids in any case as the same, because both come back either
    way.
    """
    seen = {name: _plain(properties.get(name)) for name in _FINGERPRINTED}
    text = json.dumps(seen, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def with_tags(document: Document, tags: Mapping[str, str]) -> Document:
    return {**document, "tags": dict(tags)}


def with_traffic(document: Document, traffic: Traffic) -> Document:
    """The whole endpoint to write back, with both maps; keys and what is read-only left out."""
    kept = {
        name: value
        for name, value in part(document, "properties").items()
        if name not in _READ_ONLY and value is not None
    }
    maps: Document = {"traffic": dict(traffic.live), "mirrorTraffic": dict(traffic.mirror)}
    written = {name: document[name] for name in _WRITABLE if document.get(name) is not None}
    identity = _identity(part(document, "identity"))
    return {**written, **identity, "properties": {**kept, **maps}}


def part(document: Document, name: str) -> Document:
    """An object inside a document; empty where there is none."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _identity(identity: Document) -> Document:
    """An identity without the ids that the platform fills in."""
    if not identity:
        return {}
    users: Document = {name: {} for name in part(identity, "userAssignedIdentities")}
    written: Document = {"type": identity.get("type")}
    return {"identity": {**written, **({"userAssignedIdentities": users} if users else {})}}


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        plain = {name: _plain(inner) for name, inner in value.items()}
        return {name: inner for name, inner in plain.items() if inner} or None
    if isinstance(value, str) and value.startswith("/"):
        return value.lower()
    return value
