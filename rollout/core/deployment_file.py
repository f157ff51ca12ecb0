"""A deployment as a file describes it, in Azure ML's YAML or as the body of ARM's request."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from rollout.core.creation import CreateWish, Creation
from rollout.core.endpoint import WorkspaceId
from rollout.core.start_on import Source, filled, takes, words
from rollout.core.yaml_lines import read_yaml
from rollout.errors import PolicyError

BYTES_MAX = 8 * 1024
"""What waits in the endpoint's row must leave room for the rest of it."""

_ASSET = re.compile(r"azureml:(?P<name>[\w.-]+):(?P<version>[\w.-]+)")
_COLLECTIONS = {"model": "models", "environment": "environments", "code": "codes"}


def render(text: str, wish: CreateWish, workspace: WorkspaceId) -> Creation:
    """Read the file and fill in the names in braces; raises PolicyError with the place."""
    written = read_yaml(text)
    if written.problems:
        told = "\n".join(f"{wish.template}:{problem}" for problem in written.problems)
        raise PolicyError(told)
    if not isinstance(written.value, dict):
        raise PolicyError(f"{wish.template}: a deployment has keys such as model; this has none")
    document = _put_in(written.value, wish, wish.template)
    body = (
        _checked(document, wish)
        if "properties" in document
        else _Yaml(wish, workspace).body(document)
    )
    size = len(to_json(body))
    if size > BYTES_MAX:
        raise PolicyError(f"{wish.template}: {size} bytes as a request; at most {BYTES_MAX}")
    model = body["properties"].get("model")
    return Creation(template=wish.template, body=body, model=str(model) if model else None)


def check(text: str, template: str, source: Source) -> None:
    """Raise PolicyError for what is wrong with the file whatever the news will bring."""
    brought = {word: "0" for word in words(text) if word == "deployment" or takes(source, word)}
    nowhere = WorkspaceId(subscription="s", resource_group="g", workspace="w")
    render(text, CreateWish(template=template, values=brought), nowhere)


def _put_in(value: Any, wish: CreateWish, place: str) -> Any:  # noqa: ANN401 - YAML
    """The same with every name in braces replaced, in values only."""
    match value:
        case str():
            text, missing = filled(value, wish.values)
            if missing:
                known = ", ".join(f"{{{name}}}" for name in sorted(wish.values))
                raise PolicyError(f"{place}: nothing brings {{{missing[0]}}}; known: {known}")
            return text
        case dict():
            return {key: _put_in(inner, wish, f"{place}: {key}") for key, inner in value.items()}
        case list():
            return [_put_in(inner, wish, f"{place}[{at}]") for at, inner in enumerate(value)]
        case _:
            return value


def _checked(document: dict[str, Any], wish: CreateWish) -> dict[str, Any]:
    known = ("location", "sku", "tags", "kind", "identity", "properties")
    strange = [key for key in document if key not in known]
    if strange or not isinstance(document["properties"], dict):
        what = f"{strange[0]}: unknown key" if strange else "properties: must be a mapping"
        raise PolicyError(f"{wish.template}: {what}; the body of ARM has {', '.join(known)}")
    return {"sku": {"name": "Default", "capacity": 1}, **document}


# -- Azure ML's YAML ---------------------------------------------------------------------------


class _Yaml:
    """One key of the YAML at a time, those that the CLI of Azure ML knows."""

    def __init__(self, wish: CreateWish, workspace: WorkspaceId) -> None:
        self._wish = wish
        self._workspace = workspace

    def body(self, document: dict[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in document.items() if key not in _LEFT_OUT}
        capacity = given.pop("instance_count", 1)
        tags = given.pop("tags", {})
        properties: dict[str, Any] = {"endpointComputeType": "Managed"}
        for key, value in given.items():
            properties |= self._property(key, value)
        return {
            "sku": {"name": "Default", "capacity": capacity},
            "tags": tags,
            "properties": properties,
        }

    def _property(self, key: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
        if key in {"model", "environment"}:
            name = "model" if key == "model" else "environmentId"
            return {name: self._asset(key, value)}
        if key == "code_configuration":
            return {"codeConfiguration": self._code(value)}
        if key in _NESTED:
            name, inner = _NESTED[key]
            return {name: self._nested(key, value, inner)}
        if key in _PLAIN:
            return {_PLAIN[key]: value}
        known = ", ".join([*_PLAIN, *_NESTED, "model", "environment", "code_configuration"])
        raise self._no(f"{key}: not known here; write the file as ARM's body, or use {known}")

    def _asset(self, key: str, value: object) -> str:
        text = str(value)
        if text.startswith(("/subscriptions/", "azureml://registries/")):
            return text
        found = _ASSET.fullmatch(text)
        if not found:
            raise self._no(
                f"{key}: {text[:80]!r} must be registered: azureml:NAME:VERSION, or an ARM id;"
                " nothing is uploaded from here"
            )
        kind = _COLLECTIONS[key]
        return f"{self._workspace.arm_id}/{kind}/{found['name']}/versions/{found['version']}"

    def _code(self, value: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
        if not isinstance(value, dict) or set(value) != {"code", "scoring_script"}:
            raise self._no("code_configuration: has code and scoring_script")
        code = self._asset("code", value["code"])
        return {"codeId": code, "scoringScript": value["scoring_script"]}

    def _nested(self, place: str, value: Any, inner: Mapping[str, "_Key"]) -> dict[str, Any]:  # noqa: ANN401
        if not isinstance(value, dict):
            raise self._no(f"{place}: must be a mapping of {', '.join(inner)}")
        strange = [key for key in value if key not in inner]
        if strange:
            raise self._no(f"{place}.{strange[0]}: unknown key; known: {', '.join(inner)}")
        told = {}
        for key, one in value.items():
            name, written = inner[key]
            try:
                told[name] = written(one)
            except (TypeError, ValueError) as error:
                raise self._no(f"{place}.{key}: {one!r} is no whole number") from error
        return told

    def _no(self, text: str) -> PolicyError:
        return PolicyError(f"{self._wish.template}: {text}")


_Key = tuple[str, Callable[[Any], object]]


def _milliseconds(value: Any) -> str:  # noqa: ANN401 - YAML
    return f"PT{int(value) / 1000:g}S"


def _seconds(value: Any) -> str:  # noqa: ANN401 - YAML
    return f"PT{int(value)}S"


_LEFT_OUT = frozenset({"$schema", "name", "endpoint_name", "type"})
_PLAIN = {
    "description": "description",
    "model_mount_path": "modelMountPath",
    "environment_variables": "environmentVariables",
    "instance_type": "instanceType",
    "app_insights_enabled": "appInsightsEnabled",
}
_PROBE: Mapping[str, _Key] = {
    "initial_delay": ("initialDelay", _seconds),
    "period": ("period", _seconds),
    "timeout": ("timeout", _seconds),
    "success_threshold": ("successThreshold", int),
    "failure_threshold": ("failureThreshold", int),
}
_NESTED: Mapping[str, tuple[str, Mapping[str, _Key]]] = {
    "request_settings": (
        "requestSettings",
        {
            "request_timeout_ms": ("requestTimeout", _milliseconds),
            "max_concurrent_requests_per_instance": ("maxConcurrentRequestsPerInstance", int),
            "max_queue_wait_ms": ("maxQueueWait", _milliseconds),
        },
    ),
    "liveness_probe": ("livenessProbe", _PROBE),
    "readiness_probe": ("readinessProbe", _PROBE),
}
