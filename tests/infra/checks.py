"""What must be true of the templates: each check gives its complaints, with the file to mend."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rollout.inbox import event_grid
from rollout.settings import PREFIX, Settings
from tests.infra import code
from tests.infra.bicep import Call, File, Resource, Template, Unknown, outputs_asked, used

APP = "infra/modules/app.bicep"

DEFAULT_IS_RIGHT: Mapping[str, str] = {
    "alert_labels": "the usual labels; others are set by who has an Alertmanager",
    "arm_url": "Azure itself",
    # pragma: allowlist nextline secret
    "azure_devops_secret": "the door is closed until a person opens it (the how-to)",
    "azure_devops_secret_next": "only while secrets change",  # pragma: allowlist secret
    "clock_speed": "time on Azure cannot be hurried",
    "data": "the embedded store is for one machine",
    "entra_authority": "Azure's public cloud",
    # pragma: allowlist nextline secret
    "github_secret": "the door is closed until a person opens it (the how-to)",
    "github_secret_next": "only while secrets change",  # pragma: allowlist secret
    "hook_age_hours": "three days outlast what CI and Event Grid deliver again",
    "installation_secret": "made once, and kept in the vault",  # pragma: allowlist secret
    "keep_days": "for ever, until a person says how long",
    "log_format": "the platform keeps lines as they are",
    "log_level": "enough to retell a night",
    "logs_lag_minutes": "tuned by a person who has measured it",
    "logs_url": "Azure itself",
    "logs_workspace": "the endpoints' owners choose one, and give a role there (the how-to)",
    "metrics_api": "the one that needs no address",
    "metrics_lag_minutes": "tuned by a person who has measured it",
    "metrics_url": "Azure itself",
    "notify": "nobody is told until a person names the places (the how-to)",
    "outgoing_private": "public https alone",
    "policies": "the folder in the package",
    "prometheus_token": "there is no Prometheus unless a person names one",
    "collector": "whoever has a data collector names its container",
    "collector_lag_minutes": "its lines are there within seconds",
    "prometheus_url": "there is no Prometheus unless a person names one",
    "public_url": "links are off until a person says where the app is reached (the how-to)",
    "requests_per_minute": "far above what people and CI need",
    "storage_suffix": "Azure's public cloud",
    "secret_file": "secrets are in the vault",  # pragma: allowlist secret
    "telemetry": "the exporter's package is a choice: it makes a cold start slower",
    "tokens": "callers have Entra ID there; one by one a person adds tokens (the how-to)",
    "write_verb": "the verb that is no preview",
}
"""Settings that a deployment leaves alone, and why."""

HOST_SETTINGS = frozenset(
    {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AzureWebJobsStorage__accountName",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
    }
)
CONNECTION = ("__fullyQualifiedNamespace", "__credential", "__clientId")

NAMES_ON_AZURE: Mapping[str, str] = {
    "service_bus": "a namespace; a connection string only for a broker on one machine",
    "storage": "an account; a connection string only for Azurite on one machine",
}
"""Settings kept as secrets that hold none here, and why."""

ROLE_NAMES: Mapping[str, str] = {
    "090c5cfd-751d-490a-894a-3ce6f1109419": "Azure Service Bus Data Owner",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "Azure Service Bus Data Sender",
    "73c42c96-874c-492b-b04d-ab87d138a893": "Log Analytics Reader",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
}
"""Built-in roles by their ids, which are the same in every tenant."""

ASSIGNED = frozenset(
    {
        ("controller", "our own", "Microsoft.MachineLearningServices/workspaces"),
        ("controller", "Monitoring Metrics Publisher", "Microsoft.Insights/components"),
        ("controller", "Storage Blob Data Owner", "Microsoft.Storage/storageAccounts"),
        ("controller", "Storage Table Data Contributor", "Microsoft.Storage/storageAccounts"),
        ("controller", "Azure Service Bus Data Owner", "Microsoft.ServiceBus/namespaces"),
        ("controller", "Key Vault Secrets Officer", "Microsoft.KeyVault/vaults"),
        ("deployerId", "Key Vault Secrets User", "Microsoft.KeyVault/vaults"),
        ("sender", "Azure Service Bus Data Sender", "Microsoft.ServiceBus/namespaces/queues"),
        (
            "sender",
            "Storage Blob Data Contributor",
            "Microsoft.Storage/storageAccounts/blobServices/containers",
        ),
    }
)
"""Who may do what where: all of it."""

NOT_BY_ARM = frozenset(
    {"Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"}
)
"""What the data plane asks of an identity, where an endpoint takes tokens of Entra."""

ON_THE_LOGS = frozenset({"Microsoft.OperationalInsights/workspaces/query/read"})
"""What is asked of the endpoints' log workspace: its owners give Log Analytics Reader there."""

