"""Opening sessions with agents that differ."""

from dataclasses import replace
from typing import Any

import pytest

from bandstand import __version__
from bandstand.adapters.agents.acp import AcpProtocol
from bandstand.domain.agent import AgentProfile, Said
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import SessionId
from tests.adapters.acp_world import PROFILE, World, in_world
from tests.adapters.memory_run import AgentEnd, MemoryChannel, transcript
from tests.adapters.scripted_acp import ScriptedAcp

MODES = {
    "modes": {
        "currentModeId": "auto",
        "availableModes": [{"id": "auto", "name": "Auto"}, {"id": "https://modes.example/all#ask", "name": "Ask me"}],
    }
}
GROUPED = [{"group": "g", "name": "G", "options": [{"value": "m1", "name": "One"}]}, {"value": "m2", "name": "Two"}]
OPTIONED = {
    "configOptions": [
        {"id": "mode", "type": "select", "currentValue": "a", "options": [{"value": "a"}, {"value": "plan"}]},
        {"id": "llm", "category": "model", "type": "select", "currentValue": "m1", "options": GROUPED},
    ]
}


def calls(agent: ScriptedAcp) -> list[tuple[str, Any]]:
    """The calls that opened the session."""
    return [(each["method"], each["params"]) for each in agent.received if "method" in each]


def test_the_greeting_offers_no_files_no_terminals_and_forms() -> None:
    """The agent learns who we are and that we answer forms; it gets its folder and no servers."""
    agent = ScriptedAcp()

    async def test(world: World) -> None:
        session = await world.open()
        assert (session.id, session.resumed) == ("s1", False)
        capabilities = {
            "fs": {"readTextFile": False, "writeTextFile": False},
            "terminal": False,
            "elicitation": {"form": {}},
        }
        info = {"name": "bandstand", "title": "Bandstand", "version": __version__}
        assert calls(agent) == [
            ("initialize", {"protocolVersion": 1, "clientCapabilities": capabilities, "clientInfo": info}),
            ("session/new", {"cwd": "/w", "mcpServers": []}),
        ]
        assert world.run.keys() == ["init", "new"]

    in_world(agent, test)


@pytest.mark.parametrize("wanted", ["https://modes.example/all#ask", "Ask me", "ask"])
def test_a_mode_is_set_by_its_id_its_name_or_the_end_of_its_url(wanted: str) -> None:
    """Agents name their modes as they like; a profile may use the short name."""
    agent = ScriptedAcp(new=MODES)

    async def test(world: World) -> None:
        await world.open(replace(PROFILE, mode=wanted))
        assert calls(agent)[2:] == [
            ("session/set_mode", {"sessionId": "s1", "modeId": "https://modes.example/all#ask"})
        ]

    in_world(agent, test)


def test_a_mode_and_a_model_may_be_options() -> None:
    """Agents without modes have an option for it; models are found by category and out of groups. The mode is last."""
    agent = ScriptedAcp(new=OPTIONED)

    async def test(world: World) -> None:
        await world.open(replace(PROFILE, mode="plan", model="one"))
        assert calls(agent)[2:] == [
            ("session/set_config_option", {"sessionId": "s1", "configId": "llm", "value": "m1"}),
            ("session/set_config_option", {"sessionId": "s1", "configId": "mode", "value": "plan"}),
        ]

    in_world(agent, test)


@pytest.mark.parametrize(
    ("new", "profile", "hint"),
    [
        (MODES, replace(PROFILE, mode="yolo"), "auto, https://modes.example/all#ask"),
        ({}, replace(PROFILE, mode="yolo"), "its own settings"),
        (OPTIONED, replace(PROFILE, model="m9"), "m1, m2"),
        (MODES, replace(PROFILE, model="m9"), "its own settings"),
    ],
)
def test_what_the_agent_does_not_offer_is_refused(new: dict[str, Any], profile: AgentProfile, hint: str) -> None:
    """A mode decides what an agent asks before it acts, so it is never left out in silence."""

    async def test(world: World) -> None:
        with pytest.raises(Refused, match="does not offer") as refused:
            await world.open(profile)
        assert hint in refused.value.hint

    in_world(ScriptedAcp(new=new), test)


