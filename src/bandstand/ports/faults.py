"""Fault points: named places before and after each durable step and each outside effect, where a test can end us.

Off unless armed, and then a point costs a look at one variable. What stays true: a point that fires ends the process at
once with SIGKILL, as a loss of power would: nothing is flushed and no handler runs. Nothing in the product reacts to
them: the first beat after a start is all the recovery there is.
"""

import os
import signal
from collections.abc import Callable
from typing import NoReturn

from bandstand.domain.errors import Refused

POINTS: dict[str, str] = {
    "facts.before-append": "facts were decided and are not written",
    "facts.after-append": "facts are written, and nobody knows of them",
    "order.before-append": "the environment of an order is kept, its tasks are not",
    "workspace.before-checkout": "the folder of a workspace is there, and empty",
    "workspace.after-checkout": "a workspace is whole, and no fact says so",
    "run.before-start": "a run is recorded, and has no process",
    "run.after-start": "its process runs, and we are not attached",
    "session.after-open": "the agent has a session, and no fact says so",
    "prompt.before-send": "a turn has begun, and the agent knows nothing of it",
    "prompt.after-send": "the agent has its prompt, and nobody has heard its answer",
    "turn.before-snapshot": "the agent is done, and its work is in the workspace only",
    "turn.after-snapshot": "the work is in the vault, and on no branch",
    "turn.after-publish": "the branch is in the repository, and no fact says so",
    "run.before-stop": "a run is to end, and lives",
    "run.after-stop": "its process is gone, and no fact says so",
    "check.before-run": "a check is recorded, and does not run",
    "check.after-run": "a check has its verdict, and no fact says so",
    "landing.before-merge": "it is a change's turn to land",
    "landing.after-merge": "what main would be is built, and no fact says so",
    "landing.before-move": "the landing is approved, and nothing has moved",
    "landing.between": "a checkout of the target has moved, and the target has not",
    "landing.after-move": "the target has moved, and no fact says so",
    "retire.before-rescue": "a workspace is to go, and its last work is nowhere else",
    "retire.after-rescue": "its work is kept, and it is still there",
    "retire.after-remove": "a workspace is gone, and no fact says so",
}
"""Every point, with what is true when it is passed."""


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("A process outlived SIGKILL.")


class _Armed:
    """The point that fires, and how often it is to be passed before."""

    def __init__(self) -> None:
        self.name = ""
        self.left = 0
        self.fire: Callable[[], object] = _die


_armed = _Armed()


def arm(plan: str, *, fire: Callable[[], object] = _die) -> None:
    """Have a point fire: `NAME`, or `NAME#N` for the N-th time that it is passed. An empty plan disarms all.

    Raises `Refused` for a plan that names no point.
    """
    name, _, number = plan.partition("#")
    if name and (name not in POINTS or not (number or "1").isdigit()):
        raise Refused(f"{plan!r} is no fault point.", hint=f"There are: {', '.join(POINTS)}.")
    _armed.name, _armed.left, _armed.fire = name, int(number or "1"), fire


def point(name: str) -> None:
    """Pass a fault point."""
    if _armed.name == name:
        _armed.left -= 1
        if _armed.left == 0:
            _armed.fire()
