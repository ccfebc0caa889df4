"""An agent program written with the protocol's own SDK: an independent judge of what our client says.

Prompts: `edit` asks for permission and writes hello.txt, `ask` asks a question, `wait` waits to be cancelled, `fail`
answers with an error, `flood N` says N pieces; anything else is said back. Sessions are kept in the working folder.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from acp import (
    PROTOCOL_VERSION,
    RequestError,
    plan_entry,
    run_agent,
    start_edit_tool_call,
    update_agent_message_text,
    update_agent_thought_text,
    update_plan,
    update_tool_call,
    update_user_message_text,
)
from acp.schema import (
    AgentCapabilities,
    ClientCapabilities,
    Cost,
    ElicitationFormSessionMode,
    ElicitationSchema,
    ElicitationStringPropertySchema,
    EnumOption,
    Implementation,
    InitializeResponse,
    LoadSessionResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    SessionConfigOptionSelect,
    SessionConfigSelectOption,
    SessionMode,
    SessionModeState,
    SetSessionConfigOptionResponse,
    SetSessionModeResponse,
    TextContentBlock,
    ToolCallUpdate,
    Usage,
    UsageUpdate,
)

MODES = SessionModeState(
    current_mode_id="auto", available_modes=[SessionMode(id="auto", name="Auto"), SessionMode(id="ask", name="Ask")]
)
MODELS = SessionConfigOptionSelect(
    id="model",
    name="Model",
    type="select",
    category="model",
    current_value="small",
    options=[
        SessionConfigSelectOption(value="small", name="Small"),
        SessionConfigSelectOption(value="big", name="Big"),
    ],
)
OPTIONS = [
    PermissionOption(option_id="yes", name="Allow", kind="allow_once"),
    PermissionOption(option_id="no", name="Reject", kind="reject_once"),
]


class Judge:
    """The agent. What the SDK does not accept, it answers with an error, which fails the test."""

    def on_connect(self, conn: Any) -> None:
        """Keep the way to the client."""
        self._client = conn
        self._folder = Path()
        self._cancelled = asyncio.Event()
        self._settings: list[str] = []

    async def initialize(
        self,
        protocol_version: int,
        client_capabilities: ClientCapabilities | None = None,
        client_info: Implementation | None = None,
        **_: Any,
    ) -> InitializeResponse:
        """Accept only what our client is said to offer."""
        capabilities = client_capabilities or ClientCapabilities()
        offered = capabilities.fs is not None and (capabilities.fs.read_text_file or capabilities.fs.write_text_file)
        if offered or capabilities.terminal or capabilities.elicitation is None or client_info is None:
            raise RequestError.invalid_params({"details": "these are not the capabilities of a Bandstand"})
        return InitializeResponse(
            protocol_version=PROTOCOL_VERSION, agent_capabilities=AgentCapabilities(load_session=True)
        )

    async def new_session(self, cwd: str, **_: Any) -> NewSessionResponse:
        """A session with two modes and two models."""
        self._folder = Path(cwd)
        return NewSessionResponse(session_id="sdk-1", modes=MODES, config_options=[MODELS])

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> LoadSessionResponse:
        """Tell again what was said."""
        self._folder = Path(cwd)
        for line in json.loads((self._folder / f"{session_id}.json").read_text()):
            await self._client.session_update(session_id, update_user_message_text(line))
            await self._client.session_update(session_id, update_agent_message_text(line))
        return LoadSessionResponse(modes=MODES, config_options=[MODELS])

    async def set_session_mode(self, session_id: str, mode_id: str, **_: Any) -> SetSessionModeResponse:
        """Remember the mode."""
        self._settings.append(mode_id)
        return SetSessionModeResponse()

    async def set_config_option(
        self, config_id: str, session_id: str, value: str | bool, **_: Any
    ) -> SetSessionConfigOptionResponse:
        """Remember the model."""
        self._settings.append(f"{config_id}={value}")
        return SetSessionConfigOptionResponse(config_options=[MODELS])

    async def cancel(self, session_id: str, **_: Any) -> None:
        """End the turn."""
        self._cancelled.set()

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> PromptResponse:
        """Do what the prompt says."""
        assert isinstance(prompt[0], TextContentBlock)
        verb, _space, rest = prompt[0].text.partition(" ")
        self._session = session_id
        self._cancelled.clear()
        self._remember(prompt[0].text)
        match verb:
            case "edit":
                await self._edit()
            case "ask":
                await self._say(await self._ask())
            case "wait":
                await self._say("waiting")
                await self._cancelled.wait()
            case "fail":
                raise RequestError.internal_error({"details": "Quota exceeded"})
            case "flood":
                for number in range(int(rest)):
                    await self._say(f"{number} ")
            case "settings":
                await self._say(" ".join(self._settings))
            case _:
                await self._client.session_update(session_id, update_agent_thought_text("Hm."))
                await self._say(prompt[0].text)
        cost = UsageUpdate(session_update="usage_update", used=9, size=10, cost=Cost(amount=0.5, currency="USD"))
        await self._client.session_update(session_id, cost)
        usage = Usage(input_tokens=7, output_tokens=2, total_tokens=9)
        return PromptResponse(stop_reason="cancelled" if self._cancelled.is_set() else "end_turn", usage=usage)

    async def _say(self, text: str) -> None:
        await self._client.session_update(self._session, update_agent_message_text(text))

    async def _edit(self) -> None:
        path = self._folder / "hello.txt"
        client, session = self._client, self._session
        await client.session_update(session, update_plan([plan_entry("Write it", status="in_progress")]))
        await client.session_update(session, start_edit_tool_call("call-1", "Write hello.txt", str(path), "hello\n"))
        answer = await client.request_permission(session, ToolCallUpdate(tool_call_id="call-1"), OPTIONS)
        granted = answer.outcome.outcome == "selected" and answer.outcome.option_id == "yes"
        if granted:
            path.write_text("hello\n")
        await client.session_update(session, update_tool_call("call-1", status="completed" if granted else "failed"))

    async def _ask(self) -> str:
        colour = ElicitationStringPropertySchema(
            type="string", one_of=[EnumOption(const="r", title="Red"), EnumOption(const="b", title="Blue")]
        )
        schema = ElicitationSchema(properties={"colour": colour}, required=["colour"])
        mode = ElicitationFormSessionMode(session_id=self._session, requested_schema=schema)
        answer = await self._client.create_elicitation("Which colour?", mode)
        return str((getattr(answer, "content", None) or {}).get("colour", answer.action))

    def _remember(self, text: str) -> None:
        book = self._folder / f"{self._session}.json"
        book.write_text(json.dumps([*(json.loads(book.read_text()) if book.exists() else []), text]))


if __name__ == "__main__":
    judge: Any = Judge()  # The SDK's type wants every method; at run time it asks for those that are called.
    asyncio.run(run_agent(judge))
