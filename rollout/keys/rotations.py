"""Who asks for rotations, and what there is to see: commands, schedules, expiries, the status."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from rollout import marks
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.notify import Topic
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.events import (
    RotationAbortRequested,
    RotationOverdue,
    RotationRequested,
    RotationResumeRequested,
)
from rollout.core.rotation.expiry import Expiry
from rollout.core.rotation.policy import NOTICE, RotationPolicy
from rollout.core.rotation.policy_text import choose_rotation, is_rotation, parse_rotation
from rollout.core.rotation.state import KeyName, Published, Rotation
from rollout.errors import Conflict, PolicyError, Refused, RolloutError, Unavailable, Unknown
from rollout.key_ports import EndpointKeys
from rollout.keys.lane import KeyLane
from rollout.keys.ring import KeyRing
from rollout.keys.views import MISSED_AFTER, KeysStatus, overdue, rotation_view, why_no_keys
from rollout.ports import Clock, PolicyFiles, Store

log = logging.getLogger(__name__)

CALENDAR, VAULT = "schedule", "key vault"
"""Who asks where no person does."""

OVERDUE_EVERY = timedelta(hours=1)
"""So often is looked for what is overdue: each look asks Azure for every endpoint's keys."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a rotation that begins."""

    who: str
    why: str = ""
    leaked: bool = False
    forced: bool = False
    in_use: KeyName | None = None
    standing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotations:
    """Begins rotations and tells of them; what they do is decided elsewhere."""

    lane: KeyLane
    ring: KeyRing
    endpoints: EndpointKeys
    policies: PolicyFiles
    store: Store
    clock: Clock
    workspaces: Sequence[WorkspaceId]

    # -- by command ----------------------------------------------------------------------------

    def rotate(self, endpoint: EndpointId, event_id: str, wish: Wish) -> KeyDecision:
        """Begin now; raises PolicyError where no policy is for it, Unknown where it is not there.

        Where Azure does not answer it begins all the same: a leak must not have to wait for that.
        """
        name, policy = self._policy(endpoint)
        if self.store.load(endpoint).head.rotation is None:
            with suppress(Unavailable, Refused):
                self.endpoints.read(endpoint)
        asked = RotationRequested(
            id=event_id,
            policy=policy,
            policy_name=name,
            minute=self.clock.minute,
            **asdict(wish),
        )
        return self.lane.tell(endpoint, asked)

    def abort(self, endpoint: EndpointId, event_id: str, who: str, why: str) -> KeyDecision:
        return self.lane.tell(endpoint, RotationAbortRequested(id=event_id, who=who, why=why))

    def resume(
        self, endpoint: EndpointId, event_id: str, who: str, why: str, in_use: KeyName | None
    ) -> KeyDecision:
        asked = RotationResumeRequested(id=event_id, who=who, why=why, in_use=in_use)
        return self.lane.tell(endpoint, asked)

    # -- by time and by expiry -----------------------------------------------------------------

    def tick(self) -> int:
        """Begin what the schedules ask for; told twice, it begins nothing twice."""
        now = self.clock.now()
        due = {
            name: policy.schedule.last(now)
            for name, policy in self._whole().items()
            if policy.schedule and now - policy.schedule.last(now) <= MISSED_AFTER
        }
        begun = 0
        for endpoint in self._all() if due else ():
            try:
                begun += self._begin_due(endpoint, due)
            except RolloutError as no:  # one endpoint's trouble is not another's
                log.warning("%s: its keys are not rotated: %s", endpoint, no)
        self._tell_overdue(now)
        return begun

    def _begin_due(self, endpoint: EndpointId, due: Mapping[str, datetime]) -> bool:
        name, _ = self._policy(endpoint)
        rotation = self.store.load(endpoint).head.rotation
        if name not in due or (rotation and rotation.started_at >= due[name]):
            return False
        event_id = f"schedule:{due[name]:%Y%m%dT%H%M}"
        wish = Wish(CALENDAR, f"due at {due[name]:%Y-%m-%d %H:%M} UTC", standing=True)
        return self.rotate(endpoint, event_id, wish).taken

    def _tell_overdue(self, now: datetime) -> None:
        """Once an hour people hear of the rotations that should have been; once of each."""
        if not any(_tells_overdue(policy) for policy in self._whole().values()):
            return
        last = marks.recall(self.store, marks.KEYS)
        if last and now - last.at < OVERDUE_EVERY:
            return
        told = sum(self._is_told(endpoint) for endpoint in self._all())
        with suppress(Conflict):  # another worker has told it as well, under the same ids
            marks.note(self.store, marks.KEYS, now, f"{told} overdue")

    def _is_told(self, endpoint: EndpointId) -> bool:
        """Whether its keys are overdue and somebody wants to know."""
        try:
            _, policy = self._policy(endpoint)
        except PolicyError:
            return False
        why = self.status(endpoint).overdue if _tells_overdue(policy) else None
        if why is None:
            return False
        event = RotationOverdue(id=f"overdue:{why}", who="rollout", why=why, policy=policy)
        return self.lane.tell(endpoint, event).taken

    def on_expiry(self, heard: Expiry) -> str:
        """Rotate the endpoint whose key that secret is; says what came of it."""
        for endpoint in self._all():
            try:
                _, policy = self._policy(endpoint)
            except PolicyError:
                continue
            secret = policy.secret.of(endpoint)
            if secret.lower() == heard.name.lower():
                return self._expiring(endpoint, secret, heard)
        return f"{heard.name} is the key of no endpoint here"

    def _expiring(self, endpoint: EndpointId, secret: str, heard: Expiry) -> str:
        """Its current version only: an event may come late, after the next rotation."""
        current = self.ring.view(endpoint, secret).published
        if heard.version and (current is None or current.version != heard.version):
            return f"version {heard.version} of {secret} is not the current one any more"
        if current and not heard.expired and _is_told_at_once(current):
            return (
                f"{secret} lives for {NOTICE.days} days at most, so that it is told of at once:"
                " it is rotated when it has expired; give it more expiry_days"
            )
        wish = Wish(VAULT, f"{secret} {'has expired' if heard.expired else 'is about to expire'}")
        return self.rotate(endpoint, heard.event_id, wish).why

    # -- the status ----------------------------------------------------------------------------

    def statuses(self) -> tuple[KeysStatus, ...]:
        return tuple(self.status(endpoint) for endpoint in self._all())

    def rotated(self) -> tuple[KeysStatus, ...]:
        """Of those that a rotation policy matches; where there is none, nobody is asked."""
        if not self._whole():
            return ()
        return tuple(one for one in self.statuses() if one.policy)

    def status(self, endpoint: EndpointId) -> KeysStatus:
        """All there is to know of an endpoint's keys, but the keys; what is wrong is part of it."""
        rotation = self.store.load(endpoint).head.rotation
        now = self.clock.now()
        known = _known(endpoint, rotation, now)
        try:
            name, policy = self._policy(endpoint)
        except PolicyError as none:
            return known.model_copy(update=self._without_policy(endpoint, str(none)))
        secret = policy.secret.of(endpoint)
        known = known.model_copy(update={"policy": name, "secret": secret})
        try:
            view = self.ring.view(endpoint, secret)
        except (Unavailable, Refused, Unknown) as no:
            return known.model_copy(update={"cannot": str(no)})
        if cannot := why_no_keys(view.mode):
            return known.model_copy(update={"mode": view.mode, "cannot": cannot})
        published = view.published
        return known.model_copy(
            update={
                "mode": view.mode,
                "version": published.version if published else None,
                "published_at": published.created_at if published else None,
                "expires_at": published.expires_at if published else None,
                "in_use": view.named(published.fingerprint) if published else None,
                "next_rotation_at": policy.schedule.next(now) if policy.schedule else None,
                "overdue": overdue(policy, rotation, view, now),
            }
        )

    def _without_policy(self, endpoint: EndpointId, none: str) -> Mapping[str, str]:
        try:
            mode = self.endpoints.read(endpoint).mode
        except (Unavailable, Refused, Unknown) as no:
            return {"cannot": str(no)}
        told = none.removeprefix(f"{endpoint}: ")
        return {"mode": mode, "cannot": why_no_keys(mode) or told}

    # -- policies and endpoints ----------------------------------------------------------------

    def _policy(self, endpoint: EndpointId) -> tuple[str, RotationPolicy]:
        whole = self._whole()
        name = choose_rotation(whole, endpoint)
        if name is None:
            there = ", ".join(sorted(whole)) or "none"
            raise PolicyError(
                f"{endpoint}: no rotation policy matches it; write a file with the key rotation"
                f" at its top; there are: {there}"
            )
        return name, whole[name]

    def _whole(self) -> Mapping[str, RotationPolicy]:
        """Those that can be read; a broken one is told of where policies are listed."""
        found: dict[str, RotationPolicy] = {}
        for file in self.policies.list():
            if not is_rotation(file.text):
                continue
            try:
                found[file.name] = parse_rotation(file.text, file.name)
            except PolicyError as broken:
                log.warning("left out: %s", broken)
        return found

    def _all(self) -> Iterator[EndpointId]:
        for workspace in self.workspaces:
            yield from self.endpoints.list(workspace)


def _tells_overdue(policy: RotationPolicy) -> bool:
    return any(Topic.OVERDUE in rule.on for rule in policy.notify)


def _is_told_at_once(version: Published) -> bool:
    """Then a rotation for each notice would be followed by the next, without an end."""
    return version.expires_at is not None and version.expires_at - version.created_at <= NOTICE


def _known(endpoint: EndpointId, rotation: Rotation | None, now: datetime) -> KeysStatus:
    """What our own row tells."""
    return KeysStatus(
        endpoint=str(endpoint),
        mode="",
        seen_at=now,
        renewed=dict(rotation.renewed) if rotation else {},
        rotated_at=rotation.rotated_at if rotation else None,
        rotation=rotation_view(rotation) if rotation else None,
    )
