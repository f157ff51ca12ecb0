"""Links by which a person answers a question: signed, expiring, each good for one answer."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr, ValidationError

from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.letter import Link
from rollout.core.notify import Notice, Topic
from rollout.core.rollout import Phase, Rollout
from rollout.errors import Denied

PATH = "/api/approval"
LINKS_MAX = 5
_NAME_BYTES = 16
_TEXT_MAX = 2000


class Permit(Frozen):
    """What one link is good for: one answer to one question, by one person if it names one."""

    rollout_id: str
    stage: int
    asked: datetime
    expires: datetime
    who: str = ""
    notice: str = ""

    def fits(self, rollout: Rollout) -> bool:
        """Whether its question is still the open one."""
        is_same = (self.rollout_id, self.stage) == (rollout.id, rollout.stage)
        return is_same and rollout.phase is Phase.APPROVING and self.asked == rollout.phase_since


@dataclass(frozen=True, slots=True)
class Desk:
    """Issues links and reads them; the key is drawn from the installation's own secret.

    The secret is asked for where it is needed: it may be in a vault, which raises Unavailable.
    """

    secret: Callable[[], SecretStr]
    public_url: str | None

    def links(self, notice: Notice, rollout: Rollout) -> tuple[Link, ...]:
        """One for each who may approve, while the question is open; without a URL none.

        No link proves that its holder is of a group: those answer with their own token.
        """
        asked = rollout.asked
        if self.public_url is None:
            return ()
        root = self.public_url.rstrip("/")
        about = Link(title="rollout", url=f"{root}/api/rollouts/{rollout.id}")
        if notice.topic is not Topic.ASKS or rollout.phase is not Phase.APPROVING or not asked:
            return (about,)
        anybody = () if asked.people else ("",)
        left = [*anybody, *(who for who in asked.by if who not in asked.approved_by)]
        permits = [
            Permit(
                rollout_id=rollout.id,
                stage=rollout.stage,
                asked=rollout.phase_since,
                expires=asked.deadline,
                who=who,
                notice=notice.id,
            )
            for who in left[:LINKS_MAX]
        ]
        return (
            about,
            *(
                Link(
                    title=f"answer as {permit.who}" if permit.who else "answer",
                    url=f"{root}{PATH}?permit={self.signed(permit)}",
                )
                for permit in permits
            ),
        )

    def key_links(self, endpoint: EndpointId) -> tuple[Link, ...]:
        """Where the state of an endpoint's keys is shown; without a URL none."""
        if self.public_url is None:
            return ()
        name = f"{endpoint.workspace}~{endpoint.name}"
        return (Link(title="keys", url=f"{self.public_url.rstrip('/')}/api/keys/{name}"),)

    def signed(self, permit: Permit) -> str:
        body = _text(permit.model_dump_json(exclude_defaults=True).encode())
        return f"{body}.{_text(self._signature(body))}"

    def read(self, text: str, now: datetime) -> Permit:
        """What the link is good for; raises Denied, which says why and never the link."""
        body, _, signature = text.partition(".")
        if len(text) > _TEXT_MAX or not hmac.compare_digest(
            _bytes(signature), self._signature(body)
        ):
            raise Denied("this link is not one of this controller: ask for the rollout by name")
        try:
            permit = Permit.model_validate_json(_bytes(body))
        except ValidationError as error:
            raise Denied("this link is not one of this controller") from error
        if now >= permit.expires:
            raise Denied(f"this link was good until {permit.expires:%Y-%m-%d %H:%M} UTC")
        return permit

    def _signature(self, body: str) -> bytes:
        secret = self.secret().get_secret_value().encode()
        key = hmac.digest(secret, b"rollout approval links", "sha256")
        return hmac.digest(key, body.encode(errors="replace"), "sha256")


def name_of(text: str) -> str:
    """What the history calls a link: its hash, from which nobody gets the link again."""
    return f"link:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[: 2 * _NAME_BYTES]}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
