"""Is this installation well: each part of it looked at, and what to do where it is not."""

from dataclasses import dataclass

from pydantic import Field

from rollout.core.frozen import Frozen
from rollout.doctor.diagnosis import Condition, Diagnosis, not_checked
from rollout.doctor.house import House
from rollout.doctor.platform import EXACT, Platform
from rollout.doctor.vault import Vault

__all__ = ["Condition", "Diagnosis", "Doctor", "House", "Platform", "Report", "Vault"]


class Report(Frozen):
    well: bool = Field(description="nothing has failed")
    diagnoses: tuple[Diagnosis, ...]


@dataclass(frozen=True, slots=True)
class Doctor:
    """Looks at everything, one after the other; raises nothing that was raised knowingly."""

    house: House
    platform: Platform
    vault: Vault

    def examine(self) -> Report:
        found = [
            *self.platform.examine(),
            *self._logs(),
            *self.house.examine(),
            *self.vault.examine(),
        ]
        well = all(one.condition is not Condition.FAILED for one in found)
        return Report(well=well, diagnoses=tuple(found))

    def _logs(self) -> list[Diagnosis]:
        if any(one.source == EXACT for one in self.platform.metrics):
            return []
        return [not_checked("logs", "no log workspace is set; the metrics are the only source")]
