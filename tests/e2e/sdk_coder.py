"""A coding agent written with the protocol's own SDK: it writes a file, says so, and commits it.

It is a stranger to us: nothing of the package is imported, and what it is asked it hears from the protocol alone.
"""

import asyncio
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, run_agent, start_edit_tool_call, update_agent_message_text, update_tool_call
from acp.schema import (
    AgentCapabilities,
    InitializeResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    TextContentBlock,
    ToolCallUpdate,
)

OPTIONS = [
    PermissionOption(option_id="yes", name="Yes, write it", kind="allow_once"),
    PermissionOption(option_id="no", name="No", kind="reject_once"),
]


class Coder:
    """The agent. It asks before it writes, and keeps no sessions."""

    def on_connect(self, conn: Any) -> None:
        """Keep the way to the client."""
        self._client = conn
        self._folder = Path()

    async def initialize(self, protocol_version: int, **_: Any) -> InitializeResponse:
        """Offer nothing but the least."""
        return InitializeResponse(protocol_version=PROTOCOL_VERSION, agent_capabilities=AgentCapabilities())

    async def new_session(self, cwd: str, **_: Any) -> NewSessionResponse:
        """A session in a folder."""
        self._folder = Path(cwd)
        return NewSessionResponse(session_id="only-one")

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> PromptResponse:
        """Write down what was asked, and commit it."""
        assert isinstance(prompt[0], TextContentBlock)
        path = self._folder / "asked.md"
        call = start_edit_tool_call("call-1", "Write asked.md", str(path), prompt[0].text)
        await self._client.session_update(session_id, call)
        answer = await self._client.request_permission(session_id, ToolCallUpdate(tool_call_id="call-1"), OPTIONS)
        assert answer.outcome.outcome == "selected" and answer.outcome.option_id == "yes"
        path.write_text(prompt[0].text)
        await self._client.session_update(session_id, update_tool_call("call-1", status="completed"))
        for words in (["add", "asked.md"], ["commit", "-q", "-m", "Write down what was asked"]):
            process = await asyncio.create_subprocess_exec("git", *words, cwd=self._folder)
            assert await process.wait() == 0
        await self._client.session_update(session_id, update_agent_message_text("It is written."))
        return PromptResponse(stop_reason="end_turn")


if __name__ == "__main__":
    coder: Any = Coder()  # The SDK's type wants every method; at run time it asks for those that are called.
    asyncio.run(run_agent(coder))
