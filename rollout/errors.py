"""One error type per reaction."""

from datetime import timedelta


class RolloutError(Exception):
    """Anything we raise knowingly; its text is a sentence for the person who reads it."""


class PolicyError(RolloutError):
    """A person must fix the policy: refused at the door."""


class Malformed(RolloutError):
    """What came in is not what this door takes: refused at the door, names place and remedy."""


class Unknown(RolloutError):
    """Nothing has that name here: refused at the door."""


class Denied(RolloutError):
    """Who asks has not shown that they may: refused at the door; `challenge` says how to."""

    def __init__(self, message: str, challenge: str = 'Bearer realm="rollout"') -> None:
        super().__init__(message)
        self.challenge = challenge


class Forbidden(RolloutError):
    """Who asks is known, and may not: refused at the door; names the role that is missing."""


class Conflict(RolloutError):
    """Another worker wrote first: load again, decide again."""


class Unavailable(RolloutError):
    """The platform said "later": ask again, not before `after`.

    `undone` where it said itself that it did nothing; otherwise nobody knows.
    """

    def __init__(
        self, message: str, after: timedelta | None = None, *, undone: bool = False
    ) -> None:
        super().__init__(message)
        self.after = after
        self.undone = undone


class Refused(RolloutError):
    """The platform said "no": becomes an event, is decided."""
