"""The OpenAPI 3.1 document, and the generated part of the reference page: both are the table, told in another way."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from bandstand import __version__
from bandstand.faces.daemon.http.fields import Field, Operation
from bandstand.faces.daemon.http.shapes import schemas
from bandstand.faces.daemon.http.table import OPERATIONS, PREFIX
from bandstand.faces.wire import Json

_PART = re.compile(r"\{(\w+)\}")
ERRORS = {
    "400": "The request is wrong, or the order cannot be taken.",
    "401": "The token is missing or wrong (TCP only).",
    "403": "The caller is a page of another site, or names another host (TCP only).",
    "404": "What is named does not exist.",
    "409": "What was seen has been overtaken, or the key was given with another order.",
    "413": "The body is longer than 16 MiB.",
    "415": "The body is not JSON.",
    "500": "Broken: a person has to look.",
    "503": "Unavailable: try again later.",
}
"""Every status that an error may have."""

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A key of your own: an order that is given again with it is not carried out again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
_LAST = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The last `id` that was read: the stream goes on right behind it.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}


@cache
def document() -> Json:
    """The whole document."""
    paths: dict[str, dict[str, Json]] = {}
    for operation in OPERATIONS:
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bandstand",
            "version": __version__,
            "summary": "Orders, questions and events of one daemon.",
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(schemas()),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Over TCP; not at the Unix socket."}
            },
            "responses": {"Error": {"description": "An error.", "content": _json("Error")}},
        },
    }


def _operation(operation: Operation) -> Json:
    said: Json = {
        "operationId": operation.id,
        "summary": operation.help,
        "tags": [operation.about],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.method == "POST":
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": _body(operation.body)}}}
    return said


def _parameters(operation: Operation) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PART.findall(operation.path)
    ]
    for field in operation.query:
        schema: Json = {"type": field.kind}
        if field.many:
            schema = {"type": "array", "items": schema}
        found.append({"name": field.name, "in": "query", "description": field.help, "schema": schema})
    if operation.order:
        found.append(_KEY)
    if operation.id == "events":
        found.append(_LAST)
    return found


def _responses(operation: Operation) -> Json:
    if operation.id == "events":
        content: Json = {"text/event-stream": {"schema": {"type": "string"}}}
    elif operation.id == "metrics":
        content = {"text/plain": {"schema": {"$ref": "#/components/schemas/Metrics"}}}
    else:
        content = _json(operation.answer)
    good: Json = {"description": "A receipt." if operation.order else "The answer.", "content": content}
    return {
        str(operation.status): good,
        **{status: {"$ref": "#/components/responses/Error"} for status in ERRORS if _may(operation, status)},
    }


def _may(operation: Operation, status: str) -> bool:
    """Whether an operation can fail in this way."""
    if status in ("413", "415"):
        return operation.method == "POST"
    return status != "409" or operation.order or operation.id == "events"


def _body(fields: Sequence[Field]) -> Json:
    properties = {}
    for field in fields:
        schema: Json = {"type": field.kind, "description": field.help}
        if field.choices:
            schema["enum"] = list(field.choices)
        properties[field.name] = schema
    required = [field.name for field in fields if field.required]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _json(name: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def reference() -> str:
    """The generated part of docs/reference/api.md."""
    return "\n".join(_reference()).rstrip() + "\n"


def _reference() -> Iterator[str]:
    yield "## Operations\n"
    yield "| | path | does |\n|---|---|---|"
    for one in OPERATIONS:
        yield f"| {one.method} | [`{one.path}`](#{one.id.lower()}) | {one.help} |"
    for one in OPERATIONS:
        yield f"\n### {one.id}\n\n`{one.method} {PREFIX}{one.path}`\n\n{one.help}"
        if one.order:
            yield "It is an order: it takes an `Idempotency-Key`, and is answered with a receipt."
        rows = [("query", field) for field in one.query] + [("body", field) for field in one.body]
        if rows:
            yield "\n| | name | type | means |\n|---|---|---|---|"
        for where, field in rows:
            yield f"| {where} | `{field.name}`{_notes(field)} | {_kind(field)} | {field.help} |"
    yield "\n## Statuses of errors\n\n| status | means |\n|---|---|"
    for status, words in ERRORS.items():
        yield f"| {status} | {words} |"


def _notes(field: Field) -> str:
    return " (required)" if field.required else ""


def _kind(field: Field) -> str:
    if field.choices:
        return " or ".join(f"`{choice}`" for choice in field.choices)
    return f"{field.kind}, repeatable" if field.many else field.kind
