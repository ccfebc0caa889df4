"""The command line's way in: words to a verb, errors to one clear message and an exit code.

What a warm command needs is imported here; everything heavier is imported by the verb that needs it.
"""

import argparse
import io
import os
import sys
from importlib import import_module

from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable

VERBS = {
    "run": "bandstand.faces.cli.run:run",
    "send": "bandstand.faces.cli.orders:send",
    "cancel": "bandstand.faces.cli.orders:cancel",
    "answer": "bandstand.faces.cli.orders:answer",
    "review": "bandstand.faces.cli.orders:review",
    "ps": "bandstand.faces.cli.looking:ps",
    "show": "bandstand.faces.cli.showing:show",
    "log": "bandstand.faces.cli.showing:log",
    "diff": "bandstand.faces.cli.showing:diff",
    "asks": "bandstand.faces.cli.looking:asks",
    "agents": "bandstand.faces.cli.looking:agents",
    "doctor": "bandstand.faces.cli.doctor:doctor",
    "demo": "bandstand.faces.cli.demo:demo",
    "up": "bandstand.faces.daemon.server:up",
    "down": "bandstand.faces.cli.machine:down",
    "daemon": "bandstand.faces.daemon.server:daemon",
}
WATCHING = "bandstand.faces.cli.run:watch"
"""What `ps --follow` is. It needs more than a quick `ps`."""

REFUSED, UNAVAILABLE, BROKEN, INTERRUPTED = 2, 3, 70, 130


def run(words: list[str]) -> int:
    """Carry out one command; its exit code."""
    from bandstand.faces.cli.parser import build_daemon_parser, build_parser

    _prepare_streams()
    if words[:1] == ["daemon"]:
        parser, words = build_daemon_parser(), words[1:]
    else:
        parser = build_parser()
    arguments = parser.parse_args(words)
    if arguments.verb is None:
        parser.print_help()
        return 0
    watched = arguments.verb == "ps" and arguments.follow
    module, name = (WATCHING if watched else VERBS[arguments.verb]).split(":")
    try:
        return _flushed(int(getattr(import_module(module), name)(arguments)))
    except BandstandError as error:
        return _tell(error, arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _tell(Broken(f"{place}{error.strerror or error}."), arguments)


def _prepare_streams() -> None:
    """Make output work that was closed by whoever started us, or is to show a file name that is no text."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flushed(code: int) -> int:
    """The exit code, once all output is written: at exit it is too late to say that it cannot be."""
    try:
        sys.stdout.flush()
    except OSError:
        _write_no_more()
        raise
    return code


def _write_no_more() -> None:
    """Whoever read our output has gone, or has no room for it. Nothing may be written at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: BandstandError, arguments: argparse.Namespace) -> int:
    """Say what is wrong and what to do about it."""
    if getattr(arguments, "json", False):
        from bandstand.faces.wire import encode, error_message

        sys.stdout.write(encode(error_message(error)).decode())
    else:
        from bandstand.faces.cli.terminal import Paint

        paint = Paint(sys.stderr)
        sys.stderr.write(f"{paint.red('band:')} {error.message}\n")
        for line in error.hint.splitlines():
            sys.stderr.write(f"      {line}\n" if not line.startswith(" ") else f"    {line}\n")
    if isinstance(error, Refused):
        return REFUSED
    return UNAVAILABLE if isinstance(error, Unavailable) else BROKEN
