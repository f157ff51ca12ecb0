"""A call to Azure Resource Manager and the reply, without the web server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.arm import names
from emulator.arm.lenient import read_object


@dataclass(frozen=True, slots=True)
class Call:
    """`ids` are the parts of the path by name; `base` is the address the caller used."""

    method: str
    base: str
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    query_text: str = ""
    body: bytes = b""

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    @property
    def workspace_id(self) -> str:
        return names.workspace_id(
            self.ids["subscription"], self.ids["group"], self.ids["workspace"]
        )

    @property
    def endpoint_id(self) -> str:
        return f"{self.workspace_id}/onlineEndpoints/{self.ids['endpoint']}"

    def document(self) -> dict[str, Any]:
        return read_object(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` None is an empty one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
