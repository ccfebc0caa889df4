"""What a holder noted of hosts that were refused: news for whoever reads the session, also who comes later."""

import json

from bandstand.adapters.agents.acp import AcpTranscript
from bandstand.adapters.agents.gist import gist
from bandstand.adapters.agents.messages import Decoder, encoded
from bandstand.adapters.agents.session import Feed
from bandstand.domain.agent import AgentUpdate, HostRefused, Refusal, Said
from bandstand.ports.hosts import Record, RecordKind

EVIL = HostRefused(host="evil.example", port=443, why=Refusal.NOT_LISTED)
HOME = HostRefused(host="10.0.0.7", port=5432, why=Refusal.PRIVATE)
NOTES: list[dict[str, object]] = [
    {"note": "start", "version": 2},
    {"note": "refused", "host": "evil.example", "port": 443, "why": "not-listed"},
    {"note": "refused", "host": "10.0.0.7", "port": 5432, "why": "private"},
    {"note": "refused", "host": "x", "port": 1, "why": "a reason of a newer holder"},
    {"note": "refused"},
    {"note": "exit", "code": 0, "reason": "exited"},
]


def records(*payloads: tuple[RecordKind, bytes]) -> list[Record]:
    """A journal."""
    found: list[Record] = []
    for kind, payload in payloads:
        offset = found[-1].end if found else 0
        found.append(Record(offset=offset, end=offset + len(payload), kind=kind, at_ms=1, key="", payload=payload))
    return found


def journal() -> list[Record]:
    """What the holder noted, in the middle of what the agent says."""
    chunk = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "Hm."}}
    said = encoded({"method": "session/update", "params": {"sessionId": "s", "update": chunk}})
    notes = [(RecordKind.NOTE, json.dumps(note).encode()) for note in NOTES]
    return records((RecordKind.FROM_AGENT, said), *notes)


def heard(feed: Feed, among: list[Record]) -> None:
    """Have a feed hear a journal."""
    decoder = Decoder()
    for record in among:
        for event in decoder.read(record):
            feed.hear(event)


def new(feed: Feed) -> list[AgentUpdate]:
    """What is new for the reader."""
    return list(feed._new)


def test_refused_hosts_are_told_as_they_come() -> None:
    """By the holder's own word and in its order; what it notes besides is no news."""
    feed = Feed()
    feed.caught_up()
    heard(feed, journal())
    assert [update for update in new(feed) if not isinstance(update, Said)] == [EVIL, HOME]


def test_whoever_comes_later_is_told_of_those_before() -> None:
    """For nobody may have been asked about them; also by the gist of the journal."""
    for among in (journal(), list(gist(journal()))):
        feed = Feed()
        heard(feed, among)
        assert new(feed) == []
        feed.caught_up()
        assert new(feed) == [EVIL, HOME]


def test_they_stand_in_the_transcript() -> None:
    """Where they happened."""
    transcript = AcpTranscript()
    entries = [entry.update for record in journal() for entry in transcript.take(record)]
    assert entries == [Said(text="Hm."), EVIL, HOME]


def test_an_agent_cannot_say_so_itself() -> None:
    """A line of its own that looks like a note is none."""
    note = json.dumps(NOTES[1]).encode()
    feed = Feed()
    feed.caught_up()
    heard(feed, records((RecordKind.FROM_AGENT, note), (RecordKind.UNTERMINATED, note)))
    assert new(feed) == []