FUNCTIONS = frozenset(
    {"empty", "guid", "resourceGroup", "subscription", "subscriptionResourceId"}
    | {"toLower", "union", "uniqueString"}
    | {"allowed", "description", "maxLength", "minLength", "secure"}
)
"""Functions and decorators of Bicep that the templates use."""

_KEYS = re.compile(
    r"listkeys\(|listaccountsas\(|listconnectionstrings|accountkey\s*=|sharedaccesskey|primarykey"
    r"|primaryconnectionstring|instrumentationkey",
    re.IGNORECASE,
)


def syntax(template: Template) -> Iterator[str]:
    for path in sorted(template.folder.rglob("*.bicep")):
        yield from File(path).errors


def names(template: Template) -> Iterator[str]:
    """Every name is declared, and everything that is declared is used."""
    for file in template.files:
        known = {one.name for one in file.declared.values() if one.kind != "output"}
        loops = set(re.findall(r"\bfor (\w+) in\b", file.path.read_text()))
        asked = used(file)
        for name in sorted(asked - known - loops - FUNCTIONS):
            yield f"{file.path.name}: {name} is not declared"
        for one in (*file.of("param"), *file.of("var")):
            if one.name not in asked:
                yield f"{file.path.name}: {one.name} is declared and never used"


def modules(template: Template) -> Iterator[str]:
    """Each module is there, is given what it asks for, and gives what is asked of it."""
    asked = outputs_asked(template.main)
    deployed = {file.path for file in template.files}
    for path in sorted(set(template.folder.rglob("*.bicep")) - deployed):
        yield f"{path.name}: no module of main.bicep deploys it"
    for one in template.main.of("module"):
        file = template.modules.get(one.name)
        if file is None:
            yield f"main.bicep: there is no file {one.label}"
            continue
        wanted = {param.name for param in file.of("param")}
        needed = {param.name for param in file.of("param") if param.body is None}
        for name in sorted(needed - set(file.given)):
            yield f"main.bicep: {one.label} asks for {name}, which it is not given"
        for name in sorted(set(file.given) - wanted):
            yield f"main.bicep: {one.label} is given {name}, which it does not know"
        offered = {offer.name for offer in file.of("output")}
        wished = {name for module, name in asked if module == one.name}
        for output in sorted(wished ^ offered):
            yield f"{one.label}: the output {output} is asked for or offered, not both"


def parameters(template: Template) -> Iterator[str]:
    path = template.folder / "main.parameters.json"
    given = set(json.loads(path.read_text())["parameters"])
    known = {one.name: one for one in template.main.of("param")}
    for name in sorted(given - set(known)):
        yield f"{path.name}: main.bicep has no parameter {name}"
    for one in known.values():
        if one.body is None and one.name not in given:
            yield f"{path.name}: {one.name} has no default and is not given"
        if "token" in one.name.lower() and not one.secure:
            yield f"main.bicep: {one.name} is a secret and not marked @secure()"


def versions(template: Template) -> Iterator[str]:
    for one in template.resources:
        if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", one.version):
            yield f"{one}: {one.type}@{one.version} is no dated version that is out of preview"


def queues(template: Template) -> Iterator[str]:
    found = {one.body.get("name"): one for one in template.of(_QUEUE)}
    for name in sorted(code.queues() - set(found)):
        yield f"servicebus.bicep: the code sends to {name!r}, and no queue is called so"
    for called, one in found.items():
        told = one.properties
        if told.get("requiresSession") is not (called == "steps"):
            yield f"{one}: sessions are for the queue 'steps', and for it alone"
        if told.get("requiresDuplicateDetection") is not True:
            yield f"{one}: a repeated message would be taken twice: requiresDuplicateDetection"
        if told.get("duplicateDetectionHistoryTimeWindow") != "PT1H":
            yield f"{one}: the port Queue promises that an hour is remembered: PT1H"
        if told.get("maxDeliveryCount") != code.deliveries_max():
            yield f"{one}: maxDeliveryCount differs from the embedded queue's"
        if told.get("deadLetteringOnMessageExpiration") is not True:
            yield f"{one}: an expired message would be lost: deadLetteringOnMessageExpiration"
    if not any(one.properties.get("requiresSession") for one in found.values()):
        yield "servicebus.bicep: no queue has sessions"


