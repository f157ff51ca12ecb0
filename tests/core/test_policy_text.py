"""What a person typed is answered with the place and the remedy, all at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rollout.analysis.report import Guard, Metric, Severity
from rollout.core.alerts import AlertSeverity
from rollout.core.endpoint import EndpointId
from rollout.core.patience import Then
from rollout.core.policy import Canary, Kind, Policy
from rollout.core.policy_text import PROBLEMS_MAX, choose_policy, parse_policy, warnings
from rollout.core.yaml_lines import NODES_MAX, TEXT_MAX
from rollout.errors import PolicyError
from tests.builders import a_policy

WHOLE = """\
schema: 1
match: {endpoint: "churn-*"}
baseline: current
ready_within_minutes: 30
stages:
  - smoke:  {requests: smoke/churn.jsonl}
  - mirror: {percent: 20, shortest_minutes: 5, longest_minutes: 30}
  - canary: {weight: 5,  shortest_minutes: 5, longest_minutes: 60}
  - canary: {weight: 25, shortest_minutes: 5, longest_minutes: 60}
  - approval: {by: [ml-leads], quorum: 1, deadline_minutes: 240, then: roll_back}
  - canary: {weight: 95, shortest_minutes: 5, longest_minutes: 60}
  - bake:   {shortest_minutes: 30}
  - retire: {baseline: keep}
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 5e-4, severity: fail}
  - {metric: latency_p95, worse_by_ratio: 1.10, severity: hold}
  - {metric: unavailable_rate, worse_by_points: 0.01, severity: hold}
on_failure: roll_back
on_no_data: {hold_minutes: 15, then: roll_back}
on_inconclusive: hold
on_deadline: {minutes: 1440, then: roll_back}
on_newer: queue_latest
on_changed_in_place: restart
on_foreign_change: hold
on_alert: {roll_back: [Sev0, Sev1, Sev2], hold: [Sev3]}
"""


def problems(text: str) -> list[str]:
    """All that is said of a text, without the file's name."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "churn.yaml")
    lines = str(caught.value).split("\n")
    assert all(line.startswith("churn.yaml:") for line in lines)
    return [line.removeprefix("churn.yaml:") for line in lines]


def with_stages(*stages: str) -> str:
    lines = "".join(f"  - {stage}\n" for stage in stages)
    return f"match: {{endpoint: churn}}\nstages:\n{lines}"


def with_guards(*guards: str) -> str:
    lines = "".join(f"  - {guard}\n" for guard in guards)
    return f"match: {{endpoint: churn}}\nstages: [bake: {{}}]\nguards:\n{lines}"


def with_key(line: str) -> str:
    return f"match: {{endpoint: churn}}\nstages: [bake: {{}}]\n{line}\n"


# -- what can be read ------------------------------------------------------------------------


def test_a_whole_policy_is_read() -> None:
    policy = parse_policy(WHOLE, "churn.yaml")

    kinds = [entry.stage.kind for entry in policy.stages]
    assert kinds == ["smoke", "mirror", "canary", "canary", "approval", "canary", "bake", "retire"]
    assert policy.guards[0] == Guard(
        Metric.ERROR_RATE, worse_by_ratio=1.25, worse_by_points=0.0005, severity=Severity.FAIL
    )
    assert policy.on_alert.hold == (AlertSeverity.SEV3,)


def test_what_is_not_written_has_its_default() -> None:
    policy = parse_policy(with_stages("canary: {weight: 5}"), "churn.yaml")

    assert policy.stages[0].stage == Canary(weight=5, shortest_minutes=5, longest_minutes=60)
    assert policy.on_inconclusive is Then.HOLD
    assert policy.guards


def test_the_normalised_text_is_the_same_policy() -> None:
    policy = parse_policy(WHOLE, "churn.yaml")

    assert parse_policy(policy.text(), "churn.json") == policy


def test_json_may_be_indented_with_tabs() -> None:
    text = '{\n\t"match": {"endpoint": "churn"},\n\t"stages": [{"bake": {}}]\n}\n'

    assert parse_policy(text, "churn.json").match.endpoint == "churn"


@pytest.mark.parametrize("name", ["no", "on", "12:30", "2026-01-01", "007", "0x1f", "1_000"])
def test_a_word_is_a_word_whatever_older_yaml_made_of_it(name: str) -> None:
    assert parse_policy(with_key(f"baseline: {name}"), "churn.yaml").baseline == name


