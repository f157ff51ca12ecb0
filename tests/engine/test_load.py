"""The crowd that the load benchmark measures lives: its looks are taken, its sweep finds it."""

from pathlib import Path

from benchmarks.load.crowd import a_crowd


def test_a_rollout_in_a_crowd_is_looked_at_minute_by_minute(tmp_path: Path) -> None:
    with a_crowd(tmp_path, 5) as crowd:
        before = crowd.world.head.turn

        seconds = crowd.look(4)

        assert crowd.world.head.turn >= before + 4
        assert seconds > 0
        assert len(crowd.store.live(9)) == 5
