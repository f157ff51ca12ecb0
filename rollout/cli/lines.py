"""Following a rollout without a terminal: one line for each new thing."""

import click

from rollout.analysis.report import Finding
from rollout.cli.follow import Moment
from rollout.cli.glance import glance, late, next_step, replaces, risk, trouble
from rollout.cli.words import clock_time, guard_name, measured, samples, verdict_text
from rollout.views import RolloutView


class Lines:
    """Says each thing once, on stdout or (beside JSON) on stderr."""

    def __init__(self, *, err: bool) -> None:
        self._err = err
        self._verdicts: dict[int, str] = {}
        self._needed = False
        self._silent = False
        self._trouble = ""
        self._late = False

    def begin(self, view: RolloutView, place: str) -> None:
        self._say(f"{view.endpoint}: {replaces(view)}, policy {view.policy}@{view.policy_version}")
        self._say(f"controller: {place}; times are UTC")

    def tell(self, moment: Moment) -> None:
        self._tell_silence(moment)
        for entry in moment.news:
            self._say(f"{clock_time(entry.at)}  {entry.after.value:<12}  {entry.why}")
        self._tell_verdicts(moment.view)
        self._tell_late(moment.view)
        self._tell_need(moment.view)

    def end(self, view: RolloutView) -> None:
        if view.outcome:
            self._say(f"{glance(view).words}; {risk(view)}")

    def _say(self, line: str) -> None:
        click.echo(line, err=self._err)

    def _tell_silence(self, moment: Moment) -> None:
        silent = moment.silence is not None
        if silent and not self._silent:
            self._say("          the controller does not answer; trying again")
        if self._silent and not silent:
            self._say("          the controller answers again")
        self._silent = silent

    def _tell_verdicts(self, view: RolloutView) -> None:
        """A guard's finding, when its verdict is another one than before."""
        for place, finding in enumerate(view.findings):
            verdict = f"{view.stage} {verdict_text(finding)}"
            if self._verdicts.get(place) != verdict:
                self._verdicts[place] = verdict
                self._say(f"          {_finding_line(finding)}")

    def _tell_late(self, view: RolloutView) -> None:
        if late(view) and not self._late:
            self._say(f"          {late(view)}")
        self._late = bool(late(view))

    def _tell_need(self, view: RolloutView) -> None:
        if view.needs_person and not self._needed:
            self._say(
                f"          needs a person: {glance(view).words}; {trouble(view) or view.waits_for}"
            )
            self._say(f"          do: {next_step(view)}")
        elif trouble(view) and trouble(view) != self._trouble:
            self._say(f"          trouble: {trouble(view)}")
        self._needed = view.needs_person
        self._trouble = trouble(view)


def _finding_line(finding: Finding) -> str:
    canary, baseline = finding.canary, finding.baseline
    return (
        f"{guard_name(finding.guard)}: {verdict_text(finding)};"
        f" canary {measured(finding, canary)} of {samples(canary)},"
        f" baseline {measured(finding, baseline)} of {samples(baseline)}; {finding.because}"
    )
