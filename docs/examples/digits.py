"""The tutorial's endpoint `digits` on a local emulator: what a team does before any rollout.

`create` makes the endpoint and gives digits-v1 all traffic, `add digits-v2` makes a new deployment
without any, `traffic` sends requests to the endpoint until Ctrl-C.
"""
# ruff: noqa: INP001, S603, T201 - a program to run and read, not a module to import

import argparse
import asyncio
import os
import subprocess
from pathlib import Path

from demo import traffic
from demo.azure import Workspace

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = "http://127.0.0.1:8085"
WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/emulator"
    "/providers/Microsoft.MachineLearningServices/workspaces/local"
)
ENDPOINT = "digits"
FIRST, *NEW = ("digits-v1", "digits-v2", "digits-v3", "digits-v4")
RATE = 120
"""Requests a second."""


def train(folder: Path, python: Path) -> None:
    """Make the models, once."""
    if not (folder / "requests.jsonl").exists():
        subprocess.run([python, ROOT / "demo/train.py", folder], check=True)


def add(workspace: Workspace, deployment: str, folder: Path) -> None:
    """Create a deployment without traffic, and wait until it is there."""
    model = (folder / deployment / "model.joblib").absolute()
    workspace.create_deployment(ENDPOINT, deployment, ROOT / "demo/models" / deployment, model)
    workspace.wait_for_deployment(ENDPOINT, deployment)
    print(f"{deployment} is ready")


def create(workspace: Workspace, folder: Path) -> None:
    """Create the endpoint and its first deployment, which gets all traffic."""
    address = workspace.create_endpoint(ENDPOINT)
    (folder / "address").write_text(address)
    print(f"{ENDPOINT} answers at {address}")
    add(workspace, FIRST, folder)
    workspace.give_all_traffic(ENDPOINT, FIRST)
    print(f"{FIRST} has all traffic")


def send(workspace: Workspace, folder: Path, rate: int) -> None:
    """Play the users of the endpoint, until Ctrl-C."""
    os.environ["DEMO_KEY"] = workspace.key(ENDPOINT)
    address = (folder / "address").read_text()
    bodies = (folder / "requests.jsonl").read_text().splitlines()
    print(f"{rate} requests a second to {address}, until Ctrl-C", flush=True)
    asyncio.run(traffic.main(address, bodies, rate, folder / "answers.json"))


def main() -> None:
    """Do one of the three."""
    asked = argparse.ArgumentParser(prog="python -m docs.examples.digits")
    asked.add_argument("--emulator", default=EMULATOR, metavar="URL")
    asked.add_argument("--folder", type=Path, default=ROOT / ".rollout/digits", help="for models")
    asked.add_argument("--python", type=Path, default=ROOT / ".venv-scoring/bin/python")
    todo = asked.add_subparsers(dest="todo", required=True)
    todo.add_parser("create")
    todo.add_parser("add").add_argument("deployment", choices=NEW)
    todo.add_parser("traffic").add_argument("--rate", type=int, default=RATE, metavar="N")
    options = asked.parse_args()
    workspace = Workspace(options.emulator, WORKSPACE)
    folder: Path = options.folder.absolute()
    train(folder, options.python)
    match options.todo:
        case "create":
            create(workspace, folder)
        case "add":
            add(workspace, options.deployment, folder)
        case "traffic":
            send(workspace, folder, options.rate)


if __name__ == "__main__":
    main()
