"""The HTTP API of the real daemon, spoken to as `curl` would: orders, the stream, and what it costs nobody else."""

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from bandstand.domain.errors import Unavailable
from bandstand.faces.stream import Api, Said
from tests.e2e.stage import HELLO, HOLD, Json, Stage

HELD = HELLO.replace("steps:\n", f"steps:\n      - {HOLD}\n")
HEAVY = {"starlette", "uvicorn", "h11", "anyio", "http.client"}


def api(stage: Stage) -> Api:
    """The API at its Unix socket."""
    return Api(stage.state / "run" / "api.sock")


def until(events: Iterator[Said], wanted: str) -> list[Json]:
    """The facts up to the first one of a type."""
    found = []
    for said in events:
        if said.kind == "fact":
            found.append(said.data)
            if said.data["type"] == wanted:
                return found
    pytest.fail(f"There was no {wanted}.")


def test_a_task_goes_through_the_api_from_its_submission_to_its_landing(stage: Stage) -> None:
    """Over a daemon that is killed in the middle: the order is taken once, and no fact is missed or told twice."""
    repository = stage.repository()
    stage.band("ps")
    here = api(stage)
    at = f"/repositories/{here.ask('POST', '/repositories', {'path': str(repository.path)})['id']}"
    score = {"name": "score.yaml", "text": HELD}
    work = {"goal": "say hello", "agent": "rehearsal", "score": score, "variables": stage.environment}
    plan = here.ask("POST", f"{at}/plans", work)
    order = {**work, "digest": plan["digest"]}
    receipt = send(stage, f"{at}/tasks", order, key="hello-1")
    assert receipt["tasks"] == ["say-hello"]
    stage.begun("say-hello")
    first = until(here.events({}, after=0), "TurnStarted")

    old = stage.daemon()
    subprocess.run(["kill", f"-{signal.SIGKILL}", str(old)], check=True)
    stage.gone(old)
    with pytest.raises(Unavailable):
        here.ask("GET", "/health")
    stage.band("ps")
    assert send(stage, f"{at}/tasks", order, key="hello-1") == receipt
    stage.go_on("say-hello")
    rest = until(here.events({}, after=first[-1]["sequence"]), "WorkspaceRetired")
    sequences = [fact["sequence"] for fact in first + rest]
    assert sequences == list(range(1, len(sequences) + 1))
    assert here.ask("GET", f"{at}/tasks/say-hello")["row"]["mark"] == "landed"
    assert "+hello" in here.ask("GET", f"{at}/tasks/say-hello/diff")["patch"]
    assert stage.prompts("say-hello.1") == ["turn-1"]
    assert len(stage.band_json("ps")["tasks"]) == 1


def send(stage: Stage, path: str, body: Json, *, key: str) -> Json:
    """Give an order with a key."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(stage.state / "run" / "api.sock"))
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    assert response.status == 201, answer
    return answer


def test_over_tcp_there_is_a_door_only_when_it_is_asked_for(stage: Stage) -> None:
    """With a token that is printed once and kept for its owner."""
    up = stage.start("up", "--port", "0")
    lines = [up.stdout.readline() for _ in range(2)] if up.stdout is not None else []
    url, header = lines[0].split()[-1], lines[1].strip()
    host, prefix = url.removeprefix("http://").split("/", 1)
    for headers, status in (({}, 401), (dict([header.split(": ", 1)]), 200)):
        connection = http.client.HTTPConnection(host, timeout=20)
        connection.request("GET", f"/{prefix}/health", headers=headers)
        assert connection.getresponse().status == status
        connection.close()
    assert (stage.state / "api.token").stat().st_mode & 0o777 == 0o600
    stage.band("down")
    code, said = stage.ended(up)
    assert code == 0, said
    assert header.rpartition(" ")[2] not in said
    assert "from other machines" in stage.band("up", "--listen", "0.0.0.0:0", ends=2).err


def test_nobody_pays_for_the_api_who_does_not_use_it(stage: Stage) -> None:
    """Neither a quick command nor the daemon before the first connection loads what serves it."""
    stage.repository()
    stage.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    submitted = stage.play("say hello", HELLO, "--detach")
    looked = stage.band("ps")
    stage.until(lambda fleet: fleet["tasks"][0]["mark"] == "landed")
    said = stage.state / "daemon.start"
    assert "bandstand.bootstrap" in loaded(said.read_text())
    for imports in (submitted.err, looked.err, said.read_text()):
        assert [name for name in HEAVY if f"| {name}\n" in imports.replace("  ", "")] == []
    assert api(stage).ask("GET", "/health")["live"] == 0
    assert "uvicorn" in loaded(said.read_text())


def loaded(imports: str) -> set[str]:
    """The modules of which Python says that it imported them."""
    return {line.rpartition("|")[2].strip() for line in imports.splitlines()}


def test_a_slow_first_connection_is_answered(stage: Stage) -> None:
    """Whoever comes first waits until the libraries are there; whoever comes at the same time, too."""
    stage.repository()
    stage.band("ps")
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    try:
        for one in sockets:
            one.settimeout(20)
            one.connect(str(stage.state / "run" / "api.sock"))
            one.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for one in sockets:
            assert one.recv(64).startswith(b"HTTP/1.1 200")
    finally:
        for one in sockets:
            one.close()
