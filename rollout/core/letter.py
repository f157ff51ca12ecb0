"""What people are told of one history entry: the sentence, the numbers, and where to go on."""

from datetime import datetime

from rollout.core.frozen import Frozen
from rollout.core.head import HistoryEntry
from rollout.core.notify import Moment, Notice, Topic
from rollout.core.rollout import Origin, Phase, Rollout

NUMBERS_MAX = 6
_TEXT_MAX = 600


class Link(Frozen):
    title: str
    url: str


class Letter(Frozen):
    """One notice as it is told, in no format yet; the same id however often it is sent."""

    id: str
    topic: Topic | Moment
    about: str = ""
    at: datetime
    endpoint: str
    endpoint_id: str
    rollout_id: str
    entry: int
    canary: str
    baseline: str | None
    phase: Phase
    stage: str
    who: str
    sentence: str
    numbers: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    question: str = ""
    deadline: datetime | None = None
    command: str = ""
    links: tuple[Link, ...] = ()
    origin: Origin | None = None

    @property
    def title(self) -> str:
        doing = f"{_DOING[self.topic]} {self.about}".rstrip()
        return f"{self.endpoint}: {self.canary} {doing}"

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
) -> Letter:
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
    return Letter(
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
        sentence=entry.why[:_TEXT_MAX],
        numbers=tuple(str(one["because"])[:_TEXT_MAX] for one in findings[:NUMBERS_MAX]),
        actions=entry.actions,
        question=asks.question if asks else "",
        deadline=asks.deadline if asks else None,
        command=commands.get(notice.topic, f"rollout watch {where}"),
        links=links,
        origin=rollout.order.origin,
    )
