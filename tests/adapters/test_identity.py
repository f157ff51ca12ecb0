"""Who speaks to Azure, and what it costs before anybody does."""

import ast
import inspect
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from pydantic import SecretStr

from rollout.adapters.azure import identity
from rollout.adapters.azure.access import ArmAccess
from rollout.adapters.azure.arm import ArmEndpoints
from rollout.adapters.azure.identity import EmulatorCredential, developer, managed
from rollout.adapters.azure.pipeline import ArmClient
from rollout.settings import Identity, Settings
from rollout.wiring import azure
from tests.adapters.recorded import CHURN, ENDPOINT_PATH, Reply, payload, recorded

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(api_token=SecretStr("t"), workspaces=(CHURN.in_workspace,))


def test_nobody_signs_in_before_they_are_asked() -> None:
    modules = "arm", "monitor", "scoring", "identity"
    imports = ", ".join(f"rollout.adapters.azure.{name}" for name in modules)
    loaded = f"import sys, {imports}; print('azure.identity' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True)

    assert told.stdout.split() == [b"False"]


def test_every_identity_gives_tokens() -> None:
    everybody = managed(), managed("00000000-0000-0000-0000-000000000001"), developer()

    assert all(callable(credential.get_token) for credential in everybody)


def test_an_identity_service_that_hangs_is_not_waited_for_until_the_function_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert identity.PATIENCE["read_timeout"] * (1 + identity.PATIENCE["retry_total"]) <= 30
    monkeypatch.setitem(identity.PATIENCE, "read_timeout", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/msi/token"
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        begun = time.monotonic()

        with pytest.raises(AzureError):
            managed().get_token("https://management.azure.com/.default")

    assert time.monotonic() - begun < 5


def test_the_emulators_token_is_no_secret() -> None:
    assert EmulatorCredential().get_token("https://management.azure.com/.default").token == (
        "emulator"
    )


def test_nobody_guesses_who_is_asked_for() -> None:
    """DefaultAzureCredential tries one after the other, and costs three starts of the app."""
    sources = [*(ROOT / "rollout").rglob("*.py"), ROOT / "function_app.py"]
    named = [
        path.name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.alias | ast.Attribute | ast.Name)
        and "DefaultAzureCredential" in ast.unparse(node)
    ]

    assert not named


def test_the_packages_that_sign_in_are_imported_only_inside_functions() -> None:
    at_start = [
        path.name
        for path in (ROOT / "rollout").rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom) and "azure.identity" in ast.unparse(node)
    ]

    assert not at_start


@pytest.mark.parametrize(
    ("who", "kind"),
    [
        (Identity.MANAGED, "ManagedIdentityCredential"),
        (Identity.DEVELOPER, "ChainedTokenCredential"),
        (Identity.EMULATOR, "EmulatorCredential"),
    ],
)
def test_each_setting_of_identity_is_one_credential_and_no_other(
    who: Identity, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = SETTINGS.model_copy(update={"identity": who})
    monkeypatch.setattr(azure, "settings", lambda: known)

    credential = inspect.unwrap(azure.credential)()

    assert type(credential).__name__ == kind


def test_without_a_setting_it_is_the_managed_identity() -> None:
    assert SETTINGS.identity is Identity.MANAGED


class Counting:
    """Gives a new token each time it is asked, good for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.asked: list[str] = []
        self._seconds = seconds

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        self.asked += scopes
        return AccessToken(f"token-{len(self.asked)}", int(time.time() + self._seconds))


def test_a_token_is_asked_for_once_and_shared_by_all_adapters() -> None:
    credential = Counting(3600)
    with recorded() as azure:
        arm = ArmClient(azure.url, credential)
        azure.give("GET", ENDPOINT_PATH, Reply(200, payload("endpoint")))
        azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, payload("deployments")))
        azure.give("GET", CHURN.in_workspace.arm_id, Reply(200, {}))

        for _ in range(5):
            ArmEndpoints(arm).read(CHURN)
            ArmAccess(arm).visit(CHURN.in_workspace)
        arm.close()

    assert credential.asked == [f"{azure.url}/.default"]
    assert {asked.headers["Authorization"] for asked in azure.asked} == {"Bearer token-1"}


def test_a_token_that_runs_out_soon_is_replaced_before_it_does() -> None:
    credential = Counting(120)
    with recorded() as azure:
        arm = ArmClient(azure.url, credential)
        azure.give("GET", ENDPOINT_PATH, Reply(200, payload("endpoint")))
        azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, payload("deployments")))

        ArmEndpoints(arm).read(CHURN)
        arm.close()

    assert [asked.headers["Authorization"] for asked in azure.asked] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
