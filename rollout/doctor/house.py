"""The controller at home: its queue, its store, its timer, its policies, and who calls it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from rollout import marks
from rollout.core.endpoint import EndpointId
from rollout.core.head import Wake
from rollout.core.places import Missing, unknown
from rollout.core.policy import Policy
from rollout.core.rotation.policy_text import parse_document
from rollout.doctor.diagnosis import Diagnosis, failed, not_checked, ok, told_by, warning
from rollout.errors import Conflict, PolicyError
from rollout.ports import Clock, Message, PolicyFiles, Queue, Store
from rollout.views import LATE

SWEEP_OLD = timedelta(minutes=5)
LATE_MAX = 20

_NOWHERE = EndpointId(subscription="-", resource_group="-", workspace="rollout", name="doctor")
_MEND_STORE = (
    "see that the store is there and that the identity may write to it; on Azure: azd provision"
)
_MEND_QUEUE = (
    "see that the queue is there and that the identity may send to it; on Azure: azd provision"
)
_MEND_PLACES = "add them to ROLLOUT_NOTIFY, see docs/howto/notify.md; or mend the policy's names"
_MEND_TIMER = (
    "see that the function `sweep` runs: az functionapp function list --resource-group RG"
    " --name APP --query [].name; locally start the controller again: rollout up"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    store: Store
    queue: Queue
    queue_name: str
    policies: PolicyFiles
    clock: Clock
    missing: Missing = lambda _: None

    def examine(self) -> Iterator[Diagnosis]:
        for part, (look, remedy) in self._parts().items():
            yield told_by(part, remedy, look)

    def _parts(self) -> Mapping[str, tuple[Callable[[], Diagnosis], str]]:
        return {
            "store": (self._store, _MEND_STORE),
            "queue": (self._queue, _MEND_QUEUE),
            "dead letters": (self._letters, _MEND_QUEUE),
            "sweep": (self._sweep, _MEND_STORE),
            "steps": (self._steps, _MEND_STORE),
            "policies": (self._policies, "see where policies are kept: rollout settings"),
            "places": (self._places, "see where policies are kept: rollout settings"),
            "alerts": (self._alerts, _MEND_STORE),
        }

    def _store(self) -> Diagnosis:
        """A row is written and read back."""
        now = self.clock.now()
        try:
            marks.note(self.store, marks.DOCTOR, now)
        except Conflict:
            return ok("store", "another doctor is writing its row, and can")
        read = marks.recall(self.store, marks.DOCTOR)
        if read is None or read.at < now:
            return failed("store", "a row that was written is not read back", _MEND_STORE)
        return ok("store", "a row was written and read back")

    def _queue(self) -> Diagnosis:
        """A message that wakes nobody: there is no such endpoint, and its generation is none."""
        at = self.clock.now().isoformat()
        body = Wake(endpoint=_NOWHERE, generation=-1, turn=-1).model_dump_json().encode()
        self.queue.send(Message(self.queue_name, _NOWHERE.key, f"doctor:{at}", body))
        return ok("queue", f"{self.queue_name} takes a message")

    def _letters(self) -> Diagnosis:
        letters = self.queue.dead_letters()
        if not letters:
            return ok("dead letters", "none")
        oldest = min(one.at for one in letters)
        return warning(
            "dead letters",
            f"{len(letters)}, the oldest of {oldest:%Y-%m-%d %H:%M} UTC: {letters[0].reason}",
            "rollout dead-letters list; when the reason is mended: rollout dead-letters resend",
        )

    def _sweep(self) -> Diagnosis:
        mark = marks.recall(self.store, marks.SWEEP)
        if mark is None:
            return warning(
                "sweep",
                "has not run yet; it does every minute",
                f"look again in a minute; {_MEND_TIMER}",
            )
        age = self.clock.now() - mark.at
        told = f"ran {age.total_seconds():.0f} s ago: {mark.told}"
        return ok("sweep", told) if age < SWEEP_OLD else failed("sweep", told, _MEND_TIMER)

    def _steps(self) -> Diagnosis:
        """A step that is minutes late is one that nobody takes, or that always fails."""
        now = self.clock.now()
        late = self.store.due(now - LATE, LATE_MAX)
        if not late:
            return ok("steps", "none is late")
        first = late[0]
        behind = (now - first.due_at) if first.due_at else timedelta(0)
        why = f" ({first.trouble})" if first.trouble else ""
        return failed(
            "steps",
            f"{len(late)} are late, {first.endpoint} by {behind.total_seconds():.0f} s{why}",
            f"rollout get {first.endpoint}; see that the function `step` runs, and its log",
        )

    def _policies(self) -> Diagnosis:
        files = self.policies.list()
        broken = []
        for file in files:
            try:
                parse_document(file.text, file.name)
            except PolicyError as error:
                broken.append(f"{file.name}: {error}")
        if broken:
            return failed("policies", "; ".join(broken), "rollout policy check FILE, then push it")
        if not files:
            return warning("policies", "there are none: nothing can start", "rollout policy push")
        return ok("policies", f"{len(files)}: {', '.join(one.name for one in files)}")

    def _places(self) -> Diagnosis:
        """Every place that a policy speaks to is named in the settings."""
        asked, told = list[str](), list[str]()
        for file in self.policies.list():
            try:
                document = parse_document(file.text, file.name)
            except PolicyError:
                continue  # that is another part's finding
            policy = document if isinstance(document, Policy) else document.rotation
            asked += [f"{file.name}: {one}" for one in unknown(policy, self.missing, asked=True)]
            told += [f"{file.name}: {one}" for one in unknown(policy, self.missing, asked=False)]
        if asked:
            return failed("places", "; ".join([*asked, *told]), _MEND_PLACES)
        if told:
            return warning("places", "; ".join(told), _MEND_PLACES)
        return ok("places", "the settings name every place that a policy speaks to")

    def _alerts(self) -> Diagnosis:
        mark = marks.recall(self.store, marks.ALERT)
        if mark is None:
            return not_checked(
                "alerts",
                "none has come yet",
                "in the portal: Monitor, Alerts, Action groups, rollout-controller, Test",
            )
        return ok("alerts", f"the last came {mark.at:%Y-%m-%d %H:%M} UTC, {mark.told}")
