"""The rehearsal agent in trouble, as the score wants it: cancelled, crashed, hanging, noisy; or badly spoken to."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.rehearsal.stage import COMMAND, NEVER, Stage, User, played, refused_with, stage, until

AND_THEN = "- steps: [{say: And then.}]"


def gone(pid_file: Path) -> bool:
    """Whether the process whose number stands in the file has ended."""
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    "step",
    [
        "{run: 'echo $$ > pid; sleep 300'}",
        "{run: 'trap : TERM; (trap : TERM; while :; do sleep 1; done) & echo $$ > pid; while :; do sleep 1; done'}",
        "{wait: 300}",
        "hang",
        "{flood: {updates: 1000000, bytes: 10}}",
        "{flood: {updates: 1000, every: 300}}",
        "{ask_permission: Do it}",
        "{ask: 'What?'}",
    ],
)
def test_a_cancelled_turn_ends(tmp_path: Path, step: str) -> None:
    """In whatever it is: as cancelled, with nothing left running, and the next turn is played."""
    on = stage(tmp_path, f"parts:\n- steps: [{{think: Now.}}, {step}, {{say: No.}}]\n{AND_THEN}")
    user = User(permits=NEVER, answers=NEVER)

    def reached() -> bool:
        if "run" in step:
            return (on.folder / "pid").exists() and bool((on.folder / "pid").read_text())
        told = len(user.updates) > (1 if "flood" in step else 0)
        return bool(user.requests) if "permission" in step else bool(user.questions) if "ask" in step else told

    async def main() -> None:
        async with on.start(user, questions="yes") as play:
            assert await play.cancelled_when("Go.", reached) == "cancelled"
            user.updates.clear()
            assert (await play.prompt("Go on.")).stop_reason == "end_turn"
            assert user.heard == "And then."

    asyncio.run(main())
    if "run" in step:
        assert gone(on.folder / "pid")


def test_a_cancelled_command_has_failed(tmp_path: Path) -> None:
    """No tool call of a cancelled turn stays open."""
    on, user = stage(tmp_path, "parts: [{steps: [{run: 'echo begun; sleep 300'}]}]"), User()

    async def main() -> None:
        async with on.start(user) as play:
            assert await play.cancelled_when("Go.", play.is_at_work) == "cancelled"

    asyncio.run(main())
    assert [status for _, status in user.ended] == ["failed"]


def test_output_is_shown_while_the_command_runs(tmp_path: Path) -> None:
    """What a command says is told before it ends."""
    score = "parts: [{steps: [{run: 'echo begun; until [ -e go ]; do sleep 0.01; done; echo done'}]}]"
    on, user = stage(tmp_path, score), User()

    def shown() -> bool:
        contents = [update.content for update in user.of("tool_call_update") if update.content]
        return any(content[0].content.text == "begun\n" for content in contents)

    async def main() -> None:
        async with on.start(user) as play:
            turn = asyncio.create_task(play.prompt("Go."))
            await until(shown)
            (on.folder / "go").touch()
            assert (await turn).stop_reason == "end_turn"

    asyncio.run(main())
    assert user.of("tool_call_update")[-1].content[0].content.text == "begun\ndone\n"


def test_a_second_prompt_is_an_error_and_does_no_harm(tmp_path: Path) -> None:
    """While a turn runs another is refused, in whichever session, and the first plays on."""
    on, user = stage(tmp_path, "parts: [{steps: [hang]}]"), User()

    async def main() -> None:
        async with on.start(user) as play:
            first = asyncio.create_task(play.prompt("Go."))
            other = await play.connection.new_session(cwd=str(on.folder))
            for session in (play.session, other.session_id):
                with refused_with(-32603):
                    await play.connection.prompt(session_id=session, prompt=[])
            with refused_with(-32603):
                await play.connection.load_session(cwd=str(on.folder), session_id=play.session)
            await play.connection.cancel(session_id=other.session_id)
            await play.connection.set_session_mode(session_id=play.session, mode_id="careful")
            assert not first.done()
            await play.connection.cancel(session_id=play.session)
            assert (await first).stop_reason == "cancelled"

    asyncio.run(main())


def test_it_can_ignore_a_cancellation(tmp_path: Path) -> None:
    """Then only killing it helps; it still answers other calls."""
    on = stage(tmp_path, "parts: [{steps: [{hang: {ignore_cancel: true}}]}]")

    async def main() -> None:
        async with on.start() as play:
            turn = asyncio.create_task(play.prompt("Go."))
            await play.connection.cancel(session_id=play.session)
            await play.connection.new_session(cwd=str(on.folder))
            assert not turn.done()
            play.process.kill()
            with pytest.raises(ConnectionError):
                await turn

    asyncio.run(main())


@pytest.mark.parametrize(
    ("step", "code"),
    [("crash", 1), ("crash: 7", 7), ("crash: {signal: KILL}", -9), ("crash: {signal: SEGV}", -11)],
)
def test_it_crashes(tmp_path: Path, step: str, code: int) -> None:
    """Its process ends with the code or by the signal; the part counts as played in the loaded session."""
    on = stage(tmp_path, f"parts:\n- steps:\n  - say: Before.\n  - {step}\n{AND_THEN}")

    async def main() -> None:
        async with on.start() as play:
            with pytest.raises(ConnectionError):
                await play.prompt("Go.")
            assert await play.process.wait() == code
            assert play.user.heard == "Before."
        async with on.start(load=play.session) as play:
            await play.prompt("Go on.")
            assert play.user.heard == "Before.And then."

    asyncio.run(main())


def test_it_fails_and_refuses_and_stops(tmp_path: Path) -> None:
    """A turn can end with an error or with any stop reason."""
    on = stage(
        tmp_path,
        """
        parts:
          - steps: [{fail: Overloaded.}]
          - steps: [{fail: {message: Log in first., code: -32000}}]
          - steps: [{refuse: No.}]
          - steps: [{stop: max_tokens}]
          - steps: [{stop: max_turn_requests}, {say: I should not get here.}]
        """,
    )

    async def main() -> None:
        async with on.start() as play:
            with refused_with(-32603, says="Overloaded."):
                await play.prompt("1")
            with refused_with(-32000, says="Log in first."):
                await play.prompt("2")
            reasons = [(await play.prompt(text)).stop_reason for text in "345"]
            assert reasons == ["refusal", "max_tokens", "max_turn_requests"]
            assert play.user.heard == "No."

    asyncio.run(main())


def test_a_flood_keeps_its_order(tmp_path: Path) -> None:
    """Every piece arrives once, numbered, of the size that was asked for; a loaded session does without."""
    on, user = stage(tmp_path, "parts: [{steps: [{flood: {updates: 3000, bytes: 50}}, {say: Done.}]}]"), User()

    async def main() -> None:
        async with on.start(user) as play:
            assert (await play.prompt("Go.")).stop_reason == "end_turn"
            again = User()
            async with on.start(again, load=play.session):
                await until(lambda: len(again.updates) == 2)
                assert again.heard == "Done."

    asyncio.run(main())
    texts = [update.content.text for update in user.updates]
    assert len(texts) == 3001 and {len(text) for text in texts[:-1]} == {50}
    assert [int(text.split()[0]) for text in texts[:-1]] == list(range(1, 3001))


@pytest.mark.parametrize(("step", "lines"), [("3", 3), ("{lines: 2, text: '{\"half\":'}", 2)])
def test_garbage_does_not_stop_the_client(
    tmp_path: Path, step: str, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines that are no JSON stand between the others, and the official client gets over them."""
    on, user = stage(tmp_path, f"parts: [{{steps: [{{say: a}}, {{garbage: {step}}}, {{say: b}}]}}]"), User()
    assert played(on, user, "Go.") == ["end_turn"]
    assert user.heard == "a\n\nb"
    assert len(caplog.records) == lines  # the SDK logs each and skips it


