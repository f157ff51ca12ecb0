"""What Resource Manager itself asks of a tracked resource, whoever provides it."""

from collections.abc import Mapping

from emulator.arm.lenient import mapping
from emulator.arm.refusals import Refusal, bad_request

TAGS_MAX = 50
TAG_NAME_MAX = 512
TAG_VALUE_MAX = 256


def tags(document: Mapping[str, object], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The document's tags; those of `before` where it names none."""
    found = mapping(document.get("tags", before), "tags")
    if len(found) > TAGS_MAX:
        raise bad_request(f"A resource has {TAGS_MAX} tags at most, not {len(found)}.")
    for name, value in found.items():
        if len(name) > TAG_NAME_MAX or len(str(value)) > TAG_VALUE_MAX:
            raise bad_request(
                f"tag {name[:TAG_NAME_MAX]}: a name has {TAG_NAME_MAX} characters at most, a value"
                f" {TAG_VALUE_MAX}."
            )
    return found


def location(document: Mapping[str, object]) -> str:
    """Every PUT names it."""
    found = str(document.get("location") or "")
    if not found:
        raise Refusal(
            400, "LocationRequired", "The location property is required for this definition."
        )
    return found