def no_keys(template: Template) -> Iterator[str]:
    for name, text in template.texts():
        for line in filter(_KEYS.search, text.splitlines()):
            yield f"{name}: a key: {line.strip()[:80]}"
    for kind, (path, wanted) in _CLOSED.items():
        found = template.of(kind)
        if not found:
            yield f"nothing of {kind} is there"
        for one in found:
            if _at(one.properties, path) is not wanted:
                yield f"{one}: {path} must be {str(wanted).lower()}"


def settings(template: Template) -> Iterator[str]:
    """What the code reads is set, and nothing else is."""
    told: set[str] = set()
    for one in template.of("Microsoft.Web/sites/config"):
        told |= set(one.properties)
    fields = {PREFIX + name.upper(): name for name in Settings.model_fields}
    for variable, name in fields.items():
        if variable not in told and name not in DEFAULT_IS_RIGHT:
            yield (
                f"{APP}: {variable} ({Settings.model_fields[name].description}) is not set;"
                " add it to `settings` there, or to DEFAULT_IS_RIGHT in tests/infra/checks.py"
                " with the reason why its default is right on Azure"
            )
    bound = code.settings_of_bindings()
    wanted = {*bound.names, *(one + part for one in bound.connections for part in CONNECTION)}
    for name in sorted(wanted - told):
        yield f"{APP}: function_app.py reads {name}, which is not set; add it to `settings`"
    for name in sorted(told - set(fields) - wanted - HOST_SETTINGS):
        yield f"{APP}: {name} is set, and nothing reads it; remove it or name its reader"


def secrets(template: Template) -> Iterator[str]:
    """A secret among the settings is a reference to the vault."""
    hidden = {
        PREFIX + name.upper()
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) and name not in NAMES_ON_AZURE
    }
    for one in template.of("Microsoft.Web/sites/config"):
        for name in sorted(hidden & set(one.properties)):
            if not str(one.properties[name]).startswith("@Microsoft.KeyVault(SecretUri="):
                yield f"{APP}: {name} is a secret: set a reference to the key vault"


def functions(template: Template) -> Iterator[str]:
    for one in template.of("Microsoft.Web/sites"):
        told = one.properties.get("functionAppConfig", {})
        ready = _at(told, "scaleAndConcurrency.alwaysReady") or []
        for group in ready:
            kind, _, name = str(group["name"]).partition(":")
            if kind != "function" or name not in code.functions():
                yield f"{one}: alwaysReady names {group['name']}, and there is no such function"
        if {"name": "function:step", "instanceCount": 1} not in ready:
            yield f"{one}: without an instance always ready for step, a rollback may wait minutes"
        if _at(told, "runtime") != {"name": "python", "version": "3.13"}:
            yield f"{one}: the runtime must be Python 3.13"
        if _at(told, "deployment.storage.authentication.type") != "UserAssignedIdentity":
            yield f"{one}: the package must be read by the app's identity"


def alerts(template: Template) -> Iterator[str]:
    receivers = [
        (one, receiver)
        for one in template.of("Microsoft.Insights/actionGroups")
        for receiver in one.properties.get("webhookReceivers", [])
    ]
    if not receivers:
        yield "alerts.bicep: no alert reaches the controller"
    for one, receiver in receivers:
        path = "/" + receiver["serviceUri"].removeprefix("https://").partition("/")[2]
        if ("POST", path) not in code.routes():
            yield f"{one}: the API has no route POST {path}"
        for flag in ("useAadAuth", "useCommonAlertSchema"):
            if receiver.get(flag) is not True:
                yield f"{one}: {flag} must be true"


def events(template: Template) -> Iterator[str]:
    heard = set()
    for one in template.of(_SUBSCRIPTION):
        told = one.properties
        heard |= set(_at(told, "filter.includedEventTypes") or ())
        queue = _at(told, "deliveryWithResourceIdentity.destination.properties.resourceId")
        if queue != Unknown("bus.outputs.eventsQueueId"):
            yield f"{one}: events go to the queue `events`, by an identity"
        if _at(told, "deadLetterWithResourceIdentity.deadLetterDestination") is None:
            yield f"{one}: what cannot be delivered would be lost"
    for kind in sorted(_HEARD ^ heard):
        yield f"events.bicep: {kind} is not what is listened for"
    for one in template.of("Microsoft.EventGrid/systemTopics"):
        if not any(told.file == one.file for told in template.of(_SUBSCRIPTION)):
            yield f"{one}: nobody listens to it"
        if _at(one.properties, "topicType") not in _TOPICS:
            yield f"{one}: {_at(one.properties, 'topicType')} is no kind of topic that is heard"
    yield from _writes_heard(template)


