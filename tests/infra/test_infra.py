"""The templates: whole, in step with the code, without keys; and each check can fail."""

# ruff: noqa: E501 - a table is read by its columns
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

from rollout.adapters.azure.permissions import NEEDS
from rollout.settings import Settings
from rollout.sweeping import LATE
from tests.infra import checks, code
from tests.infra.bicep import Template
from tests.infra.checks import CHECKS, NOT_BY_ARM, ON_THE_LOGS

INFRA = code.ROOT / "infra"
AZDS_OWN = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID", "AZURE_KEY_VAULT_NAME"}


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_wrong_with(check: str) -> None:
    complaints = list(CHECKS[check](Template(INFRA)))

    assert not complaints, "\n".join(complaints)


# fmt: off
BREAKS: tuple[tuple[str, str, str, str, str], ...] = (
    ("syntax", "modules/app.bicep", "var settings = {", "var settings = [{", "app.bicep:"),
    ("names", "modules/app.bicep", "serverFarmId: plan.id", "serverFarmId: plna.id", "plna is not"),
    ("names", "modules/app.bicep", "STEPS_QUEUE: stepsQueue", "STEPS_QUEUE: 'steps'", "never used"),
    ("modules", "main.bicep", "modules/app.bicep", "modules/apps.bicep", "no file modules/apps"),
    ("modules", "main.bicep", "    identityId: identities.outputs.controllerId\n", "", "asks for"),
    ("modules", "main.bicep", "    installation: env", "    instalation: env", "does not know"),
    ("modules", "modules/app.bicep", "output host", "output address", "output address"),
    ("parameters", "main.parameters.json", '"location"', '"place"', "no parameter place"),
    ("parameters", "main.parameters.json", '"mlWorkspaceName"', '"alertEmail2"', "not given"),
    ("parameters", "main.bicep", "@secure()", "", "not marked @secure"),
    ("versions", "modules/app.bicep", "sites@2024-04-01", "sites@2024-04-01-preview", "preview"),
    ("versions", "modules/app.bicep", "sites@2024-04-01", "sites@latest", "latest"),
    ("queues", "modules/servicebus.bicep", "requiresSession: true", "requiresSession: false", "no queue has sessions"),
    ("queues", "modules/servicebus.bicep", "requiresSession: false", "requiresSession: true", "for it alone"),
    ("queues", "modules/servicebus.bicep", "requiresDuplicateDetection: true", "requiresDuplicateDetection: false", "taken twice"),
    ("queues", "modules/servicebus.bicep", "'PT1H'", "'PT10M'", "an hour"),
    ("queues", "modules/servicebus.bicep", "maxDeliveryCount: 10", "maxDeliveryCount: 5", "maxDeliveryCount"),
    ("queues", "modules/servicebus.bicep", "OnMessageExpiration: true", "OnMessageExpiration: false", "expired"),
    ("queues", "main.bicep", "steps: 'steps'", "steps: 'step'", "no queue is called so"),
    ("no_keys", "modules/storage.bicep", "output id string = account.id", "output id string = account.listKeys().keys[0].value", "a key"),
    ("no_keys", "modules/app.bicep", "AzureWebJobsStorage__accountName: storageName", "AzureWebJobsStorage: 'AccountName=a;AccountKey=b'", "a key"),
    ("no_keys", "modules/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "allowSharedKeyAccess"),
    ("no_keys", "modules/servicebus.bicep", "disableLocalAuth: true", "disableLocalAuth: false", "disableLocalAuth"),
    ("no_keys", "modules/monitoring.bicep", "    DisableLocalAuth: true\n", "", "DisableLocalAuth"),
    ("no_keys", "modules/monitoring.bicep", "{ disableLocalAuth: true }", "{}", "features.disableLocalAuth"),
    ("no_keys", "modules/keyvault.bicep", "enableRbacAuthorization: true", "enableRbacAuthorization: false", "enableRbac"),
    ("no_keys", "modules/app.bicep", "{ allow: false }", "{ allow: true }", "allow must be false"),
    ("settings", "modules/app.bicep", "  ROLLOUT_WORKSPACES: workspaceId\n", "", "ROLLOUT_WORKSPACES (ARM ids"),
    ("settings", "modules/app.bicep", "  STEPS_QUEUE: stepsQueue\n", "", "reads STEPS_QUEUE"),
    ("settings", "modules/app.bicep", "  SERVICEBUS__clientId", "  SERVICEBUS__client", "SERVICEBUS__clientId"),
    ("settings", "modules/app.bicep", "  ROLLOUT_INSTALLATION:", "  ROLLOUT_INSTALATION:", "nothing reads it"),
    ("secrets", "modules/app.bicep", "'@Microsoft.KeyVault(SecretUri=${apiTokenUri})'", "apiTokenUri", "a reference to the key vault"),
    ("functions", "modules/app.bicep", "function:step", "function:steps", "no such function"),
    ("functions", "modules/app.bicep", "instanceCount: 1", "instanceCount: 0", "always ready"),
    ("functions", "modules/app.bicep", "'3.13'", "'3.11'", "Python 3.13"),
    ("functions", "modules/app.bicep", "type: 'UserAssignedIdentity'", "type: 'StorageAccountConnectionString'", "app's identity"),
    ("alerts", "modules/alerts.bicep", "/api/alerts", "/api/alert", "no route POST /api/alert"),
    ("alerts", "modules/alerts.bicep", "useAadAuth: true", "useAadAuth: false", "useAadAuth"),
    ("alerts", "modules/alerts.bicep", "useCommonAlertSchema: true", "useCommonAlertSchema: false", "useCommonAlertSchema"),
    ("alerts", "modules/alerts.bicep", "webhookReceivers:", "logicAppReceivers:", "no alert reaches"),
    ("events", "main.bicep", "queueId: bus.outputs.eventsQueueId", "queueId: bus.outputs.id", "events go to"),
    ("events", "modules/events.bicep", "    deadLetterWithResourceIdentity: deadLetters\n", "", "would be lost"),
    ("events", "modules/events.bicep", "ModelRegistered'", "RunCompleted'", "RunCompleted"),
    ("events", "modules/events.bicep", "deployments/write", "write", "every write"),
    ("events", "modules/events.bicep", "'${workspace.id}/onlineEndpoints/'", "workspace.id", "only begin alike"),
    ("events", "modules/expiries.bicep", "'Microsoft.KeyVault.SecretNearExpiry', ", "", "SecretNearExpiry is not"),
    ("events", "modules/expiries.bicep", "SecretExpired", "SecretNewVersionCreated", "SecretExpired is not"),
    ("events", "modules/expiries.bicep", "KeyVault.vaults'", "KeyVault.secrets'", "no kind of topic"),
    ("modules", "main.bicep", "    vaultName: vault.outputs.name\n", "", "asks for vaultName"),
    ("roles", "modules/storage.bicep", "scope: undelivered", "scope: account", "nobody has agreed"),
    ("roles", "modules/monitoring.bicep", "  scope: telemetry\n", "", "the whole resource group"),
    ("roles", "modules/servicebus.bicep", "69a216fc-b8fb", "69a216fc-b8fa", "nobody has agreed"),
    ("roles", "modules/keyvault.bicep", "principalId: controllerPrincipalId", "principalId: subscription().id", "lacks the role Key Vault"),
    ("actions", "modules/endpoints.bicep", "onlineEndpoints/listKeys/action'", "onlineEndpoints/*'", "no adapter asks for"),
    ("actions", "modules/endpoints.bicep", "          'Microsoft.Insights/metrics/read'\n", "", "need Microsoft.Insights/metrics/read"),
)
# fmt: on


@pytest.mark.parametrize(("check", "file", "old", "new", "complaint"), BREAKS)
def test_a_template_that_is_broken_is_complained_about(
    tmp_path: Path, check: str, file: str, old: str, new: str, complaint: str
) -> None:
    broken = tmp_path / "infra"
    shutil.copytree(INFRA, broken)
    text = (broken / file).read_text()
    assert old in text
    (broken / file).write_text(text.replace(old, new))

    complaints = "\n".join(CHECKS[check](Template(broken)))

    assert complaint in complaints


def test_every_check_has_been_seen_to_fail() -> None:
    assert {check for check, *_ in BREAKS} == set(CHECKS)


def test_a_setting_that_the_code_gains_is_missed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Grown(Settings):
        chat_url: str = Field("", description="where people are told")

    monkeypatch.setattr(checks, "Settings", Grown)

    told = "\n".join(CHECKS["settings"](Template(INFRA)))

    assert "infra/modules/app.bicep: ROLLOUT_CHAT_URL (where people are told) is not set" in told
    assert "DEFAULT_IS_RIGHT in tests/infra/checks.py" in told


def test_a_binding_that_the_code_gains_is_missed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = code.Bound(
        frozenset({"STEPS_QUEUE", "EVENTS_QUEUE", "CHATS_QUEUE"}), frozenset({"SERVICEBUS"})
    )
    monkeypatch.setattr(code, "settings_of_bindings", lambda: grown)

    told = "\n".join(CHECKS["settings"](Template(INFRA)))

    assert "infra/modules/app.bicep: function_app.py reads CHATS_QUEUE, which is not set" in told


def test_a_request_that_an_adapter_gains_is_missed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    gained = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/warmUp/action"
    known = code.arm_actions()
    monkeypatch.setattr(code, "arm_actions", lambda: known | {gained})

    told = "\n".join(CHECKS["actions"](Template(INFRA)))

    assert f"infra/modules/endpoints.bicep: the adapters need {gained}" in told


def test_nothing_is_excused_that_is_not_there() -> None:
    assert set(checks.DEFAULT_IS_RIGHT) <= set(Settings.model_fields)


def test_the_doctor_looks_for_every_right_that_an_adapter_asks_for() -> None:
    looked_for = set(NEEDS)

    assert looked_for == (code.arm_actions() | NOT_BY_ARM) - ON_THE_LOGS - {
        "Microsoft.Authorization/permissions/read"
    }


def test_the_role_that_a_person_may_write_is_the_one_that_is_deployed() -> None:
    page = (code.ROOT / "docs/howto/drive-a-real-endpoint.md").read_text()
    role = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    deployed = Template(INFRA).of("Microsoft.Authorization/roleDefinitions")[0]

    written = set(role["Actions"]) - ON_THE_LOGS

    assert sorted(written) == sorted(deployed.properties["permissions"][0]["actions"])


def test_the_how_to_names_the_variables_of_the_parameters() -> None:
    page = (code.ROOT / "docs/howto/deploy-to-azure.md").read_text()
    given = (INFRA / "main.parameters.json").read_text()
    by_person = set(re.findall(r"azd env set (\w+)", page))
    asked = set(re.findall(r"\$\{(\w+)", given)) - AZDS_OWN

    assert by_person == asked


def test_the_alert_on_late_steps_reads_what_the_sweep_says() -> None:
    text = (INFRA / "modules/alerts.bicep").read_text()
    pattern = re.search(r'extract\("([^"]+)", 1, Message\)', text)
    start = re.search(r'Message startswith "([^"]+)"', text)
    assert pattern
    assert start
    said = LATE % (3, 421.7)

    found = re.search(pattern[1], said)

    assert said.startswith(start[1])
    assert found
    assert found[1] == "422"


# -- azd -----------------------------------------------------------------------------------------


def _azd() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((code.ROOT / "azure.yaml").read_text())
    return loaded


def test_azd_finds_what_it_deploys() -> None:
    told = _azd()
    infra = code.ROOT / told["infra"]["path"]

    assert (infra / f"{told['infra']['module']}.bicep").is_file()
    assert (infra / f"{told['infra']['module']}.parameters.json").is_file()
    for service in told["services"].values():
        project = code.ROOT / service["project"]
        assert (service["language"], service["host"]) == ("python", "function")
        needed = ("host.json", "function_app.py", "requirements.txt")
        assert all((project / name).is_file() for name in needed)


def test_azd_knows_the_app_by_its_tag() -> None:
    tags = re.findall(r"'azd-service-name': '(\w+)'", (INFRA / "modules/app.bicep").read_text())

    assert tags == list(_azd()["services"])


def test_a_parameter_is_a_variable_of_the_azd_environment_or_a_plain_value() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    by_variable = re.compile(r"\$\{[A-Z_]+=?\}|\$\(secretOrRandomPassword \$\{[A-Z_]+\} [\w-]+\)")
    odd = {
        name: one["value"]
        for name, one in given.items()
        if "$" in str(one["value"]) and not by_variable.fullmatch(one["value"])
    }

    assert not odd