def test_the_json_schema_knows_every_key_and_no_other() -> None:
    schema = Policy.model_json_schema(by_alias=True)

    assert set(schema["required"]) == {"match", "stages"}
    assert "schema" in schema["properties"]
    assert set(schema["$defs"]["StageEntry"]["properties"]) == set(Kind)
    assert schema["$defs"]["StageEntry"]["maxProperties"] == 1
    assert schema["$defs"]["Guard"]["additionalProperties"] is False


# -- what is wrong: one place ----------------------------------------------------------------

KEYS = (
    "schema, match, baseline, ready_within_minutes, stages, guards, on_failure, on_no_data,"
    " on_inconclusive, on_deadline, on_newer, on_changed_in_place, on_foreign_change, on_alert"
)
KINDS = "smoke, mirror, canary, approval, bake, retire"


@pytest.mark.parametrize(
    ("guard", "told"),
    [
        ({"metric": "disagreement_rate"}, "give at_most, the part of the answers"),
        ({"metric": "disagreement_rate", "at_most": 1.5}, "give at_most, the part of the answers"),
        ({"metric": "score_drift", "at_most": -1}, "at_most is how far scores may move"),
        ({"metric": "class_flips", "at_most": 0.1}, "it takes no limit"),
        ({"metric": "score_histogram", "worse_by_ratio": 1.1}, "it takes no margin"),
    ],
)
def test_guards_on_answers_take_a_tolerance_or_nothing(guard: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        a_policy(guards=[guard])

    fit = [{"metric": "disagreement_rate", "at_most": 0.01}, {"metric": "class_flips"}]
    agreement = {"requests": "samples/churn.jsonl", "compare": {"label": {"positive": 1}}}
    assert len(a_policy(guards=fit, agreement=agreement).guards) == 2


METRICS = ", ".join(Metric)

# fmt: off
WRONG: Mapping[str, tuple[str, str]] = {
    "unknown key": (with_key("gards: []"),
        "3: gards: unknown key; did you mean guards? known: "),
    "unknown key of a later version": (with_key("wibble: 5"),
        "3: wibble: unknown key; known: schema, match, "),
    "unknown stage": (with_stages("canery: {weight: 5}"),
        f"3: stages[0].canery: unknown key; did you mean canary? known: {KINDS}"),
    "unknown key in a stage": (with_stages("canary: {wieght: 5}"),
        ("3: stages[0].canary.wieght: unknown key; did you mean weight?"
        " known: hooks, shortest_minutes, longest_minutes, weight")),
    "unknown key in a guard": (with_guards("{metrc: error_rate, at_most: 0.1}"),
        ("4: guards[0].metrc: unknown key; did you mean metric?"
        " known: metric, worse_by_ratio, worse_by_points, at_most, severity")),
    "unknown key deep down": (with_key("on_no_data: {minutes: 5}"),
        ("3: on_no_data.minutes: unknown key; did you mean hold_minutes?"
        " known: hold_minutes, then")),
    "merge key": (with_key("<<: {baseline: blue}"), "3: <<: unknown key; known: "),
    "unknown metric": (with_guards("{metric: eror_rate, at_most: 0.1}"),
        (f"4: guards[0].metric: must be one of {METRICS}, not the text 'eror_rate';"
        " did you mean error_rate?")),
    "unknown word": (with_key("on_failure: explode"),
        "3: on_failure: must be one of roll_back, hold, not the text 'explode'"),
    "guard without a limit": (with_guards("{metric: error_rate}"),
        ("4: guards[0]: error_rate has no limit;"
        " give worse_by_ratio, worse_by_points or at_most")),
    "guard that asks nothing": (with_guards("{at_most: 0.1}"),
        ("4: guards[0]: asks nothing; give a metric, or a question of your own:"
        " kql, prometheus, http")),
    "custom guard without a name": (with_guards("{http: 'https://x.example/', at_most: 1}"),
        "4: guards[0]: a custom guard needs a name, such as name: slow_batches"),
    "a name that is taken": (with_guards("{name: error_rate, http: 'https://x.example/'}"),
        "4: guards[0].name: 'error_rate' is not free or not a name; write small letters,"),
    "a name twice": (with_guards(
            "{name: a, http: 'https://x.example/'}", "{name: a, http: 'https://y.example/'}"),
        "5: guards[1].name: a is the name of another guard already"),
    "a name of a metric": (with_guards("{metric: error_rate, at_most: 0.1, name: mine}"),
        ("4: guards[0].name: belongs to a custom guard, and metric says error_rate;"
        " leave one of the two out")),
    "two questions": (with_guards("{name: a, at_most: 1, http: 'https://x.example/', kql: T}"),
        "4: guards[0].http: kql is asked already; write two guards"),
    "kql without a limit": (with_guards("{name: a, kql: 'T | where e == \"{endpoint}\"'}"),
        "4: guards[0]: a has no limit; give worse_by_ratio, worse_by_points or at_most"),
    "kql about everything": (with_guards("{name: a, kql: 'T | count', at_most: 1}"),
        "4: guards[0].kql: says neither {endpoint} nor {deployment}, so it would count what is"),
    "kql about every time": (
        with_guards("{name: a, kql: 'T | where e == \"{endpoint}\"', at_most: 1}"),
        "4: guards[0].kql: without {since} it would count other minutes than the stage's; write"),
    "kql with an odd word": (
        with_guards("{name: a, kql: '{endpoint} {since} {until} {canary}', at_most: 1}"),
        ("4: guards[0].kql: {canary} is not filled in here; known: {endpoint}, {workspace},"
        " {deployment}, {minute}, {since}, {until}")),
    "times in a prometheus query": (
        with_guards("{name: a, prometheus: 'x{endpoint} {since}', at_most: 1}"),
        "4: guards[0].prometheus: {since} is not filled in here; known: {endpoint}, {workspace},"),
    "prometheus with a margin and one query": (
        with_guards("{name: a, prometheus: 'x{endpoint}', worse_by_ratio: 1.2}"),
        "4: guards[0]: a margin needs counts of both arms; let prometheus count the failures,"),
    "rate of prometheus in percent": (
        with_guards("{name: a, prometheus: 'x{endpoint}', of: 'y{endpoint}', at_most: 5}"),
        "4: guards[0]: a rate is a number from 0 to 1, not a percentage"),
    "a question too long": (
        with_guards(f"{{name: a, prometheus: 'x{{endpoint}} {'y' * 2000}', at_most: 5}}"),
        "4: guards[0].prometheus: 2012 letters; at most 2000"),
    "too many long questions": (
        with_guards(*(
            f"{{name: a{n}, prometheus: 'x{{endpoint}} {'y' * 1900}', at_most: 5}}"
            for n in range(4)
        )),
        "7: guards[3]: with it the questions have 7648 letters; at most 6000"),
    "requests of nothing": (
        with_guards("{name: a, http: 'https://x.example/', of: 'x{endpoint}'}"),
        "4: guards[0].of: belongs to prometheus; leave it out"),
    "method of nothing": (
        with_guards("{name: a, prometheus: 'x{endpoint}', at_most: 1, method: GET}"),
        "4: guards[0].method: belongs to http; leave it out"),
    "http with a margin": (
        with_guards("{name: a, http: 'https://x.example/', worse_by_points: 0.1}"),
        "4: guards[0]: an http guard answers yes or no, or a number held to at_most;"),
    "plain http": (with_guards("{name: a, http: 'http://x.example/'}"),
        "4: guards[0].http: write an address such as https://checks.example.com/canary"),
    "http with a password": (with_guards("{name: a, http: 'https://a:b@x.example/'}"),
        "4: guards[0].http: write an address such as https://checks.example.com/canary"),
    "unknown source": (with_key("source: log"),
        "3: source: must be one of auto, metrics, logs, not the text 'log'; did you mean logs?"),
    "rate in percent": (with_guards("{metric: error_rate, at_most: 5}"),
        "4: guards[0]: a rate is a number from 0 to 1, not a percentage"),
    "not a number": (with_guards("{metric: error_rate, at_most: .inf}"),
        "4: guards[0].at_most: must be a number, not the text '.inf'"),
    "order": (with_stages("canary: {weight: 5}", "mirror: {percent: 5}"),
        ("4: stages[1].mirror: stands after canary;"
        " the order is smoke, mirror, canary, bake, retire")),
    "falling weights": (with_stages("canary: {weight: 25}", "canary: {weight: 5}"),
        ("4: stages[1].canary.weight: 5 does not rise above 25;"
        " weights grow from stage to stage")),
    "longest below shortest": (with_stages("bake: {shortest_minutes: 9, longest_minutes: 5}"),
        ("3: stages[0].bake: longest_minutes (5) is below shortest_minutes (9);"
        " raise the longest")),
    "two kinds": (with_stages("{bake: {}, canary: {weight: 5}}"),
        "3: stages[0]: a stage has exactly one kind, not ['bake', 'canary']"),
    "kind alone": (with_stages("bake:"),
        ("3: stages[0]: nothing is written below bake;"
        " write bake: {} if its defaults are meant")),
    "kind as a word": (with_stages("bake"),
        (f"3: stages[0]: must be a mapping of keys ({KINDS}), not the text 'bake';"
        " write bake: {}")),
    "no stages": ("match: {endpoint: churn}\nstages: []",
        "2: stages: must be a list of at least 1 and at most 50 entries, not a list of 0"),
    "missing in a stage": (with_stages("canary: {}"),
        "3: stages[0].canary.weight: missing; add it: a whole number from 1 to 99"),
    "number too large": (with_stages("canary: {weight: 100}"),
        "3: stages[0].canary.weight: must be a whole number from 1 to 99, not 100"),
    "half a number": (with_stages("canary: {weight: 5.5}"),
        "3: stages[0].canary.weight: must be a whole number from 1 to 99, not 5.5"),
    "number in quotes": (with_stages('canary: {weight: "5"}'),
        ("3: stages[0].canary.weight: must be a whole number from 1 to 99, not the text '5';"
        " leave out the quotes")),
    "percent sign": (with_stages("canary: {weight: 5 %}"),
        ("3: stages[0].canary.weight: must be a whole number from 1 to 99, not the text '5 %';"
        " leave out the %")),
    "truth for a number": (with_stages("canary: {weight: true}"),
        "3: stages[0].canary.weight: must be a whole number from 1 to 99, not true"),
    "number for a text": (with_key("baseline: 5"),
        "3: baseline: must be text of 1 to 64 letters, not 5; put it in quotes"),
    "nothing for a text": (with_key("baseline:"),
        ("3: baseline: nothing is written here;"
        " write text of 1 to 64 letters, or leave it out")),
    "text for a list": (with_stages("approval: {by: ml-leads}"),
        "3: stages[0].approval.by: must be a list, not the text 'ml-leads'; write [ml-leads]"),
    "number for a mapping": (with_key("on_no_data: 15"),
        "3: on_no_data: must be a mapping of keys (hold_minutes, then), not 15"),
    "another schema": (with_key("schema: 2"), "3: schema: must be 1, not 2"),
    "pattern": (with_key("").replace("churn", "'churn ?'"),
        ("1: match.endpoint: 'churn ?' is neither a name nor a pattern;"
        " write letters, digits, '-' and '*', before them workspace/ if need be")),
    "key given twice": (with_key("baseline: a\nbaseline: b"),
        "4: baseline: given twice, first on line 3; remove one"),
    "empty": ("", "1: empty; write at least match and stages"),
    "only a comment": ("# soon\n", "1: empty; write at least match and stages"),
    "list": ("- match", "1: a policy has keys such as match and stages; this is a list of 1"),
    "text": ("hello", ("1: a policy has keys such as match and stages;"
        " this is the text 'hello'")),
    "tab": ("match:\n\tendpoint: churn", "2: a tab; indent with spaces"),
    "bracket": ("match: {endpoint: churn\nstages: []\n",
        "2: a ',' or the closing bracket is missing before this; add it"),
    "second colon": (with_key("baseline: a: b"),
        ("3: a second ': ' on this line, or a line indented too far;"
        " put a text with ':' in quotes")),
    "bracket at the end": (with_key("on_alert: {hold: [Sev3]"),
        "3: this bracket is not closed; close it"),
    "quote": ("match: {endpoint: 'churn}", "1: this quote is not closed; close it"),
    "star": ("match: {endpoint: *}", ("1: a * begins an alias; put a pattern in quotes,"
        ' such as "*"')),
    "star and more": ("match: {endpoint: *-churn}",
        ("1: *-churn is an alias, and aliases are not taken; put a pattern in quotes,"
        ' such as "*"; write a repeated value again')),
    "tag": (with_key("baseline: !!python/name:os.system x"),
        ("3: the tag tag:yaml.org,2002:python/name:os.system is not taken;"
        " write the value without it")),
    "letters that break lines": (with_key('"a\\u2028b\\u202e\\n🙈": 1'),
        "3: a?b??🙈: unknown key; known: "),
    "long words": (with_key("on_newer: " + "x" * 300),
        ("3: on_newer: must be one of queue_latest, supersede, refuse, not the text"
        f" '{'x' * 57}...'")),
    "two documents": (with_key("---\nmatch: {}"),
        "3: a second document begins here; one file holds one policy"),
    "control character": ("match:\n  endpoint: \x07", ("2: the character U+0007 is not taken;"
        " remove it")),
    "half a character": (with_key('baseline: "\\ud800"'),
        "3: baseline: holds half a character; write the whole"),
    "no such character": ('match: "\\UFFFFFFFF"', "1: not readable as YAML: "),
    "braces of a template": ("{{ policy }}",
        "1: a key is one word; put the value in quotes if the braces belong to it"),
}
# fmt: on


@pytest.mark.parametrize("case", WRONG)
def test_one_thing_wrong_is_one_line_with_the_place_and_the_remedy(case: str) -> None:
    text, answer = WRONG[case]

    said = problems(text)

    assert len(said) == 1
    assert said[0].startswith(answer)


# -- what is wrong: everything, and at once --------------------------------------------------


def test_all_is_said_at_once_in_the_order_of_the_lines() -> None:
    text = """\
    match: {endpont: churn}
    stages:
      - canary: {weight: 25}
      - canery: {weight: 30}
      - canary: {weight: 5}
      - canary: {weight: 10}
      - canary: {weight: true}
      - mirror: {percent: 80}
      - mirror: {percent: 8}
    guards:
      - {metric: error_rate}
      - {metric: cpu, at_most: 5}
      - metric: latency_p95
        worse_by_points: 3
        wurst: 1
    on_newer: refuse
    on_newer: supersede
    capasity: check
    """
    places = [problem.split(": ")[0:2] for problem in problems(dedent(text))]

    assert places == [
        ["1", "match.endpont"],
        ["4", "stages[1].canery"],
        ["5", "stages[2].canary.weight"],
        ["6", "stages[3].canary.weight"],
        ["7", "stages[4].canary.weight"],
        ["8", "stages[5].mirror.percent"],
        ["9", "stages[6].mirror"],
        ["11", "guards[0]"],
        ["12", "guards[1].metric"],
        ["15", "guards[2].wurst"],
        ["17", "on_newer"],
        ["18", "capasity"],
    ]


def test_very_many_problems_are_counted() -> None:
    said = problems("\n".join(f"key{number}: x" for number in range(200)))

    assert len(said) == PROBLEMS_MAX + 1
    assert said[-1] == " and 152 more problems"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("#" * (TEXT_MAX + 1), "1: larger than 256 KiB; make it smaller"),
        ("[" * 10_000, "1: nested too deeply; a policy has no more than a few levels"),
        ("{a: " * 10_000, "1: nested too deeply; a policy has no more than a few levels"),
        ("a: [" + "1," * NODES_MAX, "1: too many entries; a policy has no more than a few dozen"),
        ("a: &a [x]\nb: [*a, *a]", "2: *a is an alias"),
    ],
)
def test_a_bomb_does_not_go_off(text: str, answer: str) -> None:
    (said,) = problems(text)
    assert said.startswith(answer)


