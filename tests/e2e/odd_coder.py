"""Coding agents as one hopes never to meet them: each word on the command line is another way to be odd.

They speak the protocol themselves, line by line and with the standard library only, so that they can break it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Json = Any

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b5n\u202e"


class Line:
    """The way to the client: one JSON object in a line."""

    def __init__(self) -> None:
        self.session = "s1"
        self._next = 100

    def hear(self) -> Iterator[Json]:
        """All that the client says."""
        for line in sys.stdin:
            yield json.loads(line)

    def say(self, **message: Json) -> None:
        """Say something."""
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    def tell(self, what: Json, /, **fields: Json) -> None:
        """Say what goes on in the session."""
        update = {"sessionUpdate": what, **fields}
        self.say(method="session/update", params={"sessionId": self.session, "update": update})

    def talk(self, text: str) -> None:
        """Say a piece of a message."""
        self.tell("agent_message_chunk", content={"type": "text", "text": text})

    def request(self, method: str, **params: Json) -> int:
        """Ask the client something, without waiting."""
        self._next += 1
        self.say(id=self._next, method=method, params={"sessionId": self.session, **params})
        return self._next


def git(*argv: str, ok: bool = True) -> None:
    """git in the workspace."""
    quiet = ("-c", "advice.addEmbeddedRepo=false", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *quiet, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not ok, f"git {argv}: {done.stderr}"


def write(path: str, text: str = "x\n") -> None:
    """Write a file."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def commit(path: str, text: str = "x\n") -> None:
    """Write a file and commit everything."""
    write(path, text)
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", f"Write {path}")


def on_another_branch() -> None:
    """Commit where nobody told it to."""
    git("switch", "-q", "-c", "elsewhere")
    commit("elsewhere.txt")


def aside_and_back() -> None:
    """Commit on another branch and leave nothing on its own."""
    git("switch", "-q", "-C", "aside")
    commit("aside.txt")
    git("switch", "-q", "-")


def without_history() -> None:
    """Begin a history that has nothing to do with the one that is there."""
    git("switch", "-q", "--orphan", "fresh")
    git("checkout", "-q", "origin/main", "--", ".")
    commit("fresh.txt")


def over_the_base() -> None:
    """Rewrite the commit that it was given."""
    write("amended.txt")
    git("add", "-A")
    git("commit", "-q", "--amend", "-m", "not the first any more")


def without_git() -> None:
    """Remove its repository."""
    write("left.txt")
    subprocess.run(["rm", "-rf", ".git"], check=True)


def with_git_elsewhere() -> None:
    """Have its repository be somewhere else."""
    write("left.txt")
    subprocess.run(["mv", ".git", "/tmp/moved.git"], check=True)
    write(".git", "gitdir: /tmp/moved.git\n")


def in_a_merge() -> None:
    """Leave a merge with conflicts unfinished."""
    git("switch", "-q", "-c", "side")
    commit("calc.py", "side\n")
    git("switch", "-q", "-")
    commit("calc.py", "mine\n")
    git("merge", "-q", "side", ok=False)


def with_a_repository_inside() -> None:
    """Add a repository as if it were a folder."""
    git("init", "-q", "inner")
    write("inner/inner.txt")
    git("-C", "inner", "add", "-A")
    git("-C", "inner", "commit", "-q", "-m", "inner")
    commit("outer.txt")


def with_odd_files() -> None:
    """Leave what git does not know, and what nobody may read."""
    os.mkfifo("pipe")
    write("locked/secret.txt")
    commit("odd.txt")
    Path("locked/secret.txt").chmod(0)
    Path("locked").chmod(0)


def with_a_huge_file() -> None:
    """Leave a file that is larger than most disks are free; it has only a hole in it."""
    commit("small.txt")
    with Path("huge.bin").open("wb") as file:
        file.truncate(64 * 1024**3)


DEEDS: dict[str, Callable[[], None]] = {
    "branches": on_another_branch,
    "aside": aside_and_back,
    "orphan": without_history,
    "amends": over_the_base,
    "gitless": without_git,
    "moved": with_git_elsewhere,
    "merging": in_a_merge,
    "nested": with_a_repository_inside,
    "odd-files": with_odd_files,
    "huge": with_a_huge_file,
}
"""What some of them do with their workspace. They end their turn as if nothing were the matter."""


