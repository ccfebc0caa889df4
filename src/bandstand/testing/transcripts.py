"""What scripted agents said, as the transcript of a run: a fake of the port in `bandstand.ports.agents`."""

from collections.abc import Callable, Sequence
from typing import Final

from bandstand.domain.agent import AgentUpdate, Said, Thought
from bandstand.ports.agents import TranscriptEntry
from bandstand.ports.hosts import Record, RecordKind

FIRST_KEY: Final = "init"
"""Under this key the name of the agent stands in the journal of its run."""


class ScriptedTranscript:
    """What was said in the run whose journal is taken in: each turn at the place of its prompt. See the port.

    `said` tells all of an agent's turn so far, by the agent's name and the turn's number. An agent in memory leaves
    no record of what it does, so that is told with the next record that comes.
    """

    def __init__(self, said: Callable[[str, int], Sequence[AgentUpdate]]) -> None:
        self._said = said
        self._agent = ""
        self._prompts: list[Record] = []
        self._told = 0

    def take(self, record: Record) -> list[TranscriptEntry]:
        """The entries that are known to be whole now and were not told before."""
        if record.kind is RecordKind.TO_AGENT and record.key == FIRST_KEY:
            self._agent = record.payload.decode()
        elif record.kind is RecordKind.TO_AGENT and record.key.startswith("turn-"):
            self._prompts.append(record)
        held_back = self.rest()
        talking = bool(held_back) and isinstance(held_back[-1].update, Said | Thought)
        whole = held_back[:-1] if talking else held_back
        self._told += len(whole)
        return whole

    def rest(self) -> list[TranscriptEntry]:
        """What is held back, as far as it has come."""
        entries: list[TranscriptEntry] = []
        for record in self._prompts:
            updates = _merged(self._said(self._agent, int(record.key.removeprefix("turn-"))))
            entries += [TranscriptEntry(at_ms=record.at_ms, offset=record.offset, update=one) for one in updates]
        return entries[self._told :]


def _merged(updates: Sequence[AgentUpdate]) -> list[AgentUpdate]:
    """The updates with the pieces of a message, which follow one another, as one."""
    merged: list[AgentUpdate] = []
    for update in updates:
        last = merged[-1] if merged else None
        if isinstance(update, Said) and isinstance(last, Said):
            merged[-1] = Said(text=last.text + update.text)
        elif isinstance(update, Thought) and isinstance(last, Thought):
            merged[-1] = Thought(text=last.text + update.text)
        else:
            merged.append(update)
    return merged
