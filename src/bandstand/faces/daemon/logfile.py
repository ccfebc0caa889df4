"""The daemon's log: one line for each thing worth knowing, in a file for its owner alone.

    at=2026-11-28T18:05:55.123+00:00 level=warning event="landing of docs failed: …" repository=4f1c… task=docs

`BAND_LOG=json` makes each line an object of JSON; `BAND_LOG=debug` (or `json,debug`) says more. The file is rotated by
its size, and a few old ones are kept. What looks like a secret does not get into it.

structlog renders the lines, but not the first few: it takes longer to import than a daemon may take to answer its first
command. Until it is settled simple lines are rendered here, and they look the same.
"""

import json
import logging
import os
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from io import FileIO, TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bandstand.domain.redaction import Redaction

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter

VARIABLE = "BAND_LOG"
CONTEXT = ("repository", "task", "run", "step")
"""What a line is about. Whoever logs gives it as `extra`."""

LARGEST, KEPT = 4 * 1024 * 1024, 3
"""How many bytes a file has at most, and how many old ones are kept."""

_LEVELS = ("debug", "info", "warning", "error")
_ORDER = ["at", "level", "event", *CONTEXT, "error"]

Line = MutableMapping[str, Any]


def log_to(path: Path, environment: Mapping[str, str], *, also: TextIO | None = None) -> "Lines":
    """Send what the daemon has to say to a file, and, shorter, to a stream; return what renders it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = [word.strip().lower() for word in environment.get(VARIABLE, "").split(",") if word.strip()]
    level = next((word for word in words if word in _LEVELS), "info")
    lines = Lines(Redaction(environment), form="json" if "json" in words else "text")
    handler = _PrivateFile(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(lines)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if also is not None:
        foreground = logging.StreamHandler(also)
        foreground.setFormatter(_Short(lines.redaction))
        logging.getLogger().addHandler(foreground)
    if strange := [word for word in words if word not in (*_LEVELS, "json", "text")]:
        logging.getLogger(__name__).warning("%s says %s, which means nothing here", VARIABLE, ",".join(strange))
    return lines


class _PrivateFile(RotatingFileHandler):
    """A file that nobody else may read, and old ones like it."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return TextIOWrapper(FileIO(descriptor, "a"), self.encoding, self.errors, write_through=True)


class _Short(logging.Formatter):
    """The time and the words, for whoever watches."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__("%(asctime)s %(message)s")
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """The line, without secrets."""
        return self._redaction.text(super().format(record))


class Lines(logging.Formatter):
    """Renders each record as one line; a traceback follows in lines that are indented."""

    def __init__(self, redaction: Redaction, *, form: str) -> None:
        super().__init__()
        self.redaction = redaction
        self._form = form
        self._settled: ProcessorFormatter | None = None

    def settle(self) -> None:
        """Import what renders the lines from now on."""
        if self._settled is None:
            self._settled = _settled(self._form)

    def format(self, record: logging.LogRecord) -> str:
        """The line, without secrets."""
        if record.exc_info:
            self.settle()
        text = _early(record, self._form) if self._settled is None else self._settled.format(record)
        return self.redaction.text(text)


def _settled(form: str) -> "ProcessorFormatter":
    from structlog.processors import JSONRenderer, LogfmtRenderer, format_exc_info
    from structlog.stdlib import ProcessorFormatter

    if form == "json":
        render: list[Any] = [format_exc_info, JSONRenderer(ensure_ascii=False)]
    else:
        logfmt = LogfmtRenderer(key_order=_ORDER, drop_missing=True)

        def with_traceback(logger: Any, name: str, line: Line) -> str:
            """A traceback is read by people: it stands below its line, and not in it."""
            trace = str(line.pop("exception", ""))
            return logfmt(logger, name, line) + "".join(f"\n    {words}" for words in trace.splitlines())

        render = [format_exc_info, with_traceback]
    return ProcessorFormatter(
        foreign_pre_chain=[_described],
        processors=[ProcessorFormatter.remove_processors_meta, _ordered, *render],
    )


def _described(_logger: object, _name: str, line: Line) -> Line:
    """Add what the record knows to a line that has only its words; the record has lost what its words are about."""
    return {**_line(line["_record"]), **line}


def _line(record: logging.LogRecord) -> Line:
    at = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
    line: Line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage()}
    line.update((name, str(value)) for name in CONTEXT if (value := getattr(record, name, None)) is not None)
    if record.exc_info and record.exc_info[0] is not None:
        line["error"] = f"{record.exc_info[0].__name__}: {record.exc_info[1]}"
    return line


def _ordered(_logger: object, _name: str, line: Line) -> Line:
    return {name: line[name] for name in (*_ORDER, *line) if name in line}


def _early(record: logging.LogRecord, form: str) -> str:
    """A line without an error, rendered as it will be later."""
    line = _ordered(None, "", _line(record))
    if form == "json":
        return json.dumps(line, ensure_ascii=False)
    return " ".join(f"{name}={_value(value)}" for name, value in line.items())


def _value(text: str) -> str:
    quoted = any(sign in text for sign in ' ="')
    if quoted:
        text = text.replace("\\", "\\\\")
    text = text.replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"' if quoted else text
