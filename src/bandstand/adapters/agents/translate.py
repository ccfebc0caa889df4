"""From ACP's updates, permission requests and results to our own words.

Nothing here raises, whatever an agent sends: a field that is missing or of another shape is as if it were not there,
and a kind of update that we have no word for says nothing. Agents tell of a tool call in pieces and in any order
(some first name it in a permission request, some only ever update it), so what was said of a call is remembered.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from bandstand.adapters.agents.messages import Failure
from bandstand.adapters.agents.shapes import amount, content_text, count, rows, table, text, word
from bandstand.domain.agent import (
    AgentUpdate,
    Choice,
    PermissionRequested,
    Planned,
    PlanStep,
    Said,
    StopReason,
    Thought,
    ToolCalled,
    ToolEnded,
    ToolKind,
    Usage,
)
from bandstand.domain.errors import Refused

NAMELESS: Final = "A tool call without a title"
_PLAN_STATUSES: Final = ("pending", "in_progress", "completed")
_FAILURES: Final = ("failed", "cancelled")
_PATH_FIELDS: Final = (
    "path", "file_path", "filePath", "absolute_path", "abs_path", "notebook_path", "old_path", "new_path",
    "source", "destination",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One update. `begins` tells, of a piece of text, that it does not continue the piece before it."""

    update: AgentUpdate
    begins: bool = True


@dataclass(slots=True)
class _Tool:
    """What was said of a tool call so far."""

    title: str = ""
    kind: ToolKind = ToolKind.OTHER
    paths: tuple[str, ...] = ()
    command: str = ""
    output: str = ""
    told: ToolCalled | None = None
    ended: bool = False

    def learn(self, detail: Mapping[str, object]) -> None:
        """Take over what `detail` says; what it does not say stays."""
        self.title = text(detail.get("title")) or self.title
        self.kind = tool_kind(detail.get("kind"), otherwise=self.kind)
        self.paths = tuple(dict.fromkeys((*self.paths, *paths(detail))))
        self.command = command(detail.get("rawInput")) or self.command
        self.output = output(detail) or self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A permission request and how it is answered. `options` are the agent's own ids behind our choices."""

    update: PermissionRequested
    options: Mapping[str, object]
    refusal: str | None

    def reply(self, choice: str | None, *, said: str) -> object:
        """The answer that gives `choice`, or refuses with `None`. `said` has no place in it. Raises `Refused`."""
        if choice is None:
            choice = self.refusal
        if choice is None:
            return self.withdrawal()
        if choice not in self.options:
            offered = ", ".join(self.options) or "no choice at all"
            raise Refused(f"{choice!r} is no answer to this request.", hint=f"It offers: {offered}.")
        return {"outcome": {"outcome": "selected", "optionId": self.options[choice]}}

    def withdrawal(self) -> object:
        """The answer when the turn that asked was cancelled."""
        return {"outcome": {"outcome": "cancelled"}}


@dataclass(slots=True)
class Translator:
    """Translates what one session says, in order. `cost_usd` is the last cost that was reported."""

    cost_usd: float = 0.0
    _tools: dict[str, _Tool] = field(default_factory=dict)
    _message: dict[type[Said] | type[Thought], str] = field(default_factory=dict)
    _interrupted: set[type[Said] | type[Thought]] = field(default_factory=lambda: {Said, Thought})

    def update(self, params: object) -> list[Passage]:
        """What a `session/update` says; nothing when we have no word for it."""
        update = table(table(params).get("update"))
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                return self._piece(Said, update)
            case "agent_thought_chunk":
                return self._piece(Thought, update)
            case "tool_call" | "tool_call_update":
                return self._tool_call(update)
            case "plan":
                return [Passage(update=_planned(update))]
            case "plan_update":
                plan = table(update.get("plan"))
                return [Passage(update=_planned(plan))] if plan.get("type") == "items" else []
            case "usage_update":
                cost = table(update.get("cost"))
                if cost.get("currency") == "USD":
                    self.cost_usd = amount(cost.get("amount")) or self.cost_usd
            case _:
                pass
        return []

    def permission(self, request: str, params: object) -> Permission:
        """A `session/request_permission`. What it does not say of its tool call is what was last said of it."""
        detail = table(table(params).get("toolCall"))
        call = word(detail.get("toolCallId"))
        tool = self._tools.setdefault(call, _Tool()) if call else _Tool()
        tool.learn(detail)
        self.interrupt()
        options: dict[str, object] = {}
        choices: list[Choice] = []
        refusals: dict[str, str] = {}
        for row in rows(table(params).get("options")):
            option = table(row)
            name, kind = word(option.get("optionId")), text(option.get("kind"))
            if not name or name in options:
                continue
            options[name] = option.get("optionId")
            label = text(option.get("name")) or kind or name
            grants, lasting = kind.startswith("allow"), kind.endswith("_always")
            choices.append(Choice(id=name, label=label, grants=grants, lasting=lasting))
            refusals.setdefault(kind, name)
        update = PermissionRequested(
            request=request,
            title=tool.title or tool.command or NAMELESS,
            kind=tool.kind,
            choices=tuple(choices),
            command=tool.command,
            paths=tool.paths,
        )
        refusal = refusals.get("reject_once") or refusals.get("reject_always")
        return Permission(update=update, options=options, refusal=refusal)

    def interrupt(self) -> None:
        """Something came between: the next piece of text begins a message, unless the agent says that it does not."""
        self._interrupted = {Said, Thought}

    def _piece(self, kind: type[Said] | type[Thought], update: Mapping[str, object]) -> list[Passage]:
        said = content_text(update.get("content"))
        if not said:
            return []
        message, before = text(update.get("messageId")), self._message.get(kind, "")
        begins = message != before if message and before else kind in self._interrupted
        self._message[kind] = message
        self._interrupted.discard(kind)
        return [Passage(update=kind(text=said), begins=begins)]

    def _tool_call(self, update: Mapping[str, object]) -> list[Passage]:
        call = word(update.get("toolCallId"))
        status = update.get("status")
        ends = status == "completed" or status in _FAILURES
        if not call:
            return []
        tool = self._tools.setdefault(call, _Tool())
        if tool.ended and (ends or update.get("sessionUpdate") != "tool_call"):
            return []
        if tool.ended:
            tool = self._tools[call] = _Tool()
        tool.learn(update)
        passages: list[Passage] = []
        called = ToolCalled(call=call, title=tool.title or tool.command or NAMELESS, kind=tool.kind, paths=tool.paths)
        if called != tool.told:
            if tool.told is None:
                self.interrupt()
            tool.told = called
            passages.append(Passage(update=called))
        if ends:
            passages.append(Passage(update=ToolEnded(call=call, failed=status != "completed", output=tool.output)))
            self._tools[call] = _Tool(ended=True)
        return passages


