"""History entries in words: what came in, why, and what more is known of each."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from rich.text import Text

from rollout.cli import markdown
from rollout.cli.words import date_time
from rollout.core.head import HistoryEntry

_CAME_IN: Mapping[str, str] = {
    "StartRequested": "{who} asked for the start",
    "RetryRequested": "{who} asked to try again",
    "Looked": "a look at the endpoint",
    "EndpointGone": "a look found the endpoint gone",
    "SmokeFinished": "the smoke requests were answered",
    "HookAnswered": "a hook was asked",
    "TrafficAccepted": "Azure accepted a traffic map",
    "ForeignChangeFound": "another traffic map was found before a write",
    "ActionRefused": "Azure refused a request",
    "OrderFailed": "the deployment in the queue could not start",
    "AlertFired": "{who} fired",
    "AlertResolved": "{who} was resolved",
    "PauseRequested": "{who} asked to pause",
    "ResumeRequested": "{who} asked to go on",
    "SkipRequested": "{who} asked to skip the stage",
    "PromoteRequested": "{who} asked to promote",
    "CancelRequested": "{who} took a waiting start back",
    "AbortRequested": "{who} asked to abort",
    "ApprovalGiven": "{who} said yes",
    "ApprovalRefused": "{who} said no",
    "UndoRequested": "{who} asked to undo the promotion",
    "ReleaseRequested": "{who} ended the rollback that does not succeed",
    "RotationRequested": "{who} asked for a rotation",
    "RotationAbortRequested": "{who} asked to abort",
    "RotationResumeRequested": "{who} asked to go on",
    "KeysLookedAt": "keys and secret were looked at",
    "KeyProbed": "the endpoint was asked with a key",
    "RegenerationAnswered": "Azure answered",
    "KeyActionFailed": "a request came to nothing",
    "EndpointMissed": "a look did not find the endpoint",
    "LookFailed": "keys and secret could not be read",
    "RotationOverdue": "a rotation should have been by now",
    "NoticeGivenUp": "people could not be told",
}

Details = Callable[[HistoryEntry], Iterable[tuple[str, str]]]
"""What more is known of an entry: a label and a line each."""


def entry_told(entry: HistoryEntry, details: Details) -> Text:
    told = Text.assemble((date_time(entry.at), "dim"), "  ", _came_in(entry), "\n")
    told.append(f"  {entry.why}\n", "bold")
    for label, line in details(entry):
        told.append(f"    {label:<7}", "dim").append(f"{line}\n")
    return told


def entries_table(entries: Iterable[HistoryEntry], details: Details) -> str:
    """The same in Markdown, a row each."""
    rows = map(partial(_cells, details=details), entries)
    return markdown.table(("time", "what came in", "so", "more"), rows)


def _cells(entry: HistoryEntry, details: Details) -> tuple[str, ...]:
    more = "; ".join(f"{label} {line}" for label, line in details(entry))
    return date_time(entry.at), _came_in(entry), entry.why, more


def _came_in(entry: HistoryEntry) -> str:
    return _CAME_IN.get(entry.event, entry.event).format(who=entry.who)
