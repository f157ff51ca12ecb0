"""The policy key `agreement`, and the recorded requests it names."""

import pytest

from rollout.core.agreement import REQUESTS_MAX, Label, parse_files, parse_requests
from rollout.core.policy import Policy
from rollout.core.policy_text import parse_policy
from rollout.errors import PolicyError
from tests.builders import a_policy

REQUESTS = "{requests: samples/churn.jsonl, compare: {label: {path: digits.0}}}"
DISAGREE = "{metric: disagreement_rate, at_most: 0.05}"
TEXT = "match: {endpoint: churn}\nstages: [{mirror: {percent: 20}}]\n"


def test_a_policy_with_agreement_is_read_as_it_was_written() -> None:
    policy = parse_policy(f"{TEXT}agreement: {REQUESTS}\nguards: [{DISAGREE}]", "churn")

    assert policy.agreement is not None
    assert policy.agreement.compare.how == Label(path="digits.0")
    assert (policy.agreement.per_minute, policy.agreement.keep) == (60, 20)
    assert not policy.agreement.keep_answers
    assert Policy.model_validate_json(policy.text()) == policy


def test_a_policy_without_agreement_has_the_version_it_had() -> None:
    assert "agreement" not in a_policy().text()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (f"guards: [{DISAGREE}]", "agreement: guards[0]: disagreement_rate compares answers"),
        (f"agreement: {REQUESTS}", "agreement: no guard judges it; add {metric: disagreement_rate"),
        (f"agreement: {REQUESTS}\nguards: [{{metric: score_drift}}]", "needs scores: write"),
        (f"agreement: {REQUESTS}\nguards: [{{metric: class_flips}}]", "needs a class"),
        (f"agreement: {REQUESTS}\nguards: [{{metric: score_histogram}}]", "needs scores: write"),
        (f"agreement: {{requests: a, compare: {{}}}}\nguards: [{DISAGREE}]", "exactly one way"),
        (
            f"agreement: {{requests: a, compare: {{label: {{path: a..b}}}}}}\nguards: [{DISAGREE}]",
            "agreement.compare.label.path",
        ),
        (
            f"agreement: {{requests: a, per_minute: 500}}\nguards: [{DISAGREE}]",
            "agreement.per_minute",
        ),
        (f"agreement: {{requests: a, kep: 5}}\nguards: [{DISAGREE}]", "agreement.kep"),
        (f"agreement: {{}}\nguards: [{DISAGREE}]", "without recorded requests nothing is sent"),
        (f"agreement: {{source: prober}}\nguards: [{DISAGREE}]", "source: collector or source"),
        (f"agreement: {{source: logs}}\nguards: [{DISAGREE}]", "write compare: {status: {}}"),
        (
            f"agreement: {{source: collector, compare: {{status: {{}}}}}}\nguards: [{DISAGREE}]",
            "take source: logs or prober",
        ),
    ],
)
def test_what_could_never_be_measured_is_refused(lines: str, told: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(TEXT + lines, "churn")

    assert told in str(refused.value)


def test_pairs_of_copies_need_a_mirror_stage() -> None:
    text = TEXT.replace("mirror: {percent: 20}", "canary: {weight: 5}")
    text += "agreement: {source: collector}\n"

    with pytest.raises(PolicyError, match="only copies get a second: add a mirror stage"):
        parse_policy(f"{text}guards: [{DISAGREE}]", "churn")


def test_more_than_half_of_the_requests_cannot_be_copied() -> None:
    with pytest.raises(PolicyError, match=r"stages\[0\].mirror.percent: .*from 1 to 50"):
        parse_policy(TEXT.replace("20", "51"), "churn")


def test_histograms_need_no_mirror_stage() -> None:
    how = "{source: collector, compare: {numeric: {path: score}}}"
    text = f"match: {{endpoint: churn}}\nstages: [{{canary: {{weight: 5}}}}]\nagreement: {how}\n"

    policy = parse_policy(f"{text}guards: [{{metric: score_histogram}}]", "churn")

    assert policy.agreement is not None
    assert policy.agreement.requests is None


def test_the_files_of_a_folder_are_one_file() -> None:
    found = parse_files(
        [("s/a.jsonl", b'{"body": 1}\n{"id": "x", "body": 2}'), ("s/b.jsonl", b'{"body": 3}')]
    )

    assert [(one.id, one.body) for one in found] == [
        ("a.jsonl line 1", 1),
        ("x", 2),
        ("b.jsonl line 1", 3),
    ]
    assert parse_files([("a", b'{"body": 1}')]) == parse_requests(b'{"body": 1}', "a")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (b'{"id": "x", "body": 2}', "b.jsonl: id 'x' is in a.jsonl already"),
        (b"{}", "b.jsonl:1: "),
        (b'{"body": 1}\n' * REQUESTS_MAX, f"{REQUESTS_MAX + 1} recorded requests in all; at most"),
    ],
)
def test_a_folder_that_is_none_is_refused_with_its_file(second: bytes, told: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_files([("a.jsonl", b'{"id": "x", "body": 1}'), ("b.jsonl", second)])

    assert told in str(refused.value)


def test_requests_have_the_names_that_people_find_them_by() -> None:
    found = parse_requests(b'{"body": [1]}\n\n{"id": "r7", "body": {"x": 2}}\n', "a.jsonl")

    assert [(one.id, one.content) for one in found] == [("line 1", b"[1]"), ("r7", b'{"x":2}')]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\n", "a.jsonl: no recorded requests"),
        (b'{"body": 1}\n{"boddy": 1}\n', "a.jsonl:2: "),
        (b"{", "a.jsonl:1: "),
        (b'{"body": 1, "status": 200}', "known keys: id, body"),
        (b'{"id": "a", "body": 1}\n{"id": "a", "body": 2}', "a.jsonl:2: id 'a' is that of line 1"),
        (b'{"body": 1}\n' * (REQUESTS_MAX + 1), f"at most {REQUESTS_MAX}"),
        (b"\xff", "not UTF-8 at byte 0"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(content: bytes, told: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_requests(content, "a.jsonl")

    assert told in str(refused.value)
