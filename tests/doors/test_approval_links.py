"""Approval links: looking changes nothing, one answer counts, and nothing forged is taken."""

import logging
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from pydantic import SecretStr

from rollout.analysis.report import Report, Verdict
from rollout.api import Response, approvals
from rollout.api.exchange import WORD_MAX
from rollout.core.notify import Notice, Target, TargetKind, Topic
from rollout.core.rollout import Phase
from rollout.links import Desk
from tests.builders import a_finding, a_rollout
from tests.doors.callers import LINK_SECRET, Caller, a_caller
from tests.simulation.world import CHURN, POLICY, World

PEOPLE = POLICY.replace(
    "  - canary: {weight: 25",
    "  - approval: {by: [anna, ben], quorum: 2, deadline_minutes: 60}\n  - canary: {weight: 25",
)
DESK = Desk(lambda: LINK_SECRET, "https://rollout.example")
TOLD = f"{PEOPLE}\nnotify: [{{teams: room, on: [asks]}}]\n"


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    """A rollout that waits for anna and ben."""
    caller = a_caller(tmp_path, TOLD, public_url="https://rollout.example")
    caller.start()
    while caller.world.phase is not Phase.APPROVING:
        caller.world.run(minutes=1)
    return caller


def permits(world: World) -> list[str]:
    """The links that the notice of the open question has, as their permits."""
    notice = Notice(
        id="n",
        target=Target(kind=TargetKind.TEAMS, name="room"),
        topic=Topic.ASKS,
        entry=1,
        since=world.clock.now(),
        not_before=world.clock.now(),
    )
    urls = [link.url for link in DESK.links(notice, world.rollout)][1:]
    return [parse_qs(urlsplit(url).query)["permit"][0] for url in urls]


def look(caller: Caller, permit: str) -> Response:
    return caller.ask("show_approval", b"", query={"permit": permit})


def post(caller: Caller, permit: str, answer: str = "approve", **more: str) -> Response:
    form = urlencode({"permit": permit, "answer": answer, **more}).encode()
    return caller.ask("answer_approval", form)


def text(answer: Response) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", answer.body.decode()))


def test_a_look_shows_the_numbers_and_changes_nothing(caller: Caller) -> None:
    caller.headers = {}
    before = caller.world.store.load(CHURN)
    anna, ben = permits(caller.world)

    seen = [look(caller, anna) for _ in range(3)] + [look(caller, ben)]

    assert [one.status for one in seen] == [200] * 4
    assert caller.world.store.load(CHURN) == before
    page = text(seen[0])
    assert "go on to canary 25 %?" in page
    assert "Numbers, up to 2026-03-02 12:13 UTC" in page
    assert "error rate: canary 1 of 755 failed (0.13 %), baseline 29 of 14292 (0.2 %)" in page
    assert "0 of 2: nobody yet" in page
    assert "You answer as  anna" in page
    assert seen[0].headers["Cache-Control"] == "no-store"
    assert seen[0].headers["Referrer-Policy"] == "no-referrer"


def test_enter_in_a_field_answers_nothing(caller: Caller) -> None:
    """It presses a form's first button; that of a no with its reason would be the yes."""
    page = look(caller, permits(caller.world)[0]).body.decode()

    assert re.findall(r"<button([^>]*)>", page) == [
        " disabled hidden",
        ' name="answer" value="approve"',
        ' name="answer" value="reject"',
    ]


def test_two_links_make_the_quorum_and_each_counts_once(caller: Caller) -> None:
    caller.headers = {}
    anna, ben = permits(caller.world)

    first = post(caller, anna, why="looks good")
    again = post(caller, anna)
    seen_again = look(caller, anna)
    second = post(caller, ben)

    assert (first.status, text(first).split("Done")[-1].strip()) == (
        200,
        "approved by anna: looks good; 1 of 2",
    )
    assert (again.status, seen_again.status) == (409, 410)
    assert second.status == 200
    assert caller.world.phase is Phase.SHIFTING
    who = [one.who for one in caller.world.store.history(CHURN.key) if "Approval" in one.event]
    assert who == ["anna", "ben"]


def test_a_group_gets_no_link_since_a_link_proves_no_membership(tmp_path: Path) -> None:
    policy = TOLD.replace("by: [anna, ben]", "by: [anna], groups: [ml-leads]")
    caller = a_caller(tmp_path, policy, public_url="https://rollout.example")
    caller.start()
    while caller.world.phase is not Phase.APPROVING:
        caller.world.run(minutes=1)

    (anna,) = permits(caller.world)
    post(caller, anna)

    assert permits(caller.world) == []
    assert caller.world.rollout.asked is not None
    assert caller.world.rollout.asked.approved_by == ("anna",)