def _writes_heard(template: Template) -> Iterator[str]:
    written = [one for one in template.resources if one.name == "deploymentWritten"]
    for one in written:
        operations = [
            value
            for narrowed in _at(one.properties, "filter.advancedFilters") or ()
            for value in narrowed["values"]
        ]
        if operations != [_DEPLOYMENT_WRITE]:
            yield f"{one}: every write in the resource group would wake the controller"
        if _at(one.properties, "filter.subjectBeginsWith") != _OF_THE_WORKSPACE:
            yield f"{one}: workspaces whose names only begin alike would be heard"


def roles(template: Template) -> Iterator[str]:
    found = set()
    for one in template.of("Microsoft.Authorization/roleAssignments"):
        role = one.properties["roleDefinitionId"]
        found.add((_who(one), _role(role), _scope(template, one)))
    for who, role, where in sorted(found - ASSIGNED):
        yield f"{who} has the role {role} on {where}, which nobody has agreed to"
    for who, role, where in sorted(ASSIGNED - found):
        yield f"{who} lacks the role {role} on {where}"


def actions(template: Template) -> Iterator[str]:
    """The role of our own holds what the adapters ask for, and nothing more."""
    held = {
        action
        for one in template.of("Microsoft.Authorization/roleDefinitions")
        for permission in one.properties["permissions"]
        for action in permission["actions"]
    }
    wanted = (code.arm_actions() | NOT_BY_ARM) - ON_THE_LOGS
    for action in sorted(wanted - held):
        yield f"infra/modules/endpoints.bicep: the adapters need {action}; add it to the role"
    for action in sorted(held - wanted):
        yield f"infra/modules/endpoints.bicep: no adapter asks for {action}; remove it"


CHECKS: Mapping[str, Callable[[Template], Iterator[str]]] = {
    check.__name__: check
    for check in (
        *(syntax, names, modules, parameters, versions, queues, no_keys, settings, secrets),
        *(functions, alerts, events, roles, actions),
    )
}

_QUEUE = "Microsoft.ServiceBus/namespaces/queues"
_DEPLOYMENT_WRITE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write"
_OF_THE_WORKSPACE = "${workspace.id}/onlineEndpoints/"
_SUBSCRIPTION = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
_HEARD = frozenset(event_grid.KNOWN)
_TOPICS = frozenset(
    {
        "Microsoft.KeyVault.vaults",
        "Microsoft.MachineLearningServices.Workspaces",
        "Microsoft.Resources.ResourceGroups",
    }
)
_CLOSED: Mapping[str, tuple[str, bool]] = {
    "Microsoft.Storage/storageAccounts": ("allowSharedKeyAccess", False),
    "Microsoft.ServiceBus/namespaces": ("disableLocalAuth", True),
    "Microsoft.Insights/components": ("DisableLocalAuth", True),
    "Microsoft.OperationalInsights/workspaces": ("features.disableLocalAuth", True),
    "Microsoft.KeyVault/vaults": ("enableRbacAuthorization", True),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": ("allow", False),
}


def _at(told: Any, path: str) -> Any:
    for name in path.split("."):
        told = told.get(name) if isinstance(told, dict) else None
    return told


def _who(one: Resource) -> str:
    told = str(getattr(one.properties["principalId"], "text", one.properties["principalId"]))
    return re.sub(r"^identities\.outputs\.(\w+)PrincipalId$", r"\1", told)


def _role(role: object) -> str:
    match role:
        case Call("subscriptionResourceId", ("Microsoft.Authorization/roleDefinitions", str(name))):
            return ROLE_NAMES.get(name, name)
        case Unknown("role.id"):
            return "our own"
        case _:
            return str(role)


def _scope(template: Template, assignment: Resource) -> str:
    name = getattr(assignment.body.get("scope"), "text", "the whole resource group")
    here = [one for one in template.resources if one.file == assignment.file and one.name == name]
    return here[0].type if here else name
