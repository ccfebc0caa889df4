"""The official SDK's client on one side, the real rehearsal agent on the other, a folder of their own between them."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from acp import Client, RequestError, spawn_agent_process, text_block
from acp.client.connection import ClientSideConnection
from acp.schema import (
    AcceptElicitationResponse,
    AllowedOutcome,
    ClientCapabilities,
    DeclineElicitationResponse,
    DeniedOutcome,
    ElicitationCapabilities,
    ElicitationFormCapabilities,
    PermissionOption,
    PromptResponse,
    RequestPermissionResponse,
    ToolCallUpdate,
)

import bandstand.rehearsal
from bandstand.config.score import parse

ENTRY = Path(bandstand.rehearsal.__file__).parent / "__main__.py"
COMMAND = (sys.executable, "-I", "-S", str(ENTRY))
PATIENCE_SECONDS = 30.0
NEVER = "never"  # an answer that does not come


@dataclass(kw_only=True)
class User:
    """The person at the client: gives the same answer to each permission request and to each question.

    `permits` is the id of an option, `cancelled` or `NEVER`; `answers` an answer, `None` to decline, or `NEVER`.
    """

    permits: str = "allow_once"
    answers: str | None = None
    updates: list[Any] = field(default_factory=list)
    requests: list[ToolCallUpdate] = field(default_factory=list)
    options: list[PermissionOption] = field(default_factory=list)
    questions: list[tuple[str, Any]] = field(default_factory=list)

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        """Keep an update, in order."""
        self.updates.append(update)

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: list[PermissionOption], **_: Any
    ) -> RequestPermissionResponse:
        """Answer a permission request."""
        self.requests.append(tool_call)
        self.options = options
        if self.permits == NEVER:
            await asyncio.Event().wait()
        if self.permits == "cancelled":
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=self.permits))

    async def create_elicitation(
        self, message: str, mode: Any, **_: Any
    ) -> AcceptElicitationResponse | DeclineElicitationResponse:
        """Answer a question."""
        self.questions.append((message, mode))
        if self.answers == NEVER:
            await asyncio.Event().wait()
        if self.answers is None:
            return DeclineElicitationResponse(action="decline")
        return AcceptElicitationResponse(action="accept", content={"answer": self.answers})

    def of(self, kind: str) -> list[Any]:
        """The updates of one kind."""
        return [update for update in self.updates if update.session_update == kind]

    @property
    def heard(self) -> str:
        """All that the agent said."""
        return "".join(update.content.text for update in self.of("agent_message_chunk"))

    @property
    def ended(self) -> list[tuple[str, str]]:
        """How each tool call ended, by its title."""
        titles = {update.tool_call_id: update.title for update in self.of("tool_call")}
        ends = [update for update in self.of("tool_call_update") if update.status in ("completed", "failed")]
        return [(titles[update.tool_call_id], update.status) for update in ends]


@dataclass(frozen=True, kw_only=True)
class Play:
    """A session with the agent, in a folder."""

    user: User
    connection: ClientSideConnection
    process: asyncio.subprocess.Process
    session: str
    folder: Path

    async def prompt(self, text: str) -> PromptResponse:
        """One turn, to its end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.connection.prompt(session_id=self.session, prompt=[text_block(text)])

    async def cancelled_when(self, text: str, condition: Callable[[], bool]) -> str:
        """A turn that is cancelled as soon as the condition holds; returns its stop reason."""
        turn = asyncio.create_task(self.prompt(text))
        await until(condition)
        await self.connection.cancel(session_id=self.session)
        return (await turn).stop_reason

    def is_at_work(self) -> bool:
        """Whether the client has been told that a tool call is at work."""
        return any(update.status == "in_progress" for update in self.user.of("tool_call_update"))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A folder to play in. A home outlives the agents in it."""

    folder: Path
    home: Path
    score: Path

    @contextlib.asynccontextmanager
    async def start(
        self, user: User | None = None, *arguments: str, load: str = "", questions: str = "no"
    ) -> AsyncIterator[Play]:
        """A started agent with a session: a new one, or the one to `load`."""
        user = user or User()
        capabilities = ClientCapabilities()
        if questions == "yes":
            form = ElicitationFormCapabilities()
            capabilities = ClientCapabilities(elicitation=ElicitationCapabilities(form=form))
        with (self.home / "stderr").open("ab") as stderr:
            async with spawn_agent_process(
                cast(Client, user),
                *COMMAND,
                "--score",
                str(self.score),
                *arguments,
                env={**os.environ, "HOME": str(self.home)},
                cwd="/",
                transport_kwargs={"stderr": stderr},
                use_unstable_protocol=True,
            ) as (connection, process):
                await connection.initialize(protocol_version=1, client_capabilities=capabilities)
                session = load
                if load:
                    await connection.load_session(cwd=str(self.folder), session_id=load)
                else:
                    session = (await connection.new_session(cwd=str(self.folder))).session_id
                yield Play(user=user, connection=connection, process=process, session=session, folder=self.folder)

    def git(self, *arguments: str) -> str:
        """What a git command in the folder says."""
        ran = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return ran.stdout.strip()


def stage(place: Path, score: str) -> Stage:
    """A stage in `place`, with an empty folder and a score written in YAML."""
    made = Stage(folder=place / "workspace", home=place / "home", score=place / "score.json")
    made.folder.mkdir()
    made.home.mkdir()
    made.score.write_text(parse(score.encode(), name="score.yaml"))
    return made


def repository(place: Path, score: str) -> Stage:
    """A stage whose folder is a git repository with one commit on `main`."""
    made = stage(place, score)
    made.git("init", "--quiet", "--initial-branch=main")
    (made.folder / "hello.py").write_text('print("Hello")\n')
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message=Begin")
    return made


def played(on: Stage, user: User, *prompts: str, mode: str = "default", questions: str = "no") -> list[str]:
    """Play one session with these prompts; returns the stop reasons."""

    async def main() -> list[str]:
        async with on.start(user, questions=questions) as play:
            if mode != "default":
                await play.connection.set_session_mode(session_id=play.session, mode_id=mode)
            return [(await play.prompt(prompt)).stop_reason for prompt in prompts]

    return asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds, with a deadline."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def refused_with(code: int, says: str = "") -> Iterator[None]:
    """What happens inside ends with this JSON-RPC error, which says this."""
    try:
        yield
    except RequestError as error:
        assert error.code == code and says in str(error), error
    else:
        raise AssertionError(f"There was no error {code}.")


def fenced_json(text: str) -> Any:
    """What stands in the last fenced block of JSON."""
    return json.loads(text.rpartition("```json\n")[2].partition("\n```")[0])
