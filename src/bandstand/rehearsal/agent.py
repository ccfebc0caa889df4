"""The agent's side of the Agent Client Protocol, version 1: which call does what.

One turn runs at a time, in the whole process; a prompt that comes meanwhile is an error and changes nothing. A part
counts as played from the moment it is chosen, so that a turn cut short by a crash is not begun anew in the loaded
session.
"""

from __future__ import annotations

import os

from bandstand.rehearsal import player, score
from bandstand.rehearsal.sessions import MODES, Session, Sessions
from bandstand.rehearsal.turn import Turn
from bandstand.rehearsal.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RESOURCE_NOT_FOUND,
    CallError,
    Wire,
)

TYPE_CHECKING = False  # see `wire`
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bandstand.rehearsal.wire import Json

_VERSION = "1"  # of the way it plays
_MODE_NAMES = {"default": "Does what the score says", "careful": "Asks before every edit and command"}


class Agent:
    """An agent that plays one score. `task` picks a task of the score whatever the prompts say."""

    def __init__(self, *, written: score.Score, task: str, folder: str, source: int, sink: int) -> None:
        self._score = written
        self._task = task
        self._sessions = Sessions(folder)
        self._open: dict[str, tuple[Session, str]] = {}  # with the folder that each works in
        self._can_ask = False
        self._turn: Turn | None = None
        self._wire = Wire(source=source, sink=sink, handle=self._handle)
        self._methods: dict[str, Callable[[Json], Json]] = {
            "initialize": self._initialize,
            "session/new": self._new,
            "session/load": self._load,
            "session/set_mode": self._set_mode,
            "session/prompt": self._prompt,
            "session/cancel": self._cancel,
        }

    def serve(self) -> None:
        """Answer the client until it has gone."""
        self._wire.serve()

    def _handle(self, method: str, params: Json) -> Json:
        if method not in self._methods:
            raise CallError(METHOD_NOT_FOUND, f"Method not found: {method}")
        try:
            return self._methods[method](params)
        except score.ScoreError as error:
            raise CallError(INTERNAL_ERROR, str(error)) from None
        except OSError as error:
            raise CallError(INTERNAL_ERROR, f"The session cannot be saved: {error.strerror}.") from None

    def _initialize(self, params: Json) -> Json:
        capabilities = params.get("clientCapabilities")
        elicitation = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
        self._can_ask = isinstance(elicitation, dict) and isinstance(elicitation.get("form"), dict)
        return {
            "protocolVersion": 1,
            "agentCapabilities": {
                "loadSession": True,
                "promptCapabilities": {"image": False, "audio": False, "embeddedContext": True},
                "mcpCapabilities": {"http": False, "sse": False},
            },
            "agentInfo": {"name": "rehearsal", "title": "Rehearsal agent", "version": _VERSION},
            "authMethods": [],
        }

    def _new(self, params: Json) -> Json:
        cwd = _folder(params)
        session = self._sessions.create()
        self._open[session.id] = (session, cwd)
        return {"sessionId": session.id, **_modes(session)}

    def _load(self, params: Json) -> Json:
        cwd = _folder(params)
        name = str(params.get("sessionId"))
        if self._turn is not None and self._turn.session.id == name:
            raise CallError(INTERNAL_ERROR, "A turn is already running.")
        try:
            session, story = self._sessions.load(name)
        except KeyError:
            raise CallError(RESOURCE_NOT_FOUND, f"There is no session {name}.") from None
        if name in self._open:
            self._open[name][0].close()
        self._open[name] = (session, cwd)
        for update in story:
            self._wire.notify("session/update", {"sessionId": name, "update": update})
        return _modes(session)

    def _set_mode(self, params: Json) -> Json:
        session, _ = self._session(params)
        mode = params.get("modeId")
        if mode not in MODES:
            raise CallError(INVALID_PARAMS, f"There is no mode {mode!r}; there are {' and '.join(MODES)}.")
        session.note("mode", mode)
        return {}

    def _cancel(self, params: Json) -> Json:
        if self._turn is not None and self._turn.session.id == params.get("sessionId"):
            self._turn.cancelled = True
        return {}

    def _prompt(self, params: Json) -> Json:
        session, cwd = self._session(params)
        if self._turn is not None:
            raise CallError(INTERNAL_ERROR, "A turn is already running.")
        prompt = _text(params.get("prompt"))
        turn = Turn(wire=self._wire, session=session, cwd=cwd, can_ask=self._can_ask)
        self._turn = turn
        try:
            reason = player.play(turn, self._choose(turn, prompt))
        finally:
            self._turn = None
        return {"stopReason": reason, "usage": turn.usage(prompt)}

    def _choose(self, turn: Turn, prompt: str) -> Sequence[score.Step]:
        """The steps that this prompt calls for; what was chosen is noted first."""
        session = turn.session
        first, rest = not session.prompts, session.rest
        if first:
            task = self._task or self._score.task_for(prompt)
            session.note("task", [task, score.task_line(prompt) or task])
        if rest is not None:
            session.note("prompt", {"text": prompt, "part": ""})
            session.note("answer", prompt.strip())
            return score.steps(rest)
        part = score.choose(self._score.parts_of(session.task), prompt, first=first, used=session.used)
        session.note("prompt", {"text": prompt, "part": part.name if part else ""})
        if part is None:
            turn.say("The score has no part for this prompt.")
            return ()
        return part.steps

    def _session(self, params: Json) -> tuple[Session, str]:
        name = params.get("sessionId")
        if not isinstance(name, str) or name not in self._open:
            raise CallError(RESOURCE_NOT_FOUND, f"The session {name!r} is not open.")
        return self._open[name]


def _folder(params: Json) -> str:
    cwd = params.get("cwd")
    if not isinstance(cwd, str) or not cwd.startswith("/") or not os.path.isdir(cwd):  # noqa: PTH112 - slow to import
        raise CallError(INVALID_PARAMS, f"`cwd` must be the absolute path of a folder, not {cwd!r}.")
    return cwd


def _modes(session: Session) -> Json:
    available = [{"id": mode, "name": mode.capitalize(), "description": _MODE_NAMES[mode]} for mode in MODES]
    return {"modes": {"currentModeId": session.mode, "availableModes": available}}


def _text(prompt: object) -> str:
    """The text of a prompt's blocks, a line break between two. Blocks of other kinds are passed over."""
    if not isinstance(prompt, list):
        raise CallError(INVALID_PARAMS, "`prompt` must be a list of content blocks.")
    texts: list[str] = []
    for block in prompt:
        match block:
            case {"type": "text", "text": str(text)} | {"type": "resource", "resource": {"text": str(text)}}:
                texts.append(text)
            case {"type": "resource_link", "uri": str(uri)}:
                texts.append(uri)
            case _:
                pass
    return "\n".join(texts)
