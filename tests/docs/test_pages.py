"""The pages of the documentation: their links, their words, and what is copied or drawn."""

import re
from pathlib import Path

import pytest

from docs.examples import digits
from rollout.cli.endings import EXIT_MEANINGS
from rollout.cli.up import EMULATOR_URL, EMULATOR_WORKSPACE
from rollout.core.endpoint import WorkspaceId
from rollout.core.rotation.policy_text import parse_document
from tests.docs.pages import ROOT, anchors, blocks, links, pages, prose
from tools.picture import recorded
from tools.reference import PAGES

README = ROOT / "README.md"
FIGURE = re.compile(r"\d[\d.,]* ?(?:%|: 1\b|x\b|ms\b|times\b)")


def _named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", pages(), ids=_named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def test_every_page_is_found_from_the_index() -> None:
    index = ROOT / "docs/README.md"
    listed = {(index.parent / target).resolve() for target in links(index)}

    assert {page for page in pages() if page not in {index, README}} <= listed


@pytest.mark.parametrize("path", PAGES)
def test_a_drawn_page_is_what_the_code_draws(path: str) -> None:
    """Draw them anew with: make docs."""
    assert (ROOT / path).read_text("utf-8") == PAGES[path]()


def test_the_exit_codes_for_ci_are_those_of_the_program() -> None:
    told = (ROOT / "docs/howto/start-from-ci.md").read_text("utf-8")

    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", told, re.MULTILINE)}

    assert codes == {code.value for code in EXIT_MEANINGS if code.value < 64}


def test_the_tutorial_and_rollout_up_mean_the_same_emulator() -> None:
    subscription, group, workspace = EMULATOR_WORKSPACE.split("/")
    by_default = WorkspaceId(
        subscription=subscription, resource_group=group, workspace=workspace
    ).arm_id

    assert digits.EMULATOR == EMULATOR_URL
    assert digits.WORKSPACE.lower() == by_default.lower()


# -- the front page ------------------------------------------------------------------------------


def test_the_policy_of_the_front_page_is_the_one_of_the_demo() -> None:
    shown = [block.text for block in blocks("yaml") if block.page == README]
    lines = (ROOT / "policies/digits.yaml").read_text("utf-8").splitlines(keepends=True)

    assert shown == ["".join(line for line in lines if not line.startswith("#"))]


def test_the_front_page_has_no_figure_of_its_own() -> None:
    """What it quotes was printed in the tutorial, by the judge's tables, or is in the picture."""
    tutorial = _words((ROOT / "docs/tutorial.md").read_text("utf-8"))
    quoted = [one.text for one in blocks("text") if one.page == README and "because" in one.text]
    drawn = {f"{point['share']} %" for rollout in recorded() for point in rollout}

    assert all(_words(line) in tutorial for text in quoted for line in text.splitlines())
    compared = {figure for row in _peers().values() for figure in row}
    assert set(FIGURE.findall(prose(README))) <= drawn | compared


def test_the_version_that_pages_show_is_the_one_of_the_demos_policy() -> None:
    """What was printed under another policy is stale: play the tutorial again."""
    document = parse_document((ROOT / "policies/digits.yaml").read_text("utf-8"), "digits")
    text = "\n".join(page.read_text("utf-8") for page in pages())

    shown = re.findall(r"\bdigits@([0-9a-f]{12})|digits.*version ([0-9a-f]{12})", text)

    assert {one or other for one, other in shown} == {document.version}


def test_the_front_page_compares_by_the_judges_tables() -> None:
    told = {name: tuple(row) for name, *row in _rows(README, "judged by the rules of")}

    assert "SageMaker" in told
    assert told == {name: row for name, row in _peers().items() if name in told}


def _peers() -> dict[str, tuple[str, str]]:
    """Of each rule: good canaries rolled back in the quiet world, and what bad ones answer."""
    rows = _rows(ROOT / "docs/reference/judge.md", "rule")
    found = {name: (f"{quiet.split(' /')[0]} %", f"{last} times") for name, quiet, *_, last in rows}
    return {"rollout": found.pop("judge"), **found}


def _rows(page: Path, title: str) -> list[list[str]]:
    """The rows of the first table of a page whose first column has this title."""
    table = page.read_text("utf-8").partition(f"| {title} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def _words(text: str) -> str:
    return " ".join(text.split())


def test_the_picture_shows_what_its_titles_say() -> None:
    good, bad = recorded()

    assert good[-1]["share"] == 100
    assert all(point["odds"] < max(point["asked"], 25) for point in good)
    assert bad[-1]["share"] == 0 < max(point["share"] for point in bad)
    assert bad[-1]["odds"] > bad[-1]["asked"]


def test_the_front_page_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 140


def test_the_glossary_has_each_word_once() -> None:
    text = (ROOT / "docs/glossary.md").read_text("utf-8")
    words = re.findall(r"^- \*\*(.+?)\*\*", text, re.MULTILINE)

    assert len(words) == len(set(words))
    assert {"Endpoint", "Baseline", "Canary", "Bake", "Guard", "Finding", "Verdict"} <= set(words)
