"""What one look reads: the endpoint, the minutes since the last look, and the judge's report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rollout.analysis.capacity import Load
from rollout.analysis.judge import Terms, at_full_share, judge
from rollout.analysis.report import Finding, Report, Verdict
from rollout.analysis.samples import Counts, Latency, Minute
from rollout.analysis.samples import Samples as Counted
from rollout.core.endpoint import EndpointId, EndpointView, WorkspaceId
from rollout.core.events import Looked, RetryRequested, StartRequested
from rollout.core.head import Head
from rollout.core.policy import Bake, Canary, Kind, Mirror, Policy
from rollout.core.policy_text import choose_policy, parse_policy
from rollout.core.rollout import Order, Phase, Rollout
from rollout.errors import (
    Malformed,
    PolicyError,
    Refused,
    RolloutError,
    Unavailable,
    Unknown,
)
from rollout.ports import Clock, Endpoints, Metrics, Minutes, PolicyFiles, Samples

HISTORY_MINUTES = 120
LOAD_MINUTES = 5
KEPT = timedelta(days=30)
"""So long minutes are kept for `rollout replay`."""

MEASURED = frozenset({Phase.SHIFTING, Phase.MEASURING, Phase.HOLDING, Phase.APPROVING})
"""The phases that a judge's report means something to; a way back needs none."""

LATE_MINUTES = 5
"""So far back minutes are read again, since some arrive late or are revised."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a look reads from."""

    endpoints: Endpoints
    metrics: Metrics
    samples: Samples
    policies: PolicyFiles
    clock: Clock


