"""Draws the reference pages from the code: `make docs` writes them, a test compares them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rollout.analysis.report import Metric
from rollout.core.machine.looked import CONCERNS
from rollout.core.machine.table import TRANSITIONS
from rollout.core.machine.transition import Transition
from rollout.core.policy import Policy
from rollout.core.rotation.policy import RotationDocument
from rollout.core.rotation.table import ROTATIONS, KeyTransition
from rollout.settings import PREFIX, Settings
from rollout.signals import SIGNALS, SPANS

ROOT = Path(__file__).resolve().parent.parent
DRAWN = "<!-- drawn from the code by `make docs` -->"


def policy_page() -> str:
    """Every key of a policy: what it takes, and its default."""
    schema = Policy.model_json_schema(by_alias=True)
    parts = [
        "# Policy keys",
        DRAWN,
        (
            "A policy is one YAML file. Unknown keys are refused, with the place and the known"
            " ones; `rollout policy check FILE` tells every mistake at once, and"
            " `rollout policy schema` prints"
            " the JSON Schema for your editor."
        ),
        (
            "Stages stand in this order: smoke, mirror, canary with rising weights, bake, retire;"
            " approval may stand anywhere before retire. The stage at 100 % is always there: where"
            " `bake` is not written, it lasts no time of its own."
        ),
        f"Metrics of guards: {', '.join(f'`{metric}`' for metric in Metric)}.",
        (
            "A guard without a metric is a custom guard: it has a `name` and one of `kql`,"
            " `prometheus` (with `of`, the query that counts the requests) or `http` (asked by"
            " `method` `POST`, or `GET`); see [A guard of your"
            " own](../howto/a-guard-of-your-own.md)."
        ),
        _keys("The policy", schema, schema),
    ]
    parts += [
        _keys(f"`{name}`", schema["$defs"][name], schema)
        for name in sorted(schema["$defs"])
        if "properties" in schema["$defs"][name] and name != "StageEntry"
    ]
    return "\n\n".join(parts) + "\n"


def _keys(title: str, model: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    told = _unwrapped(model.get("description", ""))
    rows = ["| key | takes | default | |", "|---|---|---|---|"]
    required = model.get("required", ())
    for name, about in model["properties"].items():
        default = "required" if name in required else _default(about)
        note = about.get("description") or _of_its_own(about, schema)
        rows.append(f"| `{name}` | {_takes(about, schema)} | {default} | {note} |")
    return f"## {title}\n\n{told}\n\n" + "\n".join(rows)


def _unwrapped(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _of_its_own(about: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What the model says that a key takes, in its first sentence."""
    name = about.get("$ref", "").rsplit("/", 1)[-1]
    told = schema["$defs"].get(name, {})
    return "" if "enum" in told else _unwrapped(told.get("description", "").split("\n\n")[0])


