"""The command line's way in: words to a verb, errors to one clear message and an exit code.

What a warm command needs is imported here; everything heavier is imported by the verb that needs it.
"""

import io
import os
import sys

from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable, of_the_disk
from bandstand.faces.cli.reaching import recovery_report
from bandstand.faces.cli.verbs import find
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

REFUSED, UNAVAILABLE, BROKEN, INTERRUPTED = 2, 3, 70, 130


def run(words: list[str]) -> int:
    """Carry out one command; its exit code."""
    _prepare_streams()
    json = "--json" in words
    try:
        arguments = _understood(words)
        json = getattr(arguments, "json", False)
        module, name = arguments.does.split(":")
        # `importlib` would be one more module to load.
        code = _flushed(int(getattr(__import__(module, fromlist=(name,)), name)(arguments)))
        return _with_news(code, getattr(arguments, "verb", ""))
    except SystemExit as end:  # what stands in the help has been shown
        return _flushed(int(end.code or 0))
    except BandstandError as error:
        return _tell(error, json=json)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _tell(of_the_disk(error) or Broken(f"{place}{error.strerror or error}."), json=json)


def _with_news(code: int, verb: str) -> int:
    """The exit code, once it is said what came of it if the event log had to be recovered and nobody was told yet."""
    report = recovery_report() if verb != "daemon" else ""
    if report:
        from pathlib import Path

        from bandstand.faces.cli.recovered import tell

        tell(Path(report))
    return code


def _understood(words: list[str]) -> "argparse.Namespace":
    """The words of a command, by the parser of its verb. Raises `Refused` for what is none."""
    from bandstand.faces.cli.parser import verb_parser

    verb = find(words[0]) if words else None
    if verb is not None:
        return verb_parser(verb).parse_args(words[1:])
    from bandstand.faces.cli.helping import without_verb

    return without_verb(words)


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
    except BrokenPipeError:
        _write_no_more()
        return 0
    except OSError as error:
        _write_no_more()
        # In words, for there is no place for JSON.
        return _tell(Broken(f"The output cannot be written: {error.strerror}."), json=False)
    return code


def _write_no_more() -> None:
    """Whoever read our output has gone, or has no room for it. Nothing may be written at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: BandstandError, *, json: bool) -> int:
    """Say what is wrong and what to do about it."""
    if json:
        from bandstand.faces.wire import encode, error_message

        sys.stdout.write(encode(error_message(error)).decode())
    else:
        from bandstand.faces.cli.terminal import Paint, clean

        paint = Paint(sys.stderr)
        sys.stderr.write(f"{paint.red('band:')} {clean(error.message)}\n")
        for line in clean(error.hint).splitlines():
            sys.stderr.write(f"      {line}\n" if not line.startswith(" ") else f"    {line}\n")
    if isinstance(error, Refused):
        return REFUSED
    return UNAVAILABLE if isinstance(error, Unavailable) else BROKEN
