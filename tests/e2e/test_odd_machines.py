"""Machines on which something is missing, old or hung: one sentence with its cure, and nothing is left behind."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.e2e.stage import HELLO, Said, Stage

ODD_GITS = {
    "old": ("echo git version 2.30.2", "git version 2.30.2; git 2.38 or newer", "git 2.30.2 is too old"),
    "killed": ("kill -9 $$", "git that does not tell its version", "does not tell its version"),
    "other": ("echo git version banana", "git version banana; git 2.38 or newer", "does not tell its version"),
}
"""Programs that are called git, what an order says of them, and what `band doctor` does."""


def programs(stage: Stage, name: str, **scripts: str) -> str:
    """A search path that begins with a folder of these programs."""
    folder = stage.root / name
    folder.mkdir()
    for program, script in scripts.items():
        (folder / program).write_text(f"#!/bin/sh\n{script}\n")
        (folder / program).chmod(0o755)
    return f"{folder}:{stage.environment['PATH']}"


def only(stage: Stage, name: str, *there: str) -> str:
    """A search path on which there are only these programs."""
    folder = stage.root / name
    folder.mkdir()
    for program in there:
        (folder / program).symlink_to(str(shutil.which(program)))
    return str(folder)


def test_a_git_that_is_none_is_told_by_orders_and_by_the_doctor(stage: Stage) -> None:
    """Each daemon has the search path of who started it; nothing of it breaks anything."""
    stage.repository()
    for name, (script, order, finding) in ODD_GITS.items():
        path = {"PATH": programs(stage, name, git=script)}
        said = stage.band("run", "x", "--agent", "y", "--yes", ends=2, variables=path)
        assert order in said.err and said.err.count("\n") == 2
        assert finding in stage.band("doctor", ends=1, variables=path).out
        stage.band("down", variables=path)


def test_what_is_missing_is_told_with_how_to_get_it(stage: Stage) -> None:
    """Git, and bubblewrap: without the one nothing is understood, without the other nothing is started."""
    stage.repository()
    order = ("run", "x", *stage.rehearsing(HELLO))
    without_git = {"PATH": only(stage, "no git", "bwrap", "sh")}
    assert "git is not installed." in stage.band(*order, ends=2, variables=without_git).err
    assert "apt-get install git" in stage.band("doctor", ends=1, variables=without_git).out
    stage.band("down", variables=without_git)
    without_walls = {"PATH": only(stage, "no walls", "git", "sh")}
    said = stage.band("run", "x", *stage.rehearsing(HELLO), ends=None, variables=without_walls)
    assert (said.code, "apt-get install bubblewrap" in said.err) == (3, True), said.text
    stage.band("down", variables=without_walls)
    assert stage.runs() == []


def test_a_state_that_cannot_be_where_it_is_named_starts_nothing(stage: Stage) -> None:
    """A line break in its name would be the end of a line in the daemon's lock; a file is no folder."""
    stage.repository()
    (stage.root / "file").write_text("")
    for place in (f"{stage.root}/two\nlines", f"{stage.root}/file", "/dev/null"):
        for verb in ("ps", "down", "doctor"):
            said = stage.band(verb, ends=None, variables={"BAND_STATE_DIR": place})
            assert said.code in {2, 70} or "daemon" in said.text, said
        assert stage.processes() == {}


def test_folders_that_cannot_be_used_are_refused_with_what_names_them(stage: Stage) -> None:
    """One clear sentence for whoever asks, and nothing is broken: not even a daemon is tried."""
    stage.repository()
    own = {name: stage.environment.pop(name) for name in ("HOME", "BAND_STATE_DIR")}
    (file := stage.root / "file").write_text("")
    (dangling := stage.root / "dangling").symlink_to("nowhere")
    (home := stage.root / "another home").mkdir()
    foreign = _foreign(stage.root / "foreign")
    cases = {
        "HOME": (file, dangling),
        "XDG_STATE_HOME": (file, dangling),
        "BAND_STATE_DIR": (file, dangling, foreign),
    }
    for name, folders in cases.items():
        for folder in folders:
            variables = {"HOME": str(home), name: str(folder)}
            for words in (["ps"], ["run", "x"], ["gc", "--dry-run"], ["daemon"], ["up"], ["demo"], ["export", "--all"]):
                said = stage.band(*words, ends=2, variables=variables)
                assert str(folder) in said.err and f"{name} says so: {folder}" in said.err, said
            assert "No daemon is running" in stage.band("down", variables=variables).out
            assert f"{name} says so" in stage.band("doctor", ends=1, variables=variables).out
    said = stage.band("demo", ends=2, variables={"HOME": str(home), "XDG_CACHE_HOME": str(file)})
    assert f"XDG_CACHE_HOME says so: {file}" in said.err
    stage.environment.update(own)
    assert stage.processes() == {}


