"""`checkpoint`, `rewind` and `fork`: a task's work kept as it is, taken back, or gone on from in another task."""

import argparse
import sys

from bandstand.domain.errors import Refused
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import me
from bandstand.faces.wire import Json


def checkpoint(arguments: argparse.Namespace) -> int:
    """Keep the files of a task as they are now."""
    said = call("checkpoint", task=arguments.task, by=me())
    place = f"{arguments.task}@{said['number']}"
    return _done(
        arguments, said, f"The files of {arguments.task} are kept as {place}.\nTo go back there: band rewind {place}"
    )


def rewind(arguments: argparse.Namespace) -> int:
    """Have a task go back to a checkpoint."""
    task, number = _place(arguments.place)
    live = "wait" if arguments.after_turn else "end" if arguments.now else "ask"
    said = call("rewind", task=task, number=number, live=live, text=arguments.message, by=me())
    when = " once its turn is over" if arguments.after_turn else ""
    words = f"{task} goes back to checkpoint {number}{when}; what it holds then is kept as one more."
    return _done(arguments, said, f"{words}\nWatch: band ps -f {task} · What there is: band checkpoints {task}")


def fork(arguments: argparse.Namespace) -> int:
    """Have a new task begin with a checkpoint of another one."""
    task, number = _place(arguments.place)
    said = call("fork", task=task, number=number, text=arguments.words, id=arguments.id, agent=arguments.agent, by=me())
    new = said["task"]
    return _done(arguments, said, f"{new} begins with {task}@{number}; {task} goes on.\nWatch: band ps -f {new}")


def _place(text: str) -> tuple[str, str]:
    """A task and the number of one of its checkpoints."""
    task, at, number = text.rpartition("@")
    if not at or not task or not number.isdecimal():
        raise Refused(
            f"{text!r} names no checkpoint.", hint="It is TASK@NUMBER, docs@2 say; `band checkpoints TASK` lists them."
        )
    return task, number


def _done(arguments: argparse.Namespace, said: Json, words: str) -> int:
    if arguments.json:
        return dump(said)
    sys.stdout.write(f"{words}\n")
    return 0
