"""Agents outlive the daemon, and see to it that there is one again: no command is typed where none is shown."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

import bandstand
from bandstand.adapters.hosts import holder
from bandstand.adapters.hosts.journal import scan
from bandstand.domain.errors import Unavailable
from bandstand.faces.stream import Api
from bandstand.faces.wire import Client, Json
from bandstand.ports.hosts import RecordKind
from tests.e2e.processes import end
from tests.e2e.stage import HOLD, PATIENCE_SECONDS, RULES, Stage, kill, wait_for

HELD = f"""\
parts:
  - when: start
    steps:
      - {HOLD}
      - edit: {{path: "{{task}}.txt", content: "hello\\n"}}
      - commit: Say hello
      - run: touch .git/done
  - when: "broke off"
    steps:
      - edit: {{path: "{{task}}.txt", content: "hello again\\n"}}
      - commit: Say hello again
"""
"""Goes on when the test says so, and says that it is done; after a crash it does it at once."""

FETCHES = HELD.replace("      - edit", "      - ask_permission: {title: Fetch the news, kind: fetch}\n      - edit", 1)
"""The same, with a permission to ask for."""


def kill_the_daemon(stage: Stage) -> int:
    """End the daemon without a word, once it is at work; which process it was."""
    pid: int = stage.answers("hello")["pid"]
    kill(pid)
    stage.gone(pid)
    return pid


def answers(stage: Stage) -> bool:
    """Whether a daemon takes commands now."""
    try:
        Client(stage.state / "run" / "band.sock").call("hello")
    except Unavailable:
        return False
    return True


def another(stage: Stage, old: int) -> None:
    """Wait until a daemon answers that is not the old one, and that no person has started."""
    wait_for(lambda: stage.answers("hello")["pid"] != old)
    assert "--woken" in stage.processes()[stage.daemon()]


def asks(stage: Stage) -> list[Json]:
    """The open asks, once there are any."""
    found: list[Json] = wait_for(lambda: stage.answers("asks"))
    return found


def lives(stage: Stage) -> bool:
    """Whether there is a daemon."""
    with (stage.state / "daemon.lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def woken(stage: Stage) -> None:
    """Start a daemon as a holder does, and wait for its end."""
    command = stage.command("daemon", "--woken")
    subprocess.run(command, cwd="/", env=stage.environment, timeout=PATIENCE_SECONDS, check=True, capture_output=True)


def test_a_task_lands_although_its_daemon_was_killed_and_nobody_came(stage: Stage) -> None:
    """In the middle of its turn: its holder starts another daemon, which lands it."""
    repository = stage.repository()
    stage.submit("tasks: [{id: one, goal: Say hello}]", HELD)
    stage.begun("one")
    old = kill_the_daemon(stage)
    stage.go_on("one")
    another(stage, old)
    wait_for(lambda: "one.txt" in repository.git("ls-tree", "--name-only", "main").splitlines())
    assert stage.prompts("one.1") == ["turn-1"]
    assert stage.runs() == ["one.1"]


def test_what_an_agent_asks_while_no_daemon_lives_is_shown(stage: Stage) -> None:
    """A daemon is started for it; it is asked once, also when that one is killed with the question open."""
    repository = stage.repository()
    stage.submit("tasks: [{id: one, goal: Fetch the news}]", FETCHES)
    stage.begun("one")
    old = kill_the_daemon(stage)
    stage.go_on("one")
    another(stage, old)
    (before,) = asks(stage)
    assert before["kind"] == "permission"
    another(stage, kill_the_daemon(stage))
    assert asks(stage) == [before]
    stage.band("answer", before["id"], "1")
    stage.landed("one")
    assert len([line for line in stage.sent("one.1") if b'"optionId"' in line.payload]) == 1
    assert repository.text("one.txt") == "hello\n"


def test_what_an_agent_asks_while_no_daemon_lives_is_answered_by_the_rules(stage: Stage) -> None:
    """Nobody has to come for what the rules allow."""
    repository = stage.repository(rules=f'{RULES}\n[permissions]\nfetch = "allow"\n')
    stage.submit("tasks: [{id: one, goal: Fetch the news}]", FETCHES)
    stage.begun("one")
    old = kill_the_daemon(stage)
    stage.go_on("one")
    another(stage, old)
    wait_for(lambda: "one.txt" in repository.git("ls-tree", "--name-only", "main").splitlines())
    assert len([line for line in stage.sent("one.1") if b'"optionId"' in line.payload]) == 1


def test_a_daemon_that_was_ended_on_purpose_stays_down(stage: Stage) -> None:
    """Agents go on, and what they say waits for the next command: their holders' rings start nothing."""
    stage.repository()
    stage.submit("tasks: [{id: one, goal: Say hello}]", HELD)
    stage.begun("one")
    said = stage.band("down").out
    assert said == "The daemon is down. 1 agent goes on; what it asks waits until the next command.\n"
    assert stage.band_json("down") == {"running": False, "agents": 1}
    stage.go_on("one")
    wait_for((stage.workspace("one") / ".git" / "done").exists)
    woken(stage)
    assert "does not stay" in (stage.state / "daemon.log").read_text()
    assert not lives(stage)
    stage.landed("one")
    assert not (stage.state / "down").exists()
    assert stage.prompts("one.1") == ["turn-1"]


