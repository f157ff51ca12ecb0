"""A secret that is about to expire, or has: the fact by which its endpoint's keys are rotated."""

from rollout.core.frozen import Frozen


class Expiry(Frozen):
    """A version of a secret in a vault; by that a repeat is known."""

    vault: str
    name: str
    version: str
    expired: bool = False

    @property
    def event_id(self) -> str:
        kind = "expired" if self.expired else "expiry"
        return f"{kind}:{self.version or self.name}"
