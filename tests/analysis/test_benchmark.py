"""The benchmark plays any scenario, compares only with peers that are themselves."""

import json
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from statistics import fmean, variance
from typing import Any

import pytest

from benchmarks.judge import page, whole
from benchmarks.judge.__main__ import main
from benchmarks.judge.measure import Outcome, Task
from benchmarks.judge.reference import REFERENCE, differences
from benchmarks.judge.scenarios import ALL, DEFAULT, Cell, Scenarios, World, WrongFile, load
from benchmarks.judge.worlds import Endpoint, history

SMALL: dict[str, Any] = {
    "lag_minutes": 1,
    "schedule": [[20, 4], [50, 4]],
    "requests_per_second": [20],
    "baseline_rates": [0.01],
    "effects": [8, "all"],
    "history_minutes": 20,
    "worlds": {"calm": {}, "bursts": {"cluster_mean": 2}},
}


def _file(place: Path, **changes: Any) -> Path:
    path = place / "mine.json"
    path.write_text(json.dumps({**SMALL, **changes}))
    return path


def _as_it_should_be(*_: object) -> Sequence[str]:
    return ()


def _wrong(_: Executor, __: Scenarios, outcomes: Sequence[Outcome]) -> Sequence[str]:
    return [f"{outcomes[0].rule}: not what it was"]


def test_the_other_worlds_that_the_page_tells_of_can_be_played() -> None:
    others = sorted(DEFAULT.with_name("worlds").glob("*.json"))

    found = {path.stem: load(path).worlds for path in others}

    assert sorted(found) == ["late-metrics", "small-clusters", "sudden-clusters", "two-endpoints"]
    assert all(found.values())


def test_clusters_may_begin_with_the_rollout() -> None:
    cell, calm = Cell(300, 0.015), World("sudden", cluster_mean=5, calm_history=True)
    always = replace(calm, calm_history=False)

    scatter = {one: _scatter(history(cell, one, 500, 1)) for one in (calm, always)}
    trial = Endpoint.begin(cell, calm, 1.0, 9, 1).minute(1, 5)

    assert scatter[calm] == pytest.approx(1, abs=0.25)
    assert scatter[always] == pytest.approx(9, rel=0.25)  # geometric clusters of 5: 2 x 5 - 1
    assert trial == Endpoint.begin(cell, always, 1.0, 9, 1).minute(1, 5)


def _scatter(minutes: Sequence[tuple[int, int]]) -> float:
    """The variance of the failures to their mean: 1 where they are independent."""
    failures = [bad for _, bad in minutes]
    return variance(failures) / fmean(failures)


def test_a_scenario_of_ones_own_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "page.md"
    target.write_text(f"above\n{page.BEGIN}\nold\n{page.END}\nbelow\n")
    picture = tmp_path / "mine.svg"
    words = ["--scenarios", str(_file(tmp_path)), "--seeds", "1-3", "--processes", "1"]

    code = main([*words, "--page", str(target), "--picture", str(picture)], _as_it_should_be)

    told = capsys.readouterr().out
    assert code == 0
    assert told.startswith("3 rollouts a cell, seeds 1-3.")
    assert "| rule | calm, % | bursts, % | x8 | 100 % | mean |" in told
    assert "| good, default margin | 20 |" in told
    assert "| requests/s | 1 % | all |" in told
    assert re.search(r"takes \d+\.\d ms of one core for an error guard", told)
    assert target.read_text() == f"above\n{page.BEGIN}\n{told}{page.END}\nbelow\n"
    assert "<svg" in picture.read_text()


def test_a_whole_rollout_is_decided_by_the_machine_itself() -> None:
    scenarios = load()
    good = Task(scenarios, Cell(300, 0.004), scenarios.worlds[0], 1.0, range(3, 4))
    broken = replace(good, effect=ALL)

    ended, rolled_back = whole.run(good), whole.run(broken)

    assert [stage.kind for stage in whole.policy_of(scenarios).plan(first=False)] == (
        ["canary"] * 5 + ["bake"]
    )
    assert (ended.rolled_back, ended.promoted_after) == (0, (13,))  # 3 at 5, 20, 50 %, 4 at 95 %
    assert rolled_back.rolled_back == 1
    assert rolled_back.cost == pytest.approx(3 * 0.05, rel=0.1)  # seen in the first minute read


def test_no_comparison_is_printed_when_a_peer_is_not_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--scenarios", str(_file(tmp_path)), "--seeds", "1-2", "--processes", "1"]

    code = main(words, _wrong)

    assert code == 1
    assert capsys.readouterr().out == (
        "The peers' rules do not do what they did in the reference:\n- judge: not what it was\n"
    )


RULES: dict[str, dict[str, list[float]]] = json.loads(REFERENCE.read_text())["rules"]


