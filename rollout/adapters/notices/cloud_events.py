"""A letter as a CloudEvent 1.0 in JSON, signed so that its receiver can tell whose it is."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from rollout.adapters.notices.posting import written
from rollout.core.letter import Letter

SIGNATURE_HEADER = "X-Rollout-Signature"


def event(letter: Letter) -> bytes:
    """The structured mode: `id` is the notice's own, the same at every try."""
    return written(
        {
            "specversion": "1.0",
            "id": letter.id,
            "source": letter.endpoint_id,
            "type": f"rollout.{letter.kind}.v1",
            "subject": letter.subject,
            "time": letter.at.isoformat(),
            "datacontenttype": "application/json",
            "data": letter.model_dump(mode="json", exclude={"id", "topic", "at"}),
        }
    )


def headers(body: bytes, secret: str, now: datetime) -> Mapping[str, str]:
    """`t=SECONDS,v1=HEX`: the HMAC-SHA256 of `SECONDS.BODY`, so that an old one can be told."""
    seconds = int(now.timestamp())
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/cloudevents+json",
        SIGNATURE_HEADER: f"t={seconds},v1={signed.hexdigest()}",
    }
