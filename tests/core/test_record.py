"""What a decision leaves for people: the numbers it rests on, and never more than a row takes."""

from dataclasses import replace

from rollout.analysis.capacity import Load
from rollout.analysis.judge import Terms, judge
from rollout.analysis.report import Report, Verdict
from rollout.analysis.samples import Samples
from rollout.core.head import SEEN_MAX, HistoryEntry
from rollout.core.machine.decide import decide
from rollout.core.machine.stages import SHARES_MAX
from rollout.core.record import record
from rollout.core.rollout import Share
from tests.analysis.builders import VECTOR_A, WORSE, minutes
from tests.builders import MINUTE, a_head, a_policy, a_rollout, measured, split
from tests.fakes import NOON

KIB = 1024
FOUND = judge(Samples(minutes(VECTOR_A)), (WORSE,), Terms())
LOAD = Load(requests_per_second=10, mean_seconds=0.02)


def told(report: Report) -> HistoryEntry:
    look = measured(split(5), report, NOON + 8 * MINUTE).model_copy(update={"load": LOAD})
    head = a_head(a_rollout())
    entry = record(head, decide(head, look, NOON + 8 * MINUTE), look, NOON + 8 * MINUTE)[2]
    assert entry is not None
    return entry


def test_an_entry_has_all_the_numbers_its_decision_rests_on() -> None:
    numbers = told(FOUND).numbers

    found = numbers["findings"][0]
    evidence = found["evidence"]
    assert found["because"].startswith("canary 6 of 60 failed (10 %), baseline 6 of 1141 (0.53 %)")
    assert found["canary"] == {"requests": 60, "value": 0.1, "bad": 6}
    assert found["baseline"] == {"requests": 1141, "value": 0.00525855, "bad": 6}
    assert evidence.keys() >= {
        *("ln_e", "ln_e_most", "one_in", "threshold", "phi", "excess_bound", "excess_allowed"),
        *("ratio", "ratio_low", "ratio_high", "minutes_used", "watermark", "requests_needed"),
    }
    assert numbers["budget"] == {"failures": 64.0, "share_allowed": 15}


def test_an_entry_stays_small_however_many_guards_speak() -> None:
    loud = replace(FOUND.findings[0], because="x" * 2000)
    quiet = replace(loud, verdict=Verdict.PASS)

    entry = told(Report((*[quiet] * 10, *[loud] * 10)))

    findings = entry.numbers["findings"]
    assert len(entry.model_dump_json()) < 8 * KIB
    assert len(findings) == 20
    assert "evidence" in findings[10]
    assert "evidence" not in findings[0]


def test_the_row_stays_small_after_a_week() -> None:
    stages = [{"canary": {"weight": weight}} for weight in (1, 2, 5, 10, 20, 40, 60, 80, 95)]
    share = Share(since=NOON, percent=60, stage="canary 60 %")
    rollout = a_rollout(
        policy=a_policy(*stages),
        report=Report(FOUND.findings * 5),
        shares=(share,) * SHARES_MAX,
    )
    ids = tuple(f"start:{number:060}" for number in range(SEEN_MAX))

    assert len(a_head(rollout, seen=ids).model_dump_json()) < 32 * KIB
