"""What the agent remembers of a session: a file of facts, one JSON line each, that survives `kill -9` at any byte.

A session in memory is the fold of its file, and nothing else changes it: `note` writes the fact and then folds it. A
last line that was cut short is dropped when the session is loaded.
"""

from __future__ import annotations

import json
import os
import re

TYPE_CHECKING = False  # see `wire`
if TYPE_CHECKING:
    from bandstand.rehearsal.wire import Json

MODES = ("default", "careful")
_ID = "rehearsal-[0-9]{1,9}"


class Session:
    """One session. Read its fields; change them by `note` only."""

    def __init__(self, *, session: str, file: int) -> None:
        self.id = session
        self._file = file
        self.mode = MODES[0]
        self.prompts = 0
        self.task = ""  # of the score; nothing stands for its top-level parts
        self.values: dict[str, str] = {"answer": "", "task": "", "turn": "0"}
        self.used: dict[str, int] = {}
        self.allowed: set[str] = set()
        self.rest: list[object] | None = None  # the steps behind a question that the next prompt answers
        self.calls = 0

    def note(self, kind: str, value: object) -> None:
        """Write a fact and let it count. Raises `OSError` if it cannot be written."""
        text = json.dumps([kind, value], ensure_ascii=False, separators=(",", ":"))
        data = memoryview(text.encode("utf-8", "replace") + b"\n")
        while data:
            data = data[os.write(self._file, data) :]
        self.fold(kind, value)

    def fold(self, kind: str, value: object) -> None:
        """Let a fact count. Kinds that are not known are passed over."""
        match kind, value:
            case "mode", str():
                self.mode = value
            case "task", [str(task), str(said)]:
                self.task = task
                self.values["task"] = said
            case "prompt", {"part": str(part)}:
                self.prompts += 1
                self.values["turn"] = str(self.prompts)
                self.used[part] = self.used.get(part, 0) + 1
                self.rest = None
            case "allowed", str():
                self.allowed.add(value)
            case "answer", str():
                self.values["answer"] = value
            case "rest", list():
                self.rest = value
            case "update", {"sessionUpdate": "tool_call"}:
                self.calls += 1
            case _:
                pass

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


class Sessions:
    """The sessions in one folder. Ids count up from 1 and are never used twice there."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def create(self) -> Session:
        """A new session. Raises `OSError`."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - pathlib is slow to import
        number = 1 + sum(1 for name in os.listdir(self._folder) if name.endswith(".jsonl"))  # noqa: PTH208
        while True:
            session = f"rehearsal-{number}"
            try:
                file = os.open(self._path(session), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            except FileExistsError:
                number += 1
            else:
                return Session(session=session, file=file)

    def load(self, session: str) -> tuple[Session, list[Json]]:
        """A session of before and the updates that tell its story. Raises `KeyError` without it, or `OSError`."""
        if not re.fullmatch(_ID, session):
            raise KeyError(session)
        try:
            file = os.open(self._path(session), os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            raise KeyError(session) from None
        facts = _whole_lines(file)
        loaded = Session(session=session, file=file)
        story: list[Json] = []
        for line in facts:
            kind, value = json.loads(line)
            loaded.fold(kind, value)
            if kind == "update":
                story.append(value)
            elif kind == "prompt":
                story.append(
                    {"sessionUpdate": "user_message_chunk", "content": {"type": "text", "text": value["text"]}}
                )
        return loaded, story

    def _path(self, session: str) -> str:
        return f"{self._folder}/{session}.jsonl"


def _whole_lines(file: int) -> list[bytes]:
    data = b"".join(iter(lambda: os.read(file, 1 << 20), b""))
    end = data.rfind(b"\n") + 1
    os.ftruncate(file, end)
    return data[:end].splitlines()
