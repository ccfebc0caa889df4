"""One prompt turn: what is said to the client in it, what is asked of the client, and how the turn comes to its end.

Every update is written into the session before it is sent, so that a loaded session tells all that the client was told.
A turn ends by `TurnEnded`, whoever raises it; a cancelled one at the next moment in which it waits.
"""

from __future__ import annotations

import time

from bandstand.rehearsal.wire import INTERNAL_ERROR, CallError

TYPE_CHECKING = False  # see `wire`
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bandstand.rehearsal.score import Step
    from bandstand.rehearsal.sessions import Session
    from bandstand.rehearsal.wire import Json, Wire

END_TURN = "end_turn"
CANCELLED = "cancelled"
_OPTIONS = (("allow_once", "Allow once"), ("allow_always", "Allow always"), ("reject_once", "Reject"))
_BYTES_PER_TOKEN = 4


class TurnEnded(Exception):
    """The turn is over. The message is its stop reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Turn:
    """A turn that is being played. At most one is, in the whole process."""

    def __init__(self, *, wire: Wire, session: Session, cwd: str, can_ask: bool) -> None:
        self.wire = wire
        self.session = session
        self.cwd = cwd
        self.can_ask = can_ask  # whether the client takes questions
        self.cancelled = False
        self.rest: Sequence[Step] = ()  # what follows the step that is being played
        self._written = 0
        self._paragraphs = 0

    def wait(self, seconds: float | None, *files: int) -> list[int]:
        """As `Wire.wait`. Raises `TurnEnded` once the client has cancelled the turn."""
        ready = self.wire.wait(seconds, *files)
        if self.cancelled:
            raise TurnEnded(CANCELLED)
        return ready

    def sleep(self, seconds: float) -> None:
        """Let time pass; the client is heard meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.wait(left)

    def update(self, kind: str, fields: Json) -> None:
        """Tell the client something that the session remembers."""
        update: Json = {"sessionUpdate": kind, **fields}
        self.session.note("update", update)
        self.send(update)

    def send(self, update: Json) -> None:
        """Tell the client something that is forgotten."""
        self.wire.notify("session/update", {"sessionId": self.session.id, "update": update})

    def say(self, text: str) -> None:
        """Say a paragraph of the turn's message. From the second one on it begins with an empty line."""
        gap = "\n\n" if self._paragraphs else ""
        self._paragraphs += 1
        self._chunk("agent_message_chunk", gap + text)

    def think(self, text: str) -> None:
        """Say a piece of reasoning."""
        self._chunk("agent_thought_chunk", text)

    def usage(self, prompt: str) -> Json:
        """The tokens of this turn by a fixed rule: four bytes of text are a token."""
        read = -(-len(prompt.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)
        written = -(-self._written // _BYTES_PER_TOKEN)
        return {"inputTokens": read, "outputTokens": written, "totalTokens": read + written}

    def request(self, method: str, params: Json) -> Json:
        """Ask the client and wait for its answer. Raises `CallError` if the client cannot answer."""
        number = self.wire.ask(method, {"sessionId": self.session.id, **params})
        try:
            while (answer := self.wire.answer(number)) is None:
                self.wait(None)
        except CallError as error:
            raise CallError(INTERNAL_ERROR, f"The client did not answer {method}: {error.message}") from None
        finally:
            self.wire.forget(number)
        return answer

    def _chunk(self, kind: str, text: str) -> None:
        self._written += len(text.encode("utf-8", "replace"))
        self.update(kind, {"content": {"type": "text", "text": text}})


class ToolCall:
    """A tool call as the client sees it: announced, perhaps permitted, then ended once."""

    def __init__(self, turn: Turn, *, title: str, kind: str, paths: Sequence[str] = (), command: str = "") -> None:
        self._turn = turn
        self.id = f"call-{turn.session.calls + 1}"
        self._fields: Json = {"title": title, "kind": kind}
        if paths:
            self._fields["locations"] = [{"path": path} for path in paths]
        if command:
            self._fields["rawInput"] = {"command": command}
        turn.update("tool_call", {"toolCallId": self.id, **self._fields, "status": "pending"})

    def permitted(self) -> bool:
        """Ask the client whether the call may go on; not again for a kind that it allowed for always.

        Raises `TurnEnded` if the client answers that the turn was cancelled.
        """
        kind = str(self._fields["kind"])
        if kind in self._turn.session.allowed:
            return True
        options: list[Json] = [{"optionId": option, "name": name, "kind": option} for option, name in _OPTIONS]
        call: Json = {"toolCallId": self.id, **self._fields, "status": "pending"}
        try:
            answer = self._turn.request("session/request_permission", {"toolCall": call, "options": options})
        except (TurnEnded, CallError):
            self.end("failed", text="Cancelled.")
            raise
        outcome = answer.get("outcome")
        if not isinstance(outcome, dict) or outcome.get("outcome") != "selected":
            self.end("failed", text="Cancelled.")
            raise TurnEnded(CANCELLED)
        option = outcome.get("optionId")
        if option == "allow_always":
            self._turn.session.note("allowed", kind)
        return option in ("allow_once", "allow_always")

    def started(self) -> None:
        """Say that the call is at work."""
        self._turn.update("tool_call_update", {"toolCallId": self.id, "status": "in_progress"})

    def shown(self, text: str) -> None:
        """Show what came of it so far; the session remembers only the end."""
        content = [{"type": "content", "content": {"type": "text", "text": text}}]
        self._turn.send(
            {"sessionUpdate": "tool_call_update", "toolCallId": self.id, "status": "in_progress", "content": content}
        )

    def end(
        self, status: str, *, text: str = "", diff: Json | None = None, line: int = 0, code: int | None = None
    ) -> None:
        """End it as `completed` or `failed`, with what came of it."""
        content: list[Json] = []
        if text:
            content.append({"type": "content", "content": {"type": "text", "text": text}})
        fields: Json = {"toolCallId": self.id, "status": status}
        if diff is not None:
            content.append({"type": "diff", **diff})
            fields["locations"] = [{"path": diff["path"], "line": line}]
        if content:
            fields["content"] = content
        if code is not None:
            fields["rawOutput"] = {"exitCode": code}
        self._turn.update("tool_call_update", fields)
