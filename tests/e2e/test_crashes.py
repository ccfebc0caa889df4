"""`kill -9` anywhere is a pause: of the daemon, of an agent, of a holder, of the checks."""

from pathlib import Path

from tests.e2e.processes import children
from tests.e2e.stage import HOLD, RULES, Stage, kill, task, wait_for

HELD = f"""\
parts:
  - when: start
    steps:
      - {HOLD}
      - edit: {{path: "{{task}}.txt", content: "hello\\n"}}
      - commit: Say hello
      - run: touch .git/done
      - say: Done.
  - when: "broke off"
    steps:
      - edit: {{path: "{{task}}.txt", content: "hello again\\n"}}
      - commit: Say hello again
"""
"""Goes on when the test says so, and says that it is done; after a crash it does it at once."""

ASKS = """\
parts:
  - steps:
      - ask_permission: {title: Fetch the news, kind: fetch, command: "curl news"}
      - edit: {path: hello.txt, content: "hello\\n"}
      - commit: Say hello
"""
TWO = "tasks:\n  - {id: one, goal: Say hello}\n  - {id: two, goal: Say hello}\n"


def kill_the_daemon(stage: Stage) -> int:
    """End the daemon without a word; which process it was."""
    pid = stage.daemon()
    kill(pid)
    stage.gone(pid)
    return pid


def innermost(stage: Stage, run: str, words: str) -> int:
    """The process of a run whose command has these words in it, and that has no such process below it.

    The proxy of a run is a fork of its holder, and called like that. It has nothing below it.
    """
    alike = [pid for pid, command in stage.processes().items() if command.endswith("hosts/holder")]
    holders = [pid for pid in alike if works_in(pid, run) and children(pid).keys() - set(alike)]
    (holder,) = (pid for pid in holders if not set(holders) & children(pid).keys())
    found = {pid: command for pid, command in children(holder).items() if pid not in alike}
    found[holder] = stage.processes()[holder]
    named = [pid for pid, command in found.items() if words in command]
    (deepest,) = (pid for pid in named if not set(named) & children(pid).keys())
    return deepest


def works_in(pid: int, run: str) -> bool:
    """Whether a holder is that of a run: it works in the run's folder."""
    return Path(f"/proc/{pid}/cwd").readlink().name == run


def test_agents_play_on_while_the_daemon_is_dead(stage: Stage) -> None:
    """One ends its turn while nobody listens, the other after the restart: both land, each prompted once in one run."""
    repository = stage.repository()
    stage.submit(TWO, HELD)
    stage.begun("one", "two")
    old = kill_the_daemon(stage)
    done = stage.workspace("one") / ".git" / "done"
    stage.go_on("one")
    wait_for(done.exists)

    fleet = stage.band_json("ps")
    assert stage.daemon() != old
    assert task(fleet, "two")["mark"] == "working"
    stage.go_on("two")
    for name in ("one", "two"):
        shown = stage.landed(name)
        assert shown["row"]["turns"] == 1
        assert stage.prompts(f"{name}.1") == ["turn-1"]
        assert repository.text(f"{name}.txt") == "hello\n"
    assert stage.runs() == ["one.1", "two.1"]


def test_an_open_permission_outlives_the_daemon(stage: Stage) -> None:
    """What was asked before a crash is answered after it; killed around the answer, too, the agent hears it once."""
    repository = stage.repository()
    stage.play("fetch the news", ASKS, "--detach", "--id", "news")
    before = stage.ask()
    assert before["kind"] == "permission"
    for _ in range(2):
        kill_the_daemon(stage)
        assert stage.band_json("asks") == [before]
    stage.band("answer", before["id"], "1")
    kill(stage.daemon())
    stage.landed("news")
    assert len([line for line in stage.sent("news.1") if b'"optionId"' in line.payload]) == 1
    assert stage.prompts("news.1") == ["turn-1"]
    assert stage.runs() == ["news.1"]
    assert repository.text("hello.txt") == "hello\n"


def test_a_new_run_takes_up_the_session_of_a_killed_one(stage: Stage) -> None:
    """Killed is an agent, and the holder of another: each session is loaded again, and told that its turn broke off."""
    repository = stage.repository()
    stage.submit(TWO, HELD)
    stage.begun("one", "two")
    victims = innermost(stage, "one.1", "rehearsal/__main__.py"), innermost(stage, "two.1", "hosts/holder")
    for victim in victims:
        kill(victim)
    for name in ("one", "two"):
        stage.landed(name)
        assert any(b'"session/load"' in line.payload for line in stage.sent(f"{name}.2")), "the session was taken up"
        assert stage.prompts(f"{name}.2") == ["turn-2"]
        assert repository.text(f"{name}.txt") == "hello again\n"
    assert stage.runs() == ["one.1", "one.2", "two.1", "two.2"]


def test_checks_that_a_crash_cut_short_run_again(stage: Stage) -> None:
    """The daemon dies during the checks: they are run anew, nothing lands unchecked, and one commit lands."""
    repository = stage.repository(rules=RULES.replace("python3", "sleep 1; python3"))
    stage.play("say hello", HELD.replace(HOLD, "say: I begin."), "--detach", "--id", "hello")
    stage.until(lambda fleet: task(fleet, "hello")["mark"] == "checking")
    kill_the_daemon(stage)
    shown = stage.landed("hello")
    assert [check["conclusion"] for check in shown["checks"]] == ["success"]
    assert len(repository.git("log", "--format=%s", "--grep=Bandstand-Task: hello").splitlines()) == 1
