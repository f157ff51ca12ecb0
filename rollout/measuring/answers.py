"""Pairs of answers, from the one source that the rollout was given or is still to be given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from rollout.analysis.report import ANSWERS, Finding, Report, Verdict
from rollout.analysis.samples import Disagreement, Pairs
from rollout.analysis.samples import Samples as Counted
from rollout.core.agreement import Agreement, Compare, Status
from rollout.core.minutes import ceil, floor
from rollout.core.pairs_from import LEAST_JOINED, MISSING, WORDS, PairsFrom, PairsSeen, settled
from rollout.core.policy import Mirror, Policy
from rollout.core.rollout import Rollout
from rollout.errors import RolloutError
from rollout.measuring.joining import Join
from rollout.measuring.minutes import LATE_MINUTES, stage_begins
from rollout.measuring.prober import Prober, Probes, begins, is_time, source_of, wants_histograms
from rollout.pair_ports import ServedAnswers, ServedRead
from rollout.ports import Clock, Minutes, Samples

Written = Mapping[PairsFrom, ServedAnswers]
"""What the platform writes and this installation can read."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Pairs of answers as far as they are known; `seen` where their source is to be chosen."""

    minutes: Minutes = field(default_factory=dict)
    trouble: str | None = None
    seen: PairsSeen | None = None

    def pairs(self, canary: str) -> tuple[Pairs, ...]:
        return Probes(self.minutes).pairs(canary)

    def kept(self, canary: str, most: int) -> tuple[Disagreement, ...]:
        return Probes(self.minutes).kept(canary, most)

    def last(self, rollout: Rollout) -> datetime | None:
        return Probes(self.minutes).last(rollout)


class Answers:
    """Reads what the platform wrote, or has the prober send; changes nothing but samples."""

    def __init__(self, prober: Prober, written: Written, samples: Samples, clock: Clock) -> None:
        self._prober = prober
        self._written = written
        self._samples = samples
        self._clock = clock

    @property
    def here(self) -> frozenset[PairsFrom]:
        """Where pairs may come from in this installation."""
        ours = {PairsFrom.PROBER} if self._prober.can_send else set[PairsFrom]()
        return frozenset({*self._written, *ours})

    def missing(self, policy: Policy) -> Iterator[str]:
        """Why a rollout under the policy could have no pairs, with the remedy."""
        agreement = policy.agreement
        if agreement is None:
            return
        if agreement.requests is not None:
            yield from self._prober.missing(agreement)
        why = MISSING.get(PairsFrom(agreement.source)) if agreement.source != "auto" else None
        if why and agreement.source not in self._written:
            yield f"agreement: source: {agreement.source}: {why}, or write source: auto"

    def source(self, rollout: Rollout) -> PairsFrom | None:
        first = rollout.baseline is None
        return rollout.pairs_from or settled(rollout.policy, first=first, here=self.here)

    def known(self, rollout: Rollout, probes: Probes) -> Paired:
        """What was found before; nobody is asked."""
        if self.source(rollout) is PairsFrom.PROBER:
            return Paired(probes.minutes, probes.trouble)
        return Paired(joined(self._samples, rollout, self._clock.now() + rollout.minute))

    def ask(self, rollout: Rollout, probes: Probes, *, unseen: bool) -> tuple[Probes, Paired]:
        """What is new; recorded requests are sent also where no source counts the copies."""
        source = self.source(rollout)
        if source is PairsFrom.PROBER or unseen:
            probes = self._prober.ask(rollout, probes)
        if source is PairsFrom.PROBER or rollout.policy.agreement is None:
            return probes, Paired(probes.minutes, probes.trouble)
        return probes, self._joined(rollout, rollout.policy.agreement, source)

    def _joined(self, rollout: Rollout, agreement: Agreement, source: PairsFrom | None) -> Paired:
        """With what the platform has written since; trouble is told, and never a pass."""
        known = self.known(rollout, Probes())
        wanted = source or PairsFrom(agreement.written_by)
        written = self._written.get(wanted)
        if written is None:
            return replace(known, trouble=f"not measured: {MISSING[wanted]}")
        if not is_time(rollout) or not _may_come(rollout):
            return replace(known, seen=_seen(rollout, wanted, {}, None) if not source else None)
        tail = _Tail(rollout, agreement, written, self._clock.now())
        try:
            minutes, counted = tail.read(known.minutes)
            trouble = None
        except RolloutError as no:
            minutes, counted, trouble = {}, {}, f"{WORDS[wanted]} cannot be read: {no}"
        if minutes:
            key = rollout.endpoint.key
            self._samples.save(key, tail.source, minutes)
        whole = {**known.minutes, **minutes}
        told = f"not measured: {trouble}" if trouble else None
        if source is not None:
            return Paired(whole, told)
        counted["joined"] = sum(one.compared for one in Probes(whole).pairs(rollout.canary))
        seen = _seen(rollout, wanted, counted, trouble, tail.until)
        waits = f"not measured yet: {counted['joined']} pairs of {LEAST_JOINED} in {WORDS[wanted]}"
        return Paired(whole, told or (None if seen.choice is wanted else waits), seen)


