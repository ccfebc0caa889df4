"""What is wrong with a file, as one clear error: `FILE:LINE: sentence.` and a hint.

A file may hold many mistakes; a person mends the first one first. So the first by line is told, and how many are left.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from bandstand.domain.errors import Refused

STANDARD_INPUT = "-"
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake: its line counted from 1, a full sentence, and the next step if there is an obvious one."""

    line: int
    sentence: str
    hint: str = ""


class Unfit(ValueError):
    """A value that does not fit. The message goes on from the key: "must be …", without a full stop."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def refusal(name: str, findings: Iterable[Finding]) -> Refused:
    """The error that tells the first finding by line. `-` is the name of standard input. Needs one finding at least."""
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: finding.line)
    first = ordered[0]
    more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
    place = "standard input" if name == STANDARD_INPUT else name
    return Refused(f"{place}:{first.line}: {first.sentence.removesuffix('.')}{more}.", hint=first.hint)


def quoted(value: object) -> str:
    """A value as it stands in a sentence: one line, marked off, shortened where it is long."""
    text = " ".join(str(value).split())
    if len(text) > _LONGEST_SHOWN:
        text = text[: _LONGEST_SHOWN - 1].rstrip() + "…"
    return f"`{text}`" if "`" not in text else f'"{text}"'


def in_words(values: Iterable[str], *, last: str = "or") -> str:
    """`a, b or c`."""
    *rest, end = values
    return f"{', '.join(rest)} {last} {end}" if rest else end


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """A hint that names what is most like `given`, or else everything that is allowed."""
    names = list(allowed)
    if close := close_to(given, names):
        return f"Did you mean `{close}`?"
    return f"Known are: {', '.join(names)}." if names else ""


def close_to(given: str, allowed: Iterable[str]) -> str:
    """What of that is most like `given`; empty if nothing is like it."""
    return next(iter(get_close_matches(given.lower(), list(allowed), n=1, cutoff=0.6)), "")
