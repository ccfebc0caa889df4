"""What an agent says and does during a prompt turn, in our own words.

Protocols differ and change; these values do not. An adapter translates to them and leaves out what it does not know.
Everything here is a *claim* by the agent, but where it says otherwise: commits, exit codes and journals are the facts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bandstand.domain.credentials import Credentials
from bandstand.domain.ids import AgentName


class StopReason(StrEnum):
    """Why a prompt turn ended. The first five are the protocol's own; `UNKNOWN` is a reason we have no word for."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    MAX_TURN_REQUESTS = "max_turn_requests"
    REFUSAL = "refusal"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class ToolKind(StrEnum):
    """What a tool call does, as the protocol sorts it. `OTHER` stands for every kind we do not know."""

    READ = "read"
    EDIT = "edit"
    DELETE = "delete"
    MOVE = "move"
    SEARCH = "search"
    EXECUTE = "execute"
    THINK = "think"
    FETCH = "fetch"
    SWITCH_MODE = "switch_mode"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A piece of the agent's message. Pieces of one message follow one another; a message may come in many."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """A piece of the agent's reasoning."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompted:
    """What was said to the agent: the text of a prompt."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled:
    """A tool call began, or became known. `paths` are as the agent wrote them."""

    call: str
    title: str
    kind: ToolKind = ToolKind.OTHER
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnded:
    """A tool call came to its end. `output` is the text that the agent chose to show, and may be empty."""

    call: str
    failed: bool
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One line of an agent's own plan. `status` is `pending`, `in_progress` or `completed`."""

    text: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The agent's plan, whole. It replaces the plan before."""

    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer that may be given to a request. `grants` tells whether it lets the agent go on with what it asked.

    `lasting` tells that the agent takes it for later requests, too, which then nobody is asked about.
    """

    id: str
    label: str
    grants: bool
    lasting: bool = False


def least(choices: Iterable[Choice], *, granting: bool) -> Choice | None:
    """The choice that grants a request, or refuses it, and no more than it has to; nothing if none is offered."""
    fitting = [choice for choice in choices if choice.grants is granting]
    return min(fitting, key=lambda choice: choice.lasting, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRequested:
    """The agent asks whether it may do something, and waits. `request` names this request within its run."""

    request: str
    title: str
    kind: ToolKind
    choices: tuple[Choice, ...]
    command: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAsked:
    """The agent asks a question in words, and waits. With no choices any text is an answer."""

    request: str
    question: str
    choices: tuple[Choice, ...] = ()


class Refusal(StrEnum):
    """Why the way to a host was refused: no rule names it, or it is in the machine's own network."""

    NOT_LISTED = "not-listed"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRefused:
    """The agent, or what it started, tried to reach a host that it may not. No claim: the proxy says so.

    `host` is empty where there are more of them than are told.
    """

    host: str
    port: int
    why: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and money that the agent reports, as it reports them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


AgentUpdate = (
    Said | Thought | Prompted | ToolCalled | ToolEnded | Planned | PermissionRequested | QuestionAsked | HostRefused
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """How a prompt turn ended, by the agent's own account. `message` is all that it said in the turn."""

    stop: StopReason
    message: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """A configured ACP program: what to start, and what it needs around it.

    `command` is the program and its arguments. `environment` is set for it; `passes` names variables handed on from the
    caller's environment, and holds names only. `reads` are paths outside the system that it must be able to read.
    `mode` is the session mode to set, or empty to leave the agent's own. `start_seconds` is how long its first answer
    may take: agents that unpack themselves on a first start are slow. `hosts` are those where it finds its model.
    How it is logged in says the user or we do, never a repository, so that is no part of what makes rules the same.
    """

    name: AgentName
    command: tuple[str, ...]
    title: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    passes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    mode: str = ""
    model: str = ""
    start_seconds: int = 60
    hosts: tuple[str, ...] = field(default=(), repr=False)
    credentials: Credentials = field(default_factory=Credentials, repr=False)
