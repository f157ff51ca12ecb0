"""Workspaces and the assets in them."""

from emulator.arm import documents
from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control
from emulator.arm.lenient import mapping
from emulator.arm.refusals import not_found
from emulator.arm.resources import Asset


def list_all(control: Control, call: Call) -> Reply:
    """Of one resource group, or of the subscription when the path names none."""
    prefix = f"/subscriptions/{call.ids['subscription']}/"
    if "group" in call.ids:
        prefix += f"resourceGroups/{call.ids['group']}/"
    found = [w for key, w in control.workspaces.items() if key.startswith(prefix.lower())]
    return Reply(200, {"value": [documents.workspace(one, call.base) for one in found]})


def get(control: Control, call: Call) -> Reply:
    return Reply(200, documents.workspace(control.workspace(call), call.base))


def put(control: Control, call: Call) -> Reply:
    wanted = call.document()
    workspace = control.workspaces.get(call.workspace_id.lower())
    if workspace is None:
        ids = call.ids
        workspace = control.add_workspace(ids["subscription"], ids["group"], ids["workspace"])
        workspace.location = str(wanted.get("location") or control.location)
    workspace.tags = mapping(wanted.get("tags"), "tags")
    return Reply(200, documents.workspace(workspace, call.base))


def put_asset(control: Control, call: Call) -> Reply:
    """Codes, models and environments; a version put again is replaced."""
    workspace, ids = control.workspace(call), call.ids
    kind = ids["kind"].lower()
    full = f"{workspace.id}/{kind}/{ids['name']}/versions/{ids['version']}"
    properties = mapping(call.document().get("properties"), "properties")
    asset = Asset(full, kind, ids["name"], ids["version"], properties)
    status = 200 if full.lower() in control.assets else 201
    control.assets[full.lower()] = asset
    return Reply(status, documents.asset(asset))


def get_asset(control: Control, call: Call) -> Reply:
    workspace, ids = control.workspace(call), call.ids
    key = f"{workspace.id}/{ids['kind']}/{ids['name']}/versions/{ids['version']}".lower()
    if key not in control.assets:
        raise not_found(f"{ids['kind']} {ids['name']}:{ids['version']}")
    return Reply(200, documents.asset(control.assets[key]))


def list_asset_versions(control: Control, call: Call) -> Reply:
    workspace, ids = control.workspace(call), call.ids
    prefix = f"{workspace.id}/{ids['kind']}/{ids['name']}/versions/".lower()
    found = [asset for key, asset in control.assets.items() if key.startswith(prefix)]
    return Reply(200, {"value": [documents.asset(asset) for asset in reversed(found)]})
