"""The single values that files may hold: text, ids, paths, names, numbers.

Each function gives the value back if it fits, and raises `Unfit` otherwise.
"""

import re
import shlex
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt

from bandstand.config.findings import Unfit, quoted
from bandstand.domain import ids
from bandstand.domain.errors import Refused
from bandstand.domain.network import host_rule

LONGEST_TITLE = 120

T = TypeVar("T")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,38}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DRIVE = re.compile(r"[A-Za-z]:")
_NOT_IN_A_BRANCH = re.compile(r"[\s~^:?*\[\\]|\.\.|@\{|//|/\.|^[-/.]|[/.]$|\.lock(/|$)")


def printable(value: str) -> str:
    """`value`, if nothing in it is such that a terminal, a file or a process could not take it."""
    if _NO_TEXT.search(value):
        raise Unfit("must be text, and holds bytes that are none in UTF-8")
    if _CONTROL.search(value):
        raise Unfit("must not hold control characters")
    return value


def text(value: str) -> str:
    """`value`, if it is printable and there is something in it."""
    if not value.strip():
        raise Unfit("is empty")
    return printable(value)


def one_line(value: str) -> str:
    """`value`, if it is text of one line."""
    if len(value.splitlines()) != 1:
        raise Unfit("must be one line")
    return value.strip()


def task_id(value: str) -> str:
    """`value`, if it spells a task id."""
    try:
        return ids.task_id(value)
    except Refused as error:
        raise Unfit(f"must be a task id, and {quoted(value)} is none", hint=error.hint) from None


def scope_pattern(value: str) -> str:
    """`value`, if it is a pattern of paths inside the repository."""
    if value.startswith(("/", "\\", "~")) or _DRIVE.match(value) or ".." in re.split(r"[/\\]", value):
        raise Unfit(
            f"must stay inside the repository, and {quoted(value)} does not",
            hint="Write paths from the top of the repository, as in `src/app/` or `docs/*.md`.",
        )
    if value.startswith((":", "!")):
        raise Unfit(
            f"must be plain path patterns, and {quoted(value)} is none",
            hint="Name what the task may touch; there is no way to exclude paths.",
        )
    return value


def agent_name(value: str) -> str:
    """`value`, if it can name an agent."""
    if not _NAME.fullmatch(value):
        raise Unfit(
            f"must be an agent's name, and {quoted(value)} is none",
            hint="Use letters, digits and inner dots, hyphens and underscores, at most 40 characters.",
        )
    return value


def variable(value: str) -> str:
    """`value`, if it can name an environment variable. What stands behind an equals sign may be a secret: not shown."""
    if _VARIABLE.fullmatch(value):
        return value
    name, equals, _ = value.partition("=")
    shown = quoted(f"{name}=…" if equals else name)
    hint = "Here stand names only, never values." if equals else ""
    raise Unfit(f"must name environment variables, and {shown} cannot be one", hint=hint)


def outside_path(value: str) -> str:
    """`value`, if it is an absolute path or one below the home folder, and neither of both whole."""
    parts = value.rstrip("/").split("/")
    if parts[0] not in ("", "~") or ".." in parts:
        raise Unfit(f"must be absolute paths or begin with `~/`, and {quoted(value)} does not")
    if len(parts) < 2:
        raise Unfit("must not be the whole disk or the whole home folder", hint="Name the folder that is needed.")
    return value


def host(value: str) -> str:
    """`value`, if it names a host that may be reached, with or without a port."""
    try:
        return host_rule(value).text
    except Refused as error:
        raise Unfit(f"must name hosts, and {quoted(value)} is none", hint=error.hint) from None


def home_path(value: str) -> str:
    """`value`, if it is a path below the home folder."""
    parts = value.split("/")
    if parts[0] != "~" or len(parts) < 2 or not all(parts) or {".", ".."} & set(parts):
        raise Unfit(f"must be paths that begin with `~/`, and {quoted(value)} does not fit")
    return value


def branch(value: str) -> str:
    """`value`, if it can be the short name of a branch that changes land on."""
    if _NOT_IN_A_BRANCH.search(value) or value == "@":
        raise Unfit(f"must be the name of a branch, and {quoted(value)} cannot be one")
    if value.startswith("refs/"):
        raise Unfit("must be a branch's short name", hint=f"Write `{value.removeprefix('refs/heads/')}`.")
    if value.startswith("band/"):
        raise Unfit("must not be a task's branch", hint="Branches below `band/` hold the changes of tasks.")
    return value


def filled(value: tuple[T, ...]) -> tuple[T, ...]:
    """`value`, if there is something in it."""
    if not value:
        raise Unfit("is an empty list")
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError:
        raise Unfit("holds a quote that is not closed") from None


Content = Annotated[str, AfterValidator(printable)]
Text = Annotated[str, AfterValidator(text)]
Line = Annotated[Text, AfterValidator(one_line)]
Title = Annotated[Line, Field(max_length=LONGEST_TITLE)]
Id = Annotated[str, AfterValidator(task_id)]
Agent = Annotated[str, AfterValidator(agent_name)]
Variable = Annotated[str, AfterValidator(variable)]
OutsidePath = Annotated[Line, AfterValidator(outside_path)]
Host = Annotated[Line, AfterValidator(host)]
Hosts = Annotated[tuple[Host, ...], BeforeValidator(_listed), Field(max_length=500)]
HomePath = Annotated[Line, AfterValidator(home_path)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
Scope = Annotated[tuple[Annotated[Line, AfterValidator(scope_pattern)], ...], BeforeValidator(_listed)]
Ids = Annotated[tuple[Id, ...], BeforeValidator(_listed), Field(max_length=200)]
Command = Annotated[tuple[Text, ...], BeforeValidator(_words), AfterValidator(filled)]

Minutes = Annotated[StrictInt, Field(ge=1, le=7 * 24 * 60)]
Turns = Annotated[StrictInt, Field(ge=1, le=1000)]
Days = Annotated[StrictInt, Field(ge=0, le=100_000)]
Megabytes = Annotated[StrictInt, Field(ge=0, le=1_000_000_000)]
Count = Annotated[StrictInt, Field(ge=0, le=100)]
Priority = Annotated[StrictInt, Field(ge=-1000, le=1000)]
Target = Annotated[Line, AfterValidator(branch)]
