"""What an agent serves: seen, and opened on the user's machine."""

import urllib.request

from tests.e2e.stage import HOLD, Json, Stage, wait_for
from tests.e2e.test_json import fits

SERVING = f"""\
parts:
  - steps:
      - edit: {{path: index.html, content: "I am PLACE\\n"}}
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
    assert read(told["url"]).startswith("<!DOCTYPE HTML>") or "I am" in read(told["url"])
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