def _takes(about: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in about:
        return _named(about["$ref"], schema)
    if "anyOf" in about:
        some = [_takes(one, schema) for one in about["anyOf"] if one.get("type") != "null"]
        return " or ".join(some)
    if "enum" in about or "const" in about:
        return ", ".join(f"`{value}`" for value in about.get("enum", [about.get("const")]))
    if about.get("additionalProperties"):
        return f"mapping to {_takes(about['additionalProperties'], schema)}"
    if about.get("type") == "array":
        return f"list of {_takes(about.get('items', {}), schema)}"
    return f"{about.get('type', 'anything')}{_range(about)}"


def _named(ref: str, schema: Mapping[str, Any]) -> str:
    name = ref.rsplit("/", 1)[-1]
    model = schema["$defs"][name]
    if "enum" in model:
        return ", ".join(f"`{value}`" for value in model["enum"])
    return f"`{name}`"


def _range(about: Mapping[str, Any]) -> str:
    low, high, above = (about.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
    if above is not None:
        return f" above {above}" + ("" if high is None else f", at most {high:.0f}")
    if low is None and high is None:
        return ""
    return f" from {low}" if high is None else f" {low} to {high}"


def _default(about: Mapping[str, Any]) -> str:
    value = about.get("default")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "; ".join(_short(one) for one in value)
    return "" if value is None else f"`{_short(value)}`"


def _short(value: object) -> str:
    if isinstance(value, dict):
        parts = [f"{key}: {_short(one)}" for key, one in value.items() if one is not None]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_short(one) for one in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def machine_page() -> str:
    """The table of the state machine, and what a look weighs in each phase."""
    return "\n\n".join(["# The state machine", DRAWN, *_machine_parts()]) + "\n"


def _machine_parts() -> Iterator[str]:
    yield (
        "Every phase, what moves it, and what means nothing in it. Phases in -ing wait for the"
        " world, phases in -ed are over."
    )
    yield _arrows(TRANSITIONS)
    for phase, answers in TRANSITIONS.items():
        yield f"## {phase}\n\n{_answers(answers)}"
        if phase in CONCERNS:
            names = [concern.__name__.strip("_").replace("_", " ") for concern in CONCERNS[phase]]
            yield f"A look weighs, first come wins: {', '.join(names)}."


def _arrows(table: Mapping[Any, Mapping[type, Any]]) -> str:
    """The picture of a machine: every phase with those that it leads to."""
    pairs = {
        (phase, target)
        for phase, answers in table.items()
        for answer in answers.values()
        for target in _leads_to(answer)
        if target is not phase
    }
    arrows = "\n".join(f"    {before} --> {after}" for before, after in sorted(pairs))
    return f"```mermaid\nstateDiagram-v2\n{arrows}\n```"


def _answers(answers: Mapping[type, Any]) -> str:
    """What each event leads to in one phase, or why it means nothing there."""
    rows = ["| event | leads to | or means nothing, because |", "|---|---|---|"]
    for event, answer in answers.items():
        if isinstance(answer, Transition | KeyTransition):
            rows.append(f"| {event.__name__} | {', '.join(answer.to) or 'stays'} | |")
        else:
            rows.append(f"| {event.__name__} | | {answer} |")
    return "\n".join(rows)


def _leads_to(answer: object) -> tuple[str, ...]:
    return tuple(answer.to) if isinstance(answer, Transition | KeyTransition) else ()


def rotation_page() -> str:
    """Every key of a rotation policy, and the table of its state machine."""
    schema = RotationDocument.model_json_schema(by_alias=True)
    parts = [
        "# Rotation policy, and the phases of a rotation",
        DRAWN,
        (
            "A rotation policy is a YAML file of its own beside the rollout policies, known by the"
            " key `rotation` at its top. How it is used: [rotate keys](../howto/rotate-keys.md)."
        ),
        _keys("The file", schema, schema),
    ]
    parts += [_keys(f"`{name}`", schema["$defs"][name], schema) for name in sorted(schema["$defs"])]
    return "\n\n".join([*parts, *_rotation_parts()]) + "\n"


def _rotation_parts() -> Iterator[str]:
    yield (
        "## The phases\n\nPhases in -ing wait for the world, phases in -ed are over. While a key"
        " is regenerated no rollout begins and no traffic is shifted; a way back waits for nothing."
    )
    yield _arrows(ROTATIONS)
    for phase, answers in ROTATIONS.items():
        yield f"### {phase}\n\n{_answers(answers)}"


def settings_page() -> str:
    """Every setting of an installation."""
    rows = ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else _set(field.default)
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    told = "`rollout up` sets most of these itself; on Azure they are app settings."
    return "\n\n".join(["# Settings", DRAWN, told, "\n".join(rows)]) + "\n"


def _set(value: object) -> str:
    """A setting's default, as one would write it into a variable."""
    return "" if value is None or value == () else f"`{_short(value)}`"


def telemetry_page() -> str:
    """Every number that the controller tells of itself, and its spans."""
    rows = ["| metric | kind | unit | attributes | meaning |", "|---|---|---|---|---|"]
    for name, one in SIGNALS.items():
        about = ", ".join(f"`rollout.{attribute}`" for attribute in one.attributes) or "none"
        rows.append(f"| `{name}` | {one.kind} | `{one.unit}` | {about} | {one.meaning} |")
    told = (
        "What the controller tells of its own work where `telemetry` is set to `opentelemetry`;"
        " [Observe the controller](../howto/observe.md) says how to turn it on."
    )
    spans = [
        "## Spans",
        "| span | what it covers |\n|---|---|\n"
        + "\n".join(f"| `{name}` | {meaning} |" for name, meaning in SPANS.items()),
        (
            "Spans behind a door carry `rollout.endpoint`, `rollout.rollout_id` and"
            " `rollout.event_id` as soon as they are known. A failed span tells the kind of its"
            " error and never its text."
        ),
    ]
    return "\n\n".join(["# Telemetry", DRAWN, told, "## Metrics", "\n".join(rows), *spans]) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/policy.md": policy_page,
    "docs/reference/machine.md": machine_page,
    "docs/reference/rotation.md": rotation_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/telemetry.md": telemetry_page,
}


def main() -> None:
    """Write every page."""
    for path, page in PAGES.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(page())


if __name__ == "__main__":
    main()
