"""How fast a canary may grow: as far as the failures it could still cause are few enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rollout.analysis.threshold import WARNING
from rollout.analysis.words import count, figures, odds

GROWTH_MAX = 5
AFTER_COPIES_MAX = 25
"""From no live request, weights may be passed over as far as this."""
HALF, NEARLY_ALL = 50, 95
EXCESS_MIN, EXCESS_MAX = 0.001, 0.01


class Rule(StrEnum):
    """What keeps a canary from the next weight."""

    WARNING = "warning"
    UNREAD = "unread"
    BUDGET = "budget"
    UNPROVEN = "unproven"
    GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Budget:
    """How many failed requests a bad canary may cost before it is noticed."""

    failures: float = 40.0
    part_of_minute: float = 0.04

    def at(self, requests_per_minute: float) -> float:
        return self.failures + self.part_of_minute * requests_per_minute


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known now: the share in percent, its bound, its evidence, and what was read of it.

    `excess_bound` is `Evidence.excess_bound_so_far`: 1 when nothing is known. `minutes_read` are
    minutes of the present share.
    """

    share: int
    requests_per_minute: float
    lag_minutes: int
    excess_bound: float = 1.0
    ln_e: float = 0.0
    usual_rate: float = 0.0
    minutes_read: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How many of the shares ahead are taken (0: wait), and what keeps it from one more."""

    steps: int
    rule: Rule | None = None
    because: str = ""


def next_step(seen: Seen, ahead: Sequence[int], budget: Budget | None = None) -> Pace:
    """How far to go among the shares that a policy has written next, which rise.

    No share is taken while the evidence is a warning, before a minute of the present one was read
    (at 95 % two), or where a canary as bad as its 95 % bound allows would fail more than the budget
    until it is noticed: for the lag and two minutes. Above 50 % the bound has to be as low as the
    usual rate (0.1 to 1 %). Shares are passed over to at most five times the present one, and not
    past 50 %.
    """
    limit = budget or Budget()
    for steps, share in enumerate(ahead):
        rules = [*_RULES, (Rule.GROWTH, _too_far)] if steps else _RULES
        for rule, held in rules:
            if because := held(seen, share, limit):
                return Pace(steps, rule, because)
    return Pace(len(ahead))


def allowed(seen: Seen, budget: Budget | None = None) -> int:
    """The largest share in percent within the budget, 0 to 100."""
    worst = seen.requests_per_minute * (seen.lag_minutes + 2) * seen.excess_bound
    failures = (budget or Budget()).at(seen.requests_per_minute)
    return 100 if worst <= failures else int(100 * failures / worst)


def beyond(seen: Seen, share: int, budget: Budget | None = None) -> str:
    """Why the budget does not allow that share; nothing: it does."""
    limit = allowed(seen, budget)
    if share <= limit:
        return ""
    return f"the budget of failed requests allows {limit} %, and {share} % is next"


# -- what keeps a canary from a share, in words; nothing: it may have it ---------------------------


def _warned(seen: Seen, _share: int, _budget: Budget) -> str:
    return f"the evidence is a warning: {odds(seen.ln_e)}" if seen.ln_e >= WARNING else ""


def _unread(seen: Seen, _share: int, _budget: Budget) -> str:
    needed = 2 if seen.share >= NEARLY_ALL else 1
    if seen.minutes_read >= needed:
        return ""
    return f"{count(needed, 'whole minute')} of the present share must be read first"


def _over_budget(seen: Seen, share: int, budget: Budget) -> str:
    return "" if seen.share >= NEARLY_ALL else beyond(seen, share, budget)


def _unproven(seen: Seen, share: int, _budget: Budget) -> str:
    limit = max(EXCESS_MIN, min(seen.usual_rate, EXCESS_MAX))
    if share <= HALF or seen.share >= NEARLY_ALL or seen.excess_bound <= limit:
        return ""
    needed, has = figures(100 * limit), figures(100 * seen.excess_bound)
    return f"it may still be {has} points worse, and above {HALF} % no more than {needed} may be"


def _too_far(seen: Seen, share: int, _budget: Budget) -> str:
    if not seen.share:
        most = AFTER_COPIES_MAX
        return f"after copies no more than {most} % is skipped to" if share > most else ""
    if share > GROWTH_MAX * seen.share:
        return f"{share} % would be more than {GROWTH_MAX} times the {seen.share} % of now"
    return (
        f"nothing beyond {HALF} % is skipped to from below it" if seen.share < HALF < share else ""
    )


_Held = Callable[[Seen, int, Budget], str]
_RULES: Sequence[tuple[Rule, _Held]] = (
    (Rule.WARNING, _warned),
    (Rule.UNREAD, _unread),
    (Rule.BUDGET, _over_budget),
    (Rule.UNPROVEN, _unproven),
)
