"""The prober: recorded requests, sent to both deployments by header, and what they answered."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rollout.analysis.report import ANSWERS, Finding, Report, Verdict
from rollout.analysis.samples import Counts, Disagreement, Pairs, Probed
from rollout.analysis.samples import Samples as Counted
from rollout.analysis.slowness import BIN, FIRST_BIN_MS
from rollout.core.agreement import Agreement, RecordedRequest, parse_requests
from rollout.core.comparison import Pair, Unreadable, compare
from rollout.core.policy import Kind, Policy
from rollout.core.rollout import HoldCause, Phase, Rollout
from rollout.errors import Malformed, PolicyError, Refused, RolloutError, Unavailable, Unknown
from rollout.measuring.minutes import floor
from rollout.ports import Answer, Clock, Minutes, PolicyFiles, Samples, Scoring

PATIENCE = timedelta(seconds=20)
"""So long one look sends requests of ours, or half a policy minute where that is shorter."""
SHOWN_MAX = 300
"""So many letters of an answer are kept for a person."""

_OK = 200
_BUSY = frozenset({408, 429, 503, 504})
_WAITS = frozenset({HoldCause.INCONCLUSIVE, HoldCause.NOT_MEASURED})
_TRIALS = frozenset({Kind.MIRROR, Kind.CANARY})


@dataclass(frozen=True, slots=True)
class Probes:
    """All that the prober has found of a rollout, oldest first."""

    minutes: Minutes = field(default_factory=dict)
    trouble: str | None = None

    def pairs(self, canary: str) -> tuple[Pairs, ...]:
        return tuple(one.pairs for one in self._probed(canary))

    def sent(self, canary: str) -> int:
        return sum(one.sent for one in self._probed(canary))

    def last(self, rollout: Rollout) -> datetime | None:
        """The end of the last minute with an answer."""
        ends = [at + rollout.minute for at, arms in self.minutes.items() if rollout.canary in arms]
        return max(ends, default=None)

    def kept(self, canary: str, most: int) -> tuple[Disagreement, ...]:
        """A sample of all disagreements: always the same, in whatever order they came."""
        return _sampled([one for each in self._probed(canary) for one in each.kept], most)

    def _probed(self, canary: str) -> list[Probed]:
        arms = (self.minutes[at].get(canary) for at in sorted(self.minutes))
        return [counts.probed for counts in arms if counts and counts.probed]


class Prober:
    """Asks both deployments what was recorded: each request once, no faster than the policy says.

    The requests are numbered. Number n belongs to the minute n / per_minute after the trial began,
    whenever it is really sent, and a minute is always kept whole: so a look that was cut short is
    gone on with, and two workers that send the same requests count them once.
    """

    def __init__(
        self, scoring: Scoring | None, files: PolicyFiles, samples: Samples, clock: Clock
    ) -> None:
        self._scoring = scoring
        self._files = files
        self._samples = samples
        self._clock = clock

    def missing(self, policy: Policy) -> Iterator[str]:
        """Why a rollout under the policy could not be probed, with the remedy."""
        if policy.agreement is None:
            return
        if self._scoring is None:
            yield "agreement: recorded requests cannot be sent to the deployments from here"
        try:
            self._requests(policy.agreement)
        except RolloutError as no:
            yield f"agreement: {no}"

    def known(self, rollout: Rollout) -> Probes:
        """What was found so far; nothing is sent."""
        return probed(self._samples, rollout, self._clock.now() + rollout.minute)

    def ask(self, rollout: Rollout, known: Probes) -> Probes:
        """Send what is due, as long as the patience lasts, and keep what came of it."""
        agreement, began = rollout.policy.agreement, begins(rollout)
        if agreement is None or began is None or not _is_time(rollout):
            return known
        try:
            requests, of = self._requests(agreement)
        except RolloutError as no:
            return Probes(known.minutes, f"not measured: {no}")
        round_ = _Round(rollout, agreement, began, of)
        minutes = round_.same_file(known.minutes)
        sent = Probes(minutes).sent(rollout.canary)
        due = min(len(requests), round_.due(self._clock.now()))
        fresh, trouble = self._send(round_, minutes, requests[sent:due], sent)
        if fresh:
            source = source_of(rollout, agreement, began)
            self._samples.save(rollout.endpoint.key, source, fresh)
        return Probes({**minutes, **fresh}, trouble)

    def _requests(self, agreement: Agreement) -> tuple[Sequence[RecordedRequest], str]:
        """The recorded requests and a mark of the file, by which another is known."""
        path = agreement.requests
        try:
            content = self._files.attachment(path)
        except (Unknown, Malformed) as no:
            raise PolicyError(str(no)) from no
        return parse_requests(content, path), hashlib.sha256(content).hexdigest()[:12]

    def _send(
        self, round_: "_Round", minutes: Minutes, requests: Sequence[RecordedRequest], number: int
    ) -> tuple[Minutes, str | None]:
        """One after the other; what stays silent is left out, and ends this look's sending."""
        begun, fresh = self._clock.now(), dict[datetime, Mapping[str, Counts]]()
        patience = min(PATIENCE, round_.rollout.minute / 2)
        for place, request in enumerate(requests, number):
            if self._clock.now() - begun > patience:
                break
            at = round_.minute_of(place)
            try:
                answers = self._answers(round_.rollout, request)
            except Refused as no:  # not the request's fault: it is asked again
                return fresh, f"not measured: {no}"
            before = fresh.get(at) or minutes.get(at) or {}
            fresh[at] = round_.counted(before, at, request, answers)
            if None in answers:
                break
        return fresh, None

    def _answers(
        self, rollout: Rollout, request: RecordedRequest
    ) -> tuple[Answer | None, Answer | None]:
        """Of the canary and the baseline; None: it is busy or out of reach. Raises Refused."""
        assert rollout.baseline is not None, rollout
        baseline = self._answer(rollout, rollout.baseline, request.content)
        if baseline is None:
            return None, None
        return self._answer(rollout, rollout.canary, request.content), baseline

    def _answer(self, rollout: Rollout, deployment: str, content: bytes) -> Answer | None:
        assert self._scoring is not None, rollout.id
        try:
            answer = self._scoring.score(rollout.endpoint, deployment, content)
        except Unavailable:
            return None
        return None if answer.status in _BUSY else answer


