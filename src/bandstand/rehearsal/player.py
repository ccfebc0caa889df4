"""Playing the steps of a part, one after another. Each step is one function here.

A step that fails ends the turn: the agent says what went wrong and stops there, as a real one would. A step may put
other steps in the place of those that were to follow. Between two steps the client is heard.
"""

from __future__ import annotations

import json
import os
import time

from bandstand.rehearsal import workspace
from bandstand.rehearsal.turn import END_TURN, ToolCall, Turn, TurnEnded
from bandstand.rehearsal.wire import INTERNAL_ERROR, CallError

TYPE_CHECKING = False  # see `wire`
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bandstand.rehearsal.score import Step

    Instead = Sequence[Step] | None


def play(turn: Turn, steps: Sequence[Step]) -> str:
    """Play the steps; returns the stop reason.

    Raises `CallError` if the turn shall end with an error, `ScoreError` for a step that cannot be played.
    """
    queue = list(steps)
    try:
        while queue:
            turn.wait(0)
            step = queue.pop(0).filled(turn.session.values)
            if not _applies(turn, step):
                continue
            turn.rest = queue
            instead = _player(step)(turn, step)
            if instead is not None:
                queue = list(instead)
        turn.wait(0)
    except TurnEnded as ended:
        return ended.reason
    return END_TURN


def _applies(turn: Turn, step: Step) -> bool:
    try:
        return step.only_if is None or workspace.holds(turn.cwd, step.only_if)
    except workspace.EditError as error:
        raise _give_up(turn, str(error)) from None


def _player(step: Step) -> Callable[[Turn, Step], Instead]:
    if step.name not in STEPS:
        raise CallError(INTERNAL_ERROR, f"The score has a step `{step.name}` that this agent cannot play.")
    return STEPS[step.name]


def _give_up(turn: Turn, why: str) -> TurnEnded:
    turn.say(f"I stop here: {why}")
    return TurnEnded(END_TURN)


def _say(turn: Turn, step: Step) -> Instead:
    turn.say(step.text("text"))
    return None


def _think(turn: Turn, step: Step) -> Instead:
    turn.think(step.text("text"))
    return None


def _plan(turn: Turn, step: Step) -> Instead:
    entries = [
        {
            "content": entry.text("text"),
            "priority": entry.text("priority", "medium"),
            "status": entry.text("status", "pending"),
        }
        for entry in step.records("entries")
    ]
    turn.update("plan", {"entries": entries})
    return None


def _edit(turn: Turn, step: Step) -> Instead:
    path = step.text("path")
    shown = os.path.normpath(os.path.join(turn.cwd, path))  # noqa: PTH118 - pathlib is slow to import
    gone = step.flag("delete")
    call = ToolCall(
        turn, title=f"{'Delete' if gone else 'Edit'} {path}", kind="delete" if gone else "edit", paths=[shown]
    )
    _begin(turn, call)
    try:
        edit = workspace.plan(turn.cwd, step)
        workspace.make(edit)
    except workspace.EditError as error:
        call.end("failed", text=str(error))
        raise _give_up(turn, str(error)) from None
    call.end("completed", diff={"path": shown, "oldText": edit.before, "newText": edit.after or ""}, line=edit.line)
    return None


def _run(turn: Turn, step: Step) -> Instead:
    command = step.text("command")
    code = _execute(turn, ["/bin/sh", "-c", command], title=command, command=command)
    if code and not step.flag("allow_failure"):
        raise _give_up(turn, f"`{command}` ended with exit code {code}.")
    return None


def _commit(turn: Turn, step: Step) -> Instead:
    message = step.text("message")
    script = 'git add -A && exec git commit -q -m "$1"'
    shown = f"git add -A && git commit -m {json.dumps(message, ensure_ascii=False)}"
    code = _execute(turn, ["/bin/sh", "-c", script, "sh", message], title=shown, command=shown)
    if code:
        raise _give_up(turn, f"the commit ended with exit code {code}.")
    return None


def _execute(turn: Turn, argv: Sequence[str], *, title: str, command: str) -> int:
    # Imported when it is first needed: see that module.
    from bandstand.rehearsal import commands

    call = ToolCall(turn, title=title, kind="execute", command=command)
    _begin(turn, call)
    try:
        code, output = commands.run(argv, cwd=turn.cwd, wait=turn.wait, show=call.shown)
    except TurnEnded:
        call.end("failed", text="Cancelled.")
        raise
    except OSError as error:
        call.end("failed", text=f"The command cannot be run: {error.strerror}.")
        raise _give_up(turn, f"the command cannot be run: {error.strerror}.") from None
    call.end("failed" if code else "completed", text=output, code=code)
    return code


