"""What a row of the escape table is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.e2e.escapes.ground import Ground

CHOWN, DAC_READ_SEARCH, NET_RAW, SYS_MODULE, SYS_ADMIN, SYS_BOOT, MKNOD, SYSLOG = 0, 2, 13, 16, 21, 22, 27, 34


class Control(StrEnum):
    """With what taken away the same attempt succeeds."""

    UNSANDBOXED = "--sandbox none"
    PLAIN = "a plain process"  # without a sandbox a run still has a process namespace: its holder's
    ORDINARY = "a plain process of an ordinary user"
    NAMED = "rules that name it"
    UNLIMITED = "rules without these limits"
    METADATA = "a plain process, in a network with such a server"
    DIRTY = "bubblewrap, started with the person's environment"


Told = Callable[[Ground, "Attempt", str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way out of a sandbox.

    `words` are the program's, made for a ground, with what it is to leave outside, in which `WHO` stands for who leaves
    it. `told` looks from outside whether it succeeded: who tried it is the third, what it brought home the last.
    Only root can do what needs a capability of `needs`, whatever the walls are. What some kernels lack `may_be_absent`.
    What is tried on the own run is there only `in_a_run`: a set-up command comes before it.
    """

    name: str
    program: str
    words: Callable[[Ground, str], Mapping[str, Any]]
    told: Told
    holds: str
    control: Control = Control.UNSANDBOXED
    law: int = 4
    needs: int | None = None
    may_be_absent: bool = False
    in_a_run: bool = False

    @property
    def key(self) -> str:
        """Its name in files."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())


def arrived(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    """The secret came in."""
    return ground.secret in said


def granted(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    """The kernel, or whoever was asked, did it: the program says the word only then."""
    return said.startswith(ground.mark)


def received(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    """A program of the person's has heard it."""
    return ground.came(text(ground, attempt).replace("WHO", who))


def text(ground: Ground, attempt: Attempt) -> str:
    """What an attempt leaves outside. `WHO` stands for who leaves it."""
    return f"{ground.mark}-{attempt.key}-WHO"
