"""Any command that speaks the protocol is an agent; one that does not ends in a question with its own words."""

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.stage import RULES, Stage

CODER = Path(__file__).with_name("sdk_coder.py")


def agent(command: list[str], *more: str) -> str:
    """Rules with one agent, `mine`."""
    return "\n".join([RULES, "[agents.mine]", f"command = {json.dumps(command)}", *more, ""])


def test_an_agent_written_with_the_protocols_own_sdk_lands_its_change(stage: Stage) -> None:
    """All that is said of it is its command; it is the only agent, so it needs no name either."""
    repository = stage.repository(rules=agent([sys.executable, str(CODER)], f'reads = ["{CODER}"]'))
    said = stage.band("run", "write down what I say", "--id", "write", "--yes")
    assert "landed" in said.out
    assert "write down what I say" in repository.text("asked.md")
    assert repository.git("log", "--format=%an <%ae> %s", "--no-merges", "-1") == (
        "mine <mine@agents.bandstand.invalid> Write down what was asked"
    )
    lines = stage.band("log", "write", "--json").out.splitlines()
    transcript = [(one["kind"], one["text"]) for one in map(json.loads, lines)]
    assert ("agent", "It is written.") in transcript
    assert ("edit", "Write asked.md") in transcript
    assert stage.band_json("asks") == []


ERROR = '{"jsonrpc":"2.0","id":"init","error":{"code":1,"message":"No licence"}}'
TROUBLE = {
    "is not there": (["no-such-agent-anywhere", "--acp"], "no-such-agent-anywhere"),
    "exits at once": (["/bin/sh", "-c", "echo Please log in first: mine login >&2; exit 3"], "Please log in first"),
    "speaks garbage": (["/bin/sh", "-c", "while read line; do echo Welcome to mine 1.0; done"], "Welcome to mine 1.0"),
    "says nothing": (["/bin/sh", "-c", "echo Waiting for the browser >&2; cat > /dev/null"], "Waiting for the browser"),
    "answers with an error": (["/bin/sh", "-c", f"read line; echo '{ERROR}'; cat > /dev/null"], "No licence"),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_a_command_that_is_no_agent_ends_in_an_ask_with_its_words(stage: Stage, what: str) -> None:
    """Nobody waits in silence: the ask names the agent and says what the command itself said."""
    command, words = TROUBLE[what]
    repository = stage.repository(rules=agent(command, "start_seconds = 1"))
    before = repository.head()
    stage.band("run", "write it down", "--id", "write", "--yes", "--detach")
    ask = stage.ask()
    assert ask["kind"] == "blocked"
    assert "mine" in ask["title"]
    assert words in ask["title"] + ask["detail"]
    assert words in stage.band("asks").out
    assert repository.head() == before
    stage.band("answer", ask["id"], "cancel")
    stage.band("ps", "-f", "write", ends=1)
