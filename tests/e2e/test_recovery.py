"""A database that was damaged under a daemon that is dead: what is saved goes on, what may be lost is asked about."""

from bandstand.domain.ids import RepositoryId
from tests.e2e.stage import HOLD, Stage, kill, task
from tests.e2e.unreadable import make_readable, make_unreadable

HELD = f"""\
parts:
  - when: "was damaged"
    steps:
      - edit: {{path: "{{task}}.txt", content: "hello again\\n"}}
      - commit: Say hello again
  - steps:
      - {HOLD}
      - edit: {{path: "{{task}}.txt", content: "hello\\n"}}
      - commit: Say hello
"""
TASKS = "tasks:\n  - {id: one, goal: Say hello}\n  - {id: two, goal: Say hello}\n"


def test_a_damaged_log_is_recovered_and_says_what_it_lost(stage: Stage) -> None:
    """That an agent was started is lost: it is ended before another one begins, and nothing goes on unasked."""
    repository = stage.repository()
    stage.play("Say hello", "parts: [{steps: [{edit: {path: a.txt, content: a}}, {commit: A}]}]", "--id", "done")
    stage.submit(TASKS, HELD)
    stage.begun("one", "two")
    pid = stage.daemon()
    stage.file("state/down", "")  # holders start no other one meanwhile
    kill(pid)
    stage.gone(pid)
    for file in stage.state.glob("bandstand.db*"):
        content = file.read_bytes()
        file.write_bytes(content.replace(b'{"run":{"id":"one.1"', b'{"run":{"id":"xxx.1"'))

    said = stage.band("ps")
    assert "was damaged" in said.err
    assert str(repository.path) in said.err
    assert "1 fact lost" in said.err
    assert "was damaged" not in stage.band("ps").err, "it is said once"
    assert "was damaged" in stage.band("doctor", ends=None).out

    fleet = stage.until(lambda found: found["asks"] == 2)
    assert {one["mark"] for one in fleet["tasks"] if one["id"] != "done"} == {"needs-you"}
    assert task(fleet, "done")["mark"] == "landed"
    for ask in stage.band_json("asks"):
        assert "may be lost" in ask["title"]
        stage.band("answer", ask["id"], "1")
    for name in ("one", "two"):
        stage.landed(name)
        assert repository.text(f"{name}.txt") == "hello again\n"
        assert stage.prompts(f"{name}.1") == ["turn-1"]
    assert not [command for command in stage.processes().values() if command.endswith("hosts/holder")]


def test_agents_of_a_repository_that_cannot_be_read_are_left_alone(stage: Stage) -> None:
    """The daemon is there for others, says what is wrong with this one, and takes no orders for it.

    Once its facts can be read the work goes on where it was.
    """
    stage.repository()
    stage.submit("tasks:\n  - {id: one, goal: Say hello}\n", HELD)
    stage.begun("one")
    pid = stage.daemon()
    stage.file("state/down", "")  # holders start no other one meanwhile
    kill(pid)
    stage.gone(pid)
    (root,) = (stage.state / "repositories").iterdir()
    database, name = stage.state / "bandstand.db", RepositoryId(root.name)
    make_unreadable(database, name)
    holders = {number for number, command in stage.processes().items() if command.endswith("hosts/holder")}

    for words in (("ps",), ("cancel", "one"), ("gc",)):
        said = stage.band(*words, ends=None)
        assert said.code != 0
        assert "cannot be read, so nothing goes on there" in said.err
        assert "its agents are left alone" in said.err
    doctor = stage.band("doctor", ends=1).out
    assert "Nothing goes on in repository" in doctor
    assert "its agents are left alone" in doctor
    other = stage.repository("other")
    stage.play("Say hi", "parts: [{steps: [{edit: {path: a.txt, content: a}}, {commit: A}]}]", "--id", "hi", at=other)
    stage.landed("hi", at=other)
    assert holders
    assert holders <= stage.processes().keys()
    assert stage.band("purge", "--yes", ends=2).err

    stage.band("down")
    make_readable(database, name)
    stage.go_on("one")
    stage.landed("one")
    assert stage.prompts("one.1") == ["turn-1"]
