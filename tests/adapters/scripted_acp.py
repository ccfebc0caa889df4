"""A small ACP agent written by hand, whose prompts are its scripts: one step per line.

    say TEXT | later TEXT | think TEXT | tool PATH | ask PATH | question TEXT | choose TEXT | raw LINE |
    wait | stop REASON | fail WORDS | die

`later` says it behind the end of the turn. `ask`, `question` and `choose` wait for their answer and say it. The same
script gives the same lines. `told` are the prompts that it got, `received` all its messages, `replies` our answers.
"""

import asyncio
import json
from typing import Any

from tests.adapters.memory_run import AgentEnd

OPTIONS = [
    {"optionId": "allow", "name": "Allow", "kind": "allow_once"},
    {"optionId": "reject", "name": "Reject", "kind": "reject_once"},
]
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
COLOURS = {"type": "object", "properties": {"answer": {"type": "string", "enum": ["red", "blue"]}}}


def tool(path: str) -> dict[str, Any]:
    """The call of a tool that writes a file, as an agent tells of it."""
    return {"toolCallId": path, "title": f"Write {path}", "kind": "edit", "locations": [{"path": path}]}


class StepFailed(Exception):
    """The script says that the prompt fails."""


class ScriptedAcp:
    """An agent process. `new` is merged into the answer to `session/new`; `refuse` maps methods to errors."""

    def __init__(self, *, new: dict[str, Any] | None = None, loads: bool = True) -> None:
        self.told: list[str] = []
        self.received: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.refuse: dict[str, dict[str, Any]] = {}
        self.replay: list[dict[str, Any]] = []
        self.initialized: dict[str, Any] = {"protocolVersion": 1, "agentCapabilities": {"loadSession": loads}}
        self._new = new or {}
        self._later: list[str] = []
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._turn: asyncio.Task[None] | None = None

    async def __call__(self, end: AgentEnd) -> None:
        """Serve until the end of the input."""
        self._end = end
        try:
            while (line := await end.read()) is not None:
                self._take(json.loads(line))
        finally:
            if self._turn is not None:
                self._turn.cancel()
                await asyncio.wait([self._turn])

    def send(self, message: dict[str, Any]) -> None:
        """Say one message."""
        self._end.write(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def update(self, update: dict[str, Any]) -> None:
        """Say one update."""
        self.send({"method": "session/update", "params": {"sessionId": "s1", "update": update}})

    def _take(self, message: dict[str, Any]) -> None:
        self.received.append(message)
        if "method" not in message:
            self.replies.append(message)
            waiting = self._waiting.pop(message["id"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        elif message["method"] == "session/cancel":
            if self._turn is not None:
                self._turn.cancel()
        elif message["method"] in self.refuse:
            self.send({"id": message["id"], "error": self.refuse[message["method"]]})
        elif message["method"] == "session/prompt":
            self.told.append(message["params"]["prompt"][0]["text"])
            assert self._turn is None or self._turn.done(), "a second prompt came while a turn ran"
            self._turn = asyncio.create_task(self._perform(message["id"], self.told[-1]))
        else:
            self._answer(message["id"], message["method"])

    def _answer(self, identity: str, method: str) -> None:
        if method == "session/load":
            for update in self.replay:
                self.update(update)
        result = {"initialize": self.initialized, "session/new": {"sessionId": "s1", **self._new}}
        self.send({"id": identity, "result": result.get(method, {})})

    async def _perform(self, identity: str, script: str) -> None:
        stop = "end_turn"
        try:
            for step in script.splitlines():
                verb, _, rest = step.partition(" ")
                stop = await self._step(verb, rest) or stop
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            stop = "cancelled"
        except StepFailed as failure:
            self.send({"id": identity, "error": {"code": -32603, "message": str(failure)}})
            return
        usage = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
        self.send({"id": identity, "result": {"stopReason": stop, "usage": usage}})
        while self._later:
            self._tell("say", self._later.pop(0))

    async def _step(self, verb: str, rest: str) -> str:
        if verb in ("ask", "question", "choose"):
            self._tell("say", await self._request(verb, rest))
        elif verb == "wait":
            await asyncio.Event().wait()
        elif verb == "die":
            self._end.inbox.put_nowait(None)
            await asyncio.Event().wait()
        elif verb == "fail":
            raise StepFailed(rest)
        elif verb == "stop":
            return rest
        elif verb == "later":
            self._later.append(rest)
        else:
            self._tell(verb, rest)
        return ""

    def _tell(self, verb: str, rest: str) -> None:
        match verb:
            case "say" | "think":
                kind = "agent_message_chunk" if verb == "say" else "agent_thought_chunk"
                self.update({"sessionUpdate": kind, "content": {"type": "text", "text": rest}})
            case "tool":
                self.update({"sessionUpdate": "tool_call", "status": "pending", **tool(rest)})
                self.update({"sessionUpdate": "tool_call_update", "toolCallId": rest, "status": "completed"})
            case "raw":
                self._end.write(rest.encode())
            case _:
                raise LookupError(verb)

    async def _request(self, verb: str, rest: str) -> str:
        if verb == "ask":
            answer = await self.ask("session/request_permission", {"toolCall": tool(rest), "options": OPTIONS})
            outcome = answer["result"]["outcome"]
            return str(outcome.get("optionId", outcome["outcome"]))
        params = {"mode": "form", "message": rest, "requestedSchema": SCHEMA if verb == "question" else COLOURS}
        result = (await self.ask("elicitation/create", params))["result"]
        return str(result.get("content", {}).get("answer", result["action"]))

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask us something and wait; the ids count from nought, as agents' do."""
        identity = self._asked
        self._asked += 1
        self._waiting[identity] = asyncio.get_running_loop().create_future()
        self.send({"id": identity, "method": method, "params": {"sessionId": "s1", **params}})
        return await self._waiting[identity]
