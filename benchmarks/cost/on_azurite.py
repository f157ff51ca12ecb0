"""The same rollout on Microsoft's clients before Azurite: how many requests a call of a port is."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.cost.counted import CountedWorld, Counting, rollout
from benchmarks.cost.operations import BLOB, TABLE
from rollout.adapters.azure.storage.account import Account
from rollout.adapters.azure.storage.policies import PolicyContainer
from rollout.adapters.azure.storage.samples import BlobSamples
from rollout.adapters.azure.storage.store import TableStore
from rollout.adapters.policy_folder import Folder
from rollout.adapters.policy_places import PolicyPlaces
from rollout.engine import Engine
from tests.azurite.bad_line import BadLine, bad_line
from tests.azurite.running import Azurite, azurite

POLICY_NAME, SMOKE_PATH = "churn", "smoke/churn.jsonl"
KEPT_IN_THE_ACCOUNT = frozenset({"store", "samples", "policies"})
KINDS: Mapping[str, tuple[str, float | None, int]] = {
    "fixed": ("fixed", None, 75),
    "fixed, rolled back": ("fixed", 0.05, 20),
}
"""The pace, the canary's error rate, and the minutes in which it is over."""
FOUND = Path(__file__).with_name("measured.json")
"""What was measured last: drawn anew with the page, and measured again by a test."""
_BEYOND = "measured table beyond an idle sweep"


class AzuriteWorld(CountedWorld):
    """Its state, samples and policies are in an account; what is asked of that is counted."""

    def __init__(self, seed: int, policy: str, account: Account, lines: dict[str, BadLine]) -> None:
        self._account = account
        self._lines = lines
        super().__init__(seed, policy, TableStore(account))

    def new_worker(self) -> Engine:
        """The first one opens the account and pushes the policy, as was done long before."""
        pushed: Any = PolicyPlaces(Folder(Path("/nowhere")), PolicyContainer(self._account))
        samples: Any = BlobSamples(self._account)
        pushed.attach(SMOKE_PATH, self.policies.smoke)
        pushed.push(POLICY_NAME, self.policies.text)
        samples.forget("nobody", self.clock.now())
        self.store.history("nobody")
        self.policies, self.samples = pushed, samples
        return super().new_worker()

    def counting(self, name: str, port: Any) -> Counting:  # noqa: ANN401 - any port
        return _Watching(name, port, self.counts, self._asked)

    def _asked(self) -> dict[str, int]:
        return {kind: len(line.sent) for kind, line in self._lines.items()}


@dataclass
class _Watching(Counting):
    """A port whose requests are counted on the line."""

    asked: Callable[[], dict[str, int]]

    def watched(self, name: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - any answer
        before = self.asked()
        try:
            return call()
        finally:
            asked = {kind: count - before[kind] for kind, count in self.asked().items()}
            if self.name in KEPT_IN_THE_ACCOUNT:
                self.counts.update({_measured(kind): asked[kind] for kind in asked})
            if (self.name, name) == ("store", "due"):
                self.counts[_BEYOND] += asked[TABLE] - 1


def _measured(kind: str) -> str:
    return f"measured {kind}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the mapping says of a rollout, and what was asked of the account."""

    mapped: Mapping[str, int]
    asked: Mapping[str, int]

    @property
    def ratios(self) -> Mapping[str, float]:
        return {kind: self.mapped[kind] / self.asked[kind] for kind in self.mapped}


def found() -> Mapping[str, Measured]:
    """What was measured last, by kind."""
    return {kind: Measured(**one) for kind, one in json.loads(FOUND.read_text()).items()}


def find() -> None:
    """Measure every kind, and write it down."""
    with azurite() as running:
        told = {kind: asdict(measure(running, kind)) for kind in KINDS}
    FOUND.write_text(json.dumps(told, indent=2) + "\n")


def measure(running: Azurite, kind: str) -> Measured:
    """One rollout of that kind; what sweeps remove of what it left behind is its own."""
    pace, errors, minutes = KINDS[kind]
    with worlds(running) as make:
        counts = rollout(pace, 1, errors, make, minutes).counts
    asked = {one: counts[_measured(one)] for one in (TABLE, BLOB)}
    asked[TABLE] += counts[f"sweep {_BEYOND}"]
    return Measured({one: counts[one] for one in asked}, asked)


@contextmanager
def worlds(running: Azurite) -> Iterator[Callable[[int, str], AzuriteWorld]]:
    """Makes worlds on accounts of their own, at the end of lines that count."""
    with ExitStack() as stack:
        lines = {
            TABLE: stack.enter_context(bad_line(running.tables)),
            BLOB: stack.enter_context(bad_line(running.blobs)),
        }

        def make(seed: int, policy: str) -> AzuriteWorld:
            connection = running.new_account()
            connection = connection.replace(running.tables, lines[TABLE].url)
            connection = connection.replace(running.blobs, lines[BLOB].url)
            account = Account.in_azurite(connection, "cost")
            stack.callback(account.close)
            return AzuriteWorld(seed, policy, account, lines)

        yield make
