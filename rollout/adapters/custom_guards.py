"""Custom guards by what they ask: each kind has its own way to be answered."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from rollout.analysis.report import Guard
from rollout.core.guards import kind_of
from rollout.errors import Refused
from rollout.ports import Minutes, Question

REMEDIES: Mapping[str, str] = {
    "kql": "kql asks Log Analytics, and no workspace is set: set ROLLOUT_LOGS_WORKSPACE",
    "prometheus": "no Prometheus is set: set ROLLOUT_PROMETHEUS_URL",
}


class Answerer(Protocol):
    """Asks one kind of question."""

    @property
    def lag(self) -> timedelta: ...

    def read(self, guard: Guard, question: Question) -> Minutes: ...


class GuardsByKind:
    """The port CustomGuards: a kind without an answerer is missing here."""

    def __init__(self, answerers: Mapping[str, Answerer]) -> None:
        self._answerers = answerers

    def missing(self, guard: Guard) -> str | None:
        return None if kind_of(guard) in self._answerers else REMEDIES[kind_of(guard)]

    def lag(self, guard: Guard) -> timedelta:
        found = self._answerers.get(kind_of(guard))
        return found.lag if found else timedelta(0)

    def read(self, guard: Guard, question: Question) -> Minutes:
        found = self._answerers.get(kind_of(guard))
        if found is None:
            raise Refused(REMEDIES[kind_of(guard)])
        return found.read(guard, question)
