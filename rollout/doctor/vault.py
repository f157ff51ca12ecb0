"""Where keys are published: may it be written to, and does it hold one that opens."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr

from rollout.doctor.diagnosis import Diagnosis, failed, not_checked, ok, told_by, warning
from rollout.doctor.skew import SKEW_FAILS, SKEW_REMEDY, SKEW_WARNS
from rollout.errors import RolloutError
from rollout.key_ports import Secrets
from rollout.keys.views import KeysStatus
from rollout.ports import Clock

SECRET = "rollout-doctor"  # noqa: S105 - its name # nosec B105  # pragma: allowlist secret
ENDPOINTS_MAX = 20
_PART = "secrets"
_VALUE = SecretStr("not a secret: rollout doctor tries whether a version may be written")
_LIFE = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """`rotated` tells of the endpoints whose keys are kept there.

    `key_vault` is its URL; None where a file holds the secrets.
    """

    secrets: Secrets
    clock: Clock
    rotated: Callable[[], Sequence[KeysStatus]]
    key_vault: str | None
    assignee: str

    def examine(self) -> Iterator[Diagnosis]:
        """Only where keys are rotated: else nothing is kept there."""
        try:
            rotated = self.rotated()
        except RolloutError as error:
            yield failed(_PART, f"whose keys are there is not to be seen: {error}", _SEE)
            return
        if not rotated:
            yield not_checked(_PART, "no rotation policy matches an endpoint: no key is kept there")
            return
        yield told_by(_PART, self._remedy(), self._writing)
        yield from map(_keys, rotated[:ENDPOINTS_MAX])

    def _writing(self) -> Diagnosis:
        """A version of a secret of the doctor's own is written and read back."""
        now = self.clock.now()
        written = self.secrets.publish(SECRET, _VALUE, now + _LIFE, {"by": "rollout doctor"})
        read = self.secrets.current(SECRET)
        if read is None or read.id != written.id:
            told = f"{SECRET} was written, and is not the current version"
            return failed(_PART, told, "try again in a minute: another doctor may be at it")
        behind = abs(now - written.created_at)
        if behind > SKEW_WARNS:
            worst = failed if behind > SKEW_FAILS else warning
            told = f"its clock and ours are {behind.total_seconds():.0f} s apart"
            return worst(_PART, f"{told}: clients are waited for by them", SKEW_REMEDY)
        return ok(_PART, f"a version of {SECRET} was written and read back")

    def _remedy(self) -> str:
        if self.key_vault is None:
            return "see that this user, and nobody else, may read and write the file: chmod 600"
        name = self.key_vault.partition("://")[2].partition(".")[0]
        return (
            "see that ROLLOUT_KEY_VAULT is right and its firewall lets the controller in; give"
            ' leave: az role assignment create --role "Key Vault Secrets Officer" --assignee'
            f' {self.assignee} --scope "$(az keyvault show --name {name} --query id --output tsv)"'
        )


_SEE = "rollout keys status"


def _keys(status: KeysStatus) -> Diagnosis:
    """A secret must hold a key of its endpoint; then comes what a person has to do."""
    part, where = f"keys of {status.endpoint}", status.endpoint
    if status.cannot:
        return _cannot(part, status, status.cannot)
    if status.rotation and status.rotation.needs_person:
        return warning(part, f"asks: {status.rotation.trouble}", status.rotation.remedy)
    say = f"rollout keys rotate {where} --in-use primary|secondary"
    if status.version is None:
        return warning(part, f"{status.secret} has no version yet: nobody can read a key", say)
    if status.in_use is None:
        told = f"{status.secret} holds neither key: clients that read it are refused"
        return failed(part, told, f"see which key clients have, and say it: {say}")
    if status.overdue:
        return warning(part, f"overdue: {status.overdue}", f"rollout keys rotate {where}")
    return ok(part, f"{status.secret} holds the {status.in_use} key: version {status.version}")


def _cannot(part: str, status: KeysStatus, why: str) -> Diagnosis:
    """Tokens are no fault; keys that cannot be read are one."""
    if status.mode and status.mode != "key":
        return not_checked(part, why)
    return failed(part, why, f"when it is mended: rollout keys status {status.endpoint}")
