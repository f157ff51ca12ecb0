"""The public keys with which Entra ID signs: fetched over https, kept, renewed when they rotate."""

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from rollout.errors import Unavailable

if TYPE_CHECKING:
    from jwt import PyJWK

FRESH_SECONDS = 24 * 3600.0
USABLE_SECONDS = 72 * 3600.0
"""Where no newer keys can be had, those at hand count so long; a withdrawn key no longer."""
PAUSE_SECONDS = 60.0
"""Between two fetches, also for a key id that nobody knows: a stranger cannot make us ask."""
TIMEOUT_SECONDS = (3, 5)
BYTES_MAX = 512 * 1024

log = logging.getLogger(__name__)


class SigningKeys:
    """By key id; `seconds` is any clock that only goes forward."""

    def __init__(self, url: str, seconds: Callable[[], float] = monotonic) -> None:
        self._url = url
        self._seconds = seconds
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._http = requests.Session()
        self._http.trust_env = urlsplit(url).scheme == "https"

    def find(self, key_id: str) -> "PyJWK | None":
        """The key; None where Entra publishes none of that id. Raises Unavailable without keys."""
        with self._lock:
            now = self._seconds()
            stale = self._fetched_at is None or now - self._fetched_at > FRESH_SECONDS
            paused = self._tried_at is not None and now - self._tried_at < PAUSE_SECONDS
            if (stale or key_id not in self._keys) and not paused:
                self._tried_at = now
                self._renew(now)
            if self._fetched_at is None or now - self._fetched_at > USABLE_SECONDS:
                raise Unavailable(
                    f"the signing keys of Entra ID cannot be had from {urlsplit(self._url).netloc};"
                    " let the controller reach it over https"
                )
            return self._keys.get(key_id)

    def _renew(self, now: float) -> None:
        try:
            self._keys = _parsed(self._fetched())
            self._fetched_at = now
        except (requests.RequestException, ValueError) as error:
            log.warning("the signing keys of Entra ID cannot be had: %s", error)

    def _fetched(self) -> bytes:
        with self._http.get(
            self._url, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
        ) as answer:
            if answer.status_code != 200:
                raise ValueError(f"HTTP {answer.status_code}")
            content = answer.raw.read(BYTES_MAX + 1, decode_content=True)
        if len(content) > BYTES_MAX:
            raise ValueError(f"more than {BYTES_MAX} bytes")
        return bytes(content)


def _parsed(content: bytes) -> "dict[str, PyJWK]":
    from jwt import PyJWKSet  # noqa: PLC0415 - only where Entra is told of
    from jwt.exceptions import PyJWTError  # noqa: PLC0415 - the same

    try:
        found = PyJWKSet.from_json(content.decode())
    except (PyJWTError, AttributeError, TypeError) as error:
        raise ValueError(f"no set of keys: {type(error).__name__}") from error
    signing = [key for key in found.keys if key.public_key_use in {None, "sig"}]
    return {key.key_id: key for key in signing if key.key_id and key.key_type == "RSA"}