def test_folders_that_a_daemon_can_do_without_are_no_obstacle(stage: Stage) -> None:
    """A runtime folder of another user, or none; a folder for temporary files, or for settings, that is a file."""
    stage.repository()
    own = {name: stage.environment.pop(name) for name in ("HOME", "BAND_STATE_DIR")}
    (file := stage.root / "file").write_text("")
    (home := stage.root / "another home").mkdir()
    strange = {
        "XDG_RUNTIME_DIR": (file, stage.root / "none", _foreign(stage.root / "foreign")),
        "XDG_CONFIG_HOME": (file,),
        "TMPDIR": (file, stage.root / "none"),
    }
    for name, folders in strange.items():
        for folder in folders:
            variables = {"HOME": str(home), name: str(folder)}
            stage.band("ps", variables=variables)
            # The runtime folder is not on the stage: it goes with all the rest.
            assert "Removed" in stage.band("purge", "--yes", variables=variables).out
    stage.environment.update(own)


def _foreign(folder: Path) -> Path:
    """A folder of somebody else: only root can give one away, and to everybody else root's are foreign."""
    if os.getuid() != 0:
        return Path("/usr")
    folder.mkdir()
    os.chown(folder, 12345, -1)
    return folder


def test_streams_that_are_closed_or_full_break_nothing(stage: Stage) -> None:
    """A task lands that was handed over by a command without one of them, and every verb can do without."""
    repository = stage.repository(files={"a": "1"}, rules='review = "none"\n[checks]\ncommands = ["true"]\n')
    score = "parts:\n  - steps:\n      - run: 'echo x > $$-$(date +%N).txt; git add -A; git commit -qm Write'\n"
    for number, closed in enumerate(("<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full")):
        name = f"task-{number}"
        order = ["run", "write it", "--id", name, "--detach", *stage.rehearsing(score)]
        for words in (order, ["ps"], ["ps", "--json"], ["--help"], ["no"]):
            said = through(stage, closed, repository.path, *words)
            assert "Traceback" not in said.err, said
            if closed != ">/dev/full":
                assert said.code == (2 if words == ["no"] else 0), said
            elif words != ["no"]:
                assert (said.code, "cannot be written: No space left" in said.err) == (70, True), said
    stage.until(lambda fleet: [row["mark"] for row in fleet["tasks"]] == ["landed"] * 5)


def through(stage: Stage, redirected: str, at: Path, *words: str | Path) -> Said:
    """A command whose streams a shell has redirected."""
    line = f"{shlex.join(stage.command(*words))} {redirected}"
    done = subprocess.run(
        ["/bin/sh", "-c", line], cwd=at, env=stage.environment, capture_output=True, text=True, check=False, timeout=60
    )
    return Said(words=tuple(map(str, words)), code=done.returncode, out=done.stdout, err=done.stderr)


def test_a_home_that_is_not_there_is_no_obstacle(stage: Stage) -> None:
    """Nor is a locale that nobody knows, a terminal that can do nothing, or one of a single column."""
    repository = stage.repository(files={"a": "1"}, rules='review = "none"\n[checks]\ncommands = ["true"]\n')
    odd = {"LC_ALL": "xx_YY.none", "TERM": "dumb", "COLUMNS": "1", "TMPDIR": "/nowhere"}
    home = stage.environment.pop("HOME")
    score = "parts:\n  - steps:\n      - edit: {path: hällo.txt, content: hi}\n      - commit: Sag hällo\n"
    stage.band("run", "sag hällo → ü", "--id", "one", *stage.rehearsing(score), variables=odd)
    for words in (["ps"], ["show", "one"], ["log", "one"], ["run", "--help"], ["asks"]):
        assert stage.band(*words, variables=odd).out
    assert (repository.path / "hällo.txt").exists()
    assert "hällo.txt" in stage.band("show", "one", "--json", variables={"LC_ALL": "C"}).out
    stage.environment["HOME"] = home
    broken = os.fsdecode(b"not text: \xff")
    assert "holds bytes that are none in UTF-8" in stage.band("run", broken, *stage.rehearsing(score), ends=2).err
