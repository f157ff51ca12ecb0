"""The prober: recorded requests, sent to both deployments by header, and what they answered."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rollout.analysis.report import Metric
from rollout.analysis.samples import Counts, Disagreement, Pairs, Probed
from rollout.analysis.slowness import BIN, FIRST_BIN_MS
from rollout.core.agreement import Agreement, RecordedRequest, Status, parse_files
from rollout.core.comparison import score
from rollout.core.minutes import floor
from rollout.core.policy import Kind, Policy
from rollout.core.rollout import HoldCause, Phase, Rollout
from rollout.errors import Malformed, PolicyError, Refused, RolloutError, Unavailable, Unknown
from rollout.measuring.joining import rounded
from rollout.measuring.pairing import OK, sampled, with_pair
from rollout.ports import Answer, Clock, Minutes, PolicyFiles, Samples, Scoring

PATIENCE = timedelta(seconds=20)
"""So long one look sends requests of ours, or half a policy minute where that is shorter."""

PAIRS = "pairs-"
"""How the names of sources of pairs begin."""
NOT_RECORDED = "not measured: pairs: not recorded"
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
        return sampled([one for each in self._probed(canary) for one in each.kept], most)

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

    @property
    def can_send(self) -> bool:
        return self._scoring is not None

    def missing(self, agreement: Agreement) -> Iterator[str]:
        """Why recorded requests could not be sent, with the remedy."""
        if self._scoring is None:
            yield "agreement: recorded requests cannot be sent to the deployments from here"
        try:
            self._requests(agreement)
        except RolloutError as no:
            yield f"agreement: {no}"

    def known(self, rollout: Rollout) -> Probes:
        """What was found so far; nothing is sent."""
        return probed(self._samples, rollout, self._clock.now() + rollout.minute)

    def ask(self, rollout: Rollout, known: Probes) -> Probes:
        """Send what is due, as long as the patience lasts, and keep what came of it."""
        agreement, began = rollout.policy.agreement, begins(rollout)
        if agreement is None or agreement.requests is None or began is None:
            return known
        if self._scoring is None:  # as in a replay: there is what there is
            return known if known.minutes else replace(known, trouble=NOT_RECORDED)
        if not is_time(rollout):
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
        return recorded(self._files, agreement.requests or "")

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


def recorded(files: PolicyFiles, path: str) -> tuple[Sequence[RecordedRequest], str]:
    """The requests of a file, or of a folder's files, and a mark of them; raises PolicyError."""
    try:
        paths = files.attached(path) if path.endswith("/") else [path]
        found = [(one, files.attachment(one)) for one in paths]
    except (Unknown, Malformed) as no:
        raise PolicyError(str(no)) from no
    mark = hashlib.sha256(b"".join(content for _, content in found))
    return parse_files(found), mark.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _Round:
    """The numbering of one rollout's requests, and what is made of their answers."""

    rollout: Rollout
    agreement: Agreement
    began: datetime
    of: str

    def due(self, now: datetime) -> int:
        """So many may have been sent by now."""
        since = max(self.began, self.rollout.pairs_since or self.began)
        return int((now - since) / self.rollout.minute * self.agreement.per_minute)

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
        probed = with_pair(probed, self.agreement, request.id or "", *answers)
        if wants_histograms(self.rollout.policy):
            probed = replace(probed, pairs=self._scored(probed.pairs, *answers))
        return {
            canary: _with(mine, answers[0], probed),
            baseline: _with(before.get(baseline, Counts()), answers[1], None),
        }

    def _scored(self, pairs: Pairs, canary: Answer | None, baseline: Answer | None) -> Pairs:
        """With the scores of both; the histograms need no pairs."""
        return replace(
            pairs,
            canary_scores=self._with_score(pairs.canary_scores, canary),
            baseline_scores=self._with_score(pairs.baseline_scores, baseline),
        )

    def _with_score(self, bins: Mapping[float, int], answer: Answer | None) -> Mapping[float, int]:
        how = self.agreement.compare.how
        if answer is None or answer.status != OK or isinstance(how, Status):
            return bins
        value = score(how, answer.body)
        return bins if value is None else Counter(bins) + Counter([rounded(value)])


def wants_histograms(policy: Policy) -> bool:
    return any(guard.metric is Metric.SCORE_HISTOGRAM for guard in policy.guards)


def begins(rollout: Rollout) -> datetime | None:
    """When the trial began, or began anew; None: not yet, or there is nothing to compare with."""
    if rollout.baseline is None or not rollout.shares:
        return None
    return max(rollout.shares[0].since, rollout.evidence_since or rollout.shares[0].since)


def source_of(rollout: Rollout, agreement: Agreement, began: datetime, apart: str = "") -> str:
    """Where a rollout's pairs are kept; what was changed in place is another source."""
    prints = sorted(rollout.fingerprints.items())
    named = f"{rollout.id}\n{prints}\n{_asked(agreement)}\n{began.isoformat()}{apart}"
    return f"{PAIRS}{hashlib.sha256(named.encode()).hexdigest()[:12]}"


def _asked(agreement: Agreement) -> str:
    """What makes pairs other pairs; where else they might have come from does not."""
    return agreement.model_dump_json(exclude={"source", "collection"})


def probed(samples: Samples, rollout: Rollout, until: datetime) -> Probes:
    """What was found of a rollout by then."""
    agreement, began = rollout.policy.agreement, begins(rollout)
    if agreement is None or began is None:
        return Probes()
    source, first = source_of(rollout, agreement, began), floor(began, rollout.minute)
    return Probes(samples.read(rollout.endpoint.key, source, first, until))


def is_time(rollout: Rollout) -> bool:
    """While a stage is measured, or waits for evidence; never where a person or the way out is."""
    waits = rollout.hold is not None and rollout.hold.cause in _WAITS
    measured = rollout.phase is Phase.MEASURING or (rollout.phase is Phase.HOLDING and waits)
    return measured and rollout.here.kind in _TRIALS


# -- small print ---------------------------------------------------------------------------------


def _with(counts: Counts, answer: Answer | None, probed: Probed | None) -> Counts:
    statuses, bins = Counter(counts.statuses), Counter(counts.bins or {})
    if answer is not None:
        statuses[answer.status] += 1
        bins[_bin(answer.took)] += 1
    return Counts(dict(statuses), bins=dict(bins), probed=probed)


def _bin(took: timedelta) -> int:
    ms = took / timedelta(milliseconds=1)
    return max(0, int(math.log(max(ms, FIRST_BIN_MS) / FIRST_BIN_MS) / math.log(BIN)))
