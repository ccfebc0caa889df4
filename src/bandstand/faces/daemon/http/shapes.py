"""JSON schemas of what is answered: of read models as `plain` writes them, and of what is put together by hand."""

import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType

from bandstand.domain.ask import Ask
from bandstand.domain.change import Change
from bandstand.domain.remains import Remnant
from bandstand.faces.wire import Json
from bandstand.ports.rescues import RescueRef
from bandstand.services.checkpoints import CheckpointList
from bandstand.services.fleets import Steered
from bandstand.services.listening import PortsView
from bandstand.services.networks import NetworkView
from bandstand.services.repositories import RepositoryView
from bandstand.services.rescues import GivenUp, RescueView
from bandstand.services.views import FleetView, QueueView, TaskRow, TaskView

_PLAIN: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "integer"}


def shape(hint: object) -> Json:
    """The schema of a type hint. Raises `TypeError` for one that is never answered."""
    while isinstance(hint, typing.NewType):
        hint = hint.__supertype__
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"type": "string", "enum": [one.value for one in hint]}
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        return {"anyOf": [shape(one) for one in inner]}
    if origin is tuple and inner[1:] == (...,):
        return {"type": "array", "items": shape(inner[0])}
    raise TypeError(f"{hint} has no schema.")


def _record(kind: type) -> Json:
    hints = typing.get_type_hints(kind)
    return things({field.name: shape(hints[field.name]) for field in fields(kind)})


def things(members: Mapping[str, Json], *, optional: Mapping[str, Json] | None = None) -> Json:
    """An object. More members may come in later versions."""
    properties = {**members, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(members)}


def several(item: Json) -> Json:
    """A list."""
    return {"type": "array", "items": item}


def _with(schema: Json, **more: Json) -> Json:
    return things({**schema["properties"], **more})


@cache
def schemas() -> Mapping[str, Json]:
    """Every schema by its name."""
    row = _with(shape(TaskRow), glyph=TEXT)
    named_row = {"$ref": "#/components/schemas/Row"}
    task = _with(shape(TaskView), row=named_row)
    ask, repository = shape(Ask), shape(RepositoryView)
    asks = things({"asks": several({"$ref": "#/components/schemas/Ask"})})
    entry = things({"run": TEXT, "at_ms": NUMBER, "offset": NUMBER, "kind": TEXT, "text": TEXT})
    nullable = {"type": ["string", "null"]}
    return {
        "Ask": ask,
        "Asks": asks,
        "Agents": things({"agents": several(_agent()), "default": nullable}),
        "Diff": things({"patch": TEXT}),
        "Document": {"type": "object"},
        "Error": _error(),
        "Fleet": _with(shape(FleetView), tasks=several(named_row), trouble=TEXT, gaps=several(TEXT)),
        "Health": things(
            {
                **{"version": TEXT, "pid": NUMBER, "sequence": NUMBER, "readers": NUMBER, "repositories": NUMBER},
                **{"live": NUMBER, "asks": NUMBER, "trouble": several(things({"repository": TEXT, "words": TEXT}))},
            }
        ),
        "Inbox": things({"asks": several(_with(ask, repository=TEXT))}),
        "Metrics": TEXT,
        "Plan": _plan(),
        "Receipt": things(
            {
                "repository": TEXT,
                "sequence": {"type": ["integer", "null"]},
                "at": nullable,
                "tasks": several(TEXT),
                "asks": several(TEXT),
                "facts": several(things({"sequence": NUMBER, "type": TEXT})),
            }
        ),
        "Ports": shape(PortsView),
        "Queue": _with(shape(QueueView), entries=several(named_row)),
        "Resumed": things({"repositories": several(shape(Steered))}),
        **_keeping(),
        "Network": shape(NetworkView),
        "Repositories": things({"repositories": several({"$ref": "#/components/schemas/Repository"})}),
        "Repository": repository,
        "Review": things({"task": {"$ref": "#/components/schemas/Task"}, "patch": TEXT}),
        "Row": row,
        "Stopped": things({"repositories": several(shape(Steered)), "agents": NUMBER}),
        "Task": task,
        "Transcript": things({"entries": several(entry), "next": TEXT, "more": {"type": "boolean"}}),
    }


def _agent() -> Json:
    login = things({"kind": TEXT, "state": TEXT, "words": TEXT, "cure": TEXT})
    said = {"name": TEXT, "title": TEXT, "command": several(TEXT), "state": TEXT}
    return things(said, optional={"install": TEXT, "login": login})


def _keeping() -> Mapping[str, Json]:
    rescue = {"$ref": "#/components/schemas/Rescue"}
    return {
        "Checkpoints": shape(CheckpointList),
        "Remains": things(
            {"cleared": {"type": "boolean"}, "things": several(_with(shape(Remnant), trouble=TEXT)), "bytes": NUMBER}
        ),
        "Rescue": shape(RescueView),
        "Rescues": things({"rescues": several(rescue)}),
        "RescueContent": things(
            {
                **{
                    "view": rescue,
                    "ref": shape(RescueRef | None),
                    "change": shape(Change | None),
                },
                **{"patch": TEXT, "listings": several(things({"archive": TEXT, "names": several(TEXT)}))},
            }
        ),
        "Restored": things(
            {
                **dict.fromkeys(("task", "branch", "folder"), TEXT),
                **{"files": NUMBER, "archives": NUMBER, "notes": several(TEXT)},
            }
        ),
        "Pruned": things(
            {
                "rescues": several(_with(shape(GivenUp), view=rescue)),
                "dry_run": {"type": "boolean"},
            }
        ),
    }


def _error() -> Json:
    kinds = ["refused", "unknown", "unavailable", "broken"]
    return things({"error": things({"kind": {"type": "string", "enum": kinds}, "message": TEXT, "hint": TEXT})})


def _plan() -> Json:
    task = things({"id": TEXT, "title": TEXT, "agent": TEXT, "needs": several(TEXT)})
    rule = things({"key": TEXT, "value": {}, "source": TEXT})
    agent = things({"name": TEXT, "command": several(TEXT), "reads": several(TEXT)})
    texts = ("checks_from", "target", "review", "push", "digest", "sandbox")
    return things(
        {
            "tasks": several(task),
            "rules": several(rule),
            "checks": several(TEXT),
            **dict.fromkeys(texts, TEXT),
            "confirmed": {"type": "boolean"},
            "changed": {"type": "boolean"},
            "agents": several(agent),
            "warnings": several(TEXT),
            "suggested": several(TEXT),
        }
    )