@dataclass(frozen=True, slots=True)
class _Round:
    """The numbering of one rollout's requests, and what is made of their answers."""

    rollout: Rollout
    agreement: Agreement
    began: datetime
    of: str

    def due(self, now: datetime) -> int:
        """So many may have been sent by now."""
        return int((now - self.began) / self.rollout.minute * self.agreement.per_minute)

    def minute_of(self, number: int) -> datetime:
        first = floor(self.began, self.rollout.minute)
        return first + number // self.agreement.per_minute * self.rollout.minute

    def same_file(self, minutes: Minutes) -> Minutes:
        """What another file's requests showed is evidence of something else."""
        canary = self.rollout.canary
        return {
            at: arms
            for at, arms in minutes.items()
            if (mine := arms.get(canary)) and mine.probed and mine.probed.of == self.of
        }

    def counted(
        self,
        before: Mapping[str, Counts],
        at: datetime,
        request: RecordedRequest,
        answers: tuple[Answer | None, Answer | None],
    ) -> Mapping[str, Counts]:
        """The minute with one more request in it."""
        canary, baseline = self.rollout.canary, self.rollout.baseline or ""
        mine = before.get(canary, Counts())
        probed = mine.probed or Probed(Pairs(at), of=self.of)
        probed = self._compared(probed, request, *answers)
        return {
            canary: _with(mine, answers[0], probed),
            baseline: _with(before.get(baseline, Counts()), answers[1], None),
        }

    def _compared(
        self,
        probed: Probed,
        request: RecordedRequest,
        canary: Answer | None,
        baseline: Answer | None,
    ) -> Probed:
        """What has no answer of a sound baseline to be compared with is left out."""
        if canary is None or baseline is None or baseline.status != _OK:
            return probed.without_one()
        try:
            pair = _pair(self.agreement, canary, baseline)
        except Unreadable:
            return probed.without_one()
        kept = probed.kept
        if pair.differs and self.agreement.keep:
            shown = _shown if self.agreement.keep_answers else _hashed
            one = Disagreement(request.id or "", shown(pair.canary), shown(pair.baseline))
            kept = _sampled([*kept, one], self.agreement.keep)
        turned = (pair.up, pair.down)
        return probed.with_one(pair.difference, turned, kept, differs=pair.differs)


