"""Any command that speaks the protocol is an agent; one that does not ends in a question with its own words."""

import json
import sys
from pathlib import Path

from tests.e2e.stage import RULES, Stage

CODER = Path(__file__).with_name("sdk_coder.py")

ERROR = '{"jsonrpc":"2.0","id":"init","error":{"code":1,"message":"No licence"}}'
TROUBLE = {
    "absent": (["no-such-agent-anywhere", "--acp"], "no-such-agent-anywhere"),
    "hasty": (["/bin/sh", "-c", "echo Please log in first: mine login >&2; exit 3"], "Please log in first"),
    "garbled": (["/bin/sh", "-c", "while read line; do echo Welcome to mine 1.0; done"], "Welcome to mine 1.0"),
    "silent": (["/bin/sh", "-c", "echo Waiting for the browser >&2; cat > /dev/null"], "Waiting for the browser"),
    "unwilling": (["/bin/sh", "-c", f"read line; echo '{ERROR}'; cat > /dev/null"], "No licence"),
}
"""Commands that are no agents, each with what it says."""


def agent(name: str, command: list[str], *more: str) -> str:
    """An agent in the rules of a repository."""
    return "\n".join([f"\n[agents.{name}]", f"command = {json.dumps(command)}", *more, ""])


def test_an_agent_written_with_the_protocols_own_sdk_lands_its_change(stage: Stage) -> None:
    """All that is said of it is its command; it is the only agent, so it needs no name either."""
    rules = RULES + agent("mine", [sys.executable, str(CODER)], f'reads = ["{CODER}"]')
    repository = stage.repository(rules=rules)
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


def test_a_command_that_is_no_agent_ends_in_an_ask_with_its_words(stage: Stage) -> None:
    """Nobody waits in silence: each ask names the agent and says what the command itself said."""
    agents = (agent(name, command, "start_seconds = 1") for name, (command, _) in TROUBLE.items())
    repository = stage.repository(rules=RULES + "".join(agents))
    before = repository.head()
    stage.settings("slots = 5\n")
    tasks = ["tasks:", *(f"  - {{id: {name}, goal: Write it down, agent: {name}}}" for name in TROUBLE)]
    stage.band("run", "-f", stage.file("tasks.yaml", "\n".join(tasks)), "--yes", "--detach")
    stage.until(lambda fleet: fleet["asks"] == len(TROUBLE))
    asks = {ask["task"]: ask for ask in stage.band_json("asks")}
    for name, (_, words) in TROUBLE.items():
        assert asks[name]["kind"] == "blocked"
        assert name in asks[name]["title"]
        assert words in asks[name]["title"] + asks[name]["detail"]
    assert repository.head() == before
