"""Policies over HTTP: see, check, push and take back."""

from collections.abc import Iterator

from pydantic_core import from_json

from rollout.api.answers import PolicyCheck, PolicyList, PolicyRow, PolicyView
from rollout.api.exchange import NOTHING, Request, Response, answer
from rollout.api.parts import Parts
from rollout.core.agreement import parse_files
from rollout.core.deployment_file import check as check_deployment
from rollout.core.places import unknown
from rollout.core.policy import Policy
from rollout.core.policy_paths import check_attachment, check_name
from rollout.core.rotation.policy_text import (
    Document,
    document_warnings,
    files_named,
    parse_document,
)
from rollout.core.smoke import parse_smoke
from rollout.errors import Malformed, PolicyError, Unknown
from rollout.inbox import CheckBody, PushBody, read_body
from rollout.measuring.prober import recorded
from rollout.ports import PolicyFile

RESERVED = frozenset({"check", "schema"})


def listed(parts: Parts, _request: Request) -> Response:
    """List the policies; a broken one with its error."""
    rows = tuple(_row(parts, file) for file in parts.policies.list())
    return answer(PolicyList(policies=rows))


def shown(parts: Parts, request: Request) -> Response:
    """Show one policy: as it was written, and with every default written out."""
    return answer(_view(parts, parts.policies.read(request.path["name"])))


def pushed(parts: Parts, request: Request) -> Response:
    """Store a policy and the files it names; a broken one is refused, and nothing is stored."""
    name = request.path["name"]
    if name in RESERVED:
        raise Malformed(f"{name!r} is a word of this API; give the policy another name")
    check_name(name)
    body = read_body(request.body, PushBody)
    for path in body.attachments:
        check_attachment(path)
    policy = parse_document(body.text, name)
    for path in set(files_named(policy)) & set(body.attachments):
        parse_smoke(body.attachments[path], path)
    agreement = policy.agreement if isinstance(policy, Policy) else None
    sent = agreement.files_of(sorted(body.attachments)) if agreement else ()
    parse_files([(path, body.attachments[path].encode()) for path in sent])
    for rule in policy.start_on if isinstance(policy, Policy) else ():
        if rule.create and rule.create.template in body.attachments:
            path = rule.create.template
            check_deployment(body.attachments[path], path, rule.source)
    for path, text in sorted(body.attachments.items()):
        parts.policies.attach(path, text.encode())
    parts.policies.push(name, body.text)
    return shown(parts, request)


def removed(parts: Parts, request: Request) -> Response:
    """Take back a pushed policy; one that was deployed under its name counts again."""
    parts.policies.remove(request.path["name"])
    return NOTHING


def checked(parts: Parts, request: Request) -> Response:
    """Say all that is wrong or unwise in a policy; nothing is stored."""
    body = read_body(request.body, CheckBody)
    policy, error = _parsed(PolicyFile(body.name, body.text))
    check = PolicyCheck(
        ok=policy is not None,
        errors=tuple(error.splitlines()) if error else (),
        warnings=(*document_warnings(policy), *_unknown_places(parts, policy)) if policy else (),
        version=policy.version if policy else None,
    )
    return answer(check)


def schema(_parts: Parts, _request: Request) -> Response:
    """The JSON Schema of a policy, for editors."""
    return answer(Policy.model_json_schema(by_alias=True))


def _row(parts: Parts, file: PolicyFile) -> PolicyRow:
    policy, error = _parsed(file)
    return PolicyRow(
        name=file.name,
        pushed=file.pushed,
        version=policy.version if policy else None,
        match=policy.match.endpoint if policy else None,
        error=error,
        warnings=_warnings(parts, policy),
    )


def _view(parts: Parts, file: PolicyFile) -> PolicyView:
    policy, error = _parsed(file)
    return PolicyView(
        name=file.name,
        pushed=file.pushed,
        text=file.text,
        normalised=from_json(policy.text()) if policy else None,
        version=policy.version if policy else None,
        error=error,
        warnings=_warnings(parts, policy),
    )


def _parsed(file: PolicyFile) -> tuple[Document | None, str | None]:
    if file.error:
        return None, file.error
    try:
        return parse_document(file.text, file.name), None
    except PolicyError as error:
        return None, str(error)


def _warnings(parts: Parts, policy: Document | None) -> tuple[str, ...]:
    if policy is None:
        return ()
    places = _unknown_places(parts, policy)
    return (*document_warnings(policy), *_missing_files(parts, policy), *places)


def _unknown_places(parts: Parts, document: Document) -> tuple[str, ...]:
    """Of hooks and notices; a start is refused where one of them has to be asked."""
    policy = document if isinstance(document, Policy) else document.rotation
    return unknown(policy, parts.settings.targets.missing)


def _missing_files(parts: Parts, policy: Document) -> Iterator[str]:
    named = [("smoke", path) for path in files_named(policy)]
    if isinstance(policy, Policy):
        named += [("create", rule.create.template) for rule in policy.start_on if rule.create]
    for what, path in named:
        try:
            parts.policies.attachment(path)
        except (Unknown, Malformed, PolicyError) as error:
            yield f"{what}: {error}"
    agreement = policy.agreement if isinstance(policy, Policy) else None
    if agreement and agreement.requests:
        try:
            recorded(parts.policies, agreement.requests)
        except (PolicyError, Malformed) as error:
            yield f"agreement: {error}"
