"""Writes the fuzzer's first inputs: recorded messages, policies and the hostile corpus."""

import sys
from pathlib import Path

from tests.hostile.corpus import FOLDER

ROOT = Path(__file__).parents[2]
PAYLOADS = ROOT / "tests" / "payloads"
RECORDED = {
    0: ["policies/digits.yaml"],
    5: ["tests/payloads/azure/alert_metric_static.json", "tests/payloads/azure/alert_log_v2.json"],
    6: ["tests/payloads/prometheus/alertmanager.json"],
    7: ["tests/payloads/github/workflow_run.json"],
    8: ["tests/payloads/github/deployment_status.json"],
    9: ["tests/payloads/azure_devops/build_complete.json"],
    10: ["tests/payloads/azure/event_model_registered.json"],
}
"""By the reader's place in `fuzz_inbox.READERS`."""


def write_seeds(folder: Path) -> int:
    """So many files were written."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [(reader, ROOT / path) for reader, paths in RECORDED.items() for path in paths]
    for path in FOLDER.iterdir():
        seeds += [(reader, path) for reader in ((0,) if path.suffix == ".yaml" else (1, 2, 10))]
    for reader, path in seeds:
        (folder / f"{reader}-{path.name}").write_bytes(bytes([reader]) + path.read_bytes())
    return len(seeds)


if __name__ == "__main__":
    write_seeds(Path(sys.argv[1]))
