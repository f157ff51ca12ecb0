"""What the controller's identity needs leave for, and what each leave is for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from rollout.access_ports import Lack
from rollout.adapters.azure.answers import Foreign

_ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"
_SMOKE = "smoke requests, on endpoints of that kind of authentication"


@dataclass(frozen=True, slots=True)
class _Need:
    purpose: str
    always: bool = False
    data: bool = False


# fmt: off
_WORKSPACE = "Microsoft.MachineLearningServices/workspaces/read"
NEEDS: Mapping[str, _Need] = {
    _WORKSPACE:                        _Need("finding the workspace", always=True),
    _ENDPOINTS + "read":               _Need("seeing the traffic", always=True),
    _ENDPOINTS + "write":              _Need("changing it, and rolling back", always=True),
    _ENDPOINTS + "deployments/read":   _Need("seeing the deployments", always=True),
    "Microsoft.Insights/metrics/read": _Need("judging a canary", always=True),
    _ENDPOINTS + "deployments/write":  _Need("capacity: scale, and retire: {scale_to: n}"),
    _ENDPOINTS + "deployments/delete": _Need("retire: {baseline: delete}"),
    _ENDPOINTS + "listKeys/action":    _Need(_SMOKE),
    _ENDPOINTS + "regenerateKeys/action": _Need("rotating keys"),
    _ENDPOINTS + "token/action":       _Need(_SMOKE),
    _ENDPOINTS + "score/action":       _Need(_SMOKE, data=True),
}
# fmt: on
"""By the action's name. `data` marks what the data plane asks for: it counts there as well."""


class Permission(Foreign):
    """One role's part in what an identity may do at a scope."""

    actions: list[str] = Field(default_factory=list)
    not_actions: list[str] = Field(default_factory=list)
    data_actions: list[str] = Field(default_factory=list)
    not_data_actions: list[str] = Field(default_factory=list)

    def allows(self, action: str, *, data: bool) -> bool:
        """Whether this one gives leave; `*` in it stands for anything."""
        if _is_in(action, self.actions) and not _is_in(action, self.not_actions):
            return True
        given = data and _is_in(action, self.data_actions)
        return given and not _is_in(action, self.not_data_actions)


def lacks(permissions: Sequence[Permission]) -> list[Lack]:
    """What none of them gives leave for: what one takes away, another may still give."""
    return [
        Lack(action, need.purpose, need.always)
        for action, need in NEEDS.items()
        if not any(one.allows(action, data=need.data) for one in permissions)
    ]


def _is_in(action: str, patterns: Iterable[str]) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE)
        for pattern in patterns
    )
