"""Messages of others in the shapes that their documentation shows."""

import json
from pathlib import Path
from typing import Any

from tests.builders import an_endpoint

_FOLDER = Path(__file__).parents[1] / "payloads"


def payload(name: str) -> Any:
    """The message of that name, such as `github/workflow_run`."""
    return json.loads((_FOLDER / f"{name}.json").read_text())


def raw(value: object) -> bytes:
    return json.dumps(value).encode()


def about(endpoint_id: str, value: Any) -> Any:
    """The same message about another endpoint than the one it was written for."""
    text = json.dumps(value)
    workspace = endpoint_id.rpartition("/onlineendpoints")[0]
    arm = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.MachineLearningServices"
    text = text.replace(f"{arm}/workspaces/ML", workspace)
    return json.loads(text.replace(an_endpoint().arm_id, endpoint_id))
