"""`kill -9` anywhere is a pause: of the daemon, of an agent, of a holder, of the checks."""

import pytest

from tests.e2e.processes import children
from tests.e2e.stage import RULES, Stage, kill, task, wait_for

HELD = """\
parts:
  - when: start
    steps:
      - run: touch .git/begun; while [ ! -e .git/go-on ]; do sleep 0.05; done
      - edit: {path: hello.txt, content: "hello\\n"}
      - commit: Say hello
      - run: touch .git/done
      - say: Done.
  - when: "broke off"
    steps:
      - edit: {path: hello.txt, content: "hello again\\n"}
      - commit: Say hello again
"""
"""Begins, goes on when the test says so, and says that it is done; after a crash it does it at once."""

ASKS = """\
parts:
  - steps:
      - ask_permission: {title: Fetch the news, kind: fetch, command: "curl news"}
      - edit: {path: hello.txt, content: "hello\\n"}
      - commit: Say hello
"""


def begin(stage: Stage) -> None:
    """A task whose agent is in the middle of its first turn."""
    stage.repository()
    stage.play("say hello", HELD, "--detach", "--id", "hello")
    wait_for(lambda: list(stage.state.glob("repositories/*/workspaces/hello/tree/.git/begun")))


def go_on(stage: Stage) -> None:
    """Let the agent go on."""
    (stage.workspace("hello") / ".git" / "go-on").touch()


def kill_the_daemon(stage: Stage) -> int:
    """End the daemon without a word; which process it was."""
    pid = stage.daemon()
    kill(pid)
    wait_for(lambda: pid not in stage.processes())
    return pid


def holder(stage: Stage) -> int:
    """The holder of the only run; beside it stands the process that waits for its namespace."""
    found = [pid for pid, command in stage.processes().items() if command.endswith("hosts/holder.py")]
    (innermost,) = (pid for pid in found if not any(other in found for other in children(pid)))
    return innermost


def agent(stage: Stage) -> int:
    """The process of the agent itself, inside of holder and sandbox."""
    found = [pid for pid, command in stage.processes().items() if "rehearsal/__main__.py" in command]
    (innermost,) = (pid for pid in found if not any(other in found for other in children(pid)))
    return innermost


@pytest.mark.parametrize("ends", ["while nobody listens", "after the restart"])
def test_an_agent_plays_on_while_the_daemon_is_dead(stage: Stage, ends: str) -> None:
    """The turn completes, its prompt was sent once, in one run, and the change lands."""
    begin(stage)
    old = kill_the_daemon(stage)
    if ends == "while nobody listens":
        done = stage.workspace("hello") / ".git" / "done"
        go_on(stage)
        wait_for(done.exists)
    assert task(stage.band_json("ps"), "hello")["mark"] in ("working", "checking", "landing", "waiting", "landed")
    assert stage.daemon() != old
    if ends == "after the restart":
        go_on(stage)
    shown = stage.landed("hello")
    assert stage.prompts("hello.1") == ["turn-1"]
    assert stage.runs() == ["hello.1"]
    assert shown["row"]["turns"] == 1
    assert stage.repositories[0].text("hello.txt") == "hello\n"


def test_an_open_permission_outlives_the_daemon(stage: Stage) -> None:
    """What was asked before the crash is answered after it, and the agent hears the answer once."""
    repository = stage.repository()
    stage.play("fetch the news", ASKS, "--detach", "--id", "news")
    before = stage.ask()
    assert before["kind"] == "permission"
    kill_the_daemon(stage)
    (after,) = stage.band_json("asks")
    assert after == before
    stage.band("answer", before["id"], "1")
    stage.landed("news")
    assert len([line for line in stage.sent("news.1") if b'"optionId"' in line.payload]) == 1
    assert stage.prompts("news.1") == ["turn-1"]
    assert stage.runs() == ["news.1"]
    assert repository.text("hello.txt") == "hello\n"


def test_the_daemon_may_die_between_the_answer_and_its_delivery(stage: Stage) -> None:
    """Killed again and again around an answer: the agent gets it once, and no second run starts."""
    stage.repository()
    stage.play("fetch the news", ASKS, "--detach", "--id", "news")
    ask = stage.ask()
    for _ in range(2):
        kill_the_daemon(stage)
        stage.band_json("ps")
    stage.band("answer", ask["id"], "1")
    kill(stage.daemon())
    stage.landed("news")
    assert len([line for line in stage.sent("news.1") if b'"optionId"' in line.payload]) == 1
    assert stage.runs() == ["news.1"]


@pytest.mark.parametrize("whom", ["the agent", "its holder"])
def test_a_new_run_takes_up_the_session_of_a_killed_one(stage: Stage, whom: str) -> None:
    """It loads the session, is told that its turn broke off, and its change lands."""
    begin(stage)
    kill(agent(stage) if whom == "the agent" else holder(stage))
    stage.landed("hello")
    assert stage.runs() == ["hello.1", "hello.2"]
    assert any(b'"session/load"' in line.payload for line in stage.sent("hello.2")), "the session was taken up"
    assert stage.prompts("hello.2") == ["turn-2"]
    assert stage.repositories[0].text("hello.txt") == "hello again\n"


def test_checks_that_a_crash_cut_short_run_again(stage: Stage) -> None:
    """The daemon dies during the checks: they are run anew, nothing lands unchecked, and one commit lands."""
    repository = stage.repository(rules=RULES.replace("python3", "sleep 1; python3"))
    score = HELD.replace("while [ ! -e .git/go-on ]; do sleep 0.05; done", "true")
    stage.play("say hello", score, "--detach", "--id", "hello")
    stage.until(lambda fleet: task(fleet, "hello")["mark"] == "checking")
    kill_the_daemon(stage)
    shown = stage.landed("hello")
    assert [check["conclusion"] for check in shown["checks"]] == ["success"]
    assert len(repository.git("log", "--format=%s", "--grep=Bandstand-Task: hello").splitlines()) == 1
