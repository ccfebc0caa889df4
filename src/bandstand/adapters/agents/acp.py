"""The Agent Client Protocol, version 1: how a session is opened, and what a journal of one says.

Opening is one list of calls, each under a key of its own, so that going through it again finds the steps done:

    init -> load (a session is to be resumed and the agent can) or new -> model, mode (if the profile names them)

We offer the agent neither files nor terminals: it works in its own workspace with its own tools. What an agent
answers is taken by our own translation; what that has no word for stays in the journal.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, NoReturn

from bandstand import __version__
from bandstand.adapters.agents.jsonrpc import CallFailed, Connection
from bandstand.adapters.agents.messages import Decoder, Failure
from bandstand.adapters.agents.session import SERVES, AcpSession, Dialogue, Feed, turn_key
from bandstand.adapters.agents.shapes import rows, table, text
from bandstand.adapters.agents.translate import Passage, words
from bandstand.domain.agent import AgentProfile, AgentUpdate, Said, Thought, TurnResult
from bandstand.domain.errors import Refused
from bandstand.domain.ids import SessionId
from bandstand.faults import fault
from bandstand.ports.agents import PromptFailed, TranscriptEntry
from bandstand.ports.hosts import Channel, Record

PROTOCOL_VERSION: Final = 1
AUTH_REQUIRED: Final = -32000
_ASKS_FOR_LOGIN: Final = re.compile(
    r"\bauth(?!or)|\blog(?:ged)?[ -]?in\b|\bsign(?:ed)?[ -]?in\b|credential|api[ -]?key"
)
_INTRODUCTION: Final = {
    "protocolVersion": PROTOCOL_VERSION,
    "clientCapabilities": {
        "fs": {"readTextFile": False, "writeTextFile": False},
        "terminal": False,
        "elicitation": {"form": {}},
    },
    "clientInfo": {"name": "bandstand", "title": "Bandstand", "version": __version__},
}


class AcpProtocol:
    """How one speaks with agents that speak ACP on their stdin and stdout."""

    async def open(
        self,
        channel: Channel,
        *,
        profile: AgentProfile,
        cwd: str,
        resume: SessionId | None,
        deadline_seconds: float,
    ) -> AcpSession:
        """Greet the agent and open a session, or take up the one that this run already has. May be repeated.

        A session that cannot be loaded is replaced by a new one. Each answer may take `deadline_seconds`. The channel
        goes over to the session; when this raises, it stays the caller's.
        Raises `Unavailable` when the run ends or an answer does not come in time; `Refused`, with the agent's words,
        when the agent says no, speaks another version, or does not offer the profile's mode or model.
        """
        feed = Feed()
        connection = Connection(channel, listener=feed, serves=SERVES)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(connection.stop)
            connection.start()
            greeting = _Greeting(connection=connection, profile=profile, cwd=cwd, deadline=deadline_seconds)
            fault("agent.greet.before")
            opened = await greeting.open(resume)
            fault("agent.greet.after")
            resumed = opened.loaded or bool(feed.dialogue.turns)
            undo.pop_all()
        return AcpSession(channel, connection=connection, feed=feed, session=opened.session, resumed=resumed)

    async def turn_result(self, records: AsyncIterator[Record], *, turn: int) -> TurnResult | None:
        """How a turn ended by the journal of its run: what `prompt` says, or would have said. See the port."""
        decoder, dialogue = Decoder(), Dialogue()
        async for record in records:
            for event in decoder.read(record):
                dialogue.hear(event)
        known = dialogue.turns.get(turn_key(turn))
        end = known.end if known is not None else None
        if isinstance(end, PromptFailed):
            raise end
        return end

    def transcript(self) -> "AcpTranscript":
        """The transcript of a run, before its first record."""
        return AcpTranscript()


class AcpTranscript:
    """What a journal says, in order: prompts, messages and thoughts whole, tool calls, plans, requests. See the port.

    The pieces of a message are held back until something else comes.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._dialogue = Dialogue()
        self._first: Record | None = None
        self._kind: type[Said] | type[Thought] = Said
        self._texts: list[str] = []

    def take(self, record: Record) -> list[TranscriptEntry]:
        """The entries that are whole now that `record` has come."""
        passages = (passage for event in self._decoder.read(record) for passage in self._dialogue.hear(event))
        return [entry for passage in passages for entry in self._add(record, passage)]

    def rest(self) -> list[TranscriptEntry]:
        """The message held back, if there is one."""
        return [_entry(self._first, self._kind(text="".join(self._texts)))] if self._first is not None else []

    def _add(self, record: Record, passage: Passage) -> Iterator[TranscriptEntry]:
        update = passage.update
        if not isinstance(update, Said | Thought):
            yield from self._flush()
            yield _entry(record, update)
            return
        if passage.begins or not isinstance(update, self._kind):
            yield from self._flush()
        if self._first is None:
            self._first, self._kind = record, type(update)
        self._texts.append(update.text)

    def _flush(self) -> Iterator[TranscriptEntry]:
        yield from self.rest()
        self._first = None
        self._texts.clear()


def _entry(record: Record, update: AgentUpdate) -> TranscriptEntry:
    return TranscriptEntry(at_ms=record.at_ms, offset=record.offset, update=update)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """The session that the agent gave us, and what it said of it."""

    session: SessionId
    loaded: bool
    offer: object

    def choices(self, offered: dict[str, str], *, unsaid: str) -> dict[str, str]:
        """What may be chosen. Some agents say nothing of it when they load a session: then `unsaid` is tried."""
        silent = not table(self.offer).get("modes") and not table(self.offer).get("configOptions")
        return {unsaid: ""} if self.loaded and silent else offered


