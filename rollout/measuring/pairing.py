"""Two answers to one request: whether they are the same, and what is kept of it for people."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from rollout.analysis.samples import Disagreement, Probed
from rollout.core.agreement import Agreement, Status
from rollout.core.comparison import Pair, Unreadable, Went, compare, compare_how
from rollout.ports import Answer

SHOWN_MAX = 300
"""So many letters of an answer are kept for a person."""

OK = 200
_MS = timedelta(milliseconds=1)


def with_pair(
    probed: Probed, agreement: Agreement, name: str, canary: Answer | None, baseline: Answer | None
) -> Probed:
    """With one request more; one without a sound answer to compare with is only counted."""
    if canary is None or baseline is None or baseline.status != OK:
        return probed.without_one()
    try:
        pair = _pair(agreement, canary, baseline)
    except Unreadable:
        return probed.without_one()
    kept = probed.kept
    if pair.differs and agreement.keep:
        shown = _shown if agreement.keep_answers else _hashed
        one = Disagreement(name, shown(pair.canary), shown(pair.baseline))
        kept = sampled([*kept, one], agreement.keep)
    turned = (pair.up, pair.down)
    return probed.with_one(pair.difference, turned, kept, differs=pair.differs)


def _pair(agreement: Agreement, canary: Answer, baseline: Answer) -> Pair:
    """An answer with another status is another answer."""
    how = agreement.compare.how
    if isinstance(how, Status):
        return compare_how(how, _went(canary), _went(baseline))
    if canary.status == OK:
        return compare(how, canary.body, baseline.body)
    theirs = compare(how, baseline.body, baseline.body)
    return Pair(f"(status {canary.status})", theirs.baseline, differs=True)


def _went(answer: Answer) -> Went:
    return Went(answer.status, answer.took / _MS)


def sampled(found: Sequence[Disagreement], most: int) -> tuple[Disagreement, ...]:
    """Those whose names have the smallest hashes: chance without dice, however they are grouped."""
    once = {one.request: one for one in found}
    chosen = sorted(once, key=lambda name: hashlib.sha256(name.encode()).digest())[:most]
    return tuple(once[name] for name in chosen)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}… ({len(text)} letters)"


def _hashed(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
