"""How one speaks with an agent: sessions, turns, updates, transcripts."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bandstand.domain.agent import AgentProfile, AgentUpdate, TurnResult
from bandstand.domain.ids import SessionId
from bandstand.ports.hosts import Channel, Record


class PromptFailed(Exception):
    """The agent answered a prompt with an error: the turn is over without an end of its own, the run goes on.

    `message` holds the agent's own words and `code` its error code. The same turn prompted again fails the same way.
    """

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Session(Protocol):
    """An agent's session on an open channel. Prompts are sent one at a time; updates keep their order."""

    @property
    def id(self) -> SessionId:
        """The agent's own name for the session."""
        ...

    @property
    def resumed(self) -> bool:
        """Whether the agent remembers what was said in this session before this run."""
        ...

    def updates(self) -> AsyncIterator[AgentUpdate]:
        """What the agent does from now on, open requests of before first. Ends with the run. One reader."""
        ...

    async def prompt(self, turn: int, text: str) -> TurnResult:
        """Send the prompt of turn `turn` and wait for its end. Repeated, also by another process: sent once, same end.

        Raises `PromptFailed` when the agent answers with an error, `Unavailable` when the run ends before the turn.
        """
        ...

    async def answer(self, request: str, choice: str | None, text: str = "") -> None:
        """Answer an open request with one of its choices, or `None` to refuse; a question may take a text.

        May be repeated.
        """
        ...

    async def cancel(self, turn: int) -> None:
        """Ask the agent to end turn `turn`. The turn still ends by itself, as cancelled. May be repeated."""
        ...

    async def close(self) -> None:
        """Let go of the session and its channel; the agent goes on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptEntry:
    """One thing said or done in a run, with its time in milliseconds since the epoch and its place in the journal."""

    at_ms: int
    offset: int
    update: AgentUpdate


class Transcript(Protocol):
    """What a journal says, in our words, as far as its records were taken in: each once, and in order."""

    def take(self, record: Record) -> Sequence[TranscriptEntry]:
        """The entries that are known to be whole now and were not told before.

        The pieces of one message that follow one another are one entry, at the place of the first; it is whole when
        something else comes.
        """
        ...

    def rest(self) -> Sequence[TranscriptEntry]:
        """What is held back, as far as it has come: a message that is being said. Nothing changes by asking."""
        ...


class AgentProtocol(Protocol):
    """How one speaks with agents."""

    async def open(
        self, channel: Channel, *, profile: AgentProfile, cwd: str, resume: SessionId | None, deadline_seconds: float
    ) -> Session:
        """Greet the agent and open a session, or take up the one that this run already has. May be repeated.

        With `resume`, an agent that can load sessions is asked for that one; one that cannot gets a new session.
        Raises `Unavailable` when the run ends or no answer comes in time, `Refused` when the agent says no
        (it is not logged in, say), with its words.
        """
        ...

    async def turn_result(self, records: AsyncIterator[Record], *, turn: int) -> TurnResult | None:
        """How turn `turn` ended by the journal of its run, be the run over or not; nothing if it has no end there.

        Raises `PromptFailed` when the agent answered with an error.
        """
        ...

    def transcript(self) -> Transcript:
        """The transcript of a run, before its first record."""
        ...
