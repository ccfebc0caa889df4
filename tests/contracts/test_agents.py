"""What every way to speak with agents promises: the fake and ACP are judged by the same tests.

The prompts are scripts that both kinds of agent understand; see `tests.adapters.scripted_acp`.
"""

import asyncio

import pytest

from bandstand.domain.agent import (
    PermissionRequested,
    Prompted,
    QuestionAsked,
    Said,
    StopReason,
    Thought,
    ToolCalled,
    ToolEnded,
    ToolKind,
)
from bandstand.domain.errors import Refused, Unavailable, Unknown
from bandstand.domain.ids import SessionId
from bandstand.ports.agents import PromptFailed, TranscriptEntry
from tests.adapters.memory_run import transcript
from tests.contracts.agent_rig import Rig, asking, in_loop, prompting, rest, rigs, until


@pytest.fixture(params=sorted(rigs()))
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each kind of agent in its turn."""
    return rigs()[request.param]


def test_a_turn_tells_what_happens_in_order_and_ends_with_all_that_was_said(rig: Rig) -> None:
    """Updates keep the agent's order; the result holds the whole message and the reason of the end."""

    async def test() -> None:
        session = await rig.open(await rig.run())
        result = await session.prompt(1, "think hm\nsay I write it. \nsay Now.\ntool a.txt\nsay Done.\nstop max_tokens")
        assert (result.stop, result.message) == (StopReason.MAX_TOKENS, "I write it. Now.\n\nDone.")
        assert await rest(session.updates(), 6) == [
            Thought(text="hm"),
            Said(text="I write it. "),
            Said(text="Now."),
            ToolCalled(call="a.txt", title="Write a.txt", kind=ToolKind.EDIT, paths=("a.txt",)),
            ToolEnded(call="a.txt", failed=False),
            Said(text="Done."),
        ]

    in_loop(rig, test)


def test_a_prompt_repeated_is_sent_once_and_ends_the_same(rig: Rig) -> None:
    """Repeating a turn, at once, later or in another process, changes nothing and gives the same end."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        first, again = await asyncio.gather(session.prompt(1, "say hello"), session.prompt(1, "say hello"))
        second = await session.prompt(2, "say more")
        other = await rig.open(run)
        assert first == again == await session.prompt(1, "say hello") == await other.prompt(1, "say hello")
        assert second == await other.prompt(2, "say more")
        assert rig.told() == ["say hello", "say more"]

    in_loop(rig, test)


def test_a_second_turn_waits_for_the_end_of_the_first(rig: Rig) -> None:
    """No agent gets a prompt while a turn runs, whoever sends it."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        async with prompting(session, 1, "ask a.txt"):
            await until(session.updates(), PermissionRequested)
            other = await rig.open(run)
            async with prompting(other, 2, "say second") as second:
                asked = await until(other.updates(), PermissionRequested)
                assert rig.told() == ["ask a.txt"]
                await other.answer(asked.request, "allow")
                assert (await second).message == "second"

    in_loop(rig, test)


@pytest.mark.parametrize(("choice", "said"), [("allow", "allow"), ("reject", "reject"), (None, "reject")])
def test_a_permission_is_given_or_refused_once(rig: Rig, choice: str | None, said: str) -> None:
    """The agent goes on with the answer that it got first; `None` refuses."""

    async def test() -> None:
        session = await rig.open(await rig.run())
        async with prompting(session, 1, "ask a.txt") as turn:
            asked = await until(session.updates(), PermissionRequested)
            assert asked == asking(asked.request, "a.txt")
            with pytest.raises(Refused, match="maybe"):
                await session.answer(asked.request, "maybe")
            await session.answer(asked.request, choice)
            await session.answer(asked.request, "allow")
            assert (await turn).message == said
            await session.answer(asked.request, choice)

    in_loop(rig, test)


def test_an_answer_to_nothing_is_refused(rig: Rig) -> None:
    """Only what the agent has asked can be answered."""

    async def test() -> None:
        session = await rig.open(await rig.run())
        with pytest.raises(Unknown):
            await session.answer("77", "allow")

    in_loop(rig, test)


