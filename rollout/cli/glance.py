"""One rollout at a glance: is it safe, and what next."""

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.analysis.report import Report, Verdict
from rollout.analysis.words import span
from rollout.cli.words import date_time
from rollout.core.rollout import Outcome, Phase
from rollout.views import RolloutView


@dataclass(frozen=True, slots=True)
class Glance:
    """A colour, a mark and one sentence."""

    style: str
    mark: str
    words: str


_OVER: Mapping[Outcome, Glance] = {
    Outcome.PROMOTED: Glance("green", "✔", "Promoted: {canary} has all traffic"),
    Outcome.ROLLED_BACK: Glance("yellow", "↩", "Rolled back, and safe: {recorded} again"),
    Outcome.ABORTED: Glance("yellow", "↩", "Aborted, and safe: {recorded} again"),
    Outcome.SUPERSEDED: Glance("yellow", "↩", "Superseded by a newer deployment: {recorded} again"),
    Outcome.UNDONE: Glance("yellow", "↩", "Undone, and safe: {recorded} again"),
    Outcome.RELEASED: Glance(
        "bold red", "✘", "Let go by a person, NOT given back: the endpoint has {observed}"
    ),
    Outcome.REFUSED: Glance("yellow", "✘", "Refused: the traffic was not touched"),
}

_LIVE: Mapping[Phase, Glance] = {
    Phase.PREPARING: Glance("cyan", "●", "Getting ready: no request reaches {canary} yet"),
    Phase.SMOKING: Glance("cyan", "●", "Testing {canary} alone: no live request reaches it"),
    Phase.SHIFTING: Glance("cyan", "●", "Changing the traffic to {wanted}"),
    Phase.HOLDING: Glance("yellow", "■", "Standing still; if nothing changes, at {until}: {then}"),
    Phase.RETIRING: Glance("green", "●", "{canary} has all traffic; {baseline} is being retired"),
    Phase.ROLLING_BACK: Glance("yellow", "↩", "Giving the traffic back: {recorded}"),
}

_NEEDS_PERSON: Mapping[Phase, Glance] = {
    Phase.APPROVING: Glance("yellow", "■", "Waiting for your yes or no"),
    Phase.HOLDING: Glance("yellow", "■", "Standing still: it waits for you"),
    Phase.ROLLING_BACK: Glance("bold red", "✘", "NOT SAFE: the traffic is not given back yet"),
}

_MEASURING: Mapping[Verdict, Glance] = {
    Verdict.PASS: Glance("green", "●", "Going well"),
    Verdict.INCONCLUSIVE: Glance("cyan", "●", "Nothing bad so far, too early to tell"),
    Verdict.NOT_MEASURED: Glance("cyan", "●", "No numbers yet"),
    Verdict.FAIL: Glance("red", "●", "{canary} does worse than it may"),
}


def glance(view: RolloutView) -> Glance:
    """What a person must see first."""
    found = _found(view)
    words = found.words.format(
        canary=view.canary,
        baseline=view.baseline or "nothing",
        recorded=view.recorded,
        wanted=view.wanted,
        observed=view.observed,
        until=date_time(view.until) if view.until else "its time",
        then=(view.then or "go on").replace("_", " "),
    )
    return Glance(found.style, found.mark, words)


def _found(view: RolloutView) -> Glance:
    if view.outcome:
        return _OVER[view.outcome]
    if view.needs_person and view.phase in _NEEDS_PERSON:
        return _NEEDS_PERSON[view.phase]
    if view.frozen and view.phase is Phase.HOLDING:
        return Glance("cyan", "■", "Standing still until the freeze is over")
    if view.hook:
        return Glance("cyan", "■", f"Standing still until hook {view.hook} has answered")
    if view.phase is Phase.MEASURING:
        return _MEASURING[Report(view.findings).verdict]
    return _LIVE.get(view.phase, Glance("cyan", "●", view.phase.value.replace("_", " ")))


_RUN = "Run: "
"""Where Azure refuses, the trouble ends with the command that a person can run."""


def trouble(view: RolloutView) -> str:
    """What Azure refuses, without the command, which is the next step."""
    told = view.trouble or ""
    return told.partition(_RUN)[0].strip() if view.needs_person else told


def late(view: RolloutView) -> str:
    """That what is told is old, because nobody has looked at the endpoint; else empty."""
    if view.late_seconds is None:
        return ""
    return f"its next look is {span(view.late_seconds)} late: all this is old; why: rollout doctor"


def risk(view: RolloutView) -> str:
    """Whose requests the canary answers now."""
    share, copies = view.observed.share(view.canary), view.observed.mirror.get(view.canary, 0)
    if share:
        return f"{view.canary} answers {share} % of the live requests"
    if copies:
        return f"{view.canary} gets copies of {copies} % of the requests; its answers reach nobody"
    return f"{view.canary} answers no live request"


def replaces(view: RolloutView) -> str:
    return (
        f"{view.canary} in place of {view.baseline}" if view.baseline else f"{view.canary}, first"
    )


def next_step(view: RolloutView) -> str:
    """The command that helps, or that none is needed."""
    if view.remedy:
        return view.remedy.partition(_RUN)[2] or view.remedy
    if view.outcome is Outcome.PROMOTED and view.baseline:
        return f"nothing to do   (back again: rollout undo {view.endpoint})"
    if view.outcome:
        return f"nothing to do   (why: rollout explain {view.endpoint})"
    if view.phase is Phase.ROLLING_BACK:
        return "nothing to do"
    return f"nothing to do   (stop it: rollout abort {view.endpoint})"


def told_of(decided: str, view: RolloutView) -> str:
    """What came of an order: the decision, where the rollout stands, and what next."""
    seen = glance(view)
    return f"{view.endpoint}: {decided}\n  now:  {seen.words}\n  next: {next_step(view)}"
