"""Where agent processes live: holders, their journals, and channels to them."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from bandstand.domain.ids import RunId
from bandstand.domain.network import HostRule, Traffic
from bandstand.ports.walls import NO_LIMITS, Limits, Network, OrdinaryUser


class RecordKind(StrEnum):
    """Which way a line of a journal went. The values are what stands in the file."""

    FROM_AGENT = "<"
    TO_AGENT = ">"
    PIECE = "+"
    UNTERMINATED = "~"
    NOTE = "!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of a run's journal. `offset` names it, `end` is where the next one begins; `key` is the writer's."""

    offset: int
    end: int
    kind: RecordKind
    at_ms: int
    key: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A process to start: what to execute, where, with which whole environment. Nothing is inherited.

    The rest is what whoever starts it does around the program of a sandbox. `handed` is read by that program from
    descriptors, each under its option. Where it `announces`, it says which process it confined and has that one wait,
    so that `network` and `limits` are there before anything else runs inside. Its `user` is whom a starter that is root
    becomes first.
    """

    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    handed: Mapping[str, bytes] = field(default_factory=dict)
    announces: bool = False
    network: Network = Network.HOST
    limits: Limits = NO_LIMITS
    user: OrdinaryUser | None = None

    @property
    def orders(self) -> dict[str, Any]:
        """What the starter has to know, as JSON can carry it; empty for a plain program."""
        limits = {name: value for name, value in asdict(self.limits).items() if value is not None}
        orders = {
            "handed": {option: content.hex() for option, content in self.handed.items()},
            "announces": self.announces,
            "network": "" if self.network is Network.HOST else self.network.value,
            "limits": limits,
            "user": _as_json(self.user) if self.user is not None else {},
        }
        return {name: value for name, value in orders.items() if value}


def _as_json(user: OrdinaryUser) -> dict[str, Any]:
    return {
        "uid": user.uid,
        "reads": [str(path) for path in user.read],
        "writes": [str(path) for path in user.written],
    }


class RunState(StrEnum):
    """What is known of the process of a run from outside."""

    ABSENT = "absent"  # never started
    LIVE = "live"  # a holder has it
    EXITED = "exited"  # it ended and left its exit status
    LOST = "lost"  # its holder died with it and left nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """The state of a run's process; `code` and `reason` are set when it `EXITED`. A negative code is a signal.

    `starved` is how many of its processes the kernel ended since they had used up the memory of the run.
    """

    state: RunState
    code: int | None = None
    reason: str = ""
    starved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the processes of a live run hold in memory, in bytes; nothing where the machine does not tell.

    `held` tells that the kernel itself keeps them within their limit, `frozen` that they are held still.
    """

    memory: int | None
    held: bool
    frozen: bool


class Channel(Protocol):
    """A way to one live run: its lines out, its lines in. Several may read; the newest one that attached may write."""

    def records(self, *, after: int = 0) -> AsyncIterator[Record]:
        """Every record from offset `after` on, those to come too; ends behind the exit record or with the run."""
        ...

    def recall(self) -> AsyncIterator[Record]:
        """What one needs of the past to go on, then every record, those to come too; ends as `records` does.

        Of what was said long ago that is every line to the agent, every request and answer, and the end of what the
        agent said in each turn.
        """
        ...

    async def caught_up(self) -> int:
        """The size of the journal when this channel attached: requests before it were made to an earlier reader."""
        ...

    async def write(self, key: str, line: bytes) -> None:
        """Send one line to the agent, once: a key that the journal knows is dropped. May be repeated.

        Raises `Unavailable` when the run has ended or a newer channel has taken over.
        """
        ...

    async def close(self) -> None:
        """Let go of the run; it goes on. May be repeated."""
        ...


class Host(Protocol):
    """Where agent processes live: each under a holder of its own, which outlives us."""

    async def start(self, run: RunId, launch: Launch) -> None:
        """Have a holder start the process of `run`. A run is started once: for one that ever was, nothing happens.

        Raises `Refused` if the program cannot be executed, `Unavailable` if the machine has no room for it.
        """
        ...

    async def let_reach(self, run: RunId, rules: Sequence[HostRule]) -> None:
        """Let what is behind the proxy of a run reach these hosts from now on, and no others. May be repeated.

        It may come before the start, and holds from the next connection on, whoever attends to the run by then.
        Raises `Unavailable` if it cannot be written now.
        """
        ...

    async def attach(self, run: RunId) -> Channel:
        """A channel to a live run; older channels to it can no longer write. Raises `Unavailable` if it is not live."""
        ...

    async def status(self, run: RunId) -> RunStatus:
        """What is known of the run's process."""
        ...

    async def stop(self, run: RunId, *, grace_seconds: float = 3.0) -> RunStatus:
        """End the process and all that it started, gently first; returns when nothing is left. May be repeated."""
        ...

    async def traffic(self, run: RunId) -> Sequence[Traffic]:
        """What went through the proxy of a run, live or ended; nothing for a run that has none."""
        ...

    async def errors(self, run: RunId) -> str:
        """The end of what the process wrote to its standard error, made fit to be read; empty if there is nothing."""
        ...

    async def live(self) -> frozenset[RunId]:
        """Every run that has a holder now."""
        ...

    async def memory(self) -> Mapping[RunId, int]:
        """What the processes of each live run hold in memory now, in bytes; of none where the machine does not tell."""
        ...

    async def usage(self, runs: Collection[RunId]) -> Mapping[RunId, Usage]:
        """What those of these runs use that live."""
        ...

    async def freeze(self, run: RunId) -> None:
        """Hold every process of a run still, where and until somebody lets it go on. May be repeated.

        It outlasts us. A run that is frozen can be ended like any other. Raises `Unavailable` if it cannot be held.
        """
        ...

    async def thaw(self, run: RunId) -> None:
        """Let the processes of a run go on. May be repeated, also for one that was never frozen."""
        ...

    async def allow(self, run: RunId, limits: Limits, *, asked: bool) -> None:
        """From now on a live run may have this, as far as it can be changed. `asked` tells that a human has agreed to
        all of it, so that nothing slows it down before that.
        """
        ...

    def journal(self, run: RunId, *, after: int = 0) -> AsyncIterator[Record]:
        """The records that the journal of a run holds now, live or ended; none if it never began."""
        ...