@pytest.mark.parametrize(
    ("script", "choice", "text", "said"),
    [
        ("question Which?", None, "the third", "the third"),
        ("question Which?", None, "", "decline"),
        ("choose Which?", "blue", "", "blue"),
        ("choose Which?", None, "", "decline"),
    ],
)
def test_a_question_is_answered_with_a_text_or_a_choice(
    rig: Rig, script: str, choice: str | None, text: str, said: str
) -> None:
    """A question offers choices or takes any text; neither declines it."""

    async def test() -> None:
        session = await rig.open(await rig.run())
        async with prompting(session, 1, script) as turn:
            asked = await until(session.updates(), QuestionAsked)
            assert (asked.question, [each.id for each in asked.choices]) == (
                "Which?",
                ["red", "blue"] if script.startswith("choose") else [],
            )
            await session.answer(asked.request, choice, text)
            assert (await turn).message == said

    in_loop(rig, test)


def test_a_cancelled_turn_ends_as_cancelled(rig: Rig) -> None:
    """It keeps what was said, may be cancelled again, and a turn that comes later is not touched by that."""

    async def test() -> None:
        session = await rig.open(await rig.run())
        async with prompting(session, 1, "say begun\nwait") as turn:
            await until(session.updates(), Said)
            await session.cancel(1)
            await session.cancel(1)
            result = await turn
        assert (result.stop, result.message) == (StopReason.CANCELLED, "begun")
        await session.prompt(2, "say ended")
        async with prompting(session, 3, "ask a.txt") as turn:
            asked = await until(session.updates(), PermissionRequested)
            await session.cancel(1)
            await session.cancel(2)
            await session.answer(asked.request, "allow")
            assert (await turn).stop is StopReason.END_TURN

    in_loop(rig, test)


def test_cancelling_takes_back_what_the_turn_asked(rig: Rig) -> None:
    """After a cancel nobody needs to answer, and a session opened then does not ask again."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        async with prompting(session, 1, "ask a.txt") as turn:
            asked = await until(session.updates(), PermissionRequested)
            await session.cancel(1)
            assert (await turn).stop is StopReason.CANCELLED
            await session.answer(asked.request, "allow")
        other = await rig.open(run)
        await other.prompt(2, "say next")
        assert await anext(other.updates()) == Said(text="next")

    in_loop(rig, test)


def test_a_turn_cancelled_before_it_is_sent_is_never_sent(rig: Rig) -> None:
    """Its prompt ends as cancelled without reaching the agent."""

    async def test() -> None:
        session = await rig.open(await rig.run())
        await session.cancel(1)
        assert (await session.prompt(1, "say hello")).stop is StopReason.CANCELLED
        assert rig.told() == []

    in_loop(rig, test)


def test_a_prompt_that_fails_fails_the_same_way_again(rig: Rig) -> None:
    """The agent's words come through; the run goes on with the next turn."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        for _ in range(3):
            with pytest.raises(PromptFailed, match="Too many requests") as failed:
                await session.prompt(1, "say begun\nfail Too many requests")
            assert failed.value.code == -32603
            session = await rig.open(run)
        assert (await session.prompt(2, "say hello")).message == "hello"
        assert len(rig.told()) == 2

    in_loop(rig, test)


def test_a_new_process_takes_up_a_turn_where_it_is(rig: Rig) -> None:
    """Open requests come first, what was said before is not told again, and the result is whole."""

    async def test() -> None:
        run = await rig.run()
        script = "say before\nask a.txt\nsay after"
        session = await rig.open(run)
        assert not session.resumed
        async with prompting(session, 1, script):
            asked = await until(session.updates(), PermissionRequested)
        await session.close()
        other = await rig.open(run)
        assert (other.id, other.resumed) == (session.id, True)
        async with prompting(other, 1, script) as turn:
            updates = other.updates()
            assert await anext(updates) == asked
            await other.answer(asked.request, "allow")
            assert await rest(updates, 2) == [Said(text="allow"), Said(text="after")]
            assert (await turn).message == "before\n\nallowafter"
        assert rig.told() == [script]

    in_loop(rig, test)


def test_an_older_channel_can_no_longer_act(rig: Rig) -> None:
    """When a newer channel speaks for the run, an older session's orders are refused as unavailable."""

    async def test() -> None:
        run = await rig.run()
        old = await rig.open(run)
        async with prompting(old, 1, "ask a.txt"):
            asked = await until(old.updates(), PermissionRequested)
            await rig.open(run)
            with pytest.raises(Unavailable):
                await old.answer(asked.request, "allow")
            with pytest.raises(Unavailable):
                await old.cancel(1)

    in_loop(rig, test)


