"""Who speaks to Azure, and what it costs before anybody does."""

import subprocess
import sys

from rollout.adapters.azure.identity import EmulatorCredential, developer, managed


def test_nobody_signs_in_before_they_are_asked() -> None:
    modules = "arm", "monitor", "scoring", "identity"
    imports = ", ".join(f"rollout.adapters.azure.{name}" for name in modules)
    loaded = f"import sys, {imports}; print('azure.identity' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True)

    assert told.stdout.split() == [b"False"]


def test_every_identity_gives_tokens() -> None:
    everybody = managed(), managed("00000000-0000-0000-0000-000000000001"), developer()

    assert all(callable(credential.get_token) for credential in everybody)


def test_the_emulators_token_is_no_secret() -> None:
    assert EmulatorCredential().get_token("https://management.azure.com/.default").token == (
        "emulator"
    )
