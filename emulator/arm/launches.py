"""How a deployment's code and model become a scoring process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from emulator.arm import names
from emulator.arm.lenient import mapping
from emulator.arm.refusals import bad_request
from emulator.arm.resources import Asset
from emulator.scoring.instance import Launch


def make(
    properties: Mapping[str, Any], assets: Mapping[str, Asset], log: str, python: str, models: Path
) -> Launch:
    """Raise Refusal when the code, the script or the model is not there."""
    code = mapping(properties.get("codeConfiguration"), "codeConfiguration")
    if not code:
        raise bad_request("codeConfiguration is required: deployments without code are not played.")
    folder = _file(assets, code.get("codeId"), "codeConfiguration.codeId", "codeUri")
    script = str(code.get("scoringScript") or "")
    if not script or not (folder / script).is_file():
        raise bad_request(f"scoringScript {script!r} is not in the code folder.")
    variables = mapping(properties.get("environmentVariables"), "environmentVariables")
    return Launch(
        python=python,
        code=folder,
        script=script,
        model=_model(properties.get("model"), assets, models),
        variables={name: str(value) for name, value in variables.items()},
        log=Path(log),
    )


def _model(reference: object, assets: Mapping[str, Asset], models: Path) -> Path | None:
    """A folder `models/{name}/{version}` with the model's file or folder in it."""
    if not reference:
        return None
    source = _file(assets, reference, "model", "modelUri")
    asset = assets[names.asset_key(reference, "model")]
    folder = models / asset.name / asset.version
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / source.name
    link.unlink(missing_ok=True)
    link.symlink_to(source)
    return folder


def _file(assets: Mapping[str, Asset], reference: object, what: str, uri_name: str) -> Path:
    asset = assets.get(names.asset_key(reference, what))
    if asset is None:
        raise bad_request(f"{what} {reference} does not exist.")
    uri = urlsplit(str(asset.properties.get(uri_name)))
    path = Path(unquote(uri.path))
    if uri.scheme != "file" or not path.exists():
        raise bad_request(f"{uri_name} of {reference} must be the file:// URI of what exists here.")
    return path.resolve()
