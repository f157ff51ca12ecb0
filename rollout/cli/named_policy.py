"""The policy that a command is given: a file on this machine, or one that the controller has."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rollout.cli.endings import Failure
from rollout.cli.policy_files import read_text
from rollout.cli.talk import MayTalk
from rollout.core.policy import Policy
from rollout.core.policy_text import parse_policy
from rollout.errors import PolicyError

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A name, and the file where it is one."""

    name: str
    file: Path | None = None

    def read(self, late: MayTalk) -> Policy:
        """The policy; a broken one is refused with all that is wrong in it."""
        if self.file is not None:
            return _parsed(read_text(self.file), str(self.file))
        found = late.begin().controller.read(f"policies/{quote(self.name, safe='')}")
        return _parsed(str(found["text"]), self.name)


def named_policy(given: str) -> NamedPolicy:
    """A file where there is one; else a name, unless it can only be a file."""
    path = Path(given)
    if path.is_file():
        return NamedPolicy(path.stem, path)
    if path.suffix in _SUFFIXES or len(path.parts) > 1:
        raise Failure(
            f"there is no file {given}",
            remedy="mend the path, or name one the controller has: rollout policy list",
        )
    return NamedPolicy(given)


def _parsed(text: str, name: str) -> Policy:
    try:
        return parse_policy(text, name)
    except PolicyError as error:
        raise Failure(str(error), remedy="mend the policy: rollout policy check FILE") from error
