"""The only place where keys are held: read, compared by fingerprint, probed and published."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import assert_never

from pydantic import SecretStr

from rollout.core.endpoint import EndpointId
from rollout.core.rotation.actions import AnyKeyAction, ProbeKey, PublishKey, RegenerateKey
from rollout.core.rotation.events import (
    KeyActionFailed,
    KeyEvent,
    KeyProbed,
    KeyPublished,
    KeysLookedAt,
    RegenerationAnswered,
)
from rollout.core.rotation.state import KeysView, Published, Rotation
from rollout.core.smoke import read_smoke
from rollout.errors import Malformed, PolicyError, Refused, Unavailable, Unknown
from rollout.key_ports import EndpointKeys, KeyPair, NotTaken, Secrets, SecretVersion
from rollout.ports import Clock, Endpoints, PolicyFiles

# pragma: allowlist nextline secret
INSTALLATION_SECRET = "rollout-installation-secret"  # noqa: S105 - its name # nosec B105
_WRONG_KEY = frozenset({401, 403})
PROBING_MAX = timedelta(seconds=5)
"""So long answers are gathered before they are saved: whoever dies loses no more than these."""


class KeyRing:
    """Reads keys, and does what was decided with them; tells nobody what they are."""

    def __init__(
        self,
        keys: EndpointKeys,
        secrets: Secrets,
        endpoints: Endpoints,
        policies: PolicyFiles,
        clock: Clock,
        salt: Callable[[], SecretStr],
    ) -> None:
        """`salt` is the installation's secret, under which fingerprints are made."""
        self._keys = keys
        self._secrets = secrets
        self._endpoints = endpoints
        self._policies = policies
        self._clock = clock
        self._salt = salt

    # -- reading -------------------------------------------------------------------------------

    def look(self, rotation: Rotation, event_id: str) -> KeysLookedAt:
        """What there is now; raises Unavailable, Refused, Unknown."""
        view = self.view(rotation.endpoint, rotation.secret)
        operation = rotation.renewal.operation if rotation.renewal else None
        if operation is None:
            return KeysLookedAt(id=event_id, view=view)
        try:
            status = self._endpoints.operation(operation)
        except (Unavailable, Refused, Unknown):  # a 404 is usual here: the keys tell, not this
            return KeysLookedAt(id=event_id, view=view)
        return KeysLookedAt(
            id=event_id,
            view=view,
            operation_running=status.running,
            operation_failed=status.failure,
        )

    def view(self, endpoint: EndpointId, secret: str) -> KeysView:
        """Keys and secret by their fingerprints."""
        pair = self._keys.read(endpoint)
        version = self._secrets.current(secret) if pair.keys else None
        return KeysView(
            mode=pair.mode,
            state=pair.state,
            fingerprints={name: self._print(endpoint, key) for name, key in pair.keys.items()},
            published=self._published(endpoint, version) if version else None,
            ring=self._print(endpoint, SecretStr("")),
        )

    def _published(self, endpoint: EndpointId, version: SecretVersion) -> Published:
        return Published(
            version=version.id,
            fingerprint=self._print(endpoint, version.value),
            created_at=version.created_at,
            expires_at=version.expires_at,
        )

    def _print(self, endpoint: EndpointId, key: SecretStr) -> str:
        """A keyed hash: it recognises a key, and helps nobody to guess one."""
        text = f"{endpoint.arm_id}\n{key.get_secret_value()}".encode()
        salt = self._salt().get_secret_value().encode()
        return hmac.new(salt, text, hashlib.sha256).hexdigest()[:32]

    # -- doing ---------------------------------------------------------------------------------

    def perform(
        self, action: AnyKeyAction, answer_id: str, still_wanted: Callable[[], bool]
    ) -> KeyEvent | None:
        """Do it, unless it is done; what comes of it is an answer, None where it was withdrawn."""
        try:
            return self._call(action, answer_id, still_wanted)
        except (Refused, Unknown, PolicyError, Malformed) as no:
            return _failed(action, answer_id, str(no), refused=True)
        except Unavailable as later:
            if isinstance(action, RegenerateKey):  # it failed before it was sent
                return _answered(action, answer_id, taken=False, why=str(later))
            return _failed(action, answer_id, str(later), after=later.after)

    def _call(
        self, action: AnyKeyAction, answer_id: str, still_wanted: Callable[[], bool]
    ) -> KeyEvent | None:
        pair = self._keys.read(action.endpoint)
        key = pair.keys.get(action.key)
        if key is None or self._print(action.endpoint, key) != action.fingerprint:
            return _failed(action, answer_id, f"the {action.key} key has changed since")
        match action:
            case ProbeKey():
                return self._probe(action, pair, key, answer_id, still_wanted)
            case RegenerateKey():
                return self._regenerate(action, answer_id, still_wanted)
            case PublishKey():
                return self._publish(action, key, answer_id, still_wanted)
            case _:
                assert_never(action)

    def _probe(
        self,
        action: ProbeKey,
        pair: KeyPair,
        key: SecretStr,
        answer_id: str,
        still_wanted: Callable[[], bool],
    ) -> KeyProbed | KeyActionFailed | None:
        path, deployment = action.probe.requests, action.probe.deployment or pair.busiest
        if deployment is None:
            none = "no deployment has live traffic, so none can answer; name one: probe.deployment"
            return _failed(action, answer_id, none, refused=True)
        requests = read_smoke(self._policies.attachment(path), path)
        ends = self._clock.now() + PROBING_MAX
        for number in range(action.times):
            if number and self._clock.now() >= ends:
                return _probed(action, answer_id, number, None)
            if not still_wanted():  # a way back must not wait behind ten slow answers
                return None
            request = requests[number % len(requests)]
            body = json.dumps(request.body).encode()
            answer = self._keys.probe(action.endpoint, deployment, key, body)
            took_ms = answer.took / timedelta(milliseconds=1)
            told = request.objection(answer.status, took_ms, answer.body)
            if answer.status in _WRONG_KEY:
                told = f"the endpoint refuses it ({answer.status})"
            if told:
                failure = f"{told}, after {number} good answers of {deployment}"
                return _probed(action, answer_id, number, failure)
        return _probed(action, answer_id, action.times, None)

    def _regenerate(
        self, action: RegenerateKey, answer_id: str, still_wanted: Callable[[], bool]
    ) -> RegenerationAnswered | None:
        """At most once for each decision: a worker that slept too long must not send it."""
        if not still_wanted():
            return None
        if self._clock.now() > action.not_after:
            return _answered(action, answer_id, taken=False, why="it came too late to be sent")
        try:
            answer = self._keys.regenerate(action.endpoint, action.key)
        except Unavailable as silent:
            return _answered(action, answer_id, taken=None, why=str(silent))
        if isinstance(answer, NotTaken):
            return _answered(action, answer_id, taken=False, why=answer.why)
        return _answered(action, answer_id, taken=True, operation=answer.operation)

    def _publish(
        self,
        action: PublishKey,
        key: SecretStr,
        answer_id: str,
        still_wanted: Callable[[], bool],
    ) -> KeyPublished | None:
        current = self._secrets.current(action.secret)
        if current and self._print(action.endpoint, current.value) == action.fingerprint:
            return _published(action, answer_id, current.id)
        if not still_wanted():
            return None
        tags = {
            "endpoint": str(action.endpoint),
            "key": action.key.value,
            "rotation": action.rotation_id,
        }
        written = self._secrets.publish(action.secret, key, action.expires_at, tags)
        return _published(action, answer_id, written.id)


def _probed(action: ProbeKey, answer_id: str, passed: int, failure: str | None) -> KeyProbed:
    return KeyProbed(
        id=answer_id,
        fingerprint=action.fingerprint,
        asked_at=action.asked_at,
        passed=passed,
        failure=failure,
    )


def _answered(
    action: RegenerateKey,
    answer_id: str,
    *,
    taken: bool | None,
    why: str = "",
    operation: str | None = None,
) -> RegenerationAnswered:
    return RegenerationAnswered(
        id=answer_id,
        fingerprint=action.fingerprint,
        sent_at=action.sent_at,
        taken=taken,
        operation=operation,
        why=why,
    )


def _published(action: PublishKey, answer_id: str, version: str) -> KeyPublished:
    return KeyPublished(id=answer_id, fingerprint=action.fingerprint, version=version)


def _failed(
    action: AnyKeyAction,
    answer_id: str,
    reason: str,
    *,
    refused: bool = False,
    after: timedelta | None = None,
) -> KeyActionFailed:
    return KeyActionFailed(
        id=answer_id,
        fingerprint=action.fingerprint,
        action=str(action),
        reason=reason,
        refused=refused,
        after=after,
    )
