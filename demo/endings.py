"""How stories end, what the users saw meanwhile, and whether that is as it must be."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

Kind = tuple[str, int, str]
"""The deployment that answered, the status, and what is said of it; status 0 is no answer."""

_OK = 200


@dataclass(frozen=True)
class Answers:
    """Answers of one kind: how many, and between when and when (epoch seconds)."""

    requests: int
    first: float
    last: float


Users = Mapping[Kind, Answers]


@dataclass(frozen=True)
class Ending:
    """How a story ended, and what the users of the endpoint saw meanwhile.

    `unexplained` tells of requests that failed, and not because a bad canary answered them.
    """

    deployment: str
    expected: str
    ended: str
    seconds: float
    requests: int
    failed: int
    by_canary: int
    unsent: int = 0
    unexplained: list[str] = field(default_factory=list)

    @property
    def as_it_must(self) -> bool:
        return self.ended == self.expected and not self.unexplained


def users(tally: Path) -> Users:
    """What `demo.traffic` has counted so far."""
    rows = json.loads(tally.read_text())["answers"] if tally.exists() else []
    return {
        (row["deployment"], row["status"], row["why"]): Answers(
            row["requests"], row["first"], row["last"]
        )
        for row in rows
    }


def unsent(tally: Path) -> int:
    """How many requests were due while too many others were under way."""
    return int(json.loads(tally.read_text())["unsent"]) if tally.exists() else 0


def since(before: Users, after: Users, began: float) -> Users:
    """The answers that came between two looks; `began` is the first one's time."""
    return {
        kind: Answers(seen.requests - known, max(seen.first, began), seen.last)
        for kind, seen in after.items()
        if seen.requests > (known := before[kind].requests if kind in before else 0)
    }


def count(seen: Users, deployment: str | None = None, *, failed: bool = False) -> int:
    """How many requests, of all or of one deployment's; of all of them or those that failed."""
    return sum(
        answers.requests
        for (name, status, _), answers in seen.items()
        if deployment in {None, name} and not (failed and status == _OK)
    )


def unexplained(seen: Users, bad: Collection[str]) -> list[str]:
    """The failures that no bad canary answered, one line for each kind."""
    return [
        f"{answers.requests} of {name}: {_status(status)}{why and f', {why}'},"
        f" from {_time(answers.first)} to {_time(answers.last)}"
        for (name, status, why), answers in seen.items()
        if status != _OK and name not in bad
    ]


def summary(endings: Sequence[Ending]) -> bool:
    """Print how the stories ended; true when each ended as it must, and no user paid for it."""
    titles = f"{'took':>7} {'requests':>9} {'by canary':>10} {'failed':>7}"
    print(f"{'canary':<11} {'must be':<12} {'was':<12} {titles}")
    for one in endings:
        share = one.failed / one.requests if one.requests else 0
        print(
            f"{one.deployment:<11} {one.expected:<12} {one.ended:<12} {one.seconds:>5.0f} s"
            f" {one.requests:>9} {one.by_canary:>10} {one.failed:>7} ({share:.2%})"
        )
    if missing := sum(one.unsent for one in endings):
        print(f"\n{missing} more were due and not sent: this machine answers too slowly for them.")
    for one in endings:
        if one.unexplained:
            print(f"\nNot as it must be: during {one.deployment} requests failed that no bad")
            print("canary answered (times are UTC; compare them with the changes above):")
            print("\n".join(f"  {told}" for told in one.unexplained))
    return all(one.as_it_must for one in endings)


def _status(status: int) -> str:
    return f"status {status}" if status else "no answer"


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M:%S")