def test_the_end_of_the_run_ends_the_waiting(rig: Rig) -> None:
    """A prompt that can have no end any more is unavailable, and the updates come to their end."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        async with prompting(session, 1, "say begun\nwait") as turn:
            await until(session.updates(), Said)
            run.end()
            with pytest.raises(Unavailable):
                await turn
        assert [update async for update in session.updates()] == []
        assert [update async for update in session.updates()] == []
        with pytest.raises(Unavailable):
            await session.prompt(2, "say more")

    in_loop(rig, test)


def test_closing_lets_go_and_the_agent_goes_on(rig: Rig) -> None:
    """Whoever waits at a closed session is told; the turn ends without us and is there later."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        async with prompting(session, 1, "say begun\nask a.txt") as turn:
            asked = await until(session.updates(), PermissionRequested)
            await session.close()
            await session.close()
            with pytest.raises(Unavailable):
                await turn
        other = await rig.open(run)
        await other.answer(asked.request, "allow")
        assert (await other.prompt(1, "say begun\nask a.txt")).message == "begun\n\nallow"

    in_loop(rig, test)


def test_a_session_is_resumed_in_a_new_run(rig: Rig) -> None:
    """An agent that can load a session remembers it; asked again, the run keeps the session it has."""

    async def test() -> None:
        run = await rig.run()
        for resume in (SessionId("earlier"), SessionId("another"), None):
            session = await rig.open(run, resume=resume)
            assert (session.id, session.resumed) == ("earlier", True)
        run = await rig.run()
        fresh = await rig.open(run)
        again = await rig.open(run, resume=SessionId("earlier"))
        assert (again.id, again.resumed) == (fresh.id, False)

    in_loop(rig, test)


def test_the_transcript_tells_the_whole_run(rig: Rig) -> None:
    """Prompts, whole messages, tool calls and requests, in order, each with its time and place."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        script = "think hm \nthink so\nsay I \nsay write.\ntool a.txt\nask b.txt\nsay ."
        async with prompting(session, 1, script) as turn:
            asked = await until(session.updates(), PermissionRequested)
            await session.answer(asked.request, "allow")
            await turn
        await session.prompt(2, "say Bye.")
        entries = transcript(rig.protocol, run.records)
        assert [entry.update for entry in entries] == [
            Prompted(text=script),
            Thought(text="hm so"),
            Said(text="I write."),
            ToolCalled(call="a.txt", title="Write a.txt", kind=ToolKind.EDIT, paths=("a.txt",)),
            ToolEnded(call="a.txt", failed=False),
            asked,
            Said(text="allow."),
            Prompted(text="say Bye."),
            Said(text="Bye."),
        ]
        offsets = {record.offset: record.at_ms for record in run.records}
        assert [entry.offset for entry in entries] == sorted(entry.offset for entry in entries)
        assert all(offsets[entry.offset] == entry.at_ms for entry in entries)

    in_loop(rig, test)


def test_a_transcript_is_read_on_where_it_was(rig: Rig) -> None:
    """Taken in record by record each entry comes once, whole and in order; what is held back can be looked at."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        async with prompting(session, 1, "think hm\nsay I \nsay write.\ntool a.txt\nask b.txt\nsay Done") as turn:
            asked = await until(session.updates(), PermissionRequested)
            reading = rig.protocol.transcript()
            told: list[TranscriptEntry] = []
            for record in (begun := tuple(run.records)):
                told += reading.take(record)
            assert [*told, *reading.rest()] == transcript(rig.protocol, begun)
            assert asked in [entry.update for entry in (*told, *reading.rest())]
            await session.answer(asked.request, "allow")
            await turn
        await session.prompt(2, "say Bye.")
        for record in run.records[len(begun) :]:
            told += reading.take(record)
        held_back = reading.rest()
        assert reading.rest() == held_back
        assert [entry.update for entry in held_back] == [Said(text="Bye.")]
        assert [*told, *held_back] == transcript(rig.protocol, run.records)

    in_loop(rig, test)