def test_daemons_that_die_one_after_the_other_are_left_alone_for_a_while(stage: Stage) -> None:
    """Neither a holder nor a command that watches starts a fourth one; a person may, and is told what goes on."""
    stage.repository()
    stage.submit("tasks: [{id: one, goal: Say hello}]", HELD)
    stage.begun("one")
    watching = stage.start("ps", "-f")
    killed = 0
    # A kill between two looks of a slow machine may be one that nobody counts; what counts is that it comes to an end.
    while watching.poll() is None:
        if answers(stage):
            kill_the_daemon(stage)
            killed += 1
    assert killed >= 3
    code, said = stage.ended(watching)
    assert code == 3
    assert f"{killed} daemons have died within a minute" in said
    assert f"The end of {stage.state / 'daemon.log'}:\n" in said and "is up" in said
    wait_for(lambda: "daemons have died within a minute" in (stage.state / "daemon.log").read_text())
    assert not lives(stage)

    warned = stage.band("ps")
    assert "daemons have died within a minute" in warned.err
    assert "This command starts one even so." in warned.err
    stage.go_on("one")
    stage.landed("one")
    assert stage.prompts("one.1") == ["turn-1"]


def test_after_a_power_cut_everything_is_taken_up_again_once(stage: Stage) -> None:
    """Every process is gone: a turn that broke off is taken up in a new run of its session, one that ended is not."""
    repository = stage.repository()
    stage.submit("tasks: [{id: one, goal: Say hello}, {id: two, goal: Say hello}]", HELD)
    stage.begun("one", "two")
    stage.band("down")
    stage.go_on("two")
    wait_for(lambda: [line for line in heard(stage, "two.1") if b'"turn-1"' in line])
    while alive := stage.processes():
        end(alive)

    for name in ("one", "two"):
        stage.landed(name)
    assert any(b'"session/load"' in line.payload for line in stage.sent("one.2")), "the session was taken up"
    assert [stage.prompts(run) for run in ("one.1", "one.2", "two.1")] == [["turn-1"], ["turn-2"], ["turn-1"]]
    assert stage.runs() == ["one.1", "one.2", "two.1"]
    assert (repository.text("one.txt"), repository.text("two.txt")) == ("hello again\n", "hello\n")


