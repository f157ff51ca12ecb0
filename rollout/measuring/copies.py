"""A mirror stage by the source that counts its copies; where none does, it is not measured."""

from collections.abc import Mapping
from dataclasses import replace

from rollout.analysis.report import ANSWERS, Finding, Report, Verdict
from rollout.analysis.samples import Counts, Minute
from rollout.analysis.samples import Samples as Counted
from rollout.core.copies import CopiesSeen
from rollout.core.minutes import floor
from rollout.core.policy import Mirror
from rollout.core.rollout import Rollout
from rollout.core.source import Source
from rollout.measuring.minutes import stage_begins
from rollout.measuring.prober import Probes

UNSEEN = (
    "not measured: mirrored requests do not appear in {source} here, and nothing else counts them;"
    " give the policy agreement with recorded requests, or begin with a small canary weight"
)


def copies_seen(
    rollout: Rollout, source: Source, found: Counted, probes: Probes
) -> tuple[CopiesSeen, ...]:
    """What that source should have counted in this mirror stage, and has; our own left out."""
    stage, begins = rollout.here, stage_begins(rollout)
    if not isinstance(stage, Mirror) or source is Source.GUARDS:
        return ()
    minutes = [one for one in found.minutes if one.at >= begins]
    if not minutes:
        return ()
    until = minutes[-1].at
    first = floor(begins, rollout.minute)  # where the first of ours is numbered
    ours = [arms for at, arms in probes.minutes.items() if first <= at <= until]
    asked = [
        sum(one.requests for one in arm) - sum(_of(arms, name) for arms in ours)
        for name, arm in (
            (rollout.canary, [one.canary for one in minutes if one.canary]),
            (rollout.baseline or "", [one.baseline for one in minutes if one.baseline]),
        )
    ]
    counted, users = (max(0, number) for number in asked)
    expected = users * stage.percent // 100
    return (CopiesSeen(source=source, expected=expected, counted=counted),)


def _of(arms: Mapping[str, Counts], name: str) -> int:
    return arms[name].requests if name in arms else 0


def by_probes(rollout: Rollout, probes: Probes) -> Counted:
    """The prober's own requests as the stage's minutes: as many to the one as to the other."""
    begins = stage_begins(rollout)
    minutes = tuple(
        Minute(
            max(at, begins),
            rollout.shares[-1].percent,
            _plain(probes.minutes[at].get(rollout.canary)),
            _plain(probes.minutes[at].get(rollout.baseline or "")),
        )
        for at in sorted(probes.minutes)
        if at + rollout.minute > begins
    )
    return Counted(minutes)


def _plain(counts: Counts | None) -> Counts:
    return replace(counts, probed=None) if counts else Counts()


def told_by(report: Report, words: str) -> Report:
    """Each finding on users' requests says what it rests on."""
    return Report(
        tuple(
            one if _apart(one) else replace(one, because=f"{one.because} (by {words})")
            for one in report.findings
        )
    )


def unmeasured(report: Report, source: Source) -> Report:
    """Findings on copies that nobody counts; what failed before stays failed."""
    because = UNSEEN.format(source=source)
    return Report(
        tuple(
            one
            if _apart(one) or one.verdict is Verdict.FAIL
            else replace(one, verdict=Verdict.NOT_MEASURED, because=because)
            for one in report.findings
        )
    )


def _apart(finding: Finding) -> bool:
    """Guards that bring their own numbers."""
    return finding.guard.custom or finding.guard.metric in ANSWERS
