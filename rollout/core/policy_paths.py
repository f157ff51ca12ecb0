"""Names of policies, and paths of the files beside them: what may be one."""

import re

from rollout.errors import Malformed

SUFFIXES = (".yaml", ".yml", ".json")
PATH_MAX = 200

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._-]*(/[A-Za-z0-9_][A-Za-z0-9 ._-]*)*")


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Raises Malformed where no pushed policy can be called so."""
    if not is_name(name) or name.endswith(SUFFIXES):
        raise Malformed(
            f"{name[:100]!r} cannot be a policy's name; use up to 64 letters, digits, '.', '_',"
            " '-', without an ending such as .yaml"
        )


def check_path(path: str) -> None:
    """Raises Malformed where that leads to no file below the policies."""
    if len(path) > PATH_MAX or not _PATH.fullmatch(path):
        raise Malformed(
            f"{path[:100]!r} is not a path below the policies; write it like smoke/churn.jsonl"
        )


def check_attachment(path: str) -> None:
    """The same for a file that is to be stored there; raises Malformed."""
    check_path(path)
    if "/" not in path and path.endswith(SUFFIXES):
        raise Malformed(f"{path}: would be read as a policy; put it into a folder")
