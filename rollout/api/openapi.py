"""The OpenAPI 3.1 document, drawn from operations and their models."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from rollout.api.answers import Problem
from rollout.api.exchange import JSON

PROBLEM_JSON = "application/problem+json"
EVENT_STREAM = "text/event-stream"
TITLE = "rollout"
ABOUT = """\
Progressive delivery for models on Azure Machine Learning endpoints.

Where a route asks for it, send `Authorization: Bearer TOKEN`: a token of this controller, or an
access token of Entra ID. `x-least-role` is the role that a route needs, `x-least-role-of` that of
single commands; 401 says that the caller is not known, 403 which role is missing, 429 after how
many seconds to ask again. A body has at most 256 KiB and is
nested at most 32 deep. Times are ISO 8601 in UTC. Every no is a problem (RFC 9457) whose `detail`
tells the place and the remedy.
"""

Schema = dict[str, Any]
SCHEMES: Mapping[str, Schema] = {
    "token": {"type": "http", "scheme": "bearer"},
    "github": {"type": "apiKey", "in": "header", "name": "X-Hub-Signature-256"},
    "azure_devops": {"type": "http", "scheme": "basic"},
    "event_grid": {"type": "apiKey", "in": "header", "name": "X-Rollout-Token"},
    "approval_link": {
        "type": "apiKey",
        "in": "query",
        "name": "permit",
        "description": "The signed permit of a link; in an answer, a field of its form.",
    },
}
"""How a caller shows who it is; each has a check of the same name."""
_REFERENCE = "#/components/schemas/{model}"
_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeats with the same key are taken once.",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,64}$"},
}


@dataclass(frozen=True, slots=True)
class Query:
    """One word of the query, or one header, and its schema."""

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the document tells of one route; `answers` has None where there is no body."""

    name: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    body: type[BaseModel] | None = None
    query: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()
    optional_headers: tuple[Query, ...] = ()
    events: bool = False
    takes_key: bool = False
    security: str | None = "token"
    least: str | None = None
    stricter: Mapping[str, str] = field(default_factory=dict)


_References = Mapping[Any, Schema]
_PROBLEM: tuple[type[BaseModel], JsonSchemaMode] = (Problem, "validation")


def document(
    operations: Sequence[Operation], words: Mapping[str, Schema], prefix: str, version: str
) -> dict[str, object]:
    """The whole document; what is asked is described as read, what is answered as written.

    `words` describes the words that paths have in braces.
    """
    references, schemas = models_json_schema(
        sorted(_models(operations), key=lambda wanted: (wanted[1], wanted[0].__name__)),
        ref_template=_REFERENCE,
    )
    paths: dict[str, dict[str, Schema]] = {}
    for one in operations:
        path = paths.setdefault(f"/{prefix}/{one.path}", {})
        path[one.method.lower()] = _operation(one, words, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "description": ABOUT, "version": version},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": SCHEMES,
            "schemas": schemas.get("$defs", {}),
        },
    }


def _models(operations: Sequence[Operation]) -> set[tuple[type[BaseModel], JsonSchemaMode]]:
    wanted: set[tuple[type[BaseModel], JsonSchemaMode]] = {_PROBLEM}
    for one in operations:
        wanted |= {(model, "serialization") for model in one.answers.values() if model}
        wanted |= {(one.body, "validation")} if one.body else set()
    return wanted


def _operation(one: Operation, words: Mapping[str, Schema], references: _References) -> Schema:
    told: Schema = {"operationId": one.name, "summary": one.summary}
    parameters = [*_path_parameters(one.path, words), *map(_query_parameter, one.query)]
    parameters += [_header_parameter(header, required=True) for header in one.headers]
    parameters += [_header_parameter(header, required=False) for header in one.optional_headers]
    if one.takes_key:
        parameters.append(_KEY)
    if parameters:
        told["parameters"] = parameters
    if one.body:
        content = _content(references[one.body, "validation"])
        told["requestBody"] = {"required": True, "content": content}
    told["responses"] = {
        **{
            str(status): (_events if one.events else _answer)(status, model, references)
            for status, model in one.answers.items()
        },
        "default": {
            "description": "Why not.",
            "content": _content(references[_PROBLEM], PROBLEM_JSON),
        },
    }
    if one.least:
        told["x-least-role"] = one.least
    if one.stricter:
        told["x-least-role-of"] = dict(one.stricter)
    if one.security != "token":
        told["security"] = [{one.security: []}] if one.security else []
    return told


def _path_parameters(path: str, words: Mapping[str, Schema]) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, **words[name]}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameter(query: Query) -> Schema:
    return {"name": query.name, "in": "query", "required": False, "schema": query.schema}


def _header_parameter(header: Query, *, required: bool) -> Schema:
    return {"name": header.name, "in": "header", "required": required, "schema": header.schema}


def _answer(status: int, model: type[BaseModel] | None, references: _References) -> Schema:
    told: Schema = {"description": HTTPStatus(status).phrase}
    if model:
        mime = getattr(model, "mime", JSON)
        told["content"] = _content(references[model, "serialization"], mime)
    return told


def _events(status: int, model: type[BaseModel] | None, references: _References) -> Schema:
    """A stream of server-sent events; OpenAPI 3.1 has no word for what the data of each is."""
    text = {"type": "string", "description": "Server-sent events; their data is JSON."}
    stream = {"schema": text, "x-event-data": references[model, "serialization"] if model else {}}
    return {"description": HTTPStatus(status).phrase, "content": {EVENT_STREAM: stream}}


def _content(schema: Schema, mime: str = JSON) -> Schema:
    return {mime: {"schema": schema}}