@dataclass(frozen=True, slots=True)
class _Tail:
    """What may be new of a rollout's joined pairs."""

    rollout: Rollout
    agreement: Agreement
    written: ServedAnswers
    now: datetime

    @property
    def source(self) -> str:
        return joined_source(self.rollout, self.agreement)

    @property
    def until(self) -> datetime:
        return floor(self.now - self.written.lag, self.rollout.minute)

    def read(self, known: Minutes) -> tuple[Minutes, dict[str, int]]:
        """The minutes read anew, and how much each deployment had; raises Unavailable, Refused."""
        rollout, minute = self.rollout, self.rollout.minute
        began = ceil(begins(rollout) or self.until, minute)
        since = max(began, max(known) - LATE_MINUTES * minute) if known else began
        if since >= self.until:
            return {}, {}
        mine = self._served(rollout.canary, since - minute, self.until + minute)
        theirs = self._served(rollout.baseline or "", since, self.until)
        whole_from = max(since, ceil(mine.since, minute), ceil(theirs.since, minute))
        join = Join(
            _in_records(self.agreement), minute, self.source, wants_histograms(rollout.policy)
        )
        found = join.minutes(rollout.canary, mine.served, theirs.served)
        fresh = {at: arms for at, arms in found.items() if whole_from <= at < self.until}
        return fresh, {"canary": len(mine.served), "baseline": len(theirs.served)}

    def _served(self, deployment: str, since: datetime, until: datetime) -> ServedRead:
        name = self.agreement.collection.name
        return self.written.read(self.rollout.endpoint, deployment, name, since, until)


def _may_come(rollout: Rollout) -> bool:
    """Only copies get a second answer; histograms do without."""
    return bool(rollout.observed.mirror) or wants_histograms(rollout.policy)


def _seen(
    rollout: Rollout,
    source: PairsFrom,
    counted: Mapping[str, int],
    trouble: str | None,
    until: datetime | None = None,
) -> PairsSeen:
    lasted = (until - stage_begins(rollout)) // rollout.minute if until else 0
    return PairsSeen(
        source=source,
        mirrors=isinstance(rollout.here, Mirror),
        minutes=max(0, lasted),
        trouble=trouble,
        **counted,
    )


def _in_records(agreement: Agreement) -> Agreement:
    """The same with the place of the answer in the platform's records."""
    how, path = agreement.compare.how, agreement.collection.path
    if path is None or isinstance(how, Status):
        return agreement
    (name,) = agreement.compare.model_fields_set
    there = Compare.model_validate({name: how.model_copy(update={"path": path})})
    return agreement.model_copy(update={"compare": there})


def joined_source(rollout: Rollout, agreement: Agreement) -> str:
    """Where joined pairs are kept; apart from those of the prober."""
    began = begins(rollout)
    assert began is not None, rollout.id
    where = agreement.collection.model_dump_json()
    return source_of(rollout, agreement, began, f"joined-{where}")


def joined(samples: Samples, rollout: Rollout, until: datetime) -> Minutes:
    """What was joined of a rollout by then."""
    agreement, began = rollout.policy.agreement, begins(rollout)
    if agreement is None or began is None:
        return {}
    first = floor(began, rollout.minute)
    return samples.read(rollout.endpoint.key, joined_source(rollout, agreement), first, until)


# -- in a report ---------------------------------------------------------------------------------


def with_pairs(counted: Counted, rollout: Rollout, paired: Paired) -> Counted:
    """The same with the pairs in it."""
    return Counted(counted.minutes, counted.history, pairs=paired.pairs(rollout.canary))


def unpaired(report: Report, paired: Paired) -> Report:
    """Where no more pairs come, their guards are not measured, unless one has failed before."""
    return Report(tuple(_without_news(found, paired.trouble) for found in report.findings))


def _without_news(found: Finding, trouble: str | None) -> Finding:
    if trouble is None or found.guard.metric not in ANSWERS or found.verdict is Verdict.FAIL:
        return found
    return replace(found, verdict=Verdict.NOT_MEASURED, because=trouble)