def test_an_agent_that_is_not_logged_in_is_refused_with_its_words() -> None:
    """The hint tells to log in, and how the agent says that this is done."""
    agent = ScriptedAcp()
    agent.initialized["authMethods"] = [{"id": "x", "name": "Log in with Example"}, 7]
    agent.refuse["session/new"] = {
        "code": -32000,
        "message": "Authentication required",
        "data": {"details": "No account."},
    }

    async def test(world: World) -> None:
        with pytest.raises(Refused, match=r"little.*Authentication required \(No account.\)") as refused:
            await world.open()
        assert "Log in with the agent's own program" in refused.value.hint
        assert "Log in with Example" in refused.value.hint

    in_world(agent, test)


def test_an_agent_of_another_version_is_refused() -> None:
    """Version 2 has other turns; guessing would lose work."""
    agent = ScriptedAcp()
    agent.initialized["protocolVersion"] = 2

    async def test(world: World) -> None:
        with pytest.raises(Refused, match="version 2"):
            await world.open()

    in_world(agent, test)


def test_a_session_without_a_name_is_refused() -> None:
    """Nothing can be said to it."""

    async def test(world: World) -> None:
        with pytest.raises(Refused, match="did not name it"):
            await world.open()

    in_world(ScriptedAcp(new={"sessionId": None}), test)


def test_a_loaded_session_does_not_tell_its_history_as_new() -> None:
    """What an agent replays while it loads is neither an update nor part of a message nor in the transcript."""
    agent = ScriptedAcp()
    agent.replay = [{"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "long ago"}}]

    async def test(world: World) -> None:
        session = await world.open(resume=SessionId("s1"))
        assert calls(agent)[1:] == [("session/load", {"sessionId": "s1", "cwd": "/w", "mcpServers": []})]
        assert session.resumed
        assert (await session.prompt(1, "say now")).message == "now"
        assert await anext(session.updates()) == Said(text="now")
        told = [entry.update for entry in transcript(AcpProtocol(), world.run.records)]
        assert Said(text="long ago") not in told

    in_world(agent, test)


def test_an_agent_that_tells_nothing_of_a_loaded_session_is_set_all_the_same() -> None:
    """Some do not repeat their modes when they load: the mode is sent, and the agent may still say no."""
    agent = ScriptedAcp()

    async def test(world: World) -> None:
        await world.open(replace(PROFILE, mode="ask", model="m1"), resume=SessionId("s1"))
        assert [method for method, _ in calls(agent)][2:] == ["session/set_config_option", "session/set_mode"]

    in_world(agent, test)


@pytest.mark.parametrize("loads", [True, False])
def test_a_session_that_cannot_be_loaded_is_replaced(loads: bool) -> None:
    """The work goes on in a new session, which says that it remembers nothing; also when it is opened once more."""
    agent = ScriptedAcp(loads=loads)
    agent.refuse["session/load"] = {"code": -32002, "message": "No such session"}

    async def test(world: World) -> None:
        for _ in range(2):
            session = await world.open(resume=SessionId("gone"))
            assert (session.id, session.resumed) == ("s1", False)
        assert world.run.keys() == ["init", *(["load"] if loads else []), "new"]

    in_world(agent, test)


def test_an_agent_that_does_not_answer_in_time_is_unavailable_with_its_last_words() -> None:
    """A program that is no ACP agent often says why; the channel stays open for the caller."""

    async def mute(end: AgentEnd) -> None:
        end.write(b"Usage: little [OPTIONS]")
        while await end.read() is not None:
            pass

    async def test(world: World) -> None:
        channel = world.run.attach()
        with pytest.raises(Unavailable, match=r"initialize within 0\.05 seconds") as unavailable:
            await world.open(deadline=0.05, channel=channel)
        assert "Usage: little" in unavailable.value.hint
        await channel.write("still", b"open")

    in_world(mute, test)


def test_a_run_that_ends_while_it_is_greeted_is_unavailable() -> None:
    """Nobody waits for the deadline then."""

    async def brief(end: AgentEnd) -> None:
        await end.read()
        end.write(b"Error: no such module")

    async def test(world: World) -> None:
        with pytest.raises(Unavailable, match="The run has ended") as unavailable:
            await world.open(deadline=600)
        assert "no such module" in unavailable.value.hint

    in_world(brief, test)


def test_a_journal_that_cannot_be_read_is_broken_for_everybody() -> None:
    """Trouble of our own is told to whoever waits, never waited out in silence."""

    class Torn(MemoryChannel):
        async def caught_up(self) -> int:
            raise OSError("torn")

    async def test(world: World) -> None:
        with pytest.raises(Broken, match="torn"):
            await world.open(channel=Torn(world.run))

    in_world(ScriptedAcp(), test)
