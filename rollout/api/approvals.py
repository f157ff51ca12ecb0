"""The page behind an approval link: looking changes nothing, its button answers once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape

from rollout.api.answers import Page
from rollout.api.callers import PERMIT, read_form
from rollout.api.exchange import Request, Response
from rollout.api.parts import Parts
from rollout.api.problems import problem_of
from rollout.core.events import ApprovalGiven, ApprovalRefused, Reply
from rollout.core.head import Head
from rollout.core.rollout import Rollout
from rollout.errors import Denied, Malformed, RolloutError
from rollout.inbox import CommandBody, check_command
from rollout.links import Permit, name_of

_ANSWERS: Mapping[str, type[Reply]] = {"approve": ApprovalGiven, "reject": ApprovalRefused}
_HEADERS = {
    "Content-Type": Page.mime,
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}
_NO_DEFAULT = "<button disabled hidden></button>"
"""A form's first button is the one that Enter presses: nobody says yes by typing a reason."""
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}"
    "dd{margin:0;overflow-wrap:anywhere}"
    "button,input{font:inherit;padding:.4rem .8rem;max-width:100%;box-sizing:border-box}"
)


def show(parts: Parts, request: Request) -> Response:
    """Show what a link would approve: a small page, which changes nothing."""
    text = request.query.get(PERMIT, "")
    permit, head, rollout = _open(parts, text)
    used = name_of(text) in head.seen
    if used or not permit.fits(rollout):
        told = "it was used already" if used else "its question is answered, or was withdrawn"
        return _page(410, "This link answers nothing", _said(told) + _facts(rollout))
    return _page(200, _title(rollout), _facts(rollout) + _form(rollout, permit, text))


def answer(parts: Parts, request: Request) -> Response:
    """Answer the question of a link, once; who and why are kept in the history."""
    form = read_form(request.body)
    text = form.get(PERMIT, "")
    permit, head, rollout = _open(parts, text)
    try:
        body, kind = _answered(form)
        who, why = request.caller.signs(body.who, body.why)
    except Malformed as no:
        return _page(422, "Nothing was changed", _said(str(no)))
    link = name_of(text)
    if link in head.seen or not permit.fits(rollout):
        told = "this link was used already, or its question is not open any more"
        return _page(409, "Nothing was changed", _said(told))
    event = kind(id=link, who=who, why=why, question_since=permit.asked)
    decision = parts.engine.handle(head.endpoint, event)
    if not decision.taken:
        return _page(409, "Nothing was changed", _said(decision.why))
    return _page(200, "Done", _said(decision.why))


def refused(error: RolloutError, secret: str) -> Response:
    """Who clicked gets a page where the link is no proof; every other no is a problem."""
    told = problem_of(error, secret)
    if not isinstance(error, Denied):
        return told
    page = _page(told.status, "This link answers nothing", _said(str(error)))
    challenge = {"WWW-Authenticate": told.headers["WWW-Authenticate"]}
    return replace(page, headers={**page.headers, **challenge})


def _open(parts: Parts, text: str) -> tuple[Permit, Head, Rollout]:
    """What the link is good for, and the rollout it is about; raises Denied."""
    permit = parts.desk.read(text, parts.clock.now())
    head = parts.store.load_key(permit.rollout_id.rpartition("-")[0]).head
    if head.rollout is None or head.rollout.id != permit.rollout_id:
        raise Denied("its rollout is over")
    return permit, head, head.rollout


def _answered(form: Mapping[str, str]) -> tuple[CommandBody, type[Reply]]:
    kind = _ANSWERS.get(form.get("answer", ""))
    if kind is None:
        raise Malformed(f"answer: it is one of {', '.join(_ANSWERS)}")
    return check_command({key: form[key] for key in ("who", "why") if form.get(key)}), kind


# -- the page ----------------------------------------------------------------------------------


def _title(rollout: Rollout) -> str:
    asked = rollout.asked
    return f"{rollout.endpoint}: {asked.question if asked else 'approval'}"


def _facts(rollout: Rollout) -> str:
    """What a person needs to decide: who replaces whom, the traffic, and each guard's numbers."""
    facts = {
        "rollout": rollout.id,
        "canary": rollout.canary,
        "baseline": rollout.baseline or "none: nothing served before",
        "stage": f"{rollout.here} ({rollout.stage + 1} of {len(rollout.stages)})",
        "traffic": str(rollout.observed),
        "policy": rollout.policy_name,
        "asked by": rollout.order.who + (f": {rollout.order.why}" if rollout.order.why else ""),
        **_question(rollout),
    }
    rows = "".join(f"<dt>{escape(name)}<dd>{escape(told)}" for name, told in facts.items())
    return f"<dl>{rows}</dl>{_numbers(rollout)}"


def _question(rollout: Rollout) -> Mapping[str, str]:
    asked = rollout.asked
    if asked is None:
        return {}
    given = ", ".join(asked.approved_by) or "nobody yet"
    return {
        "may approve": ", ".join(asked.people) or "anybody",
        "approved": f"{len(asked.approved_by)} of {asked.quorum}: {given}",
        "until": f"{_time(asked.deadline)}; then {asked.then.value.replace('_', ' ')}",
    }


def _numbers(rollout: Rollout) -> str:
    findings: Sequence[str] = [
        f"{found.guard.title.replace('_', ' ')}: {found.because}"
        for found in (rollout.report.findings if rollout.report else ())
    ]
    told = "".join(f"<li>{escape(one)}" for one in findings) or "<li>no numbers yet"
    until = rollout.readable_until
    return f"<h2>Numbers{f', up to {_time(until)}' if until else ''}</h2><ul>{told}</ul>"


def _form(rollout: Rollout, permit: Permit, text: str) -> str:
    named = f"<p>You answer as <b>{escape(permit.who)}</b>."
    asks = '<p><label>Your name <input name="who" required maxlength="100"></label>'
    return (
        '<form method="post" action="approval">'
        f'<input type="hidden" name="permit" value="{escape(text)}">'
        f"{_NO_DEFAULT}{named if permit.who else asks}"
        '<p><label>Why <input name="why" maxlength="500" size="40"></label>'
        '<p><button name="answer" value="approve">Approve</button> '
        '<button name="answer" value="reject">Reject: all traffic goes back</button>'
        f"</form><p><small>Good once, until {_time(permit.expires)}. Or by command:"
        f" <code>rollout approve {escape(str(rollout.endpoint))}</code></small>"
    )


def _said(text: str) -> str:
    return f"<p>{escape(text)}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _page(status: int, title: str, content: str) -> Response:
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{content}"
    )
    return Response(status, page.encode(), _HEADERS)