def _begin(turn: Turn, call: ToolCall) -> None:
    """In the careful mode every tool call is asked for first; a refusal ends the turn."""
    if turn.session.mode == "careful" and not call.permitted():
        call.end("failed", text="Not permitted.")
        raise _give_up(turn, "I was not permitted to go on.")
    call.started()


def _ask_permission(turn: Turn, step: Step) -> Instead:
    path = step.text("path", "")
    call = ToolCall(
        turn,
        title=step.text("title"),
        kind=step.text("kind", "other"),
        paths=[os.path.normpath(os.path.join(turn.cwd, path))] if path else (),  # noqa: PTH118
        command=step.text("command", ""),
    )
    if call.permitted():
        call.end("completed")
        return None
    call.end("failed", text="Not permitted.")
    otherwise = step.steps("otherwise")
    if otherwise is None:
        raise _give_up(turn, "I was not permitted to go on.")
    return otherwise


def _ask(turn: Turn, step: Step) -> Instead:
    question, choices = step.text("question"), step.texts("choices")
    if not turn.can_ask:
        turn.session.note("rest", [step.as_json() for step in turn.rest])
        turn.say("\n".join([question, *(f"- {choice}" for choice in choices)]))
        raise TurnEnded(END_TURN)
    answer: dict[str, object] = {"type": "string", "title": "Answer"}
    if choices:
        answer["enum"] = choices
    schema = {"type": "object", "properties": {"answer": answer}, "required": ["answer"]}
    reply = turn.request("elicitation/create", {"mode": "form", "message": question, "requestedSchema": schema})
    content = reply.get("content")
    if reply.get("action") == "accept" and isinstance(content, dict):
        turn.session.note("answer", str(content.get("answer", "")))
    elif "default" in step.fields:
        turn.session.note("answer", step.text("default"))
    else:
        raise _give_up(turn, "my question was not answered.")
    return None


def _wait(turn: Turn, step: Step) -> Instead:
    turn.sleep(step.number("seconds"))
    return None


def _fail(turn: Turn, step: Step) -> Instead:
    raise CallError(int(step.number("code", INTERNAL_ERROR)), step.text("message"))


def _refuse(turn: Turn, step: Step) -> Instead:
    if "text" in step.fields:
        turn.say(step.text("text"))
    raise TurnEnded("refusal")


def _stop(turn: Turn, step: Step) -> Instead:
    raise TurnEnded(step.text("reason"))


def _crash(turn: Turn, step: Step) -> Instead:
    if "signal" in step.fields:
        import signal  # not needed by anything else at the start

        number = signal.Signals[f"SIG{step.text('signal')}"]
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(int(step.number("code", 1)))


def _hang(turn: Turn, step: Step) -> Instead:
    while True:
        if step.flag("ignore_cancel"):
            turn.wire.wait(None)
        else:
            turn.wait(None)


def _flood(turn: Turn, step: Step) -> Instead:
    """Number each update, so that its place can be told; the session does not remember them."""
    size, pause, timed = int(step.number("bytes", 100)), step.number("every", 0), step.flag("timed")
    for number in range(1, int(step.number("updates")) + 1):
        begin = f"{number} {time.time_ns() // 1000} " if timed else f"{number} "
        text = begin.ljust(size - 1, "x") + "\n"
        turn.send({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})
        if pause:
            turn.sleep(pause)
        else:
            turn.wait(0)
    return None


def _garbage(turn: Turn, step: Step) -> Instead:
    line = step.text("text", "This line is not JSON.").encode("utf-8", "replace") + b"\n"
    for _ in range(int(step.number("lines", 1))):
        turn.wire.write(line)
    return None


def _stderr(turn: Turn, step: Step) -> Instead:
    left = int(step.number("bytes"))
    line = b"rehearsal ".ljust(79, b".") + b"\n"
    while left > 0:
        left -= os.write(2, (line * 100)[:left])
    return None


def _review(turn: Turn, step: Step) -> Instead:
    verdict = {
        "verdict": step.text("verdict"),
        "summary": step.text("summary", ""),
        "comments": [comment.fields for comment in step.records("comments")],
    }
    turn.say(f"```json\n{json.dumps(verdict, indent=2, ensure_ascii=False)}\n```\n")
    return None


STEPS: dict[str, Callable[[Turn, Step], Instead]] = {
    "say": _say,
    "think": _think,
    "plan": _plan,
    "edit": _edit,
    "run": _run,
    "commit": _commit,
    "ask_permission": _ask_permission,
    "ask": _ask,
    "wait": _wait,
    "fail": _fail,
    "refuse": _refuse,
    "stop": _stop,
    "crash": _crash,
    "hang": _hang,
    "flood": _flood,
    "garbage": _garbage,
    "stderr": _stderr,
    "review": _review,
}
