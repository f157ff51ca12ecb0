"""Every block of the documentation: policies and JSON parse, commands exist, Python runs."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys

import click
import pytest
import yaml

from rollout.cli.app import rollout
from rollout.core.agreement import RecordedRequest
from rollout.core.rotation.policy_text import parse_document
from rollout.core.smoke import SmokeRequest
from rollout.inbox import read_alert
from tests.docs.pages import ROOT, Block, blocks, commands

KINDS = {"", "json", "mermaid", "python", "sh", "text", "yaml"}
JSON, PYTHON, SHELL, YAML = (blocks(kind) for kind in ("json", "python", "sh", "yaml"))
_KNOWN = {"az", "azd", "cd", "chmod", "curl", "export", "git", "make", "python"}
_KNOWN |= {"rm", "rollout", "sed", "source"}
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


def test_there_are_blocks_of_each_kind() -> None:
    assert all((JSON, PYTHON, SHELL, YAML))


def test_no_block_is_of_a_kind_that_nobody_checks() -> None:
    every = set(re.findall(r"^ *```(\w+)$", _all_text(), re.MULTILINE))

    assert every <= KINDS


def _all_text() -> str:
    return "\n".join(page.read_text("utf-8") for page in {block.page for block in SHELL})


# -- policies and JSON ---------------------------------------------------------------------------


@pytest.mark.parametrize("block", YAML, ids=str)
def test_a_policy_can_be_used_as_it_stands(block: Block) -> None:
    assert {"stages", "rotation"} & set(yaml.safe_load(block.text))

    parse_document(block.text, str(block))


@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_is_json_and_of_the_shape_it_is_for(block: Block) -> None:
    content = json.loads(block.text)

    if "schemaId" in content:
        assert read_alert(block.text.encode()).notices
    if "body" in content:
        shape = RecordedRequest if "id" in content else SmokeRequest
        shape.model_validate(content)


# -- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_command_exists_with_its_options(block: Block) -> None:
    for line in commands(block):
        for words in _calls(line):
            _check(words)


def _calls(line: str) -> list[list[str]]:
    """The calls of one line; a redirection ends what is passed on."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|>")
    lexer.whitespace_split = True
    calls: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set(";|>"):
            calls.append([] if ">" not in word else ["cd"])
        else:
            calls[-1].append(word)
    return [call for call in calls if call]


def _check(words: list[str]) -> None:
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if not words:
        return
    name, rest = words[0], words[1:]
    assert name in _KNOWN | {"."}, f"nobody checks {name}"
    match name:
        case "rollout":
            _understood(rollout, rest)
        case "python":
            assert rest[0] == "-m", rest
            assert importlib.util.find_spec(rest[1]), f"no module {rest[1]}"
        case "make":
            assert set(rest) <= set(_TARGET.findall((ROOT / "Makefile").read_text())), rest
        case _:
            pass


def _understood(command: click.Command, words: list[str]) -> None:
    """The command's own parser takes these words; files need not be there."""
    if isinstance(command, click.Group):
        assert words, f"{command.name}: which command?"
        inner = command.get_command(click.Context(command), words[0])
        assert inner, f"there is no command {words[0]} of {command.name}"
        _understood(inner, words[1:])
        return
    context = click.Context(command, info_name=command.name)
    given, _, _ = command.make_parser(context).parse_args(args=list(words))
    for parameter in command.params:
        value = given.get(str(parameter.name))
        missing = parameter.required and parameter.value_is_missing(value)
        assert not missing, f"{command.name}: {parameter.name} is missing in {words}"


@pytest.mark.parametrize(
    "line",
    ["rollout begin churn green", "rollout start churn", "rollout start churn green --wiat"],
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        _check(shlex.split(line))


# -- Python --------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block: Block) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block.text], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
