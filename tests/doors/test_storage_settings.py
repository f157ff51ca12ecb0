"""Where state lives is one setting: the embedded store, an account by its name, or Azurite."""

import subprocess
import sys
from pathlib import Path

import pytest

from rollout.errors import Malformed
from rollout.settings import Settings

WORKSPACE = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
)
KNOWN = {"ROLLOUT_API_TOKEN": "token", "ROLLOUT_WORKSPACES": WORKSPACE}
KEY = "c2VjcmV0"
AZURITE = (
    f"AccountName=a;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/a"
    ";TableEndpoint=http://localhost:2/a"
)


def load(storage: str, **more: str) -> Settings:
    return Settings.load({**KNOWN, "ROLLOUT_STORAGE": storage, **more})


@pytest.mark.parametrize(
    ("storage", "azurite"),
    [("rolloutstate1", False), (AZURITE, True), ("UseDevelopmentStorage=true", True)],
)
def test_an_account_is_named_or_played_on_this_machine(storage: str, azurite: bool) -> None:
    settings = load(storage)

    assert settings.is_azurite is azurite
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    "storage",
    [
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY}",
        AZURITE.replace("localhost", "example.org"),
        AZURITE.replace("127.0.0.1", "10.0.0.1"),
        f"{AZURITE};QueueEndpoint=https://example.org/a",
        f"UseDevelopmentStorage=true;AccountKey={KEY};BlobEndpoint=http://example.org",
        f"https://a.table.core.windows.net/?sv=1&sig={KEY}",
        "Not-A-Name",
        "",
    ],
)
def test_shared_keys_are_refused_and_not_repeated(storage: str) -> None:
    with pytest.raises(Malformed, match=r"ROLLOUT_STORAGE .*there are no shared keys") as raised:
        load(storage)

    assert KEY not in str(raised.value)


def test_nobody_cannot_open_an_account() -> None:
    with pytest.raises(Malformed, match="identity emulator cannot open the storage account mine"):
        load("mine", ROLLOUT_IDENTITY="emulator", ROLLOUT_ARM_URL="http://127.0.0.1:1")


PROGRAM = """
import sys
from pathlib import Path
{block}
from rollout import wiring
parts = (wiring.store(), wiring.samples(), wiring.policies())
print(*(type(part).__name__ for part in parts), "azure.data.tables" in sys.modules)
"""
BLOCK = "sys.modules['azure.data'] = sys.modules['azure.storage'] = None"


@pytest.mark.parametrize(
    ("storage", "block", "says"),
    [
        (None, BLOCK, "SqliteStore SqliteSamples PolicyFolder False"),
        (AZURITE, "", "TableStore BlobSamples PolicyPlaces True"),
        ("rolloutstate1", "", "TableStore BlobSamples PolicyPlaces True"),
    ],
)
def test_the_clients_of_azure_storage_are_needed_only_where_it_is_chosen(
    tmp_path: Path, storage: str | None, block: str, says: str
) -> None:
    chosen = {"ROLLOUT_STORAGE": storage} if storage else {}
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(block=block)],
        cwd=Path(__file__).parents[2],
        env={**KNOWN, **chosen, "ROLLOUT_DATA": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == says