def tool_kind(value: object, *, otherwise: ToolKind = ToolKind.OTHER) -> ToolKind:
    """The kind of a tool call; `otherwise` when none is given, `OTHER` when we do not know it."""
    name = text(value)
    if not name:
        return otherwise
    return ToolKind(name) if name in frozenset(ToolKind) else ToolKind.OTHER


def paths(detail: Mapping[str, object]) -> tuple[str, ...]:
    """The paths that a tool call names: its locations, its diffs, its input where that is shaped so."""
    found = [text(table(each).get("path")) for each in rows(detail.get("locations"))]
    found += [text(table(each).get("path")) for each in rows(detail.get("content"))]
    given = table(detail.get("rawInput"))
    found += [text(given.get(name)) for name in _PATH_FIELDS]
    found += [text(each) for each in rows(given.get("paths"))]
    found += [text(each) for each in table(given.get("changes"))]
    return tuple(dict.fromkeys(path for path in found if path))


def command(given: object) -> str:
    """The command line in a tool call's input, in the shapes that agents use; empty when there is none."""
    fields = table(given)
    for name in ("command", "cmd", "argv"):
        value = fields.get(name)
        if line := _command_line(value):
            arguments = shlex.join(word(each) for each in rows(fields.get("args")))
            return f"{line} {arguments}" if arguments else line
    return "\n".join(line for each in rows(fields.get("commands")) if (line := _command_line(each)))


def _command_line(value: object) -> str:
    """A command given as a line, as a list of words, or as an object that holds either."""
    if isinstance(value, dict):
        value = value.get("command")
    if isinstance(value, list):
        words = [word(each) for each in value]
        return shlex.join(words) if any(words) else ""
    return text(value)


def output(detail: Mapping[str, object]) -> str:
    """The text that a tool call shows: its content, else its raw output where that is text."""
    shown = (content_text(table(each).get("content")) for each in rows(detail.get("content")))
    raw = detail.get("rawOutput")
    return "\n".join(part for part in shown if part) or text(raw) or text(table(raw).get("output"))


def _planned(plan: Mapping[str, object]) -> Planned:
    return Planned(steps=tuple(_steps(plan)))


def _steps(plan: Mapping[str, object]) -> Iterator[PlanStep]:
    for row in rows(plan.get("entries")):
        entry = table(row)
        status = text(entry.get("status"))
        if line := content_text(entry.get("content")):
            yield PlanStep(text=line, status=status if status in _PLAN_STATUSES else _PLAN_STATUSES[0])


def stop_reason(result: object) -> StopReason:
    """Why a turn ended; `UNKNOWN` when no reason is given or we do not know it. It ended all the same."""
    name = text(table(result).get("stopReason"))
    return StopReason(name) if name in frozenset(StopReason) else StopReason.UNKNOWN


def usage(result: object, *, cost_usd: float) -> Usage:
    """The tokens of a prompt's result, from where agents put them, with the last reported cost."""
    spent = table(table(result).get("usage"))
    if not spent:
        spent = table(table(table(table(result).get("_meta")).get("quota")).get("token_count"))
    return Usage(
        input_tokens=count(spent.get("inputTokens")) or count(spent.get("input_tokens")),
        output_tokens=count(spent.get("outputTokens")) or count(spent.get("output_tokens")),
        cost_usd=cost_usd,
    )


def words(failure: Failure) -> str:
    """What an agent's error says: its message, and the detail beside it where there is one."""
    detail = text(failure.data)
    for name in ("details", "message", "error", "reason", "errorName"):
        detail = detail or text(table(failure.data).get(name))
    if not detail and isinstance(failure.data, dict) and failure.data:
        try:
            detail = json.dumps(failure.data)
        except (ValueError, RecursionError):
            detail = ""
    return failure.message if not detail or detail in failure.message else f"{failure.message} ({detail[:500]})"
