"""The places by kind and name: finds the address, sends, and says whether to try again."""

from datetime import timedelta

from rollout.adapters.notices import cloud_events, confirm, github, slack, teams
from rollout.adapters.notices.posting import Posting
from rollout.adapters.outgoing import Outgoing
from rollout.core.actions import AskHook
from rollout.core.letter import Letter
from rollout.core.notify import Target, TargetKind, Targets
from rollout.errors import Refused
from rollout.notice_ports import HookAnswer
from rollout.ports import Clock


class PlacesByName:
    """Every place of the settings; addresses and secrets never reach an error's text."""

    def __init__(self, outgoing: Outgoing, targets: Targets, clock: Clock) -> None:
        self._outgoing = outgoing
        self._posting = Posting(outgoing)
        self._targets = targets
        self._clock = clock

    def ask(self, question: AskHook, question_id: str) -> HookAnswer:
        """A hook is one of the webhooks; each has its own time to answer."""
        self._check(Target(kind=TargetKind.WEBHOOK, name=question.hook))
        place = self._targets.webhook[question.hook]
        within = self._outgoing.within(timedelta(seconds=question.timeout_seconds))
        return confirm.ask(Posting(within), place, question, question_id, self._clock.now())

    def send(self, target: Target, letter: Letter) -> None:
        self._check(target)
        match target.kind:
            case TargetKind.TEAMS:
                url = self._targets.teams[target.name].url.get_secret_value()
                self._posting.post(str(target), url, teams.card(letter))
            case TargetKind.SLACK:
                url = self._targets.slack[target.name].url.get_secret_value()
                self._posting.post(str(target), url, slack.message(letter))
            case TargetKind.WEBHOOK:
                place = self._targets.webhook[target.name]
                body = cloud_events.event(letter)
                headers = cloud_events.headers(
                    body, place.secret.get_secret_value(), self._clock.now()
                )
                self._posting.post(str(target), place.url.get_secret_value(), body, headers)
            case TargetKind.GITHUB:
                known_as = self._targets.github[target.name]
                github.Reporter(self._posting, str(target), known_as, letter).report()

    def _check(self, target: Target) -> None:
        if missing := self._targets.missing(target):
            raise Refused(missing)
