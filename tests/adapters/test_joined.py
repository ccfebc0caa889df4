"""Questions that are put once for all who ask them."""

import asyncio

import pytest

from bandstand.adapters.git.joined import Joined
from bandstand.domain.errors import Unavailable


class Oracle:
    """Answers with how often it was asked, once it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def answer(self) -> int:
        """The number of this question."""
        self.asked += 1
        self.begun.set()
        number = self.asked
        await self.may_answer.wait()
        return number


def test_those_who_ask_at_once_get_one_answer() -> None:
    """Git is asked once, however many want to know."""

    async def scenario() -> None:
        joined, oracle = Joined(), Oracle()
        oracle.may_answer.set()
        assert await asyncio.gather(*(joined.ask("tip", oracle.answer) for _ in range(5))) == [1] * 5
        assert await joined.ask("tip", oracle.answer) == 2

    asyncio.run(scenario())


def test_an_answer_is_never_older_than_its_question() -> None:
    """Whoever comes while one is on its way gets the next, with all who have come by then."""

    async def scenario() -> None:
        joined, oracle = Joined(), Oracle()
        first = asyncio.create_task(joined.ask("tip", oracle.answer))
        await asyncio.wait_for(oracle.begun.wait(), 30)
        later = [asyncio.create_task(joined.ask("tip", oracle.answer)) for _ in range(3)]
        await asyncio.sleep(0)
        oracle.may_answer.set()
        assert await first == 1
        assert await asyncio.gather(*later) == [2] * 3

    asyncio.run(scenario())


def test_who_asks_something_else_does_not_wait() -> None:
    """A slow answer holds up only those who want it."""

    async def scenario() -> None:
        joined, slow, quick = Joined(), Oracle(), Oracle()
        quick.may_answer.set()
        waiting = asyncio.create_task(joined.ask("slow", slow.answer))
        await asyncio.wait_for(slow.begun.wait(), 30)
        assert await joined.ask("quick", quick.answer) == 1
        assert not waiting.done()
        slow.may_answer.set()
        assert await waiting == 1

    asyncio.run(scenario())


def test_who_gives_up_disturbs_nobody() -> None:
    """The others get their answer, also when it was the first of them who gave up."""

    async def scenario() -> None:
        joined, oracle = Joined(), Oracle()
        impatient = asyncio.create_task(joined.ask("tip", oracle.answer))
        patient = asyncio.create_task(joined.ask("tip", oracle.answer))
        await asyncio.wait_for(oracle.begun.wait(), 30)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        oracle.may_answer.set()
        assert await patient == 1

    asyncio.run(scenario())


def test_an_error_is_told_to_all_who_waited_and_to_nobody_else() -> None:
    """Whoever asks next has it looked for anew."""

    async def fail() -> int:
        raise Unavailable("The disk is busy.")

    async def scenario() -> None:
        joined, oracle = Joined(), Oracle()
        oracle.may_answer.set()
        found = await asyncio.gather(*(joined.ask("tip", fail) for _ in range(3)), return_exceptions=True)
        assert [str(one) for one in found] == ["The disk is busy."] * 3
        assert await joined.ask("tip", oracle.answer) == 1

    asyncio.run(scenario())


def test_what_was_broken_off_is_asked_anew_in_the_next_loop() -> None:
    """A daemon's repository outlives no loop, but whoever uses one in several is not led to a dead answer."""
    joined = Joined()

    async def break_off() -> None:
        oracle = Oracle()
        for _ in range(2):
            asked = asyncio.create_task(joined.ask("tip", oracle.answer))
            await asyncio.wait_for(oracle.begun.wait(), 30)
        asked.cancel()

    async def go_on() -> None:
        oracle = Oracle()
        oracle.may_answer.set()
        async with asyncio.timeout(30):
            assert await joined.ask("tip", oracle.answer) == 1

    asyncio.run(break_off())
    asyncio.run(go_on())
