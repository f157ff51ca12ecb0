"""Microsoft's own clients, unmodified, against the emulator."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.conftest import a_script
from tests.emulator.running import EmulatorHandle, sdk_python

SCRIPTS = Path(__file__).parent / "sdk"
# A line of its own in the log, and an answer that names its input.
CODE = """
import json

def init():
    print("ready: by-sdk")

def run(raw):
    return {"asked": json.loads(raw)}
"""


def told(script: str, emulator: EmulatorHandle, **asked: str) -> dict[str, Any]:
    """What the script says in its last line."""
    where = {
        "url": emulator.url,
        "subscription": emulator.subscription,
        "resource_group": emulator.resource_group,
        "workspace": emulator.workspace,
    }
    run = subprocess.run(
        [sdk_python(), SCRIPTS / script, json.dumps(where | asked)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    facts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return facts


@pytest.fixture
def code(emulator: EmulatorHandle, tmp_path: Path) -> str:
    """The ARM id of a code asset."""
    path = "/codes/for-sdks/versions/1"
    uri = a_script(tmp_path, "code", CODE).as_uri()
    emulator.arm("PUT", path, {"properties": {"codeUri": uri}})
    return emulator.workspace_id + path


def test_azure_ai_ml_does_a_rollout_by_hand(
    emulator: EmulatorHandle, code: str, tmp_path: Path
) -> None:
    environment = "/environments/for-sdks/versions/1"
    emulator.arm("PUT", environment, {"properties": {"image": "any"}})
    request_file = tmp_path / "request.json"
    request_file.write_text('{"n": 1}')

    facts = told(
        "ml_client.py",
        emulator,
        code=code,
        environment=emulator.workspace_id + environment,
        request_file=str(request_file),
    )

    assert json.loads(facts.pop("answer")) == {"asked": {"n": 1}}
    assert "by-sdk" not in facts.pop("left")
    assert facts == {
        "traffic": {"blue": 100},
        "mirror": {"green": 20},
        "tags": {"team": "churn"},
        "state": "Succeeded",
        "has_keys": True,
        "ready": True,
        "listed": ["blue", "green"],
    }


def test_the_management_client_does_the_same(emulator: EmulatorHandle, code: str) -> None:
    assert told("management.py", emulator, code=code) == {
        "made": "Succeeded",
        "traffic": {"blue": 100},
        "tags": {"team": "churn"},
        "has_keys": True,
        "ready": True,
        "capacity": 50,
        "listed": True,
    }


def test_the_monitor_clients_count_what_was_answered(
    emulator: EmulatorHandle, tmp_path: Path
) -> None:
    emulator.endpoint("watched")
    emulator.deploy("watched", "blue", a_script(tmp_path, "blue"))
    emulator.endpoint("watched", {"blue": 100})
    headers = {"Authorization": f"Bearer {emulator.key('watched')}"}
    for number in range(10):
        emulator.score("watched", {"fail": number < 3}, headers)

    endpoint = f"{emulator.workspace_id}/onlineEndpoints/watched"
    facts = told("monitoring.py", emulator, endpoint=endpoint)

    assert facts == {
        "counts": {"blue": 10.0},
        "columns": ["DeploymentName", "n", "e", "p95"],
        "rows": [["blue", 10, 3]],
        "types": ["datetime", "int"],
    }
