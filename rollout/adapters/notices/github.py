"""A letter as GitHub shows it: the status of the commit, and of a deployment of it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from rollout.adapters.notices.posting import Posting, written
from rollout.core.letter import Letter, RolloutLetter
from rollout.core.notify import GitHubToken, Topic
from rollout.core.rollout import Phase
from rollout.errors import Refused, Unavailable

_DESCRIPTION_MAX = 140
_TASK = "rollout"


class Reporter:
    """One letter to one repository; whatever is there already is found, not made twice."""

    def __init__(self, posting: Posting, place: str, known: GitHubToken, letter: Letter) -> None:
        if not isinstance(letter, RolloutLetter) or letter.origin is None:
            raise Refused(f"{place}: the start named no repository and commit")
        self._posting = posting
        self._place = place
        self._letter = letter
        self._commit = letter.origin.commit
        self._url = f"{known.url}/repos/{letter.origin.repository}"
        self._environment = f"{known.environment}/{letter.endpoint}"
        self._said = letter.sentence[:_DESCRIPTION_MAX]
        self._link = letter.links[0].url if letter.links else ""
        self._headers = {
            "Authorization": f"Bearer {known.token.get_secret_value()}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json",
        }

    def report(self) -> None:
        self._set_status()
        self._set_deployment_status(self._deployment())

    def _set_status(self) -> None:
        status = {
            "state": _state(self._letter),
            "context": f"rollout/{self._letter.endpoint}",
            "description": self._said,
        }
        link = {"target_url": self._link} if self._link else {}
        self._ask("POST", f"statuses/{quote(self._commit)}", {**status, **link})

    def _set_deployment_status(self, number: int) -> None:
        shown = {
            "state": _shown(self._letter),
            "description": self._said,
            "environment": self._environment,
        }
        log = {"log_url": self._link} if self._link else {}
        self._ask("POST", f"deployments/{number}/statuses", {**shown, **log})

    def _deployment(self) -> int:
        """The number of this rollout's deployment: the one that is there, else a new one."""
        about = {"sha": self._commit, "task": _TASK, "environment": self._environment}
        there = self._ask("GET", f"deployments?{urlencode(about)}")
        found = [one for one in there if self._is_mine(one)] if isinstance(there, list) else []
        made = found[0] if found else self._ask("POST", "deployments", self._wish())
        number = made.get("id") if isinstance(made, dict) else None
        if not isinstance(number, int):
            raise Unavailable(f"{self._place}: it names no deployment")
        return number

    def _is_mine(self, deployment: Any) -> bool:  # noqa: ANN401 - JSON
        payload = deployment.get("payload") if isinstance(deployment, dict) else None
        return isinstance(payload, dict) and payload.get("rollout") == self._letter.rollout_id

    def _wish(self) -> Mapping[str, Any]:
        return {
            "ref": self._commit,
            "task": _TASK,
            "auto_merge": False,
            "required_contexts": [],
            "environment": self._environment,
            "description": self._letter.title[:_DESCRIPTION_MAX],
            "payload": {"rollout": self._letter.rollout_id},
        }

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        content = written(body) if body is not None else None
        url = f"{self._url}/{path}"
        return self._posting.ask(self._place, method, url, content, self._headers)


def _state(letter: RolloutLetter) -> str:
    if letter.phase is Phase.REFUSED:
        return "error"
    return "success" if letter.is_good else "failure" if letter.is_bad else "pending"


def _shown(letter: RolloutLetter) -> str:
    if letter.topic in {Topic.ASKS, Topic.HOLDS}:
        return "pending"
    state = _state(letter)
    return "in_progress" if state == "pending" else state
