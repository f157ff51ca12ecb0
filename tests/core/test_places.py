"""Places that a policy speaks to: found before the night in which one of them is needed."""

from rollout.core.machine.decide import decide
from rollout.core.notify import Target, TargetKind, Targets
from rollout.core.places import hooks_told, spoken_to, unknown
from rollout.core.rollout import Phase
from tests.builders import a_head, a_policy, a_rollout, an_order, started, turned_away
from tests.core.rotations import a_rotation_policy
from tests.fakes import NOON

POLICY = a_policy(
    {"canary": {"weight": 5, "hooks": [{"confirm": "gate"}, {"after": "audit"}]}},
    hooks=[{"before": "cache"}],
    notify=[{"teams": "room"}, {"webhook": "audit"}],
)
HERE = Targets.parse(
    '{"webhook": {"audit": {"url": "https://a.example", "secret": "0123456789abcdef"}}}'
)
NO_GATE = (
    "stages[0].hooks[0].confirm: the settings know no webhook place 'gate'; there are: audit;"
    " add it to ROLLOUT_NOTIFY"
)


def test_every_mention_has_its_place_and_whether_it_is_asked() -> None:
    told = [(one.where, str(one.target), one.asked) for one in spoken_to(POLICY)]

    assert told == [
        ("hooks[0].before", "webhook cache", False),
        ("stages[0].hooks[0].confirm", "webhook gate", True),
        ("stages[0].hooks[1].after", "webhook audit", False),
        ("notify[0]", "teams room", False),
        ("notify[1]", "webhook audit", False),
    ]


def test_what_the_settings_do_not_name_is_told_with_the_names_there_are() -> None:
    asked = unknown(POLICY, HERE.missing, asked=True)
    told = unknown(POLICY, HERE.missing, asked=False)
    of_keys = unknown(a_rotation_policy(notify=[{"slack": "quiet"}]), HERE.missing)

    assert asked == (NO_GATE,)
    assert [one.partition(":")[0] for one in told] == ["hooks[0].before", "notify[0]"]
    assert unknown(POLICY, HERE.missing) == (told[0], *asked, told[1])
    assert of_keys == (
        "notify[0]: " + str(HERE.missing(Target(kind=TargetKind.SLACK, name="quiet"))),
    )


def test_a_start_that_would_have_to_ask_nobody_is_refused_with_the_remedy() -> None:
    event = started(policy=POLICY, cannot_ask=(NO_GATE,))
    newer = started(order=an_order("red"), policy=POLICY, cannot_ask=(NO_GATE,))

    assert turned_away(decide(a_head(), event, NOON)) == f"nobody can be asked: {NO_GATE}"
    waits = decide(a_head(a_rollout()), newer, NOON)
    assert (waits.taken, waits.head.queued) == (False, None)


def test_a_start_that_could_not_tell_everybody_begins_and_says_so() -> None:
    begun = decide(a_head(), started(policy=POLICY, cannot_tell=("notify[0]: nowhere",)), NOON)

    assert begun.head.phase is Phase.PREPARING
    assert begun.why.endswith("; not everybody will be told: notify[0]: nowhere")


def test_each_hook_is_told_in_words() -> None:
    otherwise = "(within 5 s, 3 times again; no answer: hold; a no: hold)"

    assert list(hooks_told(POLICY)) == [
        "the rollout: cache is told that it begins",
        f"canary 5 %: gate is asked before it begins {otherwise}",
        "canary 5 %: audit is told that it is over",
    ]
