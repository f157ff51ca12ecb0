"""What people are told of one history entry: the sentence, the numbers, and where to go on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime

from rollout.core.frozen import Frozen
from rollout.core.head import HistoryEntry
from rollout.core.notify import Moment, Notice, Topic
from rollout.core.rollout import Origin, Phase, Rollout

NUMBERS_MAX = 6
TEXT_MAX = 600


class Link(Frozen):
    title: str
    url: str


class Letter(Frozen, ABC):
    """One notice as it is told, in no format yet; the same id however often it is sent."""

    id: str
    topic: Topic | Moment
    about: str = ""
    at: datetime
    endpoint: str
    endpoint_id: str
    entry: int
    who: str
    sentence: str
    numbers: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    question: str = ""
    deadline: datetime | None = None
    command: str = ""
    links: tuple[Link, ...] = ()

    @property
    @abstractmethod
    def title(self) -> str:
        """One line: where, and what is the matter."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The id of what it is about."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Which kind of news it is, for programs: small words with dots between them."""

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, str]:
        """What it is about and where that stands, by name."""

    @property
    @abstractmethod
    def is_good(self) -> bool: ...

    @property
    @abstractmethod
    def is_bad(self) -> bool: ...


class RolloutLetter(Letter):
    """Of a rollout."""

    rollout_id: str
    canary: str
    baseline: str | None
    phase: Phase
    stage: str
    origin: Origin | None = None

    @property
    def title(self) -> str:
        doing = f"{_DOING[self.topic]} {self.about}".rstrip()
        return f"{self.endpoint}: {self.canary} {doing}"

    @property
    def subject(self) -> str:
        return self.rollout_id

    @property
    def kind(self) -> str:
        return self.topic.value

    @property
    def facts(self) -> Mapping[str, str]:
        return {"rollout": self.rollout_id, "phase": self.phase.value, "stage": self.stage}

    @property
    def is_good(self) -> bool:
        return self.phase is Phase.PROMOTED

    @property
    def is_bad(self) -> bool:
        return self.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.REFUSED}


_DOING = {
    Topic.STARTED: "starts",
    Topic.STAGE: "goes on",
    Topic.ASKS: "waits for an approval",
    Topic.HOLDS: "holds",
    Topic.ROLLS_BACK: "is rolled back",
    Topic.TROUBLE: "is in trouble",
    Topic.ENDED: "is done",
    Moment.BEFORE: "begins",
    Moment.AFTER: "is done with",
}


def letter(
    notice: Notice, entry: HistoryEntry, rollout: Rollout, links: tuple[Link, ...] = ()
) -> RolloutLetter:
    """Tell that entry; a question only while it is open."""
    where = str(rollout.endpoint)
    asked = rollout.asked if rollout.phase is Phase.APPROVING else None
    asks = asked if notice.topic is Topic.ASKS else None
    commands: dict[Topic | Moment, str] = {
        Topic.ASKS: f"rollout approve {where}",
        Topic.HOLDS: f"rollout resume {where}",
        Topic.ROLLS_BACK: f"rollout explain {where}",
        Topic.ENDED: f"rollout explain {where}",
    }
    findings = entry.numbers.get("findings", ())
    return RolloutLetter(
        id=notice.id,
        topic=notice.topic,
        about=notice.about,
        at=entry.at,
        endpoint=where,
        endpoint_id=rollout.endpoint.arm_id,
        rollout_id=rollout.id,
        entry=entry.number,
        canary=rollout.canary,
        baseline=rollout.baseline,
        phase=entry.after,
        stage=entry.stage,
        who=entry.who,
        sentence=entry.why[:TEXT_MAX],
        numbers=tuple(str(one["because"])[:TEXT_MAX] for one in findings[:NUMBERS_MAX]),
        actions=entry.actions,
        question=asks.question if asks else "",
        deadline=asks.deadline if asks else None,
        command=commands.get(notice.topic, f"rollout watch {where}"),
        links=links,
        origin=rollout.order.origin,
    )
