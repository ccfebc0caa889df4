"""Which part of a score is played, and what the agent remembers of a session."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from bandstand.rehearsal.sessions import Sessions
from tests.rehearsal.stage import Stage, User, played, refused_with, repository, stage, until


def said(on: Stage, *prompts: str) -> list[str]:
    """What the agent says to each prompt of one session."""

    async def main() -> list[str]:
        heard = []
        async with on.start() as play:
            for prompt in prompts:
                play.user.updates.clear()
                await play.prompt(prompt)
                heard.append(play.user.heard)
        return heard

    return asyncio.run(main())


NOTHING = "The score has no part for this prompt."


def test_the_first_part_that_fits_and_is_not_used_up_is_played(tmp_path: Path) -> None:
    """Conditions are searched in the prompt whatever its capitals, at the begin of any line where the score says so."""
    on = stage(
        tmp_path,
        """
        parts:
          - {when: start, steps: [{say: first}]}
          - {when: [conflict, "^in +main"], times: 2, steps: [{say: repair}]}
          - {when: "review|comment", times: always, steps: [{say: review}]}
        """,
    )
    prompts = ["A conflict.", "In main", "x\nin  main: CONFLICT", "a review", "conflict\nin main", "conflict\nin main"]
    heard = said(on, *prompts, "Comments", "more comments")
    assert heard == ["first", NOTHING, "repair", "review", "repair", NOTHING, "review", "review"]


def test_a_part_without_a_condition_fits_every_prompt(tmp_path: Path) -> None:
    """And is played once if nothing else is said."""
    on = stage(tmp_path, "parts: [{steps: [{say: one}]}, {name: rest, times: always, steps: [{say: rest}]}]")
    assert said(on, "x", "y", "z") == ["one", "rest", "rest"]


TASKS = """
tasks:
  reviewer:
    match: "^review this"
    parts: [{times: always, steps: [{say: "I review {task}."}]}]
  add-tests:
    - {times: always, steps: [{say: "I test {task}."}]}
parts:
  - {times: always, steps: [{say: "Something else: {task}."}]}
"""


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("Go.\nTask: add-tests\nWell.", "I test add-tests."),
        ("**Task:** `Add-Tests`.", "I test Add-Tests."),
        ("Review this change.\nTask: add-tests", "I review add-tests."),
        ("Do not review this change.\nTask: add-tests-2", "Something else: add-tests-2."),
        ("No task: here", "Something else: ."),
    ],
)
def test_the_first_prompt_decides_for_good_which_task_is_played(tmp_path: Path, prompt: str, says: str) -> None:
    """By a regular expression, or by the line that names the task."""
    on = stage(tmp_path, TASKS)
    assert said(on, prompt, "Review this.\nTask: other") == [says, says]


def test_a_task_can_be_chosen_at_the_start(tmp_path: Path) -> None:
    """With `--part` the prompts are not asked; a task that is not in the score is refused with those that are."""
    on, user = stage(tmp_path, TASKS), User()

    async def main() -> None:
        async with on.start(user, "--part", "add-tests") as play:
            await play.prompt("Whatever.")

    asyncio.run(main())
    assert user.heard == "I test add-tests."


def test_it_repairs_a_true_conflict(tmp_path: Path) -> None:
    """On the prompt that tells of a conflict it merges, resolves and commits; the merge has both parents."""
    on = repository(
        tmp_path,
        """
        parts:
          - when: start
            steps:
              - edit: {path: hello.py, replace: {old: 'print("Hello")', new: 'print("Ours")'}}
              - commit: Change the greeting
          - when: '^\\[bandstand:conflict\\]'
            steps:
              - run: {command: git merge --no-edit other, allow_failure: true}
              - edit: {path: hello.py, union: true}
                only_if: {path: hello.py, contains: "<<<<<<<"}
              - commit: Merge other
              - say: Merged.
        """,
    )
    on.git("checkout", "--quiet", "-b", "other")
    (on.folder / "hello.py").write_text('print("Theirs")\n')
    on.git("commit", "--quiet", "--all", "--message=Change it too")
    on.git("checkout", "--quiet", "main")
    user = User()
    assert played(on, user, "Add a greeting.", "[bandstand:conflict]\nhello.py") == ["end_turn", "end_turn"]
    assert user.heard == "Merged."
    assert (on.folder / "hello.py").read_text() == 'print("Ours")\nprint("Theirs")\n'
    assert on.git("status", "--porcelain") == ""
    assert len(on.git("log", "-1", "--format=%P").split()) == 2
    assert [status for _, status in user.ended] == ["completed", "completed", "failed", "completed", "completed"]


MEMORY = """
parts:
  - when: start
    steps:
      - ask_permission: {title: Go on, kind: execute}
      - say: Begun.
      - edit: {path: a, content: x}
      - run: echo $$ > pid && mv pid sleeper && exec sleep 300
  - when: again
    steps:
      - ask_permission: {title: Once more, kind: execute}
      - say: And {turn}.
