"""What is known of an endpoint's traffic before a rollout: how much, and how often it fails."""

import math
from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from rollout.analysis import plan
from rollout.analysis.case import Terms
from rollout.analysis.dispersion import learn
from rollout.analysis.report import Metric
from rollout.analysis.samples import Counts
from rollout.core.frozen import Frozen
from rollout.core.policy import Policy
from rollout.errors import Malformed

LAG_MINUTES = 2
HISTORY_MINUTES = 120


class TrafficView(Frozen):
    """The traffic a plan rests on: given by a person, or counted on the baseline."""

    requests_per_minute: float = Field(description="of baseline and canary together")
    error_rate: float = Field(description="how often the baseline usually fails, 0 to 1")
    phi: float = Field(1.0, description="how much more than by chance its failures scatter")
    lag_minutes: int = Field(LAG_MINUTES, description="how far behind the metrics are read")
    minutes: int = Field(0, description="so many minutes were counted; 0: the numbers were given")
    baseline: str | None = Field(None, description="the deployment that was counted")

    @property
    def known(self) -> plan.Traffic:
        """For the planner; one who never fails is taken for one not seen to fail in two hours."""
        least = 0.5 / (HISTORY_MINUTES * self.requests_per_minute + 1)
        usual = max(self.error_rate, least)
        return plan.Traffic(self.requests_per_minute, usual, self.phi)


def given(
    rps: float, error_rate: float, minute_seconds: float = 60, lag_minutes: int = LAG_MINUTES
) -> TrafficView:
    """The numbers a person gives; raises Malformed."""
    if not 0 < rps < math.inf:
        raise Malformed(f"rps: {rps:g} is no traffic; give the endpoint's requests a second")
    if not 0 <= error_rate <= 1:
        raise Malformed(
            f"error_rate: {error_rate:g} is not from 0 to 1; write 0.004 where 4 in 1000 fail"
        )
    return TrafficView(
        requests_per_minute=rps * minute_seconds, error_rate=error_rate, lag_minutes=lag_minutes
    )


def counted(minutes: Sequence[Counts | None], terms: Terms) -> TrafficView | None:
    """The same from a deployment's minutes (None: nothing was answered); None without a request."""
    statuses = terms.statuses(Metric.ERROR_RATE)
    answered = [place for place, one in enumerate(minutes) if one and one.requests]
    if not answered:
        return None
    lived = minutes[answered[0] :]
    past = learn([(one.requests, one.having(statuses)) if one else (0, 0) for one in lived])
    return TrafficView(
        requests_per_minute=sum(one.requests for one in lived if one) / len(lived),
        error_rate=past.rate or 0.0,
        phi=past.phi,
        minutes=len(lived),
    )


def terms_of(policy: Policy, *, managed: bool = True) -> Terms:
    """Which statuses count as failures under that policy."""
    terms = Terms(kubernetes=not managed)
    return replace(terms, errors=policy.errors) if policy.errors else terms
