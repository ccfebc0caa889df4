"""What the rehearsal agent does when all goes well, as the official SDK's client sees it."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.rehearsal.stage import User, fenced_json, played, refused_with, repository, stage


def test_it_greets_as_the_protocol_wants(tmp_path: Path) -> None:
    """It speaks version 1, can load sessions, has a name and two modes; what it does not know is an error."""
    on = stage(tmp_path, "parts: [{steps: [{say: Hello}]}]")

    async def main() -> None:
        async with on.start() as play:
            hello = await play.connection.initialize(protocol_version=1)
            assert hello.protocol_version == 1
            assert hello.agent_capabilities is not None and hello.agent_capabilities.load_session
            assert hello.agent_info is not None and hello.agent_info.name == "rehearsal"
            session = await play.connection.new_session(cwd=str(on.folder))
            assert session.session_id != play.session
            assert session.modes is not None and session.modes.current_mode_id == "default"
            assert [mode.id for mode in session.modes.available_modes] == ["default", "careful"]
            await play.connection.set_session_mode(session_id=play.session, mode_id="careful")
            with refused_with(-32602):
                await play.connection.set_session_mode(session_id=play.session, mode_id="bold")
            with refused_with(-32602):
                await play.connection.new_session(cwd="relative/folder")
            with refused_with(-32601):
                await play.connection.ext_method("unheard_of", {})
            with refused_with(-32601):
                await play.connection.list_sessions()
            with refused_with(-32002):
                await play.connection.prompt(session_id="rehearsal-99", prompt=[])

    asyncio.run(main())


def test_it_speaks_thinks_and_plans(tmp_path: Path) -> None:
    """Messages, thoughts and plans arrive in the order of the score; the tokens follow from the bytes."""
    on = stage(
        tmp_path,
        """
        parts:
          - steps:
              - think: Hm.
              - say: One.
              - plan:
                  - {text: Write, status: in_progress, priority: high}
                  - Test
              - say: Two {unknown} {task} {turn}.
        """,
    )
    user = User()

    async def main() -> None:
        async with on.start(user) as play:
            response = await play.prompt("Task: add-tests\nGo.")
            assert response.stop_reason == "end_turn"
            assert response.usage is not None
            tokens = response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens
            assert tokens == (5, 9, 14)

    asyncio.run(main())
    kinds = [update.session_update for update in user.updates]
    assert kinds == ["agent_thought_chunk", "agent_message_chunk", "plan", "agent_message_chunk"]
    assert user.heard == "One.\n\nTwo {unknown} add-tests 1."
    entries = [(entry.content, entry.status, entry.priority) for entry in user.of("plan")[0].entries]
    assert entries == [("Write", "in_progress", "high"), ("Test", "pending", "medium")]


def test_it_edits_files(tmp_path: Path) -> None:
    """Each way to edit changes the file and is told as a diff with its place."""
    on = stage(
        tmp_path,
        """
        parts:
          - steps:
              - edit: {path: new/file.txt, content: "one\\ntwo\\n"}
              - edit: {path: new/file.txt, replace: {old: two, new: zwei}}
              - edit: {path: new/file.txt, append: "drei\\n"}
              - edit: {path: old.txt, delete: true}
              - edit: {path: both.txt, union: true}
        """,
    )
    (on.folder / "old.txt").write_text("old\n")
    (on.folder / "both.txt").write_text("a\n<<<<<<< ours\nb\n||||||| base\nx\n=======\nc\n>>>>>>> theirs\nd\n")
    user = User()
    assert played(on, user, "Go.") == ["end_turn"]
    assert (on.folder / "new/file.txt").read_text() == "one\nzwei\ndrei\n"
    assert not (on.folder / "old.txt").exists()
    assert (on.folder / "both.txt").read_text() == "a\nb\nc\nd\n"
    assert [call.kind for call in user.of("tool_call")] == ["edit", "edit", "edit", "delete", "edit"]
    ends = [update for update in user.of("tool_call_update") if update.status == "completed"]
    diffs = [(end.content[0].old_text, end.content[0].new_text, end.locations[0].line) for end in ends]
    assert diffs[:4] == [
        (None, "one\ntwo\n", 1),
        ("one\ntwo\n", "one\nzwei\n", 2),
        ("one\nzwei\n", "one\nzwei\ndrei\n", 3),
        ("old\n", "", 1),
    ]
    path = str(on.folder / "new/file.txt")
    assert user.of("tool_call")[0].locations[0].path == path
    assert (ends[0].content[0].path, ends[0].locations[0].path) == (path, path)


@pytest.mark.parametrize("path", ["../outside.txt", "/tmp/outside.txt", "away/outside.txt", ".git/config", "."])
def test_it_does_not_leave_the_workspace(tmp_path: Path, path: str) -> None:
    """An edit outside of the workspace, or of git's own files, fails and ends the turn with nothing written."""
    on = repository(
        tmp_path, f"parts: [{{steps: [{{edit: {{path: {path}, content: x}}}}, {{edit: {{path: b, content: x}}}}]}}]"
    )
    (tmp_path / "away").mkdir()
    (on.folder / "away").symlink_to(tmp_path / "away")
    config = (on.folder / ".git/config").read_bytes()
    user = User()
    assert played(on, user, "Go.") == ["end_turn"]
    assert user.ended == [(f"Edit {path}", "failed")]
    assert "I stop here" in user.heard
    assert (on.folder / ".git/config").read_bytes() == config
    assert not list(tmp_path.rglob("outside.txt")) and not (on.folder / "b").exists()


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("{path: hello.py, replace: {old: Goodbye, new: x}}", "occurs 0 times"),
        ("{path: twice, replace: {old: a, new: x}}", "occurs 2 times"),
        ("{path: none, delete: true}", "does not exist"),
        ("{path: hello.py, union: true}", "no whole conflict"),
        ("{path: bytes, append: x}", "not a text"),
        ("{path: hello.py/below, content: x}", "cannot be written"),
    ],
)
def test_an_edit_that_cannot_be_made_ends_the_turn(tmp_path: Path, edit: str, why: str) -> None:
    """The reason is said, the call has failed, and what follows in the part is not played."""
    on = repository(tmp_path, f"parts: [{{steps: [{{edit: {edit}}}, {{say: I should not get here.}}]}}]")
    (on.folder / "twice").write_text("aa")
    (on.folder / "bytes").write_bytes(b"\xff\xfe")
    user = User()
    assert played(on, user, "Go.") == ["end_turn"]
    assert why in user.heard and "should not" not in user.heard
    assert [status for _, status in user.ended] == ["failed"]


