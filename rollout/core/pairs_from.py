"""Where pairs of answers come from: chosen once, by what the platform writes of copies."""

from collections.abc import Collection, Mapping
from enum import StrEnum

from rollout.core.frozen import Frozen
from rollout.core.policy import Kind, Policy

LEAST_JOINED = 20
"""So many requests must be found in what both deployments wrote before it is relied on."""
LEAST_WRITTEN = 200
"""So many of the baseline's, with none of the canary's among them, tell that none will come."""
PATIENCE_MINUTES = 5
"""So long a mirror stage is looked at before the prober takes over."""


class PairsFrom(StrEnum):
    """One for a whole rollout; its pairs and those of another are never counted together."""

    COLLECTOR = "collector"  # what Azure's data collector wrote of live requests and their copies
    LOGS = "logs"  # rows of the traffic log: how requests went, not what was answered
    PROBER = "prober"  # recorded requests of our own


JOINED = frozenset({PairsFrom.COLLECTOR, PairsFrom.LOGS})
WORDS: Mapping[PairsFrom, str] = {
    PairsFrom.COLLECTOR: "the data collector",
    PairsFrom.LOGS: "the traffic log",
    PairsFrom.PROBER: "the prober",
}
MISSING: Mapping[PairsFrom, str] = {
    PairsFrom.COLLECTOR: "this controller knows no data collector: set ROLLOUT_COLLECTOR",
    PairsFrom.LOGS: "this controller knows no Log Analytics workspace: set ROLLOUT_LOGS_WORKSPACE",
}


class PairsSeen(Frozen):
    """What a mirror stage has shown of a source so far, where `auto` has still to choose."""

    source: PairsFrom
    joined: int = 0
    baseline: int = 0
    canary: int = 0
    minutes: int = 0
    mirrors: bool = True
    trouble: str | None = None

    @property
    def choice(self) -> PairsFrom | None:
        """None: that cannot be told yet."""
        if self.joined >= LEAST_JOINED:
            return self.source
        vain = self.baseline >= LEAST_WRITTEN and not self.joined
        over = not self.mirrors or self.minutes >= PATIENCE_MINUTES
        return PairsFrom.PROBER if vain or over else None

    def __str__(self) -> str:
        words = WORDS[self.source]
        if self.choice is self.source:
            return f"pairs of answers from {words}: {self.joined} are joined by request id"
        told = f"{words} wrote {self.baseline} of the baseline and {self.canary} of the canary"
        joined = f"{self.joined} joined by request id" if self.joined else "none joins"
        return f"pairs of answers from the prober: {self.trouble or f'{told}, {joined}'}"


def told_at_start(source: PairsFrom | None) -> str:
    """Nothing where none are compared, or a mirror stage will show it."""
    return f"pairs of answers from {WORDS[source]}" if source else ""


def settled(policy: Policy, *, first: bool, here: Collection[PairsFrom]) -> PairsFrom | None:
    """What needs no look; None: nothing is compared, or a mirror stage will show it."""
    agreement = policy.agreement
    if agreement is None:
        return None
    if agreement.source != "auto":
        return PairsFrom(agreement.source)
    mirrors = any(stage.kind is Kind.MIRROR for stage in policy.plan(first=first))
    return None if mirrors and PairsFrom(agreement.written_by) in here else PairsFrom.PROBER
