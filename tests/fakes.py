"""State, queue, samples and time in memory; each passes the contract of the real thing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from rollout.adapters.sqlite.queue import DELIVERIES_MAX, DUPLICATE_WINDOW, Delivery
from rollout.analysis.samples import Counts
from rollout.core.actions import AskHook
from rollout.core.endpoint import EndpointId
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import HookWord, Phase, Rollout
from rollout.errors import Conflict, Refused, RolloutError, Unknown
from rollout.feed_ports import Page, Told
from rollout.key_ports import SecretVersion
from rollout.notice_ports import HookAnswer
from rollout.ports import DeadLetter, Ended, Held, Message, Minutes, Store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class FakeClock:
    """Time that moves only when a test moves it."""

    time: datetime = NOON
    minute: timedelta = timedelta(minutes=1)

    def now(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


@dataclass
class FakeStore:
    heads: dict[str, Held] = field(default_factory=dict)
    finished: dict[tuple[str, str], Rollout] = field(default_factory=dict)
    entries: defaultdict[str, dict[int, HistoryEntry]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    told: list[tuple[str, HistoryEntry]] = field(default_factory=list)

    def load(self, endpoint: EndpointId) -> Held:
        return self.heads.get(endpoint.key) or Held(Head(endpoint=endpoint), None)

    def load_key(self, key: str) -> Held:
        if key not in self.heads:
            raise Unknown(f"nothing is kept of an endpoint {key}")
        return self.heads[key]

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        key = head.endpoint.key
        self._check(key, held, entry)
        self.heads[key] = Held(head, str(int(held.etag or 0) + 1))
        if entry:
            self.entries[key][entry.number] = entry
            self.told.append((key, entry))
        if head.rollout and head.rollout.over:
            self.finished[key, head.rollout.id] = head.rollout
        return self.heads[key]

    def _check(self, key: str, held: Held, entry: HistoryEntry | None) -> None:
        stored = self.heads[key].etag if key in self.heads else None
        if stored != held.etag:
            raise Conflict(f"{key}: another worker wrote first")
        if entry and entry.number in self.entries[key]:
            raise Conflict(f"{key}: entry {entry.number} is there already")

    def due(self, before: datetime, limit: int) -> Sequence[Head]:
        waiting = [
            (held.head.due_at, key, held.head)
            for key, held in self.heads.items()
            if held.head.due_at and held.head.due_at < before
        ]
        return [head for _, _, head in sorted(waiting, key=lambda row: row[:2])[:limit]]

    def going_back(self, before: datetime, limit: int) -> Sequence[Head]:
        late = self.due(before, len(self.heads))
        return [head for head in late if head.phase is Phase.ROLLING_BACK][:limit]

    def live(self, limit: int, after: str = "") -> Sequence[Head]:
        live = ((key, held.head) for key, held in sorted(self.heads.items()) if held.head.live)
        return [head for key, head in live if key > after][:limit]

    def ended(self, limit: int, after: Ended | None = None) -> Sequence[Rollout]:
        placed = {(one.phase_since, one.id): one for one in self.finished.values()}
        latest = sorted(placed, reverse=True)
        return [placed[place] for place in latest if after is None or place < after][:limit]

    def rollout(self, key: str, rollout_id: str) -> Rollout | None:
        held = self.heads.get(key)
        if held and held.head.rollout and held.head.rollout.id == rollout_id:
            return held.head.rollout
        return self.finished.get((key, rollout_id))

    def history(self, key: str, after: int = 0, limit: int = 1000) -> Sequence[HistoryEntry]:
        entries = sorted(self.entries[key].items())
        return [entry for number, entry in entries if number > after][:limit]

    def feed(self, after: int | None, limit: int, key: str | None = None) -> Page:
        begin = len(self.told) if after is None else min(after, len(self.told))
        numbered = (
            (place, (owner, entry))
            for place, (owner, entry) in enumerate(self.told[begin:], begin + 1)
            if entry.number in self.entries[owner]
        )
        found = [Told(at, *one) for at, one in numbered if key in {None, one[0]}][:limit]
        return Page(found, found[-1].sequence if found and len(found) == limit else len(self.told))

    def repair(self) -> int:
        return 0


@dataclass
class FakeArchive:
    """The past of a FakeStore; it keeps what is behind no checkpoint, as the real ones do."""

    of: Store

    @property
    def store(self) -> FakeStore:
        assert isinstance(self.of, FakeStore)
        return self.of

    def keys(self, after: str, limit: int) -> Sequence[str]:
        return sorted(key for key in self.store.heads if key > after)[:limit]

    def ended_of(self, key: str) -> Sequence[Rollout]:
        return [one for (owner, _), one in self.store.finished.items() if owner == key]

    def remove(self, key: str, through: int, rollouts: Collection[str]) -> int:
        held = self.store.heads.get(key)
        pruned = held.head.pruned if held else None
        if through > (pruned.through if pruned else 0):
            raise Refused(f"{key}: a history entry is removed only behind its checkpoint")
        entries = [number for number in self.store.entries[key] if number <= through]
        ended = [name for name in rollouts if (key, name) in self.store.finished]
        for number in entries:
            del self.store.entries[key][number]
        for name in ended:
            del self.store.finished[key, name]
        return len(entries) + len(ended)


@dataclass
class _Row:
    sequence: int
    message: Message
    due_at: datetime
    deliveries: int = 0
    until: datetime | None = None

    @property
    def order(self) -> tuple[datetime, int]:
        return self.due_at, self.sequence


@dataclass
class FakeQueue:
    clock: FakeClock
    deliveries_max: int = DELIVERIES_MAX
    rows: dict[int, _Row] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    sent: dict[tuple[str, str], datetime] = field(default_factory=dict)
    sequence: int = 0

    def send(self, message: Message) -> None:
        now, name = self.clock.now(), (message.queue, message.id)
        if name in self.sent and self.sent[name] > now - DUPLICATE_WINDOW:
            return
        self.sent[name] = now
        self._put(message, max(now, message.not_before or now))

    def receive(self, queue: str, now: datetime, lease: timedelta) -> Delivery | None:
        """Lend out the earliest due message of a session that has none lent out."""
        self._take_back(queue, now)
        rows = list(self._of(queue))
        busy = {row.message.session for row in rows if row.until}
        free = [row for row in rows if row.due_at <= now and row.message.session not in busy]
        if not free:
            return None
        row = min(free, key=lambda row: row.order)
        row.until = now + lease
        return Delivery(row.message, row.deliveries + 1, row.until, lease, row.sequence)

    def complete(self, delivery: Delivery) -> None:
        del self.rows[self._lent(delivery).sequence]

    def abandon(self, delivery: Delivery, reason: str) -> None:
        self._give_back(self._lent(delivery), reason, self.clock.now())

    def renew(self, delivery: Delivery) -> Delivery:
        row = self._lent(delivery)
        row.until = self.clock.now() + delivery.lease
        return replace(delivery, until=row.until)

    def next_due(self, queue: str) -> datetime | None:
        rows = list(self._of(queue))
        busy = {row.message.session for row in rows if row.until}
        waiting = [row.due_at for row in rows if row.message.session not in busy]
        return min([*waiting, *(row.until for row in rows if row.until)], default=None)

    def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]:
        return self.dead[:limit]

    def resend(self, queue: str, message_id: str) -> None:
        for letter in self.dead:
            if (letter.message.queue, letter.message.id) == (queue, message_id):
                self.dead.remove(letter)
                return self._put(letter.message, self.clock.now())
        raise Unknown(f"no dead letter {message_id} in the queue {queue}")

    def _put(self, message: Message, due_at: datetime) -> None:
        self.sequence += 1
        self.rows[self.sequence] = _Row(self.sequence, message, due_at)

    def _of(self, queue: str) -> Iterable[_Row]:
        return (row for row in self.rows.values() if row.message.queue == queue)

    def _lent(self, delivery: Delivery) -> _Row:
        row, now = self.rows.get(delivery.sequence), self.clock.now()
        if not row or not row.until or row.until <= now or row.deliveries + 1 != delivery.count:
            raise Conflict(f"message {delivery.message.id}: its lease was lost")
        return row

    def _take_back(self, queue: str, now: datetime) -> None:
        for row in list(self._of(queue)):
            if row.until and row.until <= now:
                self._give_back(row, "its lease ran out", now)

    def _give_back(self, row: _Row, reason: str, now: datetime) -> None:
        row.until = None
        row.deliveries += 1
        if row.deliveries >= self.deliveries_max:
            del self.rows[row.sequence]
            self.dead.append(DeadLetter(row.message, reason, row.deliveries, now))


@dataclass
class FakeHooks:
    """Programs that are asked: what each `says` by its name; go, where nothing is said."""

    says: dict[str, HookAnswer | RolloutError] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, question: AskHook, question_id: str) -> HookAnswer:
        self.asked.append((question.hook, question_id))
        said = self.says.get(question.hook, HookAnswer(HookWord.GO))
        if isinstance(said, RolloutError):
            raise said
        return said


@dataclass
class FakeSamples:
    minutes: defaultdict[tuple[str, str], dict[datetime, Mapping[str, Counts]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def save(self, key: str, source: str, minutes: Minutes) -> None:
        self.minutes[key, source] |= minutes

    def read(self, key: str, source: str, since: datetime, until: datetime) -> Minutes:
        kept = self.minutes[key, source]
        return {at: kept[at] for at in sorted(kept) if since <= at < until}

    def forget(self, key: str, before: datetime) -> None:
        for (owner, _), kept in self.minutes.items():
            if owner == key:
                for at in [at for at in kept if _hour(at) + HOUR <= before]:
                    del kept[at]


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


@dataclass
class FakeSecrets:
    clock: FakeClock
    versions: defaultdict[str, list[SecretVersion]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def current(self, name: str) -> SecretVersion | None:
        return self.versions[name][-1] if self.versions[name] else None

    def publish(
        self, name: str, value: SecretStr, expires_at: datetime | None, tags: Mapping[str, str]
    ) -> SecretVersion:
        number = len(self.versions[name]) + 1
        made = SecretVersion(f"v{number}", value, self.clock.now(), expires_at, dict(tags))
        self.versions[name].append(made)
        return made

    def once(self, name: str, value: SecretStr) -> SecretStr:
        if not self.versions[name]:
            self.publish(name, value, None, {})
        return self.versions[name][0].value
