"""Where keys are published: well, and each way in which it is not, with the remedy."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rollout.adapters.azure.key_vault import KeyVaultSecrets
from rollout.adapters.secret_file import SecretFile
from rollout.doctor import Condition, Diagnosis, Vault
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.key_ports import SecretVersion
from rollout.keys.rotations import Rotations
from rollout.keys.views import KeysStatus, rotation_view
from tests.adapters.recorded import TokenOfNobody
from tests.adapters.vault import a_vault as vault_over_https
from tests.core.rotations import a_rotation
from tests.doctor.patients import a_status, a_vault
from tests.fakes import FakeClock, FakeSecrets
from tests.simulation.key_world import SECRET, KeyWorld

ASKING = rotation_view(
    a_rotation(phase="asking", trouble="somebody else wrote churn-key")  # type: ignore[arg-type]
)


def first(vault: Vault) -> Diagnosis:
    return next(iter(vault.examine()))


def of_keys(status: KeysStatus) -> Diagnosis:
    return list(a_vault(FakeClock(), (status,)).examine())[1]


# -- the secrets -------------------------------------------------------------------------------


def test_where_no_keys_are_rotated_nothing_is_written() -> None:
    secrets = FakeSecrets(FakeClock())
    vault = a_vault(FakeClock(), (), secrets)

    (told,) = vault.examine()

    assert told.condition is Condition.NOT_CHECKED
    assert not secrets.versions


def test_a_version_is_written_and_read_back() -> None:
    secrets = FakeSecrets(FakeClock())

    told = first(a_vault(FakeClock(), secrets=secrets))

    assert (told.condition, told.told) == (
        Condition.OK,
        "a version of rollout-doctor was written and read back",
    )
    assert set(secrets.versions) == {"rollout-doctor"}


def test_a_vault_that_may_only_be_read_is_told_with_the_role_that_is_missing(
    tmp_path: Path,
) -> None:
    with vault_over_https(tmp_path) as azure:
        azure.refuse = (403, "Forbidden", {})
        secrets = KeyVaultSecrets(azure.url, TokenOfNobody(), transport=azure.transport)

        told = first(a_vault(FakeClock(), secrets=secrets, key_vault=azure.url))

        secrets.close()
    assert told.condition is Condition.FAILED
    assert "may not set secrets" in told.told
    assert '--role "Key Vault Secrets Officer" --assignee 0c11e47' in told.remedy
    assert "az keyvault show --name churn " in told.remedy


def test_key_vault_itself_takes_what_the_doctor_writes(tmp_path: Path) -> None:
    clock = FakeClock()
    with vault_over_https(tmp_path) as azure:
        clock.time = datetime.now(clock.now().tzinfo)
        secrets = KeyVaultSecrets(azure.url, TokenOfNobody(), transport=azure.transport)

        told = first(a_vault(clock, secrets=secrets, key_vault=azure.url))

        secrets.close()
    assert told.condition is Condition.OK, told
    assert azure.asked == ["PUT /secrets/rollout-doctor", "GET /secrets/rollout-doctor/"]


def test_a_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text("{}")
    path.chmod(0o644)

    told = first(a_vault(FakeClock(), secrets=SecretFile(path, FakeClock())))

    assert told.condition is Condition.FAILED
    assert "chmod 600" in told.remedy


class Odd(FakeSecrets):
    """Its clock is ahead, or what is written is not seen."""

    ahead = timedelta(0)
    forgets = False

    def publish(
        self, name: str, value: SecretStr, expires_at: datetime | None, tags: Mapping[str, str]
    ) -> SecretVersion:
        made = super().publish(name, value, expires_at, tags)
        shown = SecretVersion(made.id, value, made.created_at + self.ahead, expires_at, tags)
        self.versions[name] = [] if self.forgets else [shown]
        return shown


@pytest.mark.parametrize(
    ("ahead", "condition"),
    [(29, Condition.OK), (-31, Condition.WARNING), (121, Condition.FAILED)],
)
def test_a_clock_that_differs_from_the_vaults_is_told(ahead: int, condition: Condition) -> None:
    secrets = Odd(FakeClock())
    secrets.ahead = timedelta(seconds=ahead)

    told = first(a_vault(FakeClock(), secrets=secrets))

    assert told.condition is condition
    assert condition is Condition.OK or f"{abs(ahead)} s apart" in told.told


def test_a_version_that_is_not_read_back_is_told() -> None:
    secrets = Odd(FakeClock())
    secrets.forgets = True

    told = first(a_vault(FakeClock(), secrets=secrets))

    assert (told.condition, told.told) == (
        Condition.FAILED,
        "rollout-doctor was written, and is not the current version",
    )


@pytest.mark.parametrize("error", [Unavailable("503"), Refused("no list")])
def test_endpoints_that_cannot_be_listed_are_told(error: RolloutError) -> None:
    def rotated() -> tuple[KeysStatus, ...]:
        raise error

    clock = FakeClock()
    vault = Vault(
        secrets=FakeSecrets(clock), clock=clock, rotated=rotated, key_vault=None, assignee="me"
    )

    told = first(vault)

    assert told.condition is Condition.FAILED
    assert str(error) in told.told


# -- the keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "condition", "told", "remedy"),
    [
        ({}, "ok", "churn-key holds the secondary key: version v7", ""),
        (
            {"in_use": None},
            "failed",
            "churn-key holds neither key",
            "rollout keys rotate w/churn --in-use primary|secondary",
        ),
        ({"version": None, "in_use": None}, "warning", "has no version yet", "--in-use primary|"),
        (
            {"overdue": "it expired"},
            "warning",
            "overdue: it expired",
            "rollout keys rotate w/churn",
        ),
        (
            {"rotation": ASKING},
            "warning",
            "asks: somebody else wrote churn-key",
            "rollout keys resume",
        ),
        ({"mode": "aadtoken", "cannot": "clients sign in"}, "not checked", "clients sign in", ""),
        (
            {"mode": "", "cannot": "403 of ARM"},
            "failed",
            "403 of ARM",
            "rollout keys status w/churn",
        ),
    ],
)
def test_the_keys_of_an_endpoint(
    details: dict[str, Any], condition: str, told: str, remedy: str
) -> None:
    diagnosis = of_keys(a_status(**details))

    assert diagnosis.part == "keys of w/churn"
    assert diagnosis.condition.value == condition
    assert told in diagnosis.told
    assert remedy in diagnosis.remedy


def test_a_published_key_is_held_to_the_endpoints_own_at_every_moment_of_a_rotation() -> None:
    world = KeyWorld(clients=0)
    assert world.secrets is not None
    vault = examined(world.rotations, world.secrets, world.clock)
    conditions = {of(vault)}
    world.rotate()

    while world.pass_time(1).value != "rotated":
        conditions.add(of(vault))
    foreign = SecretStr("somebody-else's")
    world.secrets.publish(SECRET, foreign, None, {})

    assert conditions == {Condition.OK}
    assert of(vault) is Condition.FAILED


def examined(rotations: Rotations, secrets: FakeSecrets, clock: FakeClock) -> Vault:
    return Vault(
        secrets=secrets,
        clock=clock,
        rotated=rotations.rotated,
        key_vault=None,
        assignee="me",
    )


def of(vault: Vault) -> Condition:
    return list(vault.examine())[1].condition
