"""Known faults of the installed packages; where no data about them can be had, that is said."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_SECONDS = 120


def main() -> int:
    """0 where nothing is known, or nothing can be known; 1 with what is known."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--format", "json"]
    options = ["--progress-spinner", "off", "--skip-editable", "--timeout", "5"]
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command + options, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        audited = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return _not_checked("no data about known faults can be had here")
    return told(audited)


def told(audited: list[dict[str, Any]]) -> int:
    """Say what is known of each package; a package of which nothing is known is not called safe."""
    known = [one for one in audited if "vulns" in one]
    if not known:
        return _not_checked("the index here tells nothing of known faults")
    faults = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in"
        f" {', '.join(fault['fix_versions']) or 'no version yet'}"
        for one in known
        for fault in one["vulns"]
    ]
    rest = len(audited) - len(known)
    _say(f"advisories: {len(known)} packages looked up, {rest} not known there")
    for fault in faults:
        _say(f"  {fault}")
    return 1 if faults else 0


def _not_checked(why: str) -> int:
    _say(f"advisories: not checked: {why}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
