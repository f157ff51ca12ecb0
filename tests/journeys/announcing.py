"""What others send when something is to be rolled out: a signed webhook, an event."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import requests

from tests.doors.payloads import payload
from tests.journeys.controller import GITHUB_SECRET
from tests.journeys.stage import Stage

BY_GITHUB = """
start_on:
  - github_deployment_status: {repository: contoso/churn, environment: production}
    endpoint: "{payload.endpoint}"
    deployment: "{payload.deployment}"
"""
"""The rule of a policy by which `announced_by_github` starts."""

BY_EVENT_GRID = """
start_on:
  - deployment_written: {deployment: "green"}
"""
"""The rule of a policy by which `deployment_written` starts."""

_HAPPENED = datetime.now(UTC).isoformat()
"""What is delivered again tells the same time."""

_WRITTEN_IN = (
    "/subscriptions/S/resourceGroups/RG/providers/Microsoft.MachineLearningServices/workspaces/ML"
)


def announced_by_github(stage: Stage, secret: str = GITHUB_SECRET) -> requests.Response:
    """As GitHub sends it: the body's signature under the webhook's secret."""
    told = payload("github/deployment_status")
    told["deployment"]["payload"] = {"endpoint": stage.name, "deployment": "green"}
    told["deployment_status"]["updated_at"] = _HAPPENED
    body = json.dumps(told).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "deployment_status",
        "X-GitHub-Delivery": f"{stage.name}-1",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    url = f"{stage.controller.url}/api/hooks/github"
    return requests.post(url, data=body, headers=headers, timeout=30)


def deployment_written(stage: Stage) -> bytes:
    """As Event Grid tells of it: the body of a message."""
    told = json.dumps(payload("azure/event_deployment_written"))
    told = told.replace(_WRITTEN_IN, stage.emulator.workspace_id)
    return told.replace("/churn/deployments/", f"/{stage.name}/deployments/").encode()