@dataclass(frozen=True, slots=True, kw_only=True)
class _Greeting:
    """The calls that open a session."""

    connection: Connection
    profile: AgentProfile
    cwd: str
    deadline: float

    async def open(self, resume: SessionId | None) -> _Opened:
        """Go through the list; steps that the journal has are not taken again."""
        agent = table(await self._call("init", "initialize", _INTRODUCTION))
        version = agent.get("protocolVersion", PROTOCOL_VERSION)
        if isinstance(version, int) and version != PROTOCOL_VERSION:
            raise Refused(
                f"The agent {self.profile.name!r} speaks version {version} of ACP, and Bandstand speaks version 1.",
                hint="Install a release of the agent that speaks version 1.",
            )
        opened = await self._loaded(agent, resume) or await self._new(agent)
        if self.profile.model:
            await self._set_model(opened, self.profile.model)
        # Last, because an agent may change the mode when the model changes, and the mode decides what it asks.
        if self.profile.mode:
            await self._set_mode(opened, self.profile.mode)
        return opened

    async def _loaded(self, agent: object, resume: SessionId | None) -> _Opened | None:
        """The session to resume; `None` when there is none, the agent cannot, or the run has gone without."""
        able = table(table(agent).get("agentCapabilities")).get("loadSession") is True
        before = self.connection.sent("load")
        if before is not None:
            resume = SessionId(text(table(before.params).get("sessionId")))
        elif self.connection.sent("new") is not None or not able:
            return None
        if not resume:
            return None
        params = {"sessionId": resume, "cwd": self.cwd, "mcpServers": []}
        try:
            offer = await self.connection.call("load", "session/load", params, deadline=self.deadline)
        except CallFailed:
            # Whatever stands in the way of every session is said again by the answer to `session/new`.
            return None
        return _Opened(session=resume, loaded=True, offer=offer)

    async def _new(self, agent: object) -> _Opened:
        offer = await self._call("new", "session/new", {"cwd": self.cwd, "mcpServers": []}, agent=agent)
        session = text(table(offer).get("sessionId"))
        if not session:
            raise Refused(f"The agent {self.profile.name!r} opened a session and did not name it.")
        return _Opened(session=SessionId(session), loaded=False, offer=offer)

    async def _set_model(self, opened: _Opened, model: str) -> None:
        option = _config_option(opened.offer, "model")
        value = self._pick("model", model, opened.choices(_values(option), unsaid=model))
        await self._set_option("model", opened, option, value)

    async def _set_mode(self, opened: _Opened, mode: str) -> None:
        option = _config_option(opened.offer, "mode")
        offered = _modes(opened.offer) or opened.choices(_values(option), unsaid=mode)
        value = self._pick("mode", mode, offered)
        if table(option) and not _modes(opened.offer):
            await self._set_option("mode", opened, option, value)
        else:
            await self._call("mode", "session/set_mode", {"sessionId": opened.session, "modeId": value})

    async def _set_option(self, key: str, opened: _Opened, option: object, value: str) -> None:
        params = {"sessionId": opened.session, "configId": table(option).get("id", key), "value": value}
        await self._call(key, "session/set_config_option", params)

    def _pick(self, what: str, wanted: str, offered: dict[str, str]) -> str:
        """The id among `offered` that `wanted` names: an id, a name, or the last part of an id that is a URL."""
        if wanted in offered:
            return wanted
        for identity, name in offered.items():
            if wanted.casefold() in (name.casefold(), identity.rpartition("#")[2].casefold()):
                return identity
        names = ", ".join(list(offered)[:40])
        raise Refused(
            f"The agent {self.profile.name!r} does not offer the {what} {wanted!r}.",
            hint=f"It offers: {names}." if names else f"It lets nobody choose a {what}: set it in its own settings.",
        )

    async def _call(self, key: str, method: str, params: object, *, agent: object = None) -> object:
        try:
            return await self.connection.call(key, method, params, deadline=self.deadline)
        except CallFailed as error:
            self._refuse(error.failure, agent=agent)

    def _refuse(self, failure: Failure, *, agent: object) -> NoReturn:
        hint = ""
        if _wants_login(failure):
            methods = [text(table(each).get("name")) for each in rows(table(agent).get("authMethods"))]
            ways = f" It knows these ways: {', '.join(filter(None, methods))}." if any(methods) else ""
            hint = f"Log in with the agent's own program, then try again.{ways}"
        raise Refused(f"The agent {self.profile.name!r} says: {words(failure)}", hint=hint)


def _wants_login(failure: Failure) -> bool:
    return failure.code == AUTH_REQUIRED or _ASKS_FOR_LOGIN.search(words(failure).casefold()) is not None


def _config_option(offer: object, category: str) -> object:
    """The configuration option of a session that chooses its `category`; empty when there is none."""
    options = [table(each) for each in rows(table(offer).get("configOptions"))]
    by_id = (each for each in options if each.get("id") == category)
    by_category = (each for each in options if each.get("category") == category)
    return next(by_id, None) or next(by_category, {})


def _modes(offer: object) -> dict[str, str]:
    """The session modes that an agent offers, and their names."""
    modes = [table(each) for each in rows(table(table(offer).get("modes")).get("availableModes"))]
    return {text(each.get("id")): text(each.get("name")) for each in modes if text(each.get("id"))}


def _values(option: object) -> dict[str, str]:
    """The values of a configuration option and their names, out of their groups."""
    found: dict[str, str] = {}
    for row in rows(table(option).get("options")):
        for each in rows(table(row).get("options")) or (row,):
            if value := text(table(each).get("value")):
                found[value] = text(table(each).get("name"))
    return found