def answers_twice(line: Line, id: Json) -> None:
    """End the turn, and end it once more with something else."""
    commit("twice.txt")
    line.say(id=id, result={"stopReason": "end_turn"})
    line.say(id=id, result={"stopReason": "refusal"})
    line.say(id=id, error={"code": -32603, "message": "and a third time"})


def answers_nobody(line: Line, id: Json) -> None:
    """Answer what was never asked, and ask what nobody knows."""
    commit("nobody.txt")
    for stray in (99999, "no-such-id", None, [1], {"a": 1}, True, 1.5):
        line.say(id=stray, result={"stopReason": "end_turn"})
    for method in ("fs/read_text_file", "terminal/create", "nonsense", "", "session/prompt"):
        line.request(method, path="/etc/passwd")
    line.say(method="_vendor/thing", params=[1, 2, 3])
    line.say(id=id, result={"stopReason": "end_turn"})


def mistypes(line: Line, id: Json) -> None:
    """Have every field be of another kind than the protocol says."""
    commit("mistyped.txt")
    oddities: list[Json] = [None, 1, -1.5, True, "text", [], {}, [[]], {"type": 5}]
    for odd in oddities:
        for kind in ("agent_message_chunk", "tool_call", "tool_call_update", "plan", "usage_update", "unheard_of", odd):
            fields = ("content", "toolCallId", "title", "kind", "status", "locations", "rawInput", "entries", "used")
            line.tell(kind, **dict.fromkeys(fields, odd))
        line.say(method="session/update", params=odd)
        line.say(method="session/update", params={"sessionId": odd, "update": odd})
        line.say(method=odd, params=odd)
        line.request("session/request_permission", toolCall=odd, options=odd)
    line.say(id=id, result={"stopReason": "end_turn", "usage": "much", "_meta": 7})


def leaves(line: Line, id: Json) -> None:
    """End its process in the middle of the turn, as if all were well."""
    commit("leaving.txt")
    line.talk("I leave.")
    sys.exit(0)


def writes_escapes(line: Line, id: Json) -> None:
    """Write what a terminal would obey."""
    commit("escapes.txt")
    line.talk(f"Look: {ESCAPES}")
    line.tell("tool_call", toolCallId="c1", title=f"Run {ESCAPES}", kind="execute", status="completed")
    sys.stderr.write(ESCAPES)
    line.say(id=id, result={"stopReason": "end_turn"})


def asks_much(line: Line, id: Json) -> None:
    """Ask for a hundred permissions at once, and wait for each."""
    yes = {"optionId": "yes", "name": "Yes", "kind": "allow_once"}
    options = [yes, {"optionId": "no", "name": "No", "kind": "reject_once"}]
    open_ones = set()
    for number in range(100):
        call = {"toolCallId": f"c{number}", "title": f"Look at file {number}", "kind": "read"}
        open_ones.add(line.request("session/request_permission", toolCall=call, options=options))
    while open_ones:
        open_ones.discard(json.loads(sys.stdin.readline()).get("id"))
    commit("asked.txt")
    line.say(id=id, result={"stopReason": "end_turn"})


def says_done(line: Line, id: Json) -> None:
    """Say that it is done."""
    line.talk("Everything is done, committed, pushed and deployed.")
    line.say(id=id, result={"stopReason": "end_turn"})


def hangs(line: Line, id: Json) -> None:
    """Never answer, whatever is said to it."""
    commit("hanging.txt")
    while True:
        time.sleep(60)


TALK: dict[str, Callable[[Line, Json], None]] = {
    "twice": answers_twice,
    "nobody": answers_nobody,
    "mistypes": mistypes,
    "leaves": leaves,
    "escapes": writes_escapes,
    "asks": asks_much,
    "done": says_done,
    "hangs": hangs,
}
"""What others of them say."""


def main(name: str) -> None:
    """Be that one."""
    line = Line()
    for message in line.hear():
        match message.get("method"):
            case "initialize":
                line.say(id=message["id"], result={"protocolVersion": 1, "agentCapabilities": {"loadSession": False}})
            case "session/new":
                os.chdir(message["params"]["cwd"])
                line.say(id=message["id"], result={"sessionId": line.session})
            case "session/prompt" if name in TALK:
                TALK[name](line, message["id"])
            case "session/prompt":
                DEEDS[name]()
                line.say(id=message["id"], result={"stopReason": "end_turn"})
            case _:
                pass  # An answer, a cancel: they have no ear for it.


if __name__ == "__main__":
    main(sys.argv[1])
