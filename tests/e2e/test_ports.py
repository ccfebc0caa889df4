"""What an agent serves: seen, and opened on the user's machine."""

import json
import signal
import urllib.request

from tests.e2e.stage import HOLD, Json, Stage, wait_for
from tests.e2e.test_json import fits

SERVING = f"""\
parts:
  - steps:
      - edit: {{path: index.html, content: "I am PLACE\\n"}}
      - run: echo $COMPOSE_PROJECT_NAME > name.html
      - run: python3 -m http.server PLACE --bind 127.0.0.1 >/dev/null 2>&1 &
      - {HOLD}
      - commit: A page
"""


def listening(stage: Stage, task: str) -> Json:
    """What `band ports` tells of a task as soon as it listens on anything."""
    return wait_for(lambda: (found := stage.band_json("ports", task))["ports"] and found)


def read(url: str) -> str:
    """What a page says."""
    with urllib.request.urlopen(url, timeout=10) as page:
        text: str = page.read().decode()
        return text


def test_a_port_of_an_agent_without_walls_is_the_machines(stage: Stage) -> None:
    """Its address is given, with a word on why nothing is forwarded; other tasks have none, and are told so."""
    stage.repository()
    score = SERVING.replace("PLACE", "0")
    stage.band("run", "serve", "--id", "docs", "--sandbox", "none", "--detach", *stage.rehearsing(score))
    stage.begun("docs")
    found = fits("Ports", listening(stage, "docs"))
    assert (found["run"], found["own"], found["process"]) == ("docs.1", False, 0)
    (port,) = {one["port"] for one in found["ports"]}
    shown = stage.band("ports", "docs").out
    assert "in this machine's own network" in shown
    assert f"band open docs --port {port}" in shown

    opened = stage.band("open", "docs", "--port", str(port), "--local-port", "1")
    assert opened.out == f"http://127.0.0.1:{port}/\n"
    assert "nothing is forwarded" in opened.err
    assert "--local-port 1 is not used" in opened.err
    told = fits("Opened", stage.band_json("open", "docs", "--port", str(port)))
    assert (told["network"], told["listens"]) == ("machine", True)
    assert read(f"{told['url']}name.html").startswith("band-docs-")
    assert "No process of docs listens on it now" in stage.band("open", "docs", "--port", "1").err

    stage.go_on("docs")
    stage.landed("docs")
    over = stage.band("open", "docs", "--port", str(port), ends=2)
    assert "docs has ended: nothing of it listens." in over.err
    assert "has ended" in stage.band("ports", "docs").out


def test_what_cannot_be_opened_is_refused_with_what_to_do(stage: Stage) -> None:
    """A task that waits, one that never was, and what is no port."""
    stage.repository()
    stage.submit(
        "tasks:\n  - {id: first, goal: wait}\n  - {id: second, goal: wait, depends_on: [first]}\n",
        f"parts:\n  - steps:\n      - {HOLD}\n",
    )
    stage.begun("first")
    waits = stage.band("open", "second", "--port", "3000", ends=3)
    assert "second has no agent at work" in waits.err
    assert "band show second" in waits.err
    assert "nothing listens" in stage.band("ports", "second").out
    assert "listens on no port" in stage.band("ports", "first").out
    assert "no task 'third'" in stage.band("open", "third", "--port", "3000", ends=2).err
    for words in (("--port", "0"), ("--port", "70000"), ("--port", "3000", "--local-port", "-1")):
        assert "is no port" in stage.band("open", "first", *words, ends=2).err


def test_each_workspace_has_ports_and_names_of_its_own(stage: Stage) -> None:
    """Its agent and its checks find them in their environment, no two that live have the same, and they stay."""
    stage.repository(rules='review = "none"\n\n[checks]\ncommands = ["printenv BAND_PORT_BASE BAND_DATABASE"]\n')
    writing = "run: printenv BAND_PORT_BASE BAND_PORT_COUNT COMPOSE_PROJECT_NAME BAND_DATABASE > $BAND_DATABASE.txt"
    score = f"parts:\n  - steps:\n      - {writing}\n      - {HOLD}\n      - commit: Names\n"
    stage.submit("tasks:\n  - {id: docs, goal: g}\n  - {id: api, goal: g}\n", score)
    stage.begun("docs", "api")
    told = {name: fits("Ports", stage.band_json("ports", name)) for name in ("docs", "api")}
    for name, found in told.items():
        written = (stage.workspace(name) / f"{found['database']}.txt").read_text().split()
        assert written == [str(found["base"]), str(found["count"]), found["project"], found["database"]]
        assert found["project"].startswith(f"band-{name}-")
    assert abs(told["docs"]["base"] - told["api"]["base"]) >= told["docs"]["count"]
    assert f"Its own: ports {told['docs']['base']} to" in stage.band("ports", "docs").out
    stage.band("down")
    assert stage.band_json("ports", "docs")["base"] == told["docs"]["base"]
    stage.go_on("docs", "api")
    for name in told:
        stage.landed(name)
        assert stage.band_json("ports", name)["base"] == 0


def test_agents_that_serve_the_same_port_are_opened_side_by_side(stage: Stage) -> None:
    """Each has a network of its own; a forward goes on without a daemon, and ends with its agent."""
    stage.repository()
    score = SERVING.replace("PLACE", "3000")
    stage.submit("tasks:\n  - {id: docs, goal: serve}\n  - {id: api, goal: serve}\n", score)
    stage.begun("docs", "api")
    forwards = {}
    for name in ("docs", "api"):
        found = fits("Ports", listening(stage, name))
        assert found["own"]
        assert [(one["port"], one["address"]) for one in found["ports"]] == [(3000, "127.0.0.1")]
        process = stage.start("open", name, "--port", "3000", "--local-port", "0", "--json")
        assert process.stdout is not None
        forwards[name] = process, fits("Opened", json.loads(process.stdout.readline()))
    stage.band("down")
    for name, (_, told) in forwards.items():
        assert (told["network"], told["port"]) == ("own", 3000)
        assert read(f"{told['url']}name.html").startswith(f"band-{name}-")
    stage.band("cancel", "docs")
    code, said = stage.ended(forwards["docs"][0])
    assert (code, "The agent of docs has ended" in said) == (0, True)
    assert read(f"{forwards['api'][1]['url']}name.html").startswith("band-api-")
    forwards["api"][0].send_signal(signal.SIGINT)
    assert stage.ended(forwards["api"][0])[0] == 130


def test_an_agent_may_begin_to_serve_later(stage: Stage) -> None:
    """The forward waits, says so, and what else listens."""
    stage.repository()
    stage.band("run", "serve", "--id", "docs", "--detach", *stage.rehearsing(SERVING.replace("PLACE", "3000")))
    stage.begun("docs")
    listening(stage, "docs")
    process = stage.start("open", "docs", "--port", "8080", "--local-port", "0", "--no-browser")
    assert process.stdout is not None
    said = process.stdout.readline() + process.stdout.readline()
    assert "is port 8080 of docs. Ctrl-C ends it." in said
    assert "Nothing listens on port 8080 of docs yet" in said
    assert "It listens on 3000." in said
    process.send_signal(signal.SIGINT)
    assert stage.ended(process)[0] == 130
    stage.go_on("docs")
    stage.landed("docs")