def test_it_writes_to_standard_error(tmp_path: Path) -> None:
    """As many bytes as asked for."""
    on, user = stage(tmp_path, "parts: [{steps: [{stderr: 100001}]}]"), User()
    assert played(on, user, "Go.") == ["end_turn"]
    assert (on.home / "stderr").stat().st_size == 100001


# --- without the SDK: what no well-behaved client does ---------------------------------------------------------------


def alone(on: Stage, *arguments: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    """Run the agent with these lines on its standard input, to its end."""
    environment = {**os.environ, "HOME": str(on.home)}
    return subprocess.run(
        [*COMMAND, *arguments], input=lines, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_what_is_no_call_is_an_error(tmp_path: Path) -> None:
    """A bad line is answered with an error and the next line is read; an unknown notification is passed over."""
    on = stage(tmp_path, "parts: [{steps: [{say: x}]}]")
    lines = [
        "not json",
        "[" * 100_000,
        "[1]",
        '{"jsonrpc":"2.0","id":5}',
        "",
        '{"jsonrpc":"2.0","method":"$/unheard_of"}',
        '{"jsonrpc":"2.0","id":99,"result":{}}',
        '{"jsonrpc":"2.0","id":"turn-1","method":"unheard/of","params":[1]}',
    ]
    ran = alone(on, "--score", str(on.score), lines="\n".join(lines) + "\n")
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(answer["id"], answer["error"]["code"]) for answer in answers] == [
        (None, -32700),
        (None, -32700),
        (None, -32600),
        (5, -32600),
        ("turn-1", -32601),
    ]
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Usage"),
        (["--score"], "Usage"),
        (["--score", "SCORE", "--loud", "yes"], "Usage"),
        (["--score", "/nowhere.json"], "/nowhere.json cannot be read: No such file"),
        (["--score", "SCORE", "--part", "other"], "no task 'other'; it has: none"),
        (["--score", "YAML"], "is not JSON"),
    ],
)
def test_a_command_line_that_cannot_be_used_is_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    """With exit code 2 and the reason on standard error."""
    on = stage(tmp_path, "parts: [{steps: [{say: x}]}]")
    yaml = tmp_path / "score.yaml"
    yaml.write_text("parts: []")
    places = {"SCORE": str(on.score), "YAML": str(yaml)}
    ran = alone(on, *[places.get(word, word) for word in arguments])
    assert (ran.returncode, ran.stdout) == (2, "")
    assert says in ran.stderr and ran.stderr.count("\n") == 1


@pytest.mark.parametrize("end", ["stdin", "sigterm"])
def test_its_end_is_the_end_of_its_command(tmp_path: Path, end: str) -> None:
    """When the client closes the connection, or on SIGTERM, the agent ends what it runs and then itself."""
    on = stage(tmp_path, "parts: [{steps: [{run: 'echo $$ > pid && mv pid sleeper; sleep 300; true'}]}]")

    async def main() -> int:
        async with on.start() as play:
            turn = asyncio.create_task(play.prompt("Go."))
            await until((on.folder / "sleeper").exists)
            if end == "stdin":
                assert play.process.stdin is not None
                play.process.stdin.close()
            else:
                play.process.send_signal(signal.SIGTERM)
            code = await play.process.wait()
            with contextlib.suppress(ConnectionError):
                await turn
            return code

    assert asyncio.run(main()) == (0 if end == "stdin" else 128 + signal.SIGTERM)
    assert gone(on.folder / "sleeper")