class Looks:
    """Reads what a decision needs; changes nothing but the samples it has read."""

    def __init__(
        self, sources: Sources, workspaces: Sequence[WorkspaceId], installation: str
    ) -> None:
        self._from = sources
        self._workspaces = workspaces
        self._installation = installation

    # -- names -------------------------------------------------------------------------------

    def resolve(self, name: str) -> EndpointId:
        """Read `churn`, `workspace/churn` or an ARM id; an ambiguous name lists its candidates."""
        found = self.candidates(name)
        if len(found) > 1:
            found = [one for one in found if self._may_exist(one)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(one.workspace for one in self._workspaces)
        if not found:
            raise Unknown(f"no endpoint {name!r} in the workspaces of this controller: {known}")
        candidates = ", ".join(str(one) for one in found)
        raise Malformed(f"{name!r} may mean {candidates}: write the workspace before it")

    def candidates(self, name: str) -> Sequence[EndpointId]:
        """Every endpoint that a name may mean; nobody is asked."""
        if name.startswith("/"):
            return [self._known(EndpointId.parse(name))]
        workspace, _, endpoint = name.rpartition("/")
        return [
            one.endpoint(endpoint)
            for one in self._workspaces
            if not workspace or one.workspace == workspace.lower()
        ]

    def _known(self, endpoint: EndpointId) -> EndpointId:
        if endpoint.in_workspace not in self._workspaces:
            known = ", ".join(one.workspace for one in self._workspaces)
            raise Unknown(f"{endpoint} is in no workspace of this controller: {known}")
        return endpoint

    def _may_exist(self, endpoint: EndpointId) -> bool:
        try:
            self._from.endpoints.read(endpoint)
        except Unknown:
            return False
        except (Unavailable, Refused):
            return True
        return True

    # -- beginnings ----------------------------------------------------------------------------

    def start(self, order: Order, event_id: str) -> StartRequested:
        """All that is needed to answer an order: its policy, and the endpoint as it is now."""
        name, policy = self._policy(order)
        return StartRequested(
            id=event_id,
            order=order,
            policy=policy,
            policy_name=name,
            view=self._from.endpoints.read(order.endpoint),
            owner=self._installation,
            minute=self._from.clock.minute,
        )

    def retry(self, order: Order, event_id: str) -> RetryRequested:
        """The same for an order that is given again."""
        started = self.start(order, event_id)
        return RetryRequested(**started.model_dump(by_alias=True, exclude={"type"}))

    def _policy(self, order: Order) -> tuple[str, Policy]:
        """The policy that is named, or the most specific one that matches; a broken one is told."""
        if order.policy is not None:
            file = self._from.policies.read(order.policy)
            return file.name, parse_policy(file.text, file.name)
        whole, broken = dict[str, Policy](), list[str]()
        for file in self._from.policies.list():
            try:
                whole[file.name] = parse_policy(file.text, file.name)
            except PolicyError as error:
                broken.append(f"{file.name} is broken and left out: {error}")
        try:
            name = choose_policy(whole, order.endpoint)
        except PolicyError as none:
            raise PolicyError("\n".join([str(none), *broken])) from none
        return name, whole[name]

    # -- looks ---------------------------------------------------------------------------------

    def look(self, head: Head, event_id: str) -> Looked:
        """Read the endpoint and, once a share was seen, its minutes; raises Unavailable."""
        rollout = head.rollout
        assert rollout is not None, head
        view = self._from.endpoints.read(head.endpoint)
        looked = Looked(
            id=event_id,
            view=view,
            lag=self._from.metrics.lag,
            operation_failed=self._operation_failure(rollout),
        )
        if rollout.phase not in MEASURED or not rollout.shares:
            return looked
        try:
            return self._measured(rollout, view, looked)
        except RolloutError as no:  # without numbers: silence and the deadline still decide
            return looked.model_copy(update={"trouble": f"no metrics: {no}"})

    def _operation_failure(self, rollout: Rollout) -> str | None:
        if rollout.operation is None:
            return None
        try:
            return self._from.endpoints.operation(rollout.operation).failure
        except (Unavailable, Unknown, Refused):  # news only: what counts is the map that is seen
            return None

    def _measured(self, rollout: Rollout, view: EndpointView, looked: Looked) -> Looked:
        minute = rollout.minute
        until = _floor(self._from.clock.now() - self._from.metrics.lag, minute)
        first = rollout.shares[0].since
        since = max(first, rollout.evidence_since or first)
        read = self._minutes(rollout, _floor(rollout.started_at, minute), until)
        counted = Counted(
            minutes=_trial(rollout, read, _ceil(since, minute), until),
            history=_history(rollout, read, minute),
        )
        heard = [one.at + minute for one in counted.minutes if one.canary or one.baseline]
        return looked.model_copy(
            update={
                "report": _judged(rollout, counted, managed=view.managed),
                "load": _load(rollout, read),
                "readable_until": until,
                "heard_until": max(heard, default=None),
            }
        )

    def _minutes(self, rollout: Rollout, started: datetime, until: datetime) -> Minutes:
        """Everything readable so far; only what is new or may have been revised is asked for."""
        key, source = rollout.endpoint.key, self._from.metrics.source
        before = started - HISTORY_MINUTES * rollout.minute
        known = self._from.samples.read(key, source, before, until)
        late = LATE_MINUTES * rollout.minute
        wanted_from = max(before, max(known) - late) if known else before
        if wanted_from >= until:
            return known
        try:
            fresh = self._from.metrics.read(rollout.endpoint, wanted_from, until)
        except Unavailable:  # a gap for now; silence is the machine's business
            return known
        if not known:
            self._from.samples.forget(key, before - KEPT)
        self._from.samples.save(key, source, fresh)
        return {**known, **fresh}


def _trial(rollout: Rollout, read: Minutes, since: datetime, until: datetime) -> tuple[Minute, ...]:
    """The minutes of the trial; one with no point in either arm is a gap."""
    minutes = []
    at = since
    while at + rollout.minute <= until:
        minutes.append(_minute(rollout, read, at))
        at += rollout.minute
    return tuple(minutes)


def _minute(rollout: Rollout, read: Minutes, at: datetime) -> Minute:
    share = [one.percent for one in rollout.shares if one.since <= at][-1]
    arms = read.get(at, {})
    canary = arms.get(rollout.canary)
    baseline = arms.get(rollout.baseline) if rollout.baseline else None
    if canary is None and baseline is None:
        return Minute(at, share, None, None)
    return Minute(at, share, canary or Counts(), baseline or Counts())


def _history(rollout: Rollout, read: Minutes, minute: timedelta) -> tuple[Minute, ...]:
    """The baseline's minutes before the rollout."""
    started = _floor(rollout.started_at, minute)
    baseline = rollout.baseline
    return tuple(
        Minute(at, 0, None, read[at].get(baseline))
        for at in sorted(read)
        if baseline and at < started
    )


def _judged(rollout: Rollout, counted: Counted, *, managed: bool) -> Report:
    """A guard fails on all the evidence; it passes only with the present stage's own minutes."""
    stage_since = rollout.share_since or rollout.shares[-1].since
    guards = rollout.policy.guards
    if rollout.here.kind is Kind.BAKE or rollout.baseline is None:
        guards = at_full_share(guards, counted)
    terms = _terms(rollout, managed=managed)
    overall = judge(counted, guards, terms)
    own = tuple(one for one in counted.minutes if one.at >= stage_since)
    here = judge(Counted(own, counted.history), guards, terms)
    pairs = zip(overall.findings, here.findings, strict=True)
    return Report(tuple(_graver(both) for both in pairs))


def _terms(rollout: Rollout, *, managed: bool) -> Terms:
    policy = rollout.policy
    terms = Terms(
        planned_minutes=planned_minutes(rollout), kubernetes=not managed, strict=policy.strict
    )
    return replace(terms, errors=policy.errors) if policy.errors else terms


def _load(rollout: Rollout, read: Minutes) -> Load | None:
    """What the endpoint's users ask for, and how long an answer takes; copies do not count."""
    latest = [read[at] for at in sorted(read)[-LOAD_MINUTES:]]
    live = [
        counts
        for arms in latest
        for name, counts in arms.items()
        if name not in rollout.observed.mirror
    ]
    took = [_typical(counts.latency) for counts in live if counts.latency]
    known = [ms for ms in took if ms is not None]
    if not known:
        return None
    seconds = len(latest) * rollout.minute.total_seconds()
    return Load(sum(one.requests for one in live) / seconds, sum(known) / len(known) / 1000)


def _typical(latency: Latency) -> float | None:
    """Between the median and the 90th percentile: a mean, where only percentiles are known."""
    known = [ms for ms in (latency.p50, latency.p90) if ms is not None]
    return sum(known) / len(known) if known else None


def _graver(both: tuple[Finding, Finding]) -> Finding:
    overall, here = both
    return overall if overall.verdict is Verdict.FAIL else here


def planned_minutes(rollout: Rollout) -> int:
    """How long the rollout lasts when all goes well, or has lasted already."""
    trials = [stage for stage in rollout.stages if isinstance(stage, Mirror | Canary | Bake)]
    return sum(stage.shortest_minutes for stage in trials)


def _floor(at: datetime, minute: timedelta) -> datetime:
    """The start of the minute; minutes of any length begin at whole multiples since the epoch."""
    return at - (at - _EPOCH) % minute


def _ceil(at: datetime, minute: timedelta) -> datetime:
    return _floor(at + minute - timedelta(microseconds=1), minute)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
