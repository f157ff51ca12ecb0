"""Custom guards asked: each on minutes of its own; what cannot be told is never a pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rollout.analysis.report import Finding, Guard, Report, Severity, Verdict
from rollout.analysis.samples import Samples as Counted
from rollout.analysis.threshold import relative
from rollout.core.guards import source_of
from rollout.core.machine.silence import too_long
from rollout.core.minutes import floor
from rollout.core.rollout import Rollout
from rollout.errors import Refused, Unavailable
from rollout.measuring.minutes import Series, counted, heard, stage_begins
from rollout.ports import Clock, CustomGuards, Minutes, Question, Samples

PATIENCE = timedelta(seconds=20)
"""So long one look asks custom guards, all together."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What custom guards told: samples by name, or why there is nothing new."""

    samples: Mapping[str, Counted] = field(default_factory=dict)
    untold: Mapping[str, str] = field(default_factory=dict)
    readable_until: datetime | None = None
    heard_until: datetime | None = None


class CustomMinutes:
    """Asks the custom guards of a policy, one after the other, as long as the patience lasts."""

    def __init__(self, guards: CustomGuards | None, samples: Samples, clock: Clock) -> None:
        self._guards = guards
        self._samples = samples
        self._clock = clock

    def missing(self, guards: tuple[Guard, ...]) -> Iterator[str]:
        """Why some cannot be asked at all, with the remedy."""
        for guard in guards:
            if guard.custom:
                why = self._guards.missing(guard) if self._guards else "nobody can be asked here"
                if why:
                    yield f"guard {guard.title}: {why}"

    def lag(self, guards: tuple[Guard, ...]) -> timedelta:
        """The longest of those that count."""
        asked = self._guards
        return max((asked.lag(one) for one in _counting(guards) if asked), default=timedelta(0))

    def ask(self, rollout: Rollout) -> Asked:
        """Ask each; a guard that fails to answer stops none of the others."""
        begun, samples, untold = self._clock.now(), dict[str, Counted](), dict[str, str]()
        for guard in rollout.policy.guards:
            if not guard.custom:
                continue
            until = self._until(rollout, guard)
            known, trouble = self._minutes(rollout, guard, until, begun)
            found = counted(rollout, known, until)
            samples[guard.title] = found
            if why := trouble or self._quiet(rollout, guard, found):
                untold[guard.title] = why
        return Asked(
            samples=samples,
            untold=untold,
            readable_until=min(
                (self._until(rollout, one) for one in _counting(rollout.policy.guards)),
                default=None,
            ),
            heard_until=max(
                (at for one in samples.values() if (at := heard(one, rollout.minute))),
                default=None,
            ),
        )

    def _until(self, rollout: Rollout, guard: Guard) -> datetime:
        lag = self._guards.lag(guard) if self._guards else timedelta(0)
        return floor(self._clock.now() - lag, rollout.minute)

    def _minutes(
        self, rollout: Rollout, guard: Guard, until: datetime, begun: datetime
    ) -> tuple[Minutes, str]:
        """What is known of it, and why there is nothing new, if so."""
        started = floor(rollout.started_at, rollout.minute)
        key, source = rollout.endpoint.key, source_of(guard)
        series = Series(self._samples, key, source, rollout.minute, started, until)
        known = series.known()
        if self._clock.now() - begun > PATIENCE:
            return known, "the guards before it took too long"
        try:
            if relative(guard):
                return series.with_news(known, lambda *span: self._ask(rollout, guard, span)), ""
            return self._stage(rollout, guard, series, known)
        except (Unavailable, Refused) as error:
            return known, f"not measured: {error}"

    def _stage(
        self, rollout: Rollout, guard: Guard, series: Series, known: Minutes
    ) -> tuple[Minutes, str]:
        """An absolute guard is asked about the whole of the stage so far."""
        since = floor(stage_begins(rollout), rollout.minute)
        if stage_begins(rollout) > since:
            since += rollout.minute
        if since >= series.until:
            return known, "no minute of the stage can be read yet"
        fresh = self._ask(rollout, guard, (since, series.until))
        if not any(rollout.canary in arms for arms in fresh.values()):
            return series.keep(known, fresh), f"it told nothing of {rollout.canary}"
        return series.keep(known, fresh), ""

    def _ask(self, rollout: Rollout, guard: Guard, span: tuple[datetime, datetime]) -> Minutes:
        assert self._guards is not None, guard
        question = Question(
            endpoint=rollout.endpoint,
            canary=rollout.canary,
            baseline=rollout.baseline,
            since=span[0],
            until=span[1],
            minute=rollout.minute,
            rollout_id=rollout.id,
            stage=str(rollout.here),
        )
        return self._guards.read(guard, question)

    def _quiet(self, rollout: Rollout, guard: Guard, found: Counted) -> str:
        """Counts that came to an end are no news any more."""
        last = heard(found, rollout.minute)
        lag = self._guards.lag(guard) if self._guards else timedelta(0)
        since = max(stage_begins(rollout), last) if last else stage_begins(rollout)
        quiet = self._clock.now() - since
        if not relative(guard) or quiet <= too_long(rollout, lag):
            return ""
        return f"not measured: nothing was counted for {quiet / rollout.minute:.0f} minutes"


def _counting(guards: tuple[Guard, ...]) -> list[Guard]:
    return [one for one in guards if one.custom and one.severity is not Severity.WATCH]


def untold(report: Report, asked: Asked) -> Report:
    """A guard that had nothing new to tell is not measured, unless it has failed before."""
    return Report(tuple(_without_news(found, asked) for found in report.findings))


def _without_news(found: Finding, asked: Asked) -> Finding:
    why = asked.untold.get(found.guard.title) if found.guard.custom else None
    if why is None or found.verdict is Verdict.FAIL:
        return found
    because = f"{found.guard.title}: {why}"
    return replace(found, verdict=Verdict.NOT_MEASURED, because=because)
