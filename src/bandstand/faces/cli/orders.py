"""Orders on one task or one ask."""

import argparse
import sys

from bandstand.faces.cli.calling import call
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import me
from bandstand.faces.cli.terminal import Paint
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