def test_it_runs_commands(tmp_path: Path) -> None:
    """A command runs in the workspace; both streams and the exit code are told; a failure ends the turn."""
    on = stage(
        tmp_path,
        """
        parts:
          - steps:
              - run: pwd && echo oops >&2
              - run: {command: "echo no; exit 3", allow_failure: true}
              - run: head -c 100000 /dev/zero | tr '\\0' a
              - run: exit 4
              - say: I should not get here.
        """,
    )
    user = User()
    assert played(on, user, "Go.") == ["end_turn"]
    ends = [update for update in user.of("tool_call_update") if update.status in ("completed", "failed")]
    assert [end.status for end in ends] == ["completed", "failed", "completed", "failed"]
    assert [end.raw_output for end in ends] == [{"exitCode": code} for code in (0, 3, 0, 4)]
    texts = [end.content[0].content.text if end.content else "" for end in ends]
    assert texts[:2] == [f"{on.folder}\noops\n", "no\n"]
    assert texts[2].startswith("[34464 bytes left out]\n") and texts[2].endswith("a" * 65536)
    assert user.of("tool_call")[0].raw_input == {"command": "pwd && echo oops >&2"}
    assert user.heard == "I stop here: `exit 4` ended with exit code 4."


def test_a_process_left_behind_does_not_hold_the_turn(tmp_path: Path) -> None:
    """A command is over when it is over, even if a child of it still holds its output open."""
    on = stage(tmp_path, "parts: [{steps: [{run: 'sleep 300 & echo $! > pid; echo started'}]}]")
    user = User()
    try:
        assert played(on, user, "Go.") == ["end_turn"]
        assert user.of("tool_call_update")[-1].content[0].content.text == "started\n"
    finally:
        os.kill(int((on.folder / "pid").read_text()), signal.SIGKILL)


