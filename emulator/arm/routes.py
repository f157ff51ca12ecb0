"""The control plane's table of routes."""

# ruff: noqa: E501 - a table is read by its columns
import re
from collections.abc import Callable
from dataclasses import dataclass

from emulator.arm import deployments, endpoints, keys, permissions, polls, workspaces
from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control

_SUBSCRIPTION = "/subscriptions/{subscription}"
_PROVIDER = "/providers/Microsoft.MachineLearningServices"
_GROUP = _SUBSCRIPTION + "/resourceGroups/{group}" + _PROVIDER
_WORKSPACE = _GROUP + "/workspaces/{workspace}"
_ENDPOINT = _WORKSPACE + "/onlineEndpoints/{endpoint}"
_DEPLOYMENT = _ENDPOINT + "/deployments/{deployment}"
_ASSETS = _WORKSPACE + "/{kind:codes|models|environments}/{name}/versions"
_LOCATION = _SUBSCRIPTION + _PROVIDER + "/locations/{location}"


@dataclass(frozen=True, slots=True)
class Route:
    """`kind` is the route's name in the journal; `writes` says whether it changes anything."""

    method: str
    path: str
    kind: str
    handler: Callable[[Control, Call], Reply]
    writes: bool = False

    def pattern(self) -> re.Pattern[str]:
        return re.compile(_as_expression(self.path), re.IGNORECASE)


def _reads(method: str, path: str, kind: str, handler: Callable[[Control, Call], Reply]) -> Route:
    return Route(method, path, kind, handler)


def _writes(method: str, path: str, kind: str, handler: Callable[[Control, Call], Reply]) -> Route:
    return Route(method, path, kind, handler, writes=True)


# fmt: off
ROUTES = (
    _reads("GET",     _SUBSCRIPTION + _PROVIDER + "/workspaces", "workspace.list", workspaces.list_all),
    _reads("GET",     _GROUP + "/workspaces",             "workspace.list",     workspaces.list_all),
    _reads("GET",     _WORKSPACE + "/providers/Microsoft.Authorization/permissions", "permission.list", permissions.list_all),
    _reads("GET",     _WORKSPACE,                         "workspace.get",      workspaces.get),
    _writes("PUT",    _WORKSPACE,                         "workspace.put",      workspaces.put),
    _reads("GET",     _ASSETS,                            "asset.list",         workspaces.list_asset_versions),
    _reads("GET",     _ASSETS + "/{version}",             "asset.get",          workspaces.get_asset),
    _writes("PUT",    _ASSETS + "/{version}",             "asset.put",          workspaces.put_asset),
    _reads("GET",     _WORKSPACE + "/onlineEndpoints",    "endpoint.list",      endpoints.list_all),
    _reads("GET",     _ENDPOINT,                          "endpoint.get",       endpoints.get),
    _writes("PUT",    _ENDPOINT,                          "endpoint.put",       endpoints.put),
    _writes("PATCH",  _ENDPOINT,                          "endpoint.patch",     endpoints.patch),
    _writes("DELETE", _ENDPOINT,                          "endpoint.delete",    endpoints.delete),
    _reads("POST",    _ENDPOINT + "/listKeys",            "keys.list",          keys.list_keys),
    _writes("POST",   _ENDPOINT + "/regenerateKeys",      "keys.regenerate",    keys.regenerate),
    _reads("POST",    _ENDPOINT + "/token",               "token.get",          keys.token),
    _reads("GET",     _ENDPOINT + "/deployments",         "deployment.list",    deployments.list_all),
    _reads("GET",     _DEPLOYMENT,                        "deployment.get",     deployments.get),
    _writes("PUT",    _DEPLOYMENT,                        "deployment.put",     deployments.put),
    _writes("PATCH",  _DEPLOYMENT,                        "deployment.patch",   deployments.patch),
    _writes("DELETE", _DEPLOYMENT,                        "deployment.delete",  deployments.delete),
    _reads("POST",    _DEPLOYMENT + "/getLogs",           "deployment.logs",    deployments.logs),
    _reads("GET",     _DEPLOYMENT + "/skus",              "deployment.skus",    deployments.skus),
    _reads("GET",     _LOCATION + "/mfeOperationsStatus/{operation}", "operation.status", polls.status),
    _reads("GET",     _LOCATION + "/mfeOperationResults/{operation}", "operation.result", polls.result),
)
# fmt: on


def _as_expression(path: str) -> str:
    """`{name}` matches one segment, `{name:a|b}` one of these."""
    escaped = re.sub(r"([.])", r"\\\1", path)
    chosen = re.sub(r"\{(\w+):([^}]+)\}", r"(?P<\1>\2)", escaped)
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", chosen) + "/?"