def test_a_daemon_leaves_the_holders_of_a_newer_one_alone(stage: Stage) -> None:
    """Whoever goes back to an older installation on purpose: what its daemon cannot speak to it asks about."""
    stage.repository()
    stage.submit("tasks: [{id: one, goal: Say hello}]", HELD)
    stage.begun("one")
    older = {"PYTHONPATH": str(an_installation(stage.root / "older", version="0.0.1", protocol=holder.VERSION - 1))}
    new = stage.daemon()
    assert stage.band("--version", variables=older).out == "band 0.0.1\n"
    refused = stage.band("ps", variables=older, ends=None)
    assert "and this command is 0.0.1: it is too old to speak to it." in refused.err
    assert stage.daemon() == new
    stage.band("down", variables=older)
    stage.band("ps", variables=older)
    assert stage.daemon() != new
    (ask,) = wait_for(lambda: json.loads(stage.band("asks", "--json", variables=older).out))
    assert "was started by a newer Bandstand" in ask["detail"]
    assert [command for command in stage.processes().values() if "rehearsal" in command], "the agent is gone"

    stage.band("answer", ask["id"], "1")
    stage.go_on("one")
    stage.landed("one")
    assert stage.prompts("one.1") == ["turn-1"]
    assert stage.runs() == ["one.1"]


def test_an_upgrade_in_the_middle_of_work_is_not_noticed(stage: Stage) -> None:
    """The older daemon makes way. Who watches goes on without a gap, and the agent with its turn; all comes once."""
    stage.repository()
    older = {"PYTHONPATH": str(an_installation(stage.root / "older", version="0.0.1", protocol=holder.VERSION))}
    mine = dict(stage.environment)
    stage.environment.update(older)
    stage.submit("tasks: [{id: one, goal: Say hello}]", FETCHES)
    stage.begun("one")
    old = stage.daemon()
    watching = [stage.start("ps", "-f", "--json"), stage.start("log", "one", "-f", "--json")]
    api = Api(stage.state / "run" / "api.sock")
    wait_for(lambda: api.ask("GET", "/health")["readers"] > 0)
    stage.environment = mine

    stage.band("ps")
    assert stage.daemon() != old
    stage.go_on("one")
    (ask,) = asks(stage)
    stage.band("answer", ask["id"], "1")
    stage.landed("one")
    said = [stage.ended(process) for process in watching]
    assert [code for code, _ in said] == [0, 0], said
    facts, entries = ([json.loads(line) for line in text.splitlines() if line.startswith("{")] for _, text in said)
    numbers = [fact["sequence"] for fact in facts if fact["kind"] == "fact"]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "each fact, once and in order"
    assert facts[-1]["kind"] == "end"
    offsets = [entry["offset"] for entry in entries]
    assert offsets == sorted(set(offsets)), "what was said, once and in order"
    assert [entry["text"] for entry in entries if entry["kind"] == "permission"] == ["Fetch the news"]
    assert stage.prompts("one.1") == ["turn-1"]
    assert stage.runs() == ["one.1"]


def test_a_holder_of_an_older_installation_wakes_a_daemon_of_the_newer_one(stage: Stage) -> None:
    """Whichever the holder came with: what ran last is what runs again."""
    stage.repository()
    older = {"PYTHONPATH": str(an_installation(stage.root / "older", version="0.0.1", protocol=1))}
    mine = dict(stage.environment)
    stage.environment.update(older)
    stage.submit("tasks: [{id: one, goal: Say hello}]", HELD)
    stage.begun("one")
    stage.environment = mine
    stage.band("ps")
    assert stage.answers("hello")["version"] == bandstand.__version__
    old = kill_the_daemon(stage)
    another(stage, old)
    assert stage.answers("hello")["version"] == bandstand.__version__
    stage.go_on("one")
    stage.landed("one")
    assert stage.prompts("one.1") == ["turn-1"]


def an_installation(place: Path, *, version: str, protocol: int) -> Path:
    """A copy of this one, of another version and protocol of holders; where it is found by an interpreter."""
    copy = place / "bandstand"
    shutil.copytree(Path(bandstand.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name, said, instead in (
        ("__init__.py", f'"{bandstand.__version__}"', f'"{version}"'),
        ("adapters/hosts/holder/__init__.py", f"\nVERSION = {holder.VERSION}\n", f"\nVERSION = {protocol}\n"),
    ):
        text = (copy / name).read_text()
        assert said in text
        (copy / name).write_text(text.replace(said, instead))
    return place


def heard(stage: Stage, run: str) -> list[bytes]:
    """Every line that an agent has said."""
    records = scan(stage.run_folder(run) / "journal")
    return [record.payload for record in records if record.kind is RecordKind.FROM_AGENT]
