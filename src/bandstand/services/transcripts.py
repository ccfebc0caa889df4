"""Transcripts: what was said and done in all runs of a task, read once, and read on as their journals grow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bandstand.domain.ids import RunId
from bandstand.ports.agents import AgentProtocol, Transcript, TranscriptEntry
from bandstand.ports.hosts import Host


@dataclass(slots=True, kw_only=True)
class _Reading:
    """A journal, as far as it was read: `end` is where the next record begins."""

    transcript: Transcript
    end: int = 0


class TaskTranscript:
    """The transcript of one task. `runs` names its runs as they are now, reviews included.

    Of every journal each record is read once, however often this is asked for what is new.
    """

    def __init__(self, runs: Callable[[], Sequence[RunId]], *, host: Host, protocol: AgentProtocol) -> None:
        self._runs = runs
        self._host = host
        self._protocol = protocol
        self._readings: dict[RunId, _Reading] = {}

    async def news(self) -> list[tuple[RunId, TranscriptEntry]]:
        """What is whole and was not told before, by its time."""
        found: list[tuple[RunId, TranscriptEntry]] = []
        for run in self._runs():
            reading = self._readings.setdefault(run, _Reading(transcript=self._protocol.transcript()))
            async for record in self._host.journal(run, after=reading.end):
                reading.end = record.end
                found += ((run, entry) for entry in reading.transcript.take(record))
        return _by_time(found)

    async def whole(self) -> list[tuple[RunId, TranscriptEntry]]:
        """What was not told before, by its time; with what is being said, as far as that has come."""
        found = await self.news()
        for run, reading in self._readings.items():
            found += ((run, entry) for entry in reading.transcript.rest())
        return _by_time(found)


def _by_time(entries: list[tuple[RunId, TranscriptEntry]]) -> list[tuple[RunId, TranscriptEntry]]:
    return sorted(entries, key=lambda pair: pair[1].at_ms)
