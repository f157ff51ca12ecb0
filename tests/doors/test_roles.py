"""Who may what: every route under every role, names that cannot be borrowed, and limits."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rollout.adapters.azure.entra import ACTION_GROUPS, EntraTokens, Trust
from rollout.adapters.token_file import TokenFile
from rollout.api import STRANGERS_PER_MINUTE, Response, callers
from rollout.api.limits import KEYS_MAX, Buckets, TooMany
from rollout.api.problems import without_secrets
from rollout.api.routes import ROUTES, Route
from rollout.core.callers import COVERS, LocalToken, Role, parse_tokens
from rollout.core.rollout import Phase
from rollout.errors import Malformed, Unavailable
from rollout.settings import Settings
from tests.doors.callers import DOCUMENT, TOKEN, Caller, a_caller, read
from tests.doors.entra import AUDIENCE, CLIENT, TENANT, Entra, running
from tests.fakes import NOON
from tests.simulation.world import CHURN, POLICY

APPROVAL = POLICY.replace(
    "stages:", "stages:\n  - approval: {by: [anna, ml-leads], deadline_minutes: 60}"
)
TOKENS = {role: f"rollout_{role.value}-{'x' * 40}" for role in Role}
ENTRIES = tuple(LocalToken.of(f"the-{role}", role, TOKENS[role]) for role in Role)
BY_TOKEN = [route for route in ROUTES if route.check in {callers.token, callers.event_grid}]


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return a_caller(tmp_path, POLICY, tokens=ENTRIES)


def as_role(caller: Caller, role: Role) -> Caller:
    caller.headers = {"authorization": f"Bearer {TOKENS[role]}"}
    return caller


# -- routes and roles ----------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("route", BY_TOKEN, ids=lambda route: route.name)
def test_a_route_lets_in_the_roles_of_the_table_and_no_other(
    caller: Caller, route: Route, role: Role
) -> None:
    answer = as_role(caller, role).ask(route.name, b"?", ref="churn", name="churn", command="pause")

    assert route.least is not None
    assert (answer.status == 403) is (route.least not in COVERS[role])
    assert answer.status != 401
    if answer.status == 403:
        assert f"needs the role {route.least}; the-{role} has: {role}" in read(answer)["detail"]


@pytest.mark.parametrize("command", ["approve", "reject", "skip", "promote"])
def test_what_overrules_needs_an_approver(caller: Caller, command: str) -> None:
    assert as_role(caller, Role.OPERATOR).command(command).status == 403
    assert as_role(caller, Role.APPROVER).command(command).status != 403


def test_only_admins_write_policies() -> None:
    writers = {route.name for route in ROUTES if route.least is Role.ADMIN}

    assert {"push_policy", "remove_policy"} <= writers


def test_a_route_of_which_nobody_has_thought_is_for_admins_alone() -> None:
    forgotten = Route("x", "GET", "x", lambda *_: None, {})  # type: ignore[arg-type]

    assert (forgotten.least, forgotten.check) == (Role.ADMIN, callers.token)


def test_whoever_needs_no_proof_needs_no_role_and_the_other_way_round() -> None:
    assert {route.name for route in ROUTES if route.least is None} == {
        route.name for route in ROUTES if route.check is callers.anyone
    }


def test_the_document_tells_the_roles() -> None:
    told = DOCUMENT["paths"]["/api/rollouts/{ref}/{command}"]["post"]

    assert told["x-least-role"] == "operator"
    assert told["x-least-role-of"]["approve"] == "approver"


# -- local tokens --------------------------------------------------------------------------------


def test_a_token_in_the_file_counts_from_the_next_request_until_it_is_revoked(
    tmp_path: Path,
) -> None:
    caller, file = a_caller(tmp_path, POLICY), tmp_path / "tokens"
    caller.api = replace(caller.api, tokens=TokenFile(file).tokens)
    as_role(caller, Role.READER)

    statuses = [caller.ask("about").status]
    file.write_text(f"{ENTRIES[0]}\n")
    statuses.append(caller.ask("about").status)
    file.write_text("")
    statuses.append(caller.ask("about").status)
    file.unlink()
    statuses.append(caller.ask("about").status)

    assert statuses == [401, 200, 401, 401]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ci:operator", "an entry is NAME:ROLE:SHA256"),
        ("ci:owner:" + "0" * 64, "owner is no role; there are: reader"),
        ("ci:admin:" + "Z" * 64, "SHA-256"),
        ("ci:admin:" + "0" * 63, "SHA-256"),
        (f"{ENTRIES[0]},{ENTRIES[0]}", "given twice"),
        ("a b:admin:" + "0" * 64, "an entry is"),
        ("\u0430dmin:admin:" + "0" * 64, "an entry is"),
    ],
)
def test_a_broken_entry_is_told_and_lets_nobody_in(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "tokens").write_text(text)

    with pytest.raises(Malformed, match=told):
        parse_tokens(text)
    with pytest.raises(Unavailable, match=told):
        TokenFile(tmp_path / "tokens").tokens()


def test_the_digest_itself_is_no_token(caller: Caller) -> None:
    caller.headers = {"authorization": f"Bearer {ENTRIES[-1].sha256}"}

    assert caller.ask("about").status == 401


# -- names ---------------------------------------------------------------------------------------


def test_who_asks_is_who_the_token_names_and_a_claim_stands_beside(caller: Caller) -> None:
    started = as_role(caller, Role.OPERATOR).start(who="the boss", why="release 41")

    assert (started.status, read(started)["who"]) == (201, "the-operator")
    assert read(started)["why"] == "on behalf of the boss: release 41"


def test_a_named_caller_need_not_say_who_it_is(caller: Caller) -> None:
    started = as_role(caller, Role.OPERATOR).start(who=None)

    assert (read(started)["who"], read(started)["why"]) == ("the-operator", "")


def test_the_installations_own_token_names_nobody_so_its_holder_says_who_asks(
    caller: Caller,
) -> None:
    nameless = caller.start(who=None)

    assert (nameless.status, read(nameless)["detail"][:12]) == (400, "who: missing")
    assert read(caller.start(who="anna"))["who"] == "anna"


def test_the_longest_claim_and_reason_fit(caller: Caller) -> None:
    caller.start()
    body = {"who": "w" * 100, "why": "y" * 2000}

    answer = as_role(caller, Role.OPERATOR).ask(
        "command_rollout", body, ref="churn", command="pause"
    )

    assert answer.status == 200


def _until_approval(folder: Path, policy: str = APPROVAL, **known: Any) -> Caller:
    caller = a_caller(folder, policy, **known)
    caller.start()
    caller.world.run(minutes=15)
    assert caller.world.phase is Phase.APPROVING
    return caller


def test_nobody_approves_in_the_name_of_another(tmp_path: Path) -> None:
    caller = _until_approval(tmp_path, tokens=ENTRIES)

    answer = as_role(caller, Role.APPROVER).command("approve", who="anna")

    assert answer.status == 409
    assert "the-approver may not approve; ask anna, ml-leads" in read(answer)["detail"]


def test_an_approver_counts_by_name_or_by_group(tmp_path: Path) -> None:
    with running() as entra:
        caller = _until_approval(tmp_path)
        caller.api = replace(caller.api, entra=_reader(entra))
        token = entra.for_person("dora@contoso.com", roles=["approver", "ml-leads"])
        caller.headers = {"authorization": f"Bearer {token}"}

        answer = caller.command("approve", who="anna")

    assert answer.status == 200
    assert "approved by dora@contoso.com: on behalf of anna" in read(answer)["decided"]


def test_two_of_a_group_are_needed_and_one_person_is_not_two(tmp_path: Path) -> None:
    """By the app role and the group id of their own tokens; who is no member may not."""
    policy = POLICY.replace(
        "stages:", "stages:\n  - approval: {groups: [ml-leads, g-7], quorum: 2}"
    )
    with running() as entra:
        caller = _until_approval(tmp_path, policy)
        caller.api = replace(caller.api, entra=_reader(entra))

        def approve(name: str, **claims: Any) -> Response:
            token = entra.for_person(name, **claims)
            caller.headers = {"authorization": f"Bearer {token}"}
            return caller.command("approve")

        stranger = approve("zoe@contoso.com", roles=["approver"], groups=["g-8"])
        first = approve("dora@contoso.com", roles=["approver", "ml-leads"])
        again = approve("dora@contoso.com", roles=["approver"], groups=["g-7"])
        waiting = read(caller.ask("show_rollout", ref="churn"))
        second = approve("emil@contoso.com", roles=["approver"], groups=["g-7"])

    assert stranger.status == again.status == 409
    assert "ask group ml-leads, group g-7" in read(stranger)["detail"]
    assert "dora@contoso.com has approved already; 2 are needed" in read(again)["detail"]
    assert waiting["approvers"] == ["group ml-leads", "group g-7"]
    assert (first.status, second.status) == (200, 200)
    assert read(second)["decided"].startswith("approved by emil@contoso.com")


# -- Entra at the doors --------------------------------------------------------------------------


def _reader(entra: Entra) -> EntraTokens:
    return EntraTokens(Trust(TENANT, (AUDIENCE, CLIENT), entra.url))


@pytest.fixture
def entra() -> Iterator[Entra]:
    with running() as stand_in:
        yield stand_in


@pytest.mark.parametrize("door", ["take_alert", "take_alertmanager"])
def test_the_alert_doors_take_the_action_groups_token_and_no_other_door_does(
    caller: Caller, entra: Entra, door: str
) -> None:
    caller.api = replace(caller.api, entra=_reader(entra))
    token = entra.token(azp=ACTION_GROUPS, roles=["ActionGroupsSecureWebhook"])
    caller.headers = {"authorization": f"Bearer {token}"}

    assert caller.ask(door, b"{}").status == 400
    assert caller.ask("list_rollouts").status == 403
    assert caller.start().status == 403


def test_a_token_of_entra_that_has_no_role_here_is_told_which_one_it_lacks(
    caller: Caller, entra: Entra
) -> None:
    caller.api = replace(caller.api, entra=_reader(entra))
    caller.headers = {"authorization": f"Bearer {entra.for_person(roles=None)}"}

    answer = caller.ask("about")

    assert answer.status == 403
    assert read(answer)["detail"] == "this needs the role reader; anna@contoso.com has: none"


def test_without_the_setting_no_token_of_entra_opens_a_door(caller: Caller, entra: Entra) -> None:
    caller.headers = {"authorization": f"Bearer {entra.token(roles=['admin'])}"}

    assert caller.ask("about").status == 401
    assert entra.asked == []


# -- limits --------------------------------------------------------------------------------------


def test_a_bucket_empties_and_fills_again_for_each_caller_alone() -> None:
    buckets = Buckets(60)
    for _ in range(60):
        buckets.take("ci", NOON)

    with pytest.raises(TooMany) as told:
        buckets.take("ci", NOON)
    buckets.take("anna", NOON)
    buckets.take("ci", NOON + timedelta(seconds=1))

    assert told.value.after == timedelta(seconds=1)


def test_time_that_runs_backwards_gives_nothing_away() -> None:
    buckets = Buckets(60)
    for second in range(60):
        buckets.take("ci", NOON - timedelta(seconds=second))

    with pytest.raises(TooMany):
        buckets.take("ci", NOON - timedelta(hours=1))


def test_strangers_cannot_fill_the_memory() -> None:
    buckets = Buckets(60)
    for number in range(KEYS_MAX + 10):
        buckets.take(str(number), NOON)

    assert len(buckets._buckets) == KEYS_MAX


def test_a_caller_that_asks_too_often_is_told_when_to_ask_again(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, POLICY, requests_per_minute=60)
    answers = [caller.ask("about") for _ in range(61)]

    assert [one.status for one in answers] == [200] * 60 + [429]
    assert answers[-1].headers["Retry-After"] == "1"


def test_what_may_give_traffic_back_is_never_told_to_wait(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, POLICY, requests_per_minute=60)
    caller.start()
    for _ in range(70):
        caller.ask("about")

    assert caller.ask("about").status == 429
    assert caller.ask("take_alert", b"{}").status == 400
    assert caller.command("abort").status == 200


def test_guesses_of_one_address_are_limited_and_those_who_know_are_not_shut_out(
    caller: Caller,
) -> None:
    known = {"x-forwarded-for": "10.0.0.1, 203.0.113.9:4711", **caller.headers}
    caller.headers = {**known, "authorization": "Bearer guess"}
    statuses = [caller.ask("about").status for _ in range(STRANGERS_PER_MINUTE + 1)]
    forged = {**caller.headers, "x-forwarded-for": "198.51.100.1, 203.0.113.9:4712"}
    caller.headers = forged
    again = caller.ask("about")
    caller.headers = {**forged, "x-forwarded-for": "203.0.113.10"}
    neighbour = caller.ask("about")
    caller.headers = known

    assert statuses == [401] * STRANGERS_PER_MINUTE + [429]
    assert (again.status, neighbour.status) == (429, 401)
    assert caller.ask("about").status == 200


# -- nothing leaks -------------------------------------------------------------------------------


def _with_entra(entra: Entra) -> Callable[[Caller], str]:
    def token(caller: Caller) -> str:
        caller.api = replace(caller.api, entra=_reader(entra))
        return entra.token(roles=["admin"])

    return token


def test_no_secret_is_in_a_log_an_answer_or_the_history(
    caller: Caller, entra: Entra, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [TOKEN, *TOKENS.values(), _with_entra(entra)(caller), "a-guess-of-mine"]
    told: list[str] = []
    for token in shown:
        caller.headers = {"authorization": f"Bearer {token}", "x-rollout-token": token}
        for route in ROUTES:
            answer = caller.ask(route.name, {"who": "ci"}, ref="churn", name="no", command="pause")
            told.append(f"{answer.body.decode()} {dict(answer.headers)}")

    everything = "\n".join([*told, caplog.text])
    assert not [token for token in shown if token in everything]


def test_a_fault_says_no_token_even_where_its_text_has_one() -> None:
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhIn0.c2lnbmF0dXJl"  # pragma: allowlist secret
    told = without_secrets(f"broken at {TOKENS[Role.ADMIN]} and {jwt} in rollout_history", "")

    assert told == "broken at *** and *** in rollout_history"


def test_no_route_takes_a_secret_in_its_address() -> None:
    words = {query.name for route in ROUTES for query in route.query}
    words |= {word for route in ROUTES for word in re.findall(r"\{(\w+)\}", route.path)}

    assert not [word for word in words if re.search("token|secret|password|key|sig", word)]


def test_a_setting_that_names_no_one_tenant_is_refused() -> None:
    with pytest.raises(ValueError, match="the id of one tenant"):
        Settings(
            workspaces=(CHURN.in_workspace,), entra_audience=(AUDIENCE,), entra_tenant="common"
        )
    with pytest.raises(ValueError, match="must be https"):
        Settings(
            api_token=SecretStr("t"),
            workspaces=(CHURN.in_workspace,),
            entra_authority="http://login.example",
        )


# -- browsers ------------------------------------------------------------------------------------


def test_every_answer_keeps_browsers_from_guessing_and_from_keeping(caller: Caller) -> None:
    for route in ROUTES:
        answer = caller.ask(route.name, b"?")

        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_page_runs_no_foreign_script_and_stands_in_no_frame() -> None:
    page = Response(200, b"<p>", {"Content-Type": "text/html; charset=utf-8"}).guarded()

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self'" in policy
    assert page.body == b"<p>"
