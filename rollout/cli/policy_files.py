"""Policy files on this machine: their text, what is wrong in it, and what lies beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from rollout.cli.endings import Failure
from rollout.core.agreement import LINES, parse_files
from rollout.core.deployment_file import check as check_deployment
from rollout.core.notify import Targets
from rollout.core.places import Missing, unknown
from rollout.core.policy import Policy
from rollout.core.rotation.policy_text import (
    Document,
    document_warnings,
    files_named,
    parse_document,
)
from rollout.core.smoke import parse_smoke
from rollout.errors import Malformed, PolicyError

NOTIFY = "ROLLOUT_NOTIFY"


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with one file, or its version."""

    path: str
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    version: str | None = None

    @property
    def ok(self) -> bool:
        return not self.errors

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def known_here(environment: Mapping[str, str]) -> Missing:
    """Which places are not known, where this machine has the setting; otherwise nothing is said."""
    text = environment.get(NOTIFY)
    if not text:
        return lambda _: None
    try:
        return Targets.parse(text).missing
    except Malformed as error:
        raise Failure(str(error), where=NOTIFY, remedy="see docs/howto/notify.md") from error


def check(path: Path, missing: Missing) -> Checked:
    """Read a file as the controller would, and the files that it names."""
    try:
        policy = parse_document(read_text(path), str(path))
        _check_smoke(path, policy)
        _check_templates(path, policy)
        _check_recorded(path, policy)
    except PolicyError as error:
        return Checked(str(path), errors=tuple(str(error).splitlines()))
    places = unknown(policy if isinstance(policy, Policy) else policy.rotation, missing)
    told = (*document_warnings(policy), *places)
    return Checked(str(path), warnings=told, version=policy.version)


def _check_smoke(path: Path, policy: Document) -> None:
    for name in files_named(policy):
        beside = path.parent / name
        parse_smoke(_text_beside(path, beside, "smoke"), str(beside))


def _check_templates(path: Path, policy: Document) -> None:
    for rule in policy.start_on if isinstance(policy, Policy) else ():
        if rule.create:
            beside = path.parent / rule.create.template
            text = _text_beside(path, beside, "start_on: create")
            check_deployment(text, str(beside), rule.source)


def _check_recorded(path: Path, policy: Document) -> None:
    if isinstance(policy, Policy) and policy.agreement:
        beside = [path.parent / name for name in _recorded(path.parent, policy.agreement.requests)]
        texts = [_text_beside(path, one, "agreement") for one in beside]
        parse_files([(str(one), text.encode()) for one, text in zip(beside, texts, strict=True)])


def _recorded(root: Path, requests: str | None) -> Sequence[str]:
    """The files of recorded requests: one, or all of a folder. Raises PolicyError."""
    if requests is None or not requests.endswith("/"):
        return [requests] if requests else []
    found = sorted(one.name for one in (root / requests).glob(f"*{LINES}"))
    if not found:
        raise PolicyError(f"agreement: there is no file *{LINES} in {root / requests}; write one")
    return [requests + name for name in found]


def _text_beside(path: Path, beside: Path, what: str) -> str:
    if not beside.is_file():
        raise PolicyError(f"{path}: {what}: there is no file {beside}; write it, or mend the path")
    return read_text(beside)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(
            f"the file cannot be read: {error.strerror}", where=str(path), remedy="mend the path"
        ) from error
    except UnicodeDecodeError as error:
        raise Failure(
            f"not UTF-8 at byte {error.start}", where=str(path), remedy="save it as UTF-8"
        ) from error


def attachments(file: Path, more: Sequence[Path]) -> dict[str, str]:
    """The texts that go with a policy, by the path in which it names them."""
    root = file.parent.resolve()
    try:
        named = [(root / name).resolve() for name in _named_files(root, read_text(file))]
    except PolicyError as error:
        raise Failure(str(error), where=str(file), remedy="mend the path") from error
    paths = [*named, *(path.resolve() for path in more)]
    for path in paths:
        if not path.is_relative_to(root):
            raise Failure(
                f"{path} is not below the folder of {file.name}",
                where=str(file),
                remedy="move it there: policies name their files by paths from their own folder",
            )
    return {path.relative_to(root).as_posix(): read_text(path) for path in paths}


def _named_files(root: Path, text: str) -> Iterator[str]:
    """What smoke stages, rules and agreement name; all else that is wrong the controller tells."""
    try:
        written = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    if isinstance(written, dict) and "rotation" in written:
        yield from _probe_file(written["rotation"])
    for part, key, name in _NAMING:
        entries = written.get(part) if isinstance(written, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            inner = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(inner, dict) and isinstance(inner.get(name), str):
                yield inner[name]
    agreement = written.get("agreement") if isinstance(written, dict) else None
    if isinstance(agreement, dict) and isinstance(agreement.get("requests"), str):
        yield from _recorded(root, agreement["requests"])


_NAMING = (("stages", "smoke", "requests"), ("start_on", "create", "template"))
"""The lists of a policy whose entries name files: the list, its key, and the name of the file."""


def _probe_file(rotation: object) -> Iterator[str]:
    probe = rotation.get("probe") if isinstance(rotation, dict) else None
    if isinstance(probe, dict) and isinstance(probe.get("requests"), str):
        yield probe["requests"]