"""


def test_a_session_is_loaded_after_kill_9(tmp_path: Path) -> None:
    """The new process tells all that the old one told and plays on: parts stay played, what was allowed stays so."""
    on, before, after = stage(tmp_path, MEMORY), User(permits="allow_always"), User(permits="reject_once")

    async def main() -> None:
        async with on.start(before) as play:
            turn = asyncio.create_task(play.prompt("Task: t"))
            await until((on.folder / "sleeper").exists)
            play.process.kill()
            with pytest.raises(ConnectionError):
                await turn
            # Nobody else ends the command of an agent that had no time to.
            os.kill(int((on.folder / "sleeper").read_text()), signal.SIGKILL)
        async with on.start(after, load=play.session) as play:
            story = list(after.updates)
            assert (await play.prompt("again")).stop_reason == "end_turn"
        assert story[0].session_update == "user_message_chunk" and story[0].content.text == "Task: t"
        assert story[1:] == before.updates
        assert len({call.tool_call_id for call in after.of("tool_call")}) == 4
        assert after.heard == "Begun.And 2." and not after.requests

    asyncio.run(main())


def test_a_loaded_session_of_a_process_that_still_lives_is_the_same(tmp_path: Path) -> None:
    """Loading tells the story again; the mode, the answer and the number of turns are kept."""
    on = stage(
        tmp_path,
        """
        parts:
          - steps: [{ask: "Who?"}]
          - times: always
            steps: [{say: "{answer} {turn}"}]
        """,
    )

    async def main() -> None:
        async with on.start() as play:
            await play.prompt("Go.")
            await play.connection.set_session_mode(session_id=play.session, mode_id="careful")
            play.user.updates.clear()
            loaded = await play.connection.load_session(cwd=str(on.folder), session_id=play.session)
            assert loaded.modes is not None and loaded.modes.current_mode_id == "careful"
            await until(lambda: len(play.user.updates) == 2)
            await play.prompt("Ada")
            await play.prompt("More.")
            assert play.user.heard == "Who?Ada 3"

    asyncio.run(main())


def test_a_session_that_is_not_there_cannot_be_loaded(tmp_path: Path) -> None:
    """Nor one whose name leads out of the folder of sessions."""
    on = stage(tmp_path, "parts: [{steps: [{say: x}]}]")
    (on.home / "x.jsonl").write_text("")

    async def main() -> None:
        async with on.start() as play:
            for name in ["rehearsal-2", "../x", "", "rehearsal-1/../../x"]:
                with refused_with(-32002):
                    await play.connection.load_session(cwd=str(on.folder), session_id=name)

    asyncio.run(main())


def test_sessions_have_names_of_their_own(tmp_path: Path) -> None:
    """In one home no name is given twice, by whichever process."""
    on = stage(tmp_path, "parts: [{steps: [{say: x}]}]")

    async def main() -> list[str]:
        async with on.start() as one, on.start() as two:
            more = await one.connection.new_session(cwd=str(on.folder))
            return [one.session, two.session, more.session_id]

    assert asyncio.run(main()) == ["rehearsal-1", "rehearsal-2", "rehearsal-3"]


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_torn_last_line_is_forgotten(tmp_path: Path, cut: int) -> None:
    """Whatever was being written when the process died, all before it is there and writing goes on behind it."""
    sessions = Sessions(str(tmp_path))
    made = sessions.create()
    made.note("prompt", {"text": "Go.", "part": "p"})
    made.note("answer", "a long answer, which is going to be cut")
    made.close()
    file = tmp_path / f"{made.id}.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    loaded, _ = sessions.load(made.id)
    assert (loaded.prompts, loaded.used, loaded.values["answer"]) == (1, {"p": 1}, "")
    loaded.note("answer", "kept")
    loaded.close()
    again, story = sessions.load(made.id)
    assert again.values["answer"] == "kept" and len(story) == 1
    again.close()
    assert all(json.loads(line) for line in file.read_text().splitlines())