def test_it_commits(tmp_path: Path) -> None:
    """All that is in the workspace is committed under the message; with nothing to commit the turn ends."""
    on = repository(
        tmp_path,
        """
        parts:
          - steps:
              - edit: {path: a/b.txt, content: x}
              - edit: {path: hello.py, delete: true}
              - commit: |-
                  It's "done"

                  In $(full).
              - commit: Again
              - say: I should not get here.
        """,
    )
    user = User()
    assert played(on, user, "Go.") == ["end_turn"]
    assert on.git("log", "-1", "--format=%B") == 'It\'s "done"\n\nIn $(full).'
    assert on.git("status", "--porcelain") == ""
    assert on.git("ls-files") == "a/b.txt"
    assert user.heard == "I stop here: the commit ended with exit code 1."


PERMISSION = """
parts:
  - times: always
    steps:
      - ask_permission:
          title: Delete it all
          kind: delete
          command: rm -r .
          path: hello.py
          otherwise:
            - say: Then I keep it.
      - say: Gone.
"""


def test_it_asks_for_permission(tmp_path: Path) -> None:
    """The request says what is wanted; what is granted goes on."""
    on, user = stage(tmp_path, PERMISSION), User()
    assert played(on, user, "Go.", "Again.") == ["end_turn", "end_turn"]
    first, _ = user.requests
    assert (first.title, first.kind, first.raw_input) == ("Delete it all", "delete", {"command": "rm -r ."})
    assert first.locations is not None and first.locations[0].path == str(on.folder / "hello.py")
    assert [option.kind for option in user.options] == ["allow_once", "allow_always", "reject_once"]
    assert user.heard == "Gone.Gone."
    assert user.ended == [("Delete it all", "completed")] * 2


def test_allowed_for_always_is_not_asked_again(tmp_path: Path) -> None:
    """Once a kind of action is allowed for always, the session asks no more about it."""
    on, user = stage(tmp_path, PERMISSION), User(permits="allow_always")
    assert played(on, user, "Go.", "Again.") == ["end_turn", "end_turn"]
    assert len(user.requests) == 1
    assert user.heard == "Gone.Gone."


@pytest.mark.parametrize(
    ("permits", "reason", "says"), [("reject_once", "end_turn", "Then I keep it."), ("cancelled", "cancelled", "")]
)
def test_what_is_not_permitted_is_not_done(tmp_path: Path, permits: str, reason: str, says: str) -> None:
    """A rejection plays the other steps in place of the rest; a cancelled request cancels the turn."""
    on, user = stage(tmp_path, PERMISSION), User(permits=permits)
    assert played(on, user, "Go.") == [reason]
    assert user.heard == says
    assert user.ended == [("Delete it all", "failed")]


def test_a_rejection_without_another_way_ends_the_turn(tmp_path: Path) -> None:
    """With no other steps the agent says that it stops."""
    on, user = stage(tmp_path, "parts: [{steps: [{ask_permission: Do it}, {say: Done.}]}]"), User(permits="reject_once")
    assert played(on, user, "Go.") == ["end_turn"]
    assert user.heard == "I stop here: I was not permitted to go on."


