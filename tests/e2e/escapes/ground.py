"""What is to be lost on a person's machine, and what can be seen from outside of what was tried."""

import ctypes
import json
import os
import select
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

from tests.e2e.escapes.person import PersonStage
from tests.real_git import Folder

PROGRAMS = Path(__file__).with_name("programs")
_FROM_HERE = -100


class Ground:
    """One machine with its secrets. Made when another task of the person's is at work; to be closed."""

    def __init__(self, stage: PersonStage, repository: Folder, *, other: str) -> None:
        self.stage = stage
        self.repository = repository
        self.tip = stage.git(repository.path, "rev-parse", "HEAD")
        self.secret, self.mark = stage.secret, stage.mark
        (self.run_folder,) = stage.state.glob(f"repositories/*/runs/{other}.1")
        self.desk = self.run_folder.parents[1]
        self.outside = stage.root / "outside"
        self.outside.mkdir()
        self.received = self.outside / "received"
        self.received.touch()
        self.terminals = [os.openpty() for _ in range(3)]
        for _, slave in self.terminals:
            if stage.other is not None:
                os.fchown(slave, stage.other, -1)
        self.typed = [b"" for _ in self.terminals]
        stage.own(self.outside)
        self._bystander = self._begin()
        self.facts: dict[str, Any] = self._facts()

    # --- what is there ----------------------------------------------------------------------------------------------

    def plant(self, *parts: str | Path) -> str:
        """A file with the secret in it."""
        path = Path(*parts)
        new = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{self.secret}\n")
        self.stage.own(path, *new)
        return str(path)

    def terminal(self, number: int) -> str:
        """The path of a terminal that the person sits at."""
        return os.ttyname(self.terminals[number][1])

    def socket(self, name: str) -> str:
        """The path of a socket at which a program of the person's listens."""
        return str(self.outside / name)

    def abstract(self) -> str:
        """The name of one that is in no folder."""
        return f"bandstand-{self.mark}"

    def key(self) -> str:
        """What the person's key in the kernel is called."""
        return f"bandstand-{self.mark.removeprefix('mark-')}"

    def handle(self, path: str) -> tuple[int, str]:
        """The number of a file in its file system."""
        words = ctypes.create_string_buffer(8 + 128)
        words.raw = (128).to_bytes(4, "little") + bytes(4 + 128)
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.name_to_handle_at(_FROM_HERE, os.fsencode(path), words, ctypes.byref(ctypes.c_int()), 0) == 0
        size = int.from_bytes(words.raw[:4], "little")
        return int.from_bytes(words.raw[4:8], "little"), words.raw[8 : 8 + size].hex()

    # --- what came of it --------------------------------------------------------------------------------------------

    def came(self, words: str) -> bool:
        """Whether this reached a program of the person's."""
        return f"{words}\n" in self.received.read_text(errors="replace")

    def seen(self, number: int) -> str:
        """All that was written to a terminal."""
        master = self.terminals[number][0]
        while select.select([master], [], [], 0)[0]:
            self.typed[number] += os.read(master, 65536)
        return self.typed[number].decode(errors="replace")

    def is_raw(self, number: int) -> bool:
        """Whether who sits at a terminal sees nothing of what they type."""
        return not termios.tcgetattr(self.terminals[number][1])[3] & termios.ECHO

    def close(self) -> None:
        """Take it all away."""
        self._bystander.communicate()
        for pair in self.terminals:
            for one in pair:
                os.close(one)

    def _begin(self) -> "subprocess.Popen[str]":
        words = {
            "secret": self.secret,
            "key": self.key(),
            "paths": [self.socket(name) for name in ("bus", "docker.sock", "agent", "x11")],
            "abstract": [self.abstract()],
            "received": str(self.received),
        }
        file = self.outside / "bystander.json"
        file.write_text(json.dumps(words))
        process = subprocess.Popen(
            self.stage.as_person(sys.executable, PROGRAMS / "bystander.py", file),
            cwd=self.outside,
            env=self.stage.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.stage.take(process)
        return process

    def _facts(self) -> dict[str, Any]:
        assert self._bystander.stdout is not None
        said = self._bystander.stdout.readline()
        assert said, "the bystander did not come up"
        facts: dict[str, Any] = json.loads(said)
        return facts
