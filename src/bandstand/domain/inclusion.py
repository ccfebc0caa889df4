"""What a fresh workspace is given beside the files of its commit."""

from dataclasses import dataclass

MEGABYTES = 64
"""How much may be copied into one workspace where the rules do not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """Files that git ignores in the user's checkout, and that are copied from there: those that `patterns` match.

    The patterns are as in a `.gitignore`. Together the files may have at most so many megabytes.
    """

    patterns: tuple[str, ...] = ()
    megabytes: int = MEGABYTES


NOTHING = Inclusion()


def patterns_of(text: str) -> tuple[str, ...]:
    """The patterns of a file in the form of a `.gitignore`, without what says nothing."""
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return tuple(line for line in lines if line.strip() and not line.startswith("#"))
