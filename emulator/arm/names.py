"""Resource ids and the rules of names."""

import re

from emulator.arm.refusals import bad_request

PROVIDER = "Microsoft.MachineLearningServices"
_NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_ASSET_ID = re.compile(
    r"(?:azureml:/*)?(/?subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
    r"Microsoft\.MachineLearningServices/workspaces/[^/]+/"
    r"(?:codes|models|environments)/[^/]+/versions/[^/]+)",
    re.IGNORECASE,
)


def workspace_id(subscription: str, group: str, workspace: str) -> str:
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/{PROVIDER}/workspaces/{workspace}"
    )


def checked(name: str, what: str) -> str:
    """`name` if it has 3 to 32 letters, digits or dashes, begins with a letter, ends with none."""
    if 3 <= len(name) <= 32 and _NAME.fullmatch(name):
        return name
    raise bad_request(
        f"{what} name {name!r} is invalid: 3 to 32 characters, letters, digits and dashes,"
        " beginning with a letter and ending with a letter or digit."
    )


def asset_key(reference: object, what: str) -> str:
    """The lower-cased ARM id in `reference`."""
    found = _ASSET_ID.fullmatch(str(reference))
    if found is None:
        raise bad_request(f"{what} must be the ARM id of an asset's version, not {reference!r}.")
    return "/" + found.group(1).lower().removeprefix("/")
