"""What in a policy can do nothing: stages too thin to be judged, guards that allow everything."""

from collections.abc import Iterator, Sequence

from rollout.analysis.chance import Asked
from rollout.analysis.compare_rates import margin
from rollout.analysis.plan import guards_in_vain
from rollout.analysis.report import Guard, Metric
from rollout.analysis.threshold import relative
from rollout.analysis.words import count, figures
from rollout.core.machine.thin import notched
from rollout.core.patience import OnTooLittle, TooLittle
from rollout.core.policy import Canary, Policy
from rollout.rehearsal.schedule import Stretch, least_requests, trials
from rollout.rehearsal.sight import sight
from rollout.rehearsal.traffic import TrafficView

_RATES = frozenset({Metric.ERROR_RATE, Metric.UNAVAILABLE_RATE, Metric.PLATFORM_RATE})


def in_vain(
    policy: Policy, stretches: Sequence[Stretch], traffic: TrafficView, asked: Sequence[Asked]
) -> tuple[str, ...]:
    """One sentence for each guard that can never trip and each stage no guard can judge."""
    return (
        *_boundless(policy, traffic),
        *(
            sentence
            for one in trials(stretches)
            for sentence in (*_thin(policy, one, traffic), *_blind(one, traffic, asked))
        ),
    )


def _boundless(policy: Policy, traffic: TrafficView) -> Iterator[str]:
    """Guards that a canary which always fails would still meet."""
    for place, guard in enumerate(policy.guards):
        if guard.metric in _RATES and _allowed(guard, traffic) >= 1:
            limit = f"guards[{place}]: {guard.metric}"
            yield f"{limit}: its limit is 100 % of the requests or more; it can never trip"


def _allowed(guard: Guard, traffic: TrafficView) -> float:
    """The rate up to which the guard lets a canary go."""
    if not relative(guard):
        return guard.at_most if guard.at_most is not None else 1.0
    ratio, points = margin(guard)
    usual = traffic.known.usual_rate if guard.metric is Metric.ERROR_RATE else 0.0
    return ratio * usual + points


def _thin(policy: Policy, stretch: Stretch, traffic: TrafficView) -> Iterator[str]:
    """A stage in which too few requests come for any guard to pass."""
    least = least_requests(policy, stretch.stage)
    canary = guards_in_vain([stretch.longest_leg], traffic.known, least)
    if not canary and not stretch.thin:
        return
    arm = "canary" if canary else "baseline"
    part = stretch.share if canary else 100 - stretch.share
    served = traffic.requests_per_minute * part / 100 * stretch.most
    yield (
        f"{stretch.stage}: in {count(stretch.most, 'minute')} at the longest the {arm} answers"
        f" about {figures(served)} of the {least} requests that a guard needs; it cannot pass,"
        f" and {_way_out(policy, stretch, traffic, least)}"
    )


def _way_out(policy: Policy, stretch: Stretch, traffic: TrafficView, least: int) -> str:
    """What the policy does where too few requests come, and whether that would be enough."""
    rule = policy.too_little
    if policy.on_too_little is None:
        return f"on_inconclusive ({rule.then}) decides"
    named = f"on_too_little ({rule.then}) decides"
    bounded = rule.then in {TooLittle.LONGER, TooLittle.NOTCH, TooLittle.MIRROR}
    if not bounded:
        return named
    share, way = _further(policy, stretch, rule)
    had = traffic.requests_per_minute / 100 * _thinner(stretch, stretch.share) * stretch.most
    more = traffic.requests_per_minute / 100 * _thinner(stretch, share) * rule.minutes
    enough = "which suffices" if had + more >= least else "which is too little: a person is asked"
    return f"{named}: {way} brings about {figures(had + more)}, {enough}"


def _further(policy: Policy, stretch: Stretch, rule: OnTooLittle) -> tuple[int, str]:
    """The share that the way out gives, and its name; only canary stages get another share."""
    minutes = count(rule.minutes, "minute")
    if isinstance(stretch.stage, Canary) and rule.then is TooLittle.NOTCH:
        weight = notched(stretch.stage, policy.plan(first=False), rule)
        return weight, f"a notch to {weight} % for {minutes}"
    if isinstance(stretch.stage, Canary) and rule.then is TooLittle.MIRROR:
        return rule.percent, f"copies of {rule.percent} % for {minutes}"
    return stretch.share, f"{minutes} more"


def _thinner(stretch: Stretch, share: int) -> int:
    """The part of the requests, in percent, that the arm with fewer of them answers."""
    return share if stretch.mirrored or share == 100 else min(share, 100 - share)


def _blind(stretch: Stretch, traffic: TrafficView, asked: Sequence[Asked]) -> Iterator[str]:
    """A stage in which not even a canary that always fails is proven to be worse."""
    if stretch.share == 100:
        return
    broken = sight([stretch.longest_leg], traffic, asked, 1 / traffic.known.usual_rate)
    if broken is not None and broken.minute is None:
        yield (
            f"{stretch.stage}: not even a canary that fails every request is found out in"
            f" {count(stretch.most, 'minute')}; error_rate cannot trip there"
        )
