"""What is needed of whoever writes down what deployments answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from rollout.core.endpoint import EndpointId
from rollout.ports import Answer


@dataclass(frozen=True, slots=True)
class Served:
    """One request or copy that the platform wrote down; `ids` name the request wherever it went.

    `answer` has no body where only how it went was written.
    """

    at: datetime
    ids: frozenset[str]
    answer: Answer


@dataclass(frozen=True, slots=True)
class ServedRead:
    """What one deployment served, oldest first; minutes before `since` may be incomplete."""

    served: Sequence[Served]
    since: datetime


class ServedAnswers(Protocol):
    """What the platform itself writes of live requests and their copies."""

    @property
    def lag(self) -> timedelta:
        """How far behind the present it may be read."""
        ...

    def read(
        self,
        endpoint: EndpointId,
        deployment: str,
        collection: str,
        since: datetime,
        until: datetime,
    ) -> ServedRead:
        """What was served in [since, until); raises Unavailable or Refused.

        Where there is too much for one look, the latest of it.
        """
        ...
