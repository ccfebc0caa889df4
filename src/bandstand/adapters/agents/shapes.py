"""What a JSON value is when it should be something: the empty value of that shape when it is not.

Agents leave fields out, send `null`, or send another type than the protocol says. Nothing here raises, so what
reads with it never stumbles over a message.
"""

from collections.abc import Mapping, Sequence


def table(value: object) -> Mapping[str, object]:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> Sequence[object]:
    """A JSON array; empty for anything else."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """A JSON string that every encoder can write; empty for anything else.

    JSON may spell half of a surrogate pair, which is no character: it becomes a question mark.
    """
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def word(value: object) -> str:
    """A string, or a number as one; empty for anything else. For names that some agents send as numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text(value)
    return str(value)


def count(value: object) -> int:
    """A whole number of at least nought; nought for anything else."""
    return int(amount(value))


def amount(value: object) -> float:
    """A finite number of at least nought; nought for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15:
        return 0.0
    return float(value)


def content_text(value: object) -> str:
    """The text of a content block, of several, or of a bare string: what a terminal can show of it."""
    if isinstance(value, list):
        return "".join(content_text(block) for block in value if not isinstance(block, list))
    if isinstance(value, str):
        return text(value)
    block = table(value)
    return text(block.get("text")) or text(table(block.get("resource")).get("text")) or text(block.get("uri"))