def _outcome(rule: str, place: tuple[World, float], percent: float, ratio: float) -> Outcome:
    """A thousand rollouts, rolled back so often, of as many times the bound's exposure."""
    world, effect = place
    back = round(10 * percent)
    return Outcome(
        rule=rule,
        cell=Cell(40, 0.004),
        world=world.name,
        effect=effect,
        minutes=(9,) * back + (None,) * (1000 - back),
        exposures=(round(1000 * ratio) - 1, round(1000 * ratio) + 1) * 500,
        excess=0.0,
        bound=1000.0 if effect > 1 else None,
    )


def _as_in_the_reference() -> list[Outcome]:
    known = load()
    good = [
        _outcome(rule, (world, 1.0), percent, 1.0)
        for rule, wanted in RULES.items()
        for world, percent in zip(known.worlds, wanted["false_alarms"], strict=True)
    ]
    bad = [
        _outcome(rule, (known.worlds[0], effect), 100, ratio)
        for rule, wanted in RULES.items()
        for effect, ratio in zip(known.effects, wanted["efficiency"], strict=True)
    ]
    return good + bad


def test_the_reference_is_no_different_from_itself() -> None:
    assert differences(load(), _as_in_the_reference()) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_peer_with_other_false_alarms_is_found_out(rule: str) -> None:
    """Twenty points in a thousand rollouts are more than three standard errors."""
    changed = [
        _outcome(rule, (_world(one), 1.0), (100 * one.rolled_back + 20) % 100, 1.0)
        if (one.rule, one.effect) == (rule, 1.0)
        else one
        for one in _as_in_the_reference()
    ]

    found = differences(load(), changed)

    assert len(found) == 4
    assert all(sentence.startswith(f"{rule}, ") for sentence in found)


@pytest.mark.parametrize("rule", RULES)
def test_a_peer_with_another_exposure_is_found_out(rule: str) -> None:
    changed = [
        replace(one, exposures=tuple(2 * each for each in one.exposures))
        if (one.rule, one.bound) == (rule, 1000.0)
        else one
        for one in _as_in_the_reference()
    ]

    found = differences(load(), changed)

    assert len(found) == 5
    assert all(sentence.startswith(f"{rule}, x") for sentence in found)


def _world(outcome: Outcome) -> World:
    return next(one for one in load().worlds if one.name == outcome.world)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"effects": [0.5]}, "effects.0"),
        ({"effects": ["none"]}, "effects.0"),
        ({"effects": []}, "effects: List should have at least 1 item"),
        ({"requests_per_second": [0]}, "requests_per_second.0: Input should be greater than 0"),
        ({"baseline_rates": [2]}, "baseline_rates.0: Input should be less than 1"),
        ({"schedule": [[100, 6]]}, "schedule: at 100 % there is nothing to compare with"),
        ({"schedule": [[0, 6]]}, "schedule.0.0: Input should be greater than or equal to 1"),
        ({"schedule": [[5]]}, "schedule.0.1: Field required"),
        ({"lag_minutes": -1}, "lag_minutes: Input should be greater than or equal to 0"),
        ({"worlds": {}}, "worlds: Dictionary should have at least 1 item"),
        ({"worlds": {"a": {"cluster": 3}}}, "worlds.a.cluster: Extra inputs are not permitted"),
        ({"worlds": {"a": {"outage_begins": [9, 2]}}}, "write the first minute before the last"),
        ({"scedule": []}, "scedule: Extra inputs are not permitted"),
    ],
)
def test_a_file_that_cannot_be_played_is_told_by_its_places(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = _file(tmp_path, **changes)

    with pytest.raises(WrongFile) as refused:
        load(path)

    assert str(refused.value).startswith(f"{path}: cannot be played\n- ")
    assert told in str(refused.value)


def test_a_file_that_is_no_json_or_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"

    with pytest.raises(WrongFile, match="No such file"):
        load(path)
    path.write_text("{")
    with pytest.raises(WrongFile, match="not JSON"):
        load(path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seeds", "5"], "'5' is no range; write first-last"),
        (["--seeds", "9-3"], "'9-3' is no range"),
        (["--seeds", "a-b"], "'a-b' is no range"),
        (["--processes", "0"], "'0' is no number of processes"),
        (["--scenarios", "nowhere.json"], "nowhere.json: No such file"),
    ],
)
def test_words_that_mean_nothing_are_told(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    target.write_text("nothing to redraw")

    with pytest.raises(ValueError, match="there is no <!-- measured -->"):
        page.redraw(target, "told")
    assert target.read_text() == "nothing to redraw"


def test_the_default_scenarios_are_those_of_the_reference() -> None:
    assert load(DEFAULT) == load()
    assert [world.name for world in load().worlds] == ["quiet", "outage", "wobble", "clusters"]
