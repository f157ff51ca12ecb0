"""Rotation policies as text: which files are, all that is wrong in one, and which one to take."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from rollout.core.endpoint import EndpointId
from rollout.core.policy import Policy, Smoke
from rollout.core.policy_text import REMEMBERED, parse_as, parse_policy, warnings
from rollout.core.rotation.policy import NOTICE, RotationDocument, RotationPolicy
from rollout.core.yaml_lines import read_yaml
from rollout.errors import PolicyError

Document = Policy | RotationDocument


@lru_cache(maxsize=REMEMBERED)
def is_rotation(text: str) -> bool:
    """Whether a file is about keys: it has the key `rotation` at its top."""
    value = read_yaml(text).value
    return isinstance(value, dict) and "rotation" in value


def parse_rotation(text: str, name: str) -> RotationPolicy:
    """Read a rotation policy; raises PolicyError with all that is wrong, one problem a line."""
    return parse_as(RotationDocument, text, name).rotation


def parse_document(text: str, name: str) -> Document:
    """Read a file of either kind; raises PolicyError."""
    if is_rotation(text):
        return parse_as(RotationDocument, text, name)
    return parse_policy(text, name)


def document_warnings(document: Document) -> tuple[str, ...]:
    """What is allowed and probably not meant."""
    if isinstance(document, Policy):
        return warnings(document)
    return tuple(_rotation_warnings(document.rotation))


def _rotation_warnings(policy: RotationPolicy) -> Iterator[str]:
    if policy.overlap_minutes == 0:
        yield "rotation: overlap_minutes 0; a client that keeps a key at all will be refused"
    days = policy.secret.expiry_days - NOTICE.days
    told = f"rotation: secret.expiry_days {policy.secret.expiry_days}; Key Vault tells of the end"
    if days <= 0:
        yield f"{told} {NOTICE.days} days before, which is at once: it is rotated when it is over"
    elif days < NOTICE.days:
        yield f"{told} {NOTICE.days} days before: keys kept there are rotated every {days} days"


def files_named(document: Document) -> tuple[str, ...]:
    """The files of recorded requests that lie beside it."""
    if isinstance(document, RotationDocument):
        return (document.rotation.probe.requests,)
    stages = (entry.stage for entry in document.stages)
    return tuple(stage.requests for stage in stages if isinstance(stage, Smoke))


def choose_rotation(policies: Mapping[str, RotationPolicy], endpoint: EndpointId) -> str | None:
    """The name of the policy whose match is most specific, if any; raises PolicyError on a tie."""
    fitting = {
        name: policy.match.precision
        for name, policy in policies.items()
        if policy.match.fits(endpoint.workspace, endpoint.name)
    }
    best = sorted(name for name in fitting if fitting[name] == max(fitting.values()))
    if len(best) > 1:
        raise PolicyError(
            f"{endpoint}: {' and '.join(best)} match it equally well; make one more specific"
        )
    return best[0] if best else None