def _pair(agreement: Agreement, canary: Answer, baseline: Answer) -> Pair:
    """An answer with another status is another answer."""
    if canary.status == _OK:
        return compare(agreement.compare.how, canary.body, baseline.body)
    theirs = compare(agreement.compare.how, baseline.body, baseline.body)
    return Pair(f"(status {canary.status})", theirs.baseline, differs=True)


def begins(rollout: Rollout) -> datetime | None:
    """When the trial began, or began anew; None: not yet, or there is nothing to compare with."""
    if rollout.baseline is None or not rollout.shares:
        return None
    return max(rollout.shares[0].since, rollout.evidence_since or rollout.shares[0].since)


def source_of(rollout: Rollout, agreement: Agreement, began: datetime) -> str:
    """Where a rollout's probes are kept; what was changed in place is another source."""
    prints = sorted(rollout.fingerprints.items())
    named = f"{rollout.id}\n{prints}\n{agreement.model_dump_json()}\n{began.isoformat()}"
    return f"pairs-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


def probed(samples: Samples, rollout: Rollout, until: datetime) -> Probes:
    """What was found of a rollout by then."""
    agreement, began = rollout.policy.agreement, begins(rollout)
    if agreement is None or began is None:
        return Probes()
    source, first = source_of(rollout, agreement, began), floor(began, rollout.minute)
    return Probes(samples.read(rollout.endpoint.key, source, first, until))


def _is_time(rollout: Rollout) -> bool:
    """While a stage is measured, or waits for evidence; never where a person or the way out is."""
    waits = rollout.hold is not None and rollout.hold.cause in _WAITS
    measured = rollout.phase is Phase.MEASURING or (rollout.phase is Phase.HOLDING and waits)
    return measured and rollout.here.kind in _TRIALS


# -- small print ---------------------------------------------------------------------------------


def with_probes(counted: Counted, rollout: Rollout, probes: Probes) -> Counted:
    """The same with the pairs in it."""
    return Counted(counted.minutes, counted.history, pairs=probes.pairs(rollout.canary))


def unprobed(report: Report, probes: Probes) -> Report:
    """Where the prober cannot go on, its guards are not measured, unless one has failed before."""
    return Report(tuple(_without_news(found, probes.trouble) for found in report.findings))


def _without_news(found: Finding, trouble: str | None) -> Finding:
    if trouble is None or found.guard.metric not in ANSWERS or found.verdict is Verdict.FAIL:
        return found
    return replace(found, verdict=Verdict.NOT_MEASURED, because=trouble)


def _with(counts: Counts, answer: Answer | None, probed: Probed | None) -> Counts:
    statuses, bins = Counter(counts.statuses), Counter(counts.bins or {})
    if answer is not None:
        statuses[answer.status] += 1
        bins[_bin(answer.took)] += 1
    return Counts(dict(statuses), bins=dict(bins), probed=probed)


def _bin(took: timedelta) -> int:
    ms = took / timedelta(milliseconds=1)
    return max(0, int(math.log(max(ms, FIRST_BIN_MS) / FIRST_BIN_MS) / math.log(BIN)))


def _sampled(found: Sequence[Disagreement], most: int) -> tuple[Disagreement, ...]:
    """Those whose names have the smallest hashes: chance without dice, however they are grouped."""
    once = {one.request: one for one in found}
    chosen = sorted(once, key=lambda name: hashlib.sha256(name.encode()).digest())[:most]
    return tuple(once[name] for name in chosen)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}… ({len(text)} letters)"


def _hashed(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