# -- any policy, any text --------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
MINUTES = st.integers(1, 5000)


def span(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    times = st.tuples(MINUTES, MINUTES).map(sorted)
    return st.builds(
        lambda time, rest: {"shortest_minutes": time[0], "longest_minutes": time[1], **rest},
        times,
        st.fixed_dictionaries(more),
    )


def canaries() -> st.SearchStrategy[list[dict[str, Any]]]:
    weights = st.lists(st.integers(1, 99), unique=True, max_size=5).map(sorted)
    return st.builds(
        lambda found, time: [{"canary": {**time, "weight": weight}} for weight in found],
        weights,
        span(),
    )


def maybe(kind: str, body: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(body.map(lambda written: {kind: written}), max_size=1)


APPROVAL = st.fixed_dictionaries(
    {"by": st.lists(NAMES, min_size=1, unique=True)},
    optional={"then": st.sampled_from(["roll_back", "advance"]), "deadline_minutes": MINUTES},
)
RETIRE = st.one_of(
    st.just({"baseline": "delete"}),
    st.fixed_dictionaries({}, optional={"scale_to": st.integers(1, 50)}),
)
STAGES = st.tuples(
    maybe("smoke", st.fixed_dictionaries({"requests": st.text("ab/.é: #'\"", min_size=1)})),
    maybe("mirror", span(percent=st.integers(1, 50))),
    canaries(),
    maybe("approval", APPROVAL),
    maybe("bake", span()),
    maybe("retire", RETIRE),
).map(lambda parts: [stage for part in parts for stage in part])
RATES = st.sampled_from([Metric.ERROR_RATE, Metric.UNAVAILABLE_RATE])
GUARDS = st.one_of(
    st.fixed_dictionaries({"metric": RATES, "at_most": st.floats(0, 1)}),
    st.fixed_dictionaries({"metric": RATES, "worse_by_points": st.floats(0, 1)}),
    st.fixed_dictionaries(
        {"metric": st.just(Metric.LATENCY_P99), "worse_by_ratio": st.floats(1, 100)},
        optional={"severity": st.sampled_from(Severity)},
    ),
    st.fixed_dictionaries(
        {
            "name": st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
            "http": st.just("https://checks.example.com/canary"),
        },
        optional={"at_most": st.floats(-1e9, 1e9), "method": st.sampled_from(["GET", "POST"])},
    ),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    written = draw(
        st.fixed_dictionaries(
            {"match": st.fixed_dictionaries({"endpoint": NAMES}), "stages": STAGES},
            optional={
                "baseline": NAMES,
                "guards": st.lists(GUARDS, min_size=1, max_size=5),
                "on_inconclusive": st.sampled_from(Then),
                "on_no_data": st.fixed_dictionaries({"hold_minutes": MINUTES}),
                "on_alert": st.just({"roll_back": [], "hold": ["Sev0"]}),
            },
        )
    )
    try:
        return Policy.model_validate(written)
    except ValidationError:
        reject()


@settings(max_examples=150, deadline=None)
@given(policy=policies(), flow=st.sampled_from([None, True, False]))
def test_a_policy_written_as_yaml_is_read_as_the_same_policy(
    policy: Policy, flow: bool | None
) -> None:
    written = policy.model_dump(mode="json", by_alias=True)

    text = yaml.safe_dump(written, default_flow_style=flow, allow_unicode=True)

    assert parse_policy(text, "churn.yaml") == policy


@settings(max_examples=300, deadline=None)
@given(
    start=st.integers(0, len(WHOLE)),
    length=st.integers(0, 40),
    put=st.one_of(st.text(max_size=8), st.text("{}[]:,-*&!#|>'\"%@ \n\tx5", max_size=8)),
)
def test_whatever_happens_to_a_text_the_answer_is_plain(start: int, length: int, put: str) -> None:
    text = WHOLE[:start] + put + WHOLE[start + length :]
    try:
        parse_policy(text, "churn.yaml")
    except PolicyError as error:
        for line in str(error).splitlines():
            assert re.match(r"churn\.yaml:[1-9]\d*: \S", line)
            assert not re.search(r"pydantic|Input should|Value error|<class|errors\.py", line)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(text, "churn.yaml")


# -- which policy ----------------------------------------------------------------------------

CHURN = EndpointId(subscription="s", resource_group="rg", workspace="ml-prod", name="churn-eu")


def matching(**patterns: str) -> dict[str, Policy]:
    return {
        name: parse_policy(with_key("").replace("churn", f"'{pattern}'"), name)
        for name, pattern in patterns.items()
    }


@pytest.mark.parametrize(
    ("patterns", "best"),
    [
        ({"all": "*"}, "all"),
        ({"all": "*", "some": "churn-*"}, "some"),
        ({"some": "churn-*", "this": "churn-eu"}, "this"),
        ({"this": "CHURN-eu", "other": "fraud"}, "this"),
        ({"name": "churn-eu", "place": "ml-prod/churn-eu"}, "place"),
        ({"place": "ml-prod/*", "name": "churn-eu"}, "name"),
        ({"elsewhere": "ml-test/churn-eu", "all": "*"}, "all"),
        ({"short": "*-eu", "long": "churn*-eu"}, "long"),
    ],
)
def test_the_most_specific_policy_is_taken(patterns: dict[str, str], best: str) -> None:
    assert choose_policy(matching(**patterns), CHURN) == best


def test_a_tie_names_both() -> None:
    with pytest.raises(PolicyError, match=r"ml-prod/churn-eu: a and b match it equally well; make"):
        choose_policy(matching(a="churn-*", b="*hurn-e*", c="*"), CHURN)


def test_none_that_matches_lists_the_patterns() -> None:
    with pytest.raises(PolicyError, match=r"no policy matches it; add .* fraud \(f\), x-\* \(x\)"):
        choose_policy(matching(x="x-*", f="fraud"), CHURN)
    with pytest.raises(PolicyError, match="there are: none"):
        choose_policy({}, CHURN)


# -- what is allowed and probably not meant --------------------------------------------------


def warned(stages: str = "canary: {weight: 95}|bake: {}", guards: str = "", more: str = "") -> str:
    text = with_stages(*stages.split("|")) + more
    text += f"\nguards:\n{indent(guards, '  - ')}" if guards else ""
    return "\n".join(warnings(parse_policy(text, "churn.yaml")))


def test_a_prudent_policy_is_not_warned_of() -> None:
    assert warnings(parse_policy(WHOLE, "churn.yaml")) == ()
    assert warned() == ""


# fmt: off
UNWISE: Mapping[str, tuple[dict[str, str], str]] = {
    "a long last jump": ({"stages": "canary: {weight: 25}|bake: {}"},
        "stages: from 25 % all traffic follows at once; add a canary stage from 50 to 95"),
    "nothing to compare with": ({"stages": "canary: {weight: 99}|bake: {}"},
        ("stages: at 99 % the baseline has only 1 % of the requests left to compare with;"
        " 95 leaves enough")),
    "all at once": ({"stages": "mirror: {percent: 5}|bake: {}"},
        "stages: no canary stage; all live traffic moves at once"),
    "no bake": ({"stages": "canary: {weight: 95}"},
        ("stages: no time at 100 %; the rollout ends at its first passing look there,"
        " and what comes later rolls nothing back; add bake")),
    "no way back": ({"stages": "canary: {weight: 95}|bake: {}|retire: {baseline: delete}"},
        "stages: retire deletes the baseline; nothing is left for undo to go back to"),
    "errors not seen": ({"guards": "{metric: latency_p95, worse_by_ratio: 1.1}"},
        "guards: none is on error_rate; failing answers are not noticed"),
    "errors only seen": ({"guards": "{metric: error_rate, at_most: 0.1, severity: watch}\n"
                                    "{metric: latency_p95, worse_by_ratio: 1.1}"},
        "guards: error_rate is only watched; failing answers give nothing back"),
    "nothing fails": ({"guards": "{metric: error_rate, at_most: 0.1, severity: hold}"},
        "guards: none has severity fail; no measurement gives the traffic back"),
    "a pace with nothing to go by": ({"guards": "{metric: error_rate, at_most: 0.1}",
                                      "more": "pace: adaptive"},
        ("pace: adaptive goes by what a guard knows that compares error_rate with the"
        " baseline's, and there is none; each weight is waited for until on_inconclusive decides")),
    "too late": ({"more": "on_deadline: {minutes: 35}"},
        ("on_deadline: the stages take at least 35 minutes, and the deadline is after 35;"
        " it comes before the end")),
    "for ever": ({"more": "on_deadline: {then: hold}"},
        "on_deadline: then hold waits for a person, for ever if need be"),
    "silence is a yes": ({"stages": "canary: {weight: 95}|approval: {then: advance}|bake: {}"},
        "stages[1]: then advance takes no answer for a yes"),
}
# fmt: on


@pytest.mark.parametrize("case", UNWISE)
def test_what_is_probably_not_meant_is_said(case: str) -> None:
    written, sentence = UNWISE[case]

    assert warned(**written) == sentence


def test_all_files_in_the_repository_are_policies() -> None:
    folder = Path(__file__).parents[2] / "policies"
    for path in folder.glob("*.y*ml"):
        assert parse_policy(path.read_text(), path.name)
