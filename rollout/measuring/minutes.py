"""The minutes of one source: what was read before, what is new, and what they mean to a rollout."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollout.analysis.samples import Minute
from rollout.analysis.samples import Samples as Counted
from rollout.analysis.split import NOTHING
from rollout.core.minutes import ceil, floor
from rollout.core.rollout import Rollout
from rollout.errors import Refused, Unavailable
from rollout.ports import Minutes, Samples

log = logging.getLogger(__name__)

HISTORY_MINUTES = 120
KEPT = timedelta(days=30)
"""So long minutes are kept for `rollout replay`."""

LATE_MINUTES = 5
"""So far back minutes are read again, since some arrive late or are revised."""


@dataclass(frozen=True, slots=True)
class Series:
    """One source's minutes of an endpoint, readable up to `until`."""

    samples: Samples
    key: str
    source: str
    minute: timedelta
    started: datetime
    until: datetime

    @property
    def begins(self) -> datetime:
        return self.started - HISTORY_MINUTES * self.minute

    def known(self) -> Minutes:
        return self.samples.read(self.key, self.source, self.begins, self.until)

    def with_news(self, known: Minutes, ask: Callable[[datetime, datetime], Minutes]) -> Minutes:
        """Ask only for what is new or may have been revised; raises what `ask` raises."""
        late = LATE_MINUTES * self.minute
        wanted_from = max(self.begins, max(known) - late) if known else self.begins
        if wanted_from >= self.until:
            return known
        return self.keep(known, ask(wanted_from, self.until))

    def keep(self, known: Minutes, fresh: Minutes) -> Minutes:
        """All minutes; what cannot be kept counts all the same, and is read again next time."""
        try:
            if not known:
                self.samples.forget(self.key, self.begins - KEPT)
            self.samples.save(self.key, self.source, fresh)
        except (Unavailable, Refused) as full:
            log.warning("minutes of %s are not kept: %s", self.key, full)
        return {**known, **fresh}


def counted(rollout: Rollout, read: Minutes, until: datetime) -> Counted:
    """The minutes of the trial, and the baseline's before it."""
    first = rollout.shares[0].since
    since = max(first, rollout.evidence_since or first)
    return Counted(
        minutes=_trial(rollout, read, ceil(since, rollout.minute), until),
        history=_history(rollout, read),
    )


def stage_begins(rollout: Rollout) -> datetime:
    return rollout.share_since or rollout.shares[-1].since


def heard(counted: Counted, minute: timedelta) -> datetime | None:
    """The end of the last minute with a point."""
    with_points = (one.at for one in reversed(counted.minutes) if one.canary or one.baseline)
    last = next(with_points, None)
    return last + minute if last else None


def _trial(rollout: Rollout, read: Minutes, since: datetime, until: datetime) -> tuple[Minute, ...]:
    """The minutes of the trial; one with no point in either arm is a gap."""
    latest_first = [(one.since, one.percent) for one in reversed(rollout.shares)]
    minutes = []
    at, end = since, since + rollout.minute
    while end <= until:
        share = next(percent for begins, percent in latest_first if begins <= at)
        arms = read.get(at, {})
        canary, baseline = arms.get(rollout.canary), arms.get(rollout.baseline or "")
        if canary is None and baseline is None:
            minutes.append(Minute(at, share, None, None))
        else:
            minutes.append(Minute(at, share, canary or NOTHING, baseline or NOTHING))
        at, end = end, end + rollout.minute
    return tuple(minutes)


def _history(rollout: Rollout, read: Minutes) -> tuple[Minute, ...]:
    """The baseline's minutes before the rollout."""
    started, baseline = floor(rollout.started_at, rollout.minute), rollout.baseline
    if baseline is None:
        return ()
    before = [at for at in sorted(read) if at < started]
    return tuple([Minute(at, 0, None, read[at].get(baseline)) for at in before])
