"""Orders on one task or one ask."""

import argparse
import sys

from bandstand.domain.errors import Refused
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import me
from bandstand.faces.cli.terminal import Paint, counted
from bandstand.faces.wire import Json


def send(arguments: argparse.Namespace) -> int:
    """Say something to a task's agent."""
    said = call("send", task=arguments.task, text=arguments.text, by=me())
    if said["asks"]:
        first = said["asks"][0]
        words = f"{arguments.task} gets it once you have answered {first}: band asks"
    else:
        words = f"{arguments.task} gets it as its next turn, after a turn or review that runs now."
    return _done(arguments, said, words)


def cancel(arguments: argparse.Namespace) -> int:
    """Stop a task for good."""
    said = call("cancel", task=arguments.task, reason=arguments.message, by=me())
    return _done(
        arguments, said, f"{arguments.task} is cancelled; what it wrote is kept. See: band show {arguments.task}"
    )


def pause(arguments: argparse.Namespace) -> int:
    """Hold a task where it stands."""
    said = call("pause", task=arguments.task, reason=arguments.message, by=me())
    words = f"{arguments.task} is paused; its agent ends, and what it wrote is kept."
    return _done(arguments, said, f"{words}\nTo let it go on: band resume {arguments.task}")


def resume(arguments: argparse.Namespace) -> int:
    """Let a task go on that was paused, or all that were stopped together."""
    if arguments.all == (arguments.task is not None):
        raise Refused("What is to go on?", hint="One task: band resume TASK. All that `band stop` held: --all")
    if not arguments.all:
        return _done(arguments, call("resume", task=arguments.task, by=me()), f"{arguments.task} goes on.")
    said = call("resume_all", by=me())
    tasks = sum(len(one["tasks"]) for one in said["repositories"])
    where = counted(len(said["repositories"]), "repository", "repositories")
    words = f"{counted(tasks, 'task')} in {where} go{'es' if tasks == 1 else ''} on."
    return _done(arguments, said, words if tasks else "Nothing was stopped with the whole fleet.")


_ANEW = {
    "StepRetried": "the step that did not work is tried again now",
    "AskAnswered": "it goes on",
    "RunStopRequested": "its agent is ended, and begins anew with what it wrote",
    "CheckStarted": "its checks begin anew",
    "LandingRestarted": "it is merged anew",
}


def retry(arguments: argparse.Namespace) -> int:
    """Try anew what goes on for a task, or keeps it from going on."""
    said = call("retry", task=arguments.task, by=me())
    first = next((_ANEW[fact] for fact in said["facts"] if fact in _ANEW), "it is tried again")
    return _done(arguments, said, f"{arguments.task}: {first}.")


def answer(arguments: argparse.Namespace) -> int:
    """Answer an ask."""
    said = call(
        "answer", ask=arguments.ask, choice=arguments.choice, text=arguments.message, alike=arguments.alike, by=me()
    )
    return _done(arguments, said, f"Answered: {', '.join(said['answered'])}")


def review(arguments: argparse.Namespace) -> int:
    """Look at a change, or give a verdict on it."""
    if not arguments.approve and not arguments.request_changes:
        return _look(arguments)
    said = call(
        "review",
        task=arguments.task,
        approve=arguments.approve,
        text=arguments.message,
        commit=arguments.commit,
        by=me(),
    )
    words = "approved" if arguments.approve else "sent back to its agent"
    return _done(arguments, said, f"{arguments.task} is {words}.")


def _look(arguments: argparse.Namespace) -> int:
    from bandstand.faces.cli.showing import page, review_text

    seen = call("look", task=arguments.task)
    if arguments.json:
        return dump(seen)
    return page(review_text(seen, Paint(sys.stdout)))


def _done(arguments: argparse.Namespace, said: Json, words: str) -> int:
    if arguments.json:
        return dump(said)
    sys.stdout.write(f"{words}\n")
    return 0
