"""What an agent and its checks reach: what is allowed through the proxy, nothing else, and it needs no daemon."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stage import HOLD, Json, Stage, kill, wait_for
from tests.e2e.test_adoption import another, kill_the_daemon

LOOK = """\
import json, os, socket, sys, urllib.error, urllib.request


def fetched(url, proxied=True):
    handler = urllib.request.ProxyHandler() if proxied else urllib.request.ProxyHandler({})
    try:
        with urllib.request.build_opener(handler).open(url, timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"
    except OSError as error:
        return f"no: {error}"


def connected(address):
    try:
        socket.create_connection(address, timeout=5).close()
        return "yes"
    except OSError as error:
        return f"no: {error.strerror}"


allowed, other = json.load(open("ports.json"))
seen = {
    "allowed": fetched(f"http://localhost:{allowed}/"),
    "allowed, with no proxy": fetched(f"http://localhost:{allowed}/", proxied=False),
    "other": fetched(f"http://127.0.0.1:{other}/", proxied=False),
    "named": fetched("http://evil.example/"),
    "tunnel": fetched("https://evil.example/"),
    "direct": connected(("192.0.2.1", 80)),
    "the host's loopback": connected(("127.0.0.1", other)),
    "IPv6": connected(("2001:db8::1", 80)),
}
os.environ["no_proxy"] = os.environ["NO_PROXY"] = ""
seen["other, by the proxy"] = fetched(f"http://127.0.0.1:{other}/")
seen["metadata"] = fetched("http://169.254.169.254/latest/meta-data/")
json.dump(seen, open(sys.argv[1], "w"), indent=1)
"""
"""Tries everything, and writes what came of it."""

REFUSED = "is not on the list of what may be reached from here. The user is told, and may allow it.\n"
REASON = "Not allowed by the network policy of this run"
PRIVATE = "is in this machine's own network, which is not reached from here. The user is told.\n"


class Server:
    """A server of the host's on the loopback address, which counts who came."""

    def __init__(self) -> None:
        self.came = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.came += 1
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """One that is allowed, and one that is not."""
    both = Server(), Server()
    yield both
    for server in both:
        server.close()


def rules(server: Server, *more: str, checks: str = "true") -> str:
    """Rules that allow one server."""
    own = "\n".join(more)
    return (
        f'review = "none"\n\n[checks]\ncommands = ["{checks}"]\n\n'
        f'[network]\nallow = ["localhost:{server.port}"]\n{own}\n'
    )


def files(allowed: Server, other: Server) -> dict[str, str]:
    """A project that looks around."""
    return {"look.py": LOOK, "ports.json": json.dumps([allowed.port, other.port])}


def holds(seen: Json) -> None:
    """What is allowed was reached, and nothing else, each with its reason."""
    assert seen["allowed"] == seen["allowed, with no proxy"] == "hello"
    assert seen["other"].startswith("no: ")
    assert seen["named"] == f"403 evil.example:80 {REFUSED}"
    assert (
        seen["tunnel"]
        == "no: <urlopen error Tunnel connection failed: 403 Not allowed by the network policy of this run>"
    )
    assert seen["direct"] == seen["IPv6"] == "no: Network is unreachable"
    assert seen["the host's loopback"] == "no: Connection refused"
    assert seen["other, by the proxy"].endswith(PRIVATE)
    assert seen["metadata"] == f"403 169.254.169.254:80 {PRIVATE}"


SCORE = """\
parts:
  - steps:
      - run: python3 look.py seen.json
      - commit: What I reached
"""


def test_an_agent_reaches_what_is_allowed_and_nothing_else(stage: Stage, servers: tuple[Server, Server]) -> None:
    """By the proxy or straight; names, addresses, the metadata address, the host's own services."""
    allowed, other = servers
    project = stage.repository(files=files(*servers), rules=rules(allowed))
    stage.play("look around", SCORE)
    holds(json.loads(project.git("show", "main:seen.json")))
    assert allowed.came == 2
    assert other.came == 0
    (moved,) = stage.band_json("show", "look-around")["traffic"]
    assert (moved["host"], moved["connections"]) == ("localhost", 2)
    assert min(moved["up"], moved["down"]) > 0
    assert "localhost: 2 connections, " in stage.band("show", "look-around").out
    told = [line["text"] for line in stage_lines(stage, "look-around") if line["kind"] == "network"]
    assert "tried evil.example:80, and was refused: no rule names it" in told
    assert "tried 169.254.169.254:80, and was refused: it is in the network of this machine" in told


def stage_lines(stage: Stage, task: str) -> list[Json]:
    """The transcript of a task."""
    return [json.loads(line) for line in stage.band("log", task, "--json").out.splitlines()]


def test_its_checks_reach_what_is_allowed_and_nothing_else(stage: Stage, servers: tuple[Server, Server]) -> None:
    """They run what it wrote; what they tried is in their output, and somebody is asked about it."""
    allowed, other = servers
    check = "python3 look.py /tmp/seen.json && cat /tmp/seen.json && test ! -e new.txt"
    stage.repository(files=files(*servers), rules=rules(allowed, checks=check))
    stage.submit(
        "tasks:\n  - {id: one, goal: Do it}\n", "parts:\n  - steps:\n      - edit: {path: new.txt, content: x}\n"
    )
    stage.until(lambda fleet: any(row["mark"] == "needs-you" for row in fleet["tasks"]) or fleet["asks"] > 3)
    shown = stage.band_json("show", "one")
    output = shown["checks"][-1]["tail"]
    holds(json.loads(output[output.index("{") : output.rindex("}") + 1]))
    assert "[It tried evil.example:80, and was refused by its network policy.]" in output
    assert {"host": "evil.example", "port": 443, "why": "not-listed"} in shown["checks"][-1]["refused"]
    titles = [ask["title"] for ask in stage.band_json("asks") if ask["kind"] == "network"]
    assert "Its checks tried evil.example." in titles
    assert other.came == 0


@pytest.mark.parametrize(("policy", "reached"), [("off", ""), ("open", "hello")])
def test_off_is_nothing_and_open_is_all_that_the_host_reaches(
    stage: Stage, servers: tuple[Server, Server], policy: str, reached: str
) -> None:
    """As the order says."""
    allowed, other = servers
    project = stage.repository(files=files(*servers), rules=rules(allowed))
    stage.play("look around", SCORE, "--network", policy)
    seen = json.loads(project.git("show", "main:seen.json"))
    assert seen["other"].startswith(reached or "no: ")
    assert seen["allowed, with no proxy"].startswith(reached or "no: ")
    assert (allowed.came, other.came) == ((2, 2) if reached else (0, 0))


ASKING = f"""\
parts:
  - steps:
      - run: curl -sS --noproxy "" http://localhost:PORT/ > first.txt || true
      - {HOLD}
      - run: curl -sS --noproxy "" http://localhost:PORT/ > second.txt || true
      - commit: What I got
"""


def test_an_answer_is_taken_up_by_the_agent_that_runs(stage: Stage, servers: tuple[Server, Server]) -> None:
    """One key allows it, also with another daemon than the one that the agent was started by; and without any."""
    _, other = servers
    project = stage.repository(rules='review = "none"\n[checks]\ncommands = []\n')
    stage.submit("tasks:\n  - {id: one, goal: Fetch it}\n", ASKING.replace("PORT", str(other.port)))
    stage.begun("one")
    ask = stage.ask()
    assert (ask["kind"], ask["title"]) == ("network", f"The agent tried localhost:{other.port}.")
    assert [choice["id"] for choice in ask["choices"]] == ["allow", "always", "refuse"]
    (row,) = stage.band_json("ps")["tasks"]
    assert row["mark"] == "working"
    assert f"{ask['id']}: The agent tried localhost:{other.port}" in row["words"]
    another(stage, kill_the_daemon(stage))
    stage.band("answer", ask["id"], "1")
    reach = stage.run_folder("one.1") / "reach"
    wait_for(lambda: str(other.port) in reach.read_text())
    kill(stage.daemon())
    stage.go_on("one")
    stage.landed("one")
    assert project.git("show", "main:second.txt") == "hello"
    assert project.git("show", "main:first.txt").strip().endswith(PRIVATE.strip())
    assert stage.band_json("network")["allowed"] == []


def test_a_repository_remembers_what_was_always_allowed(stage: Stage, servers: tuple[Server, Server]) -> None:
    """For the next task, until it is revoked."""
    _, other = servers
    stage.repository(rules='review = "none"\n[checks]\ncommands = []\n')
    host = f"localhost:{other.port}"
    assert stage.band("network", "allow", host).out == f"All tasks of this repository may reach {host} now.\n"
    assert host in stage.band("network").out
    score = f"""\
parts:
  - steps:
      - run: curl -sSf http://{host}/ > got.txt || echo no > got.txt
      - commit: Got
"""
    stage.play("fetch it", score)
    assert other.came == 1
    assert stage.band("network", "revoke", host).out == f"{host} is allowed no more.\n"
    assert stage.band("network", "revoke", host, ends=2).err.startswith(f"band: {host} was not allowed")
    stage.play("fetch it again", score)
    assert other.came == 1


def test_a_policy_that_nothing_keeps_is_refused(stage: Stage) -> None:
    """Without walls it would only be words."""
    stage.repository()
    said = stage.play("x", SCORE, "--network", "off", "--sandbox", "none", ends=2)
    assert "Without a sandbox nothing keeps an agent to the network policy 'off'." in said.err


def test_the_proxy_comes_again_when_it_dies(stage: Stage, servers: tuple[Server, Server]) -> None:
    """The agent goes on, with a proxy that follows the same rules."""
    allowed, _ = servers
    stage.repository(rules=rules(allowed))
    score = f"""\
parts:
  - steps:
      - {HOLD}
      - run: curl -sS http://localhost:{allowed.port}/ > got.txt
      - commit: Got
"""
    stage.submit("tasks:\n  - {id: one, goal: Fetch it}\n", score)
    stage.begun("one")
    old = proxies(stage)
    assert len(old) == 1
    wait_for(lambda: kill_after_a_second(old[0]))
    wait_for(lambda: len(new := proxies(stage)) == 1 and new != old)
    stage.go_on("one")
    stage.landed("one")
    assert allowed.came == 1


def kill_after_a_second(pid: int) -> bool:
    """End a process once it is older than that."""
    booted = float(Path("/proc/uptime").read_text().split()[0])
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / 100
    if booted - started < 1.5:
        return False
    kill(pid)
    return True


def proxies(stage: Stage) -> list[int]:
    """The proxies that run: forks of holders, with a holder for a parent."""
    found = stage.processes().items()
    holders = [pid for pid, command in found if "/hosts/holder" in command and "unshare" not in command]
    return [pid for pid in holders if _parent(pid) in holders]


def _parent(pid: int) -> int:
    """The parent of a process; 0 of one that has gone since it was found."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
