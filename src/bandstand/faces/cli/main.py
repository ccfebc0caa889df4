"""The command line's way in: words to a verb, errors to one clear message and an exit code.

What a warm command needs is imported here; everything heavier is imported by the verb that needs it.
"""

import argparse
import io
import os
import sys
from importlib import import_module

from bandstand.domain.errors import BandstandError, Refused, Unavailable

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

REFUSED, UNAVAILABLE, BROKEN, INTERRUPTED = 2, 3, 70, 130


def run(words: list[str]) -> int:
    """Carry out one command; its exit code."""
    from bandstand.faces.cli.parser import build_parser

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name that is no text must not end a command that only shows it.
            stream.reconfigure(errors="backslashreplace")
    parser = build_parser()
    arguments = parser.parse_args(words)
    if arguments.verb is None:
        parser.print_help()
        return 0
    module, name = VERBS[arguments.verb].split(":")
    try:
        code = int(getattr(import_module(module), name)(arguments))
        # What is left to be written may find that nobody reads it, and at exit it is too late to say so.
        sys.stdout.flush()
    except BandstandError as error:
        return _tell(error, arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


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
