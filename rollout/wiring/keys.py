"""Who keeps secrets, and who rotates the endpoints' keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.once import Once
from rollout.wiring.azure import arm, credential
from rollout.wiring.kept import policies, queue, store
from rollout.wiring.process import clock, settings
from rollout.wiring.reading import sources

if TYPE_CHECKING:
    from pydantic import SecretStr

    from rollout.key_ports import Secrets
    from rollout.keys.lane import KeyLane
    from rollout.keys.ring import KeyRing
    from rollout.keys.rotations import Rotations


@Once
def secrets() -> Secrets:
    known = settings()
    if known.key_vault:
        from rollout.adapters.azure.key_vault import KeyVaultSecrets

        return KeyVaultSecrets(known.key_vault, credential())
    from rollout.adapters.secret_file import SecretFile

    return SecretFile(known.secrets, clock())


@Once
def installation_secret() -> SecretStr:
    from secrets import token_urlsafe

    from pydantic import SecretStr

    from rollout.keys.ring import INSTALLATION_SECRET

    made = SecretStr(token_urlsafe(32))
    return settings().installation_secret or secrets().once(INSTALLATION_SECRET, made)


@Once
def rotations() -> Rotations:
    from rollout.adapters.azure.keys import ArmKeys
    from rollout.keys.rotations import Rotations

    return Rotations(
        lane=lane(),
        ring=ring(),
        endpoints=ArmKeys(arm()),
        policies=policies(),
        store=store(),
        clock=clock(),
        workspaces=settings().workspaces,
    )


@Once
def lane() -> KeyLane:
    from rollout.keys.lane import KeyLane

    return KeyLane(store(), clock(), ring(), queue())


@Once
def ring() -> KeyRing:
    from rollout.adapters.azure.keys import ArmKeys
    from rollout.keys.ring import KeyRing

    ports = ArmKeys(arm()), secrets(), sources().endpoints, policies(), clock()
    return KeyRing(*ports, installation_secret)
