"""Who asks, and what their role may: callers, roles, and local tokens kept as digests."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollout.core.frozen import Frozen
from rollout.errors import Malformed

TOKEN_PREFIX = "rollout_"  # noqa: S105 - what local tokens begin with # nosec B105
WHO_MAX = 100
WHY_MAX = 2000


class Role(StrEnum):
    """What a caller may; operator, approver and admin each may what those before them may."""

    READER = "reader"  # see everything, change nothing
    ALERTER = "alerter"  # send alerts, and nothing else
    OPERATOR = "operator"  # start, pause, abort, send alerts
    APPROVER = "approver"  # say yes or no, and overrule what was measured
    ADMIN = "admin"  # write policies


_LADDER = (Role.READER, Role.ALERTER, Role.OPERATOR, Role.APPROVER, Role.ADMIN)
COVERS: Mapping[Role, frozenset[Role]] = {
    Role.READER: frozenset({Role.READER}),
    Role.ALERTER: frozenset({Role.ALERTER}),
    Role.OPERATOR: frozenset(_LADDER[:3]),
    Role.APPROVER: frozenset(_LADDER[:4]),
    Role.ADMIN: frozenset(_LADDER),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as their proof says; without a name, where the proof names nobody.

    `groups` are further names that an approval may ask for: an object id, a group, a role.
    """

    name: str | None
    roles: frozenset[Role] = frozenset()
    groups: frozenset[str] = frozenset()

    def may(self, least: Role) -> bool:
        return any(least in COVERS[role] for role in self.roles)

    def signs(self, claimed: str | None, why: str) -> tuple[str, str]:
        """Who asks, and why, for the history; another name that is claimed stands beside.

        Raises Malformed where neither the proof nor the claim has a name.
        """
        if self.name is None:
            if not claimed:
                raise Malformed("who: missing; it is who asks, kept in the history")
            return claimed, why
        if not claimed or claimed == self.name:
            return self.name, why
        return self.name, f"on behalf of {claimed}" + (f": {why}" if why else "")


NOBODY = Caller("nobody")

_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}):(?P<role>\w+):(?P<sha256>\w+)")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class LocalToken(Frozen):
    """One token of this installation: whose it is, what it may, and its digest; never itself."""

    name: str
    role: Role
    sha256: str

    @classmethod
    def of(cls, name: str, role: Role, token: str) -> "LocalToken":
        """Raises Malformed where that cannot be a name."""
        return cls.parse(f"{name}:{role}:{digest(token)}")

    @classmethod
    def parse(cls, entry: str) -> "LocalToken":
        """Read `NAME:ROLE:SHA256`; raises Malformed, without the digest."""
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise Malformed("an entry is NAME:ROLE:SHA256, as `rollout token new` prints it")
        name, role, sha256 = found["name"], found["role"], found["sha256"]
        if role not in set(Role):
            raise Malformed(f"{name}: {role[:20]} is no role; there are: {', '.join(Role)}")
        if not _DIGEST.fullmatch(sha256):
            raise Malformed(f"{name}: its digest is not the SHA-256 of a token in small hex digits")
        return cls(name=name, role=Role(role), sha256=sha256)

    def __str__(self) -> str:
        return f"{self.name}:{self.role}:{self.sha256}"


def parse_tokens(text: str) -> tuple[LocalToken, ...]:
    """The entries of a text, one a line or by comma; raises Malformed, also for a name twice."""
    entries = (part.strip() for part in re.split(r"[\n,]", text))
    found = tuple(LocalToken.parse(entry) for entry in entries if entry)
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Malformed(f"{', '.join(twice)}: given twice; every token has a name of its own")
    return found


def roles_named(words: Iterable[str]) -> frozenset[Role]:
    """The roles among those words; others are left out."""
    known = {role.value for role in Role}
    return frozenset(Role(word.lower()) for word in words if word.lower() in known)


def digest(token: str) -> str:
    """What is kept of a token: it has so much entropy that no salt is needed."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
