"""Switches: typed, named, all or none."""

import pytest

from emulator.options import parse
from emulator.switches import FIELDS, Switchboard, SwitchError, Switches


def test_texts_and_values_are_taken_alike() -> None:
    board = Switchboard()

    board.change({"busy_refuses": "off", "throttle_rate": "0.25", "retry_after_seconds": 0})

    assert board.set == Switches(busy_refuses=False, throttle_rate=0.25, retry_after_seconds=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("throttle_rate", 2),
        ("operation_seconds", -1),
        ("operation_seconds", "soon"),
        ("operation_seconds", "nan"),
        ("arm_down", "perhaps"),
        ("refuse_writes", 404),
        ("refuse_reads", 400),
        ("processes_max", 0),
        ("metrics_gap", "yesterday"),
    ],
)
def test_a_wrong_value_is_refused_with_its_unit(name: str, value: object) -> None:
    with pytest.raises(SwitchError, match="measured in"):
        Switchboard().change({name: value})


def test_an_unknown_switch_is_refused_with_the_known_ones_and_nothing_is_set() -> None:
    board = Switchboard()

    with pytest.raises(SwitchError, match="known: arm_answer_seconds, arm_down"):
        board.change({"arm_down": True, "gremlins": 1})

    assert board.set == Switches()


def test_every_switch_says_its_unit_and_what_is_played() -> None:
    assert all(f.metadata["unit"] and f.metadata["means"] for f in FIELDS.values())


def test_the_command_line_sets_switches_and_refuses_unknown_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert parse(["--switch", "arm_down=on"]).board.set.arm_down

    with pytest.raises(SystemExit):
        parse(["--switch", "gremlins=1"])

    assert "unknown switch 'gremlins'" in capsys.readouterr().err