def test_the_careful_mode_asks_before_every_edit_and_command(tmp_path: Path) -> None:
    """In the careful mode nothing is touched before it is permitted; in the default mode nobody is asked."""
    score = (
        "parts: [{times: always, steps: [{edit: {path: a, content: x}}, {run: rm a}, {edit: {path: b, content: x}}]}]"
    )
    for place, mode, permits, asked in [
        ("default", "default", "reject_once", []),
        ("granted", "careful", "allow_once", ["edit", "execute", "edit"]),
        ("rejected", "careful", "reject_once", ["edit"]),
    ]:
        (tmp_path / place).mkdir()
        on, user = stage(tmp_path / place, score), User(permits=permits)
        assert played(on, user, "Go.", mode=mode) == ["end_turn"]
        assert [request.kind for request in user.requests] == asked
        assert (on.folder / "b").exists() is (place != "rejected")
        assert not (on.folder / "a").exists()


QUESTION = """
parts:
  - steps:
      - ask: {question: "Which name?", choices: [Ada, Bob]}
      - edit: {path: "{answer}.txt", content: "Hello {answer}"}
      - say: It is {answer}.
"""


def test_it_asks_a_question(tmp_path: Path) -> None:
    """The question is a form with the choices; the answer is put where the score names it."""
    on, user = stage(tmp_path, QUESTION), User(answers="Ada")
    assert played(on, user, "Go.", questions="yes") == ["end_turn"]
    ((message, mode),) = user.questions
    assert message == "Which name?"
    assert mode.requested_schema.properties["answer"].enum == ["Ada", "Bob"]
    assert user.heard == "It is Ada."
    assert (on.folder / "Ada.txt").read_text() == "Hello Ada"


def test_a_declined_question_ends_the_turn_or_takes_the_default(tmp_path: Path) -> None:
    """Without a default nothing is done on a guess."""
    on, user = stage(tmp_path, QUESTION), User()
    assert played(on, user, "Go.", questions="yes") == ["end_turn"]
    assert user.heard == "I stop here: my question was not answered."
    (tmp_path / "2").mkdir()
    on, user = stage(tmp_path / "2", QUESTION.replace("choices", "default: Eve, choices")), User()
    assert played(on, user, "Go.", questions="yes") == ["end_turn"]
    assert user.heard == "It is Eve."


def test_a_client_without_questions_gets_them_as_text(tmp_path: Path) -> None:
    """The question ends the turn; the next prompt is the answer and the part goes on behind the question."""
    on, user = stage(tmp_path, QUESTION), User()
    assert played(on, user, "Go.", " Bob\n", "More?") == ["end_turn"] * 3
    said = "Which name?\n- Ada\n- BobIt is Bob.The score has no part for this prompt."
    assert user.heard == said and not user.questions


def test_it_reviews(tmp_path: Path) -> None:
    """A verdict is a fenced block of JSON that a program can read."""
    on, user = (
        stage(
            tmp_path,
            """
            parts:
              - steps:
                  - say: I looked.
                  - review:
                      verdict: changes_requested
                      summary: Not yet.
                      comments: [{path: a.py, line: 7, body: 'Say "why".'}]
            """,
        ),
        User(),
    )
    assert played(on, user, "Go.") == ["end_turn"]
    assert fenced_json(user.heard) == {
        "verdict": "changes_requested",
        "summary": "Not yet.",
        "comments": [{"path": "a.py", "line": 7, "body": 'Say "why".'}],
    }


@pytest.mark.parametrize(("there", "said"), [("", "no file"), ("other", "a file"), ("<<<<<<<", "a filea conflict")])
def test_a_step_may_depend_on_a_file(tmp_path: Path, there: str, said: str) -> None:
    """A step is played if its file is there, if a text is in it, or if it is not there, as the score wants."""
    on = stage(
        tmp_path,
        """
        parts:
          - steps:
              - {say: no file, only_if: {path: f, absent: true}}
              - {say: a file, only_if: f}
              - {say: a conflict, only_if: {path: f, contains: <<<<<<<}}
        """,
    )
    if there:
        (on.folder / "f").write_text(there)
    user = User()
    assert played(on, user, "Go.") == ["end_turn"]
    assert user.heard.replace("\n", "") == said
