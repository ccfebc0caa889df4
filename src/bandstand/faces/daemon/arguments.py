"""What stands in the arguments of an operation, by their names: looked at once, before anything is done with them.

Our own commands send what is right; older ones, scripts and the curious may not, and are told what was meant.
"""

from collections.abc import Callable, Mapping

from bandstand.domain.errors import Refused
from bandstand.faces.wire import Json


def checked(args: Mapping[str, Json]) -> None:
    """Return if every argument is of its kind; what is left out or `null` is not there. Raises `Refused`."""
    for name, value in args.items():
        kind = _KINDS.get(name)
        if kind is not None and value is not None and not _FITS[kind](value):
            raise Refused(f"The operation takes {name!r} as {kind}.")


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_document(value: Json) -> bool:
    return isinstance(value, dict) and _is_text(value.get("name")) and _is_text(value.get("text"))


def _is_tasks(value: Json) -> bool:
    """A file of them, or a list of ids."""
    return _is_document(value) or (isinstance(value, list) and all(map(_is_text, value)))


def _is_variables(value: Json) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


_TEXT, _WHOLE, _DOCUMENT, _TASKS, _VARIABLES = (
    "text",
    "a whole number",
    "a file with its name and its text",
    "a file with its name and its text, or a list of ids",
    "texts by their names",
)
_FITS: Mapping[str, Callable[[Json], bool]] = {
    _TEXT: _is_text,
    _WHOLE: _is_whole,
    _DOCUMENT: _is_document,
    _TASKS: _is_tasks,
    _VARIABLES: _is_variables,
}
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("agent", "ask", "branch", "by", "choice", "commit", "digest", "goal", "host", "id"), _TEXT),
    **dict.fromkeys(("network", "reason", "sandbox", "target", "task", "text"), _TEXT),
    "priority": _WHOLE,
    "score": _DOCUMENT,
    "tasks": _TASKS,
    "variables": _VARIABLES,
}
