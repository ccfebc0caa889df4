"""Agents that are odd in every way we could think of, all at once: a change that lands, or one ask that says why not.

Neither stops the others, nor the daemon, nor touches the user's repository in any way but by what landed.
"""

import json
import sys
import tarfile

from tests.e2e import odd_coder
from tests.e2e.stage import Stage, wait_for

RULES = 'review = "none"\n\n[checks]\ncommands = ["true"]\n'

LAND = {
    "branches": "elsewhere.txt",  # it is where the agent's HEAD is that counts
    "orphan": "fresh.txt",
    "amends": "amended.txt",
    "merging": "calc.py",
    "odd-files": "odd.txt",
    "huge": "small.txt",
    "twice": "twice.txt",
    "nobody": "nobody.txt",
    "mistypes": "mistyped.txt",
    "escapes": "escapes.txt",
    "asks": "asked.txt",
}
"""Those whose change lands, with a file of it."""

ASK = {
    "aside": "nothing changed",
    "done": "nothing changed",
    "gitless": "is no longer a repository",
    "moved": "is no longer a repository",
    "nested": "It points inner to a commit of another repository",
    "leaves": "exited with code 0 in the middle of its work",
}
"""Those that end in an ask, with words of it."""


def test_odd_agents_land_or_ask_and_hinder_nobody(stage: Stage) -> None:
    """What they committed and proposed is what their git says; what they left is kept when they are cancelled."""
    assert {*LAND, *ASK, "hangs"} == {*odd_coder.DEEDS, *odd_coder.TALK}
    names = ["hangs", *ASK, *LAND]
    repository = stage.repository(rules=RULES + "".join(map(_agent, names)))
    first = repository.head()
    stage.settings("slots = 6\n[limits]\nfile_mb = 0\ndisk_mb = 0\n")
    tasks = "\n".join(["tasks:", *(f"  - {{id: {name}, goal: Do it, agent: {name}{_after(name)}}}" for name in names)])
    stage.band("run", "-f", stage.file("tasks.yaml", tasks), "--detach", "--yes")
    stage.until(lambda fleet: any(row["id"] == "hangs" and row["mark"] == "working" for row in fleet["tasks"]))
    wait_for(lambda: list(stage.state.glob("repositories/*/workspaces/hangs/tree/hanging.txt")))
    stage.band("cancel", "hangs")
    fleet = stage.until(lambda fleet: all(row["mark"] in {"landed", "needs-you"} for row in _but(fleet, "hangs")))
    assert {row["id"] for row in fleet["tasks"] if row["mark"] == "landed"} == LAND.keys()
    asks = {ask["task"]: f"{ask['title']} {ask['detail']}" for ask in stage.band_json("asks")}
    assert asks.keys() == ASK.keys()
    assert [name for name, words in ASK.items() if words not in asks[name]] == []
    # What landed is on main and in the checkout, on top of what was there, and nothing else is.
    assert repository.git("merge-base", "main", first) == first
    assert [path for path in LAND.values() if not (repository.path / path).is_file()] == []
    assert repository.status() == []
    assert not (repository.path / "inner").exists()
    # Nothing that a terminal would obey comes out.
    for words in (["log", "escapes"], ["log", "escapes", "--json"], ["show", "escapes"], ["ps"]):
        said = stage.band(*words).out
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(said)
    # One that hears nothing is ended, and all that was not landed is kept.
    for name in ASK:
        stage.band("cancel", name)
    stage.band("ps", "-f", "hangs", *ASK, ends=None)
    kept = {name: stage.band_json("show", name)["rescue"] for name in ("hangs", "gitless", "moved", "aside", "leaves")}
    for name, path in (("hangs", "hanging.txt"), ("gitless", "left.txt"), ("moved", "left.txt")):
        assert repository.git("show", f"{kept[name]}:{path}") == "x"
    assert "aside.txt" in repository.git("log", "--format=", "--name-only", "-m", kept["aside"], "^main")
    with tarfile.open(_archive(stage, "nested")) as archive:
        assert "./inner/inner.txt" in archive.getnames()
    with tarfile.open(_archive(stage, "huge")) as archive:
        assert archive.getmember("./huge.bin").size == 64 * 1024**3
    assert "Traceback" not in (stage.state / "daemon.log").read_text()


def _agent(name: str) -> str:
    command = json.dumps([sys.executable, odd_coder.__file__, name])
    return f'\n[agents.{name}]\ncommand = {command}\nreads = ["{odd_coder.__file__}"]\n'


def _after(name: str) -> str:
    """A history of one's own has no common base: it fits only as long as nobody has changed what it began with."""
    return ", depends_on: [orphan]" if name == "merging" else ""


def _but(fleet: odd_coder.Json, name: str) -> list[odd_coder.Json]:
    return [row for row in fleet["tasks"] if row["id"] != name]


def _archive(stage: Stage, task: str) -> str:
    (found,) = stage.state.glob(f"repositories/*/workspaces/archive.d/{task}-*.tar.gz")
    return str(found)