def test_a_group_alone_gets_no_link_that_anybody_could_use(tmp_path: Path) -> None:
    policy = TOLD.replace("by: [anna, ben]", "groups: [ml-leads]")
    caller = a_caller(tmp_path, policy, public_url="https://rollout.example")
    caller.start()
    while caller.world.phase is not Phase.APPROVING:
        caller.world.run(minutes=1)

    assert permits(caller.world) == []


def test_a_no_gives_the_traffic_back(caller: Caller) -> None:
    anna, _ = permits(caller.world)

    answer = post(caller, anna, "reject", why="too slow")

    assert answer.status == 200
    assert caller.world.phase is Phase.ROLLING_BACK
    assert "roll back: rejected by anna: too slow" in caller.world.told


def test_a_link_is_good_until_the_deadline_of_its_question(caller: Caller) -> None:
    anna, _ = permits(caller.world)
    caller.world.clock.advance(timedelta(minutes=61))

    assert [look(caller, anna).status, post(caller, anna).status] == [401, 401]
    assert caller.world.phase is Phase.APPROVING


def test_a_link_to_a_question_that_is_answered_answers_nothing(caller: Caller) -> None:
    anna, ben = permits(caller.world)
    caller.command("approve", who="anna")
    caller.command("approve", who="ben")

    assert [look(caller, anna).status, post(caller, ben, "reject").status] == [410, 409]
    assert caller.world.phase is Phase.SHIFTING


def test_nobody_answers_as_someone_else(caller: Caller) -> None:
    anna, _ = permits(caller.world)

    answer = post(caller, anna, who="ben")

    assert answer.status == 200
    asked = caller.world.rollout.asked
    assert asked is not None
    assert asked.approved_by == ("anna",)


@pytest.mark.parametrize(
    "forge",
    [
        lambda permit: "",
        lambda permit: "x",
        lambda permit: permit[:-2] + "AA",
        lambda permit: "A" + permit,
        lambda permit: permit.partition(".")[0],
        lambda permit: permit + "\udcff",
        lambda permit: "é" * 2500,
    ],
)
def test_what_is_forged_is_refused_and_never_repeated(
    caller: Caller, forge: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert callable(forge)
    permit = permits(caller.world)[0]
    wrong = forge(permit)
    before = caller.world.store.load(CHURN)

    seen = look(caller, wrong)
    form = urlencode({"permit": wrong, "answer": "approve"}, errors="replace").encode()
    answered = caller.ask("answer_approval", form)

    is_word = wrong.isprintable() and len(wrong) <= WORD_MAX
    assert [seen.status, answered.status] == [401 if is_word else 400, 401]
    assert caller.world.store.load(CHURN) == before
    assert permit not in caplog.text


def test_a_link_of_another_installation_is_none(caller: Caller) -> None:
    other = Desk(lambda: SecretStr("another secret"), "https://rollout.example")
    permit = DESK.read(permits(caller.world)[0], caller.world.clock.now())

    assert look(caller, other.signed(permit)).status == 401


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"answer=maybe&permit={}", 422),
        (b"\xff\xfe", 400),
        (b"a=1&" * 11, 400),
        (b"x" * 40_000, 413),
    ],
)
def test_a_form_that_is_none_changes_nothing(caller: Caller, form: bytes, status: int) -> None:
    before = caller.world.store.load(CHURN)
    permit = permits(caller.world)[0].encode()

    answer = caller.ask("answer_approval", form.replace(b"{}", permit))

    assert answer.status == status
    assert caller.world.store.load(CHURN) == before


def test_what_people_wrote_is_only_text_on_the_page(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, TOLD)
    caller.start(why="<script>alert(1)</script>")
    while caller.world.phase is not Phase.APPROVING:
        caller.world.run(minutes=1)

    page = look(caller, permits(caller.world)[0])

    assert b"<script>" not in page.body
    assert "<script>alert(1)</script>" in text(page)


def test_what_a_guard_was_told_is_only_text_on_the_page() -> None:
    told = replace(a_finding(Verdict.PASS), because="queue: <img src=x onerror=alert(1)>")

    page = approvals._numbers(a_rollout(Phase.APPROVING, report=Report((told,))))

    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img" not in page


def test_titles_and_names_are_only_text_on_the_page(caller: Caller) -> None:
    permit = DESK.read(permits(caller.world)[0], caller.world.clock.now())

    page = approvals._page(200, "go on <b>?", "").body.decode()
    form = approvals._form(caller.world.rollout, permit.model_copy(update={"who": "<i>"}), "x")

    assert page.count("go on &lt;b&gt;?") == 2
    assert "<b>&lt;i&gt;</b>" in form


def test_the_link_is_in_no_history_and_no_row(caller: Caller) -> None:
    anna, _ = permits(caller.world)

    post(caller, anna)

    kept = caller.world.head.model_dump_json() + "".join(
        entry.model_dump_json() for entry in caller.world.store.history(CHURN.key)
    )
    assert anna not in kept
    assert anna.partition(".")[0] not in kept
