"""What this installation can read of answers that the platform writes down."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.adapters.collected import CollectedAnswers, Folder, Place
from rollout.core.pairs_from import PairsFrom
from rollout.pair_ports import ServedAnswers
from rollout.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials import TokenCredential

    from rollout.adapters.azure.logs import LogsClient


def written(
    known: Settings,
    minute: timedelta,
    logs: "LogsClient | None",
    credential: "Callable[[], TokenCredential]",
) -> dict[PairsFrom, ServedAnswers]:
    """By where pairs of answers may come from; what is not set up is not there."""
    found: dict[PairsFrom, ServedAnswers] = {}
    if known.collector:
        place = _place(known.collector, credential)
        found[PairsFrom.COLLECTOR] = CollectedAnswers(place, minute, known.collector_lag_minutes)
    if logs:
        from rollout.adapters.azure.logged import LoggedAnswers  # noqa: PLC0415 - as it is needed

        found[PairsFrom.LOGS] = LoggedAnswers(logs, minute, known.logs_lag_minutes)
    return found


def _place(collector: str, credential: "Callable[[], TokenCredential]") -> Place:
    if "://" not in collector:
        return Folder(Path(collector))
    from rollout.adapters.azure.collected_blobs import CollectedBlobs  # noqa: PLC0415 - the same

    return CollectedBlobs.at(collector, credential())
