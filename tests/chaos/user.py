"""Who plays the main job's user: gives the orders, answers what is asked, and starts a daemon when there is none.

A user in chaos is nervous: every order is given twice under one key, and as often again as it takes. What the user sees
of the fleet is asked for as a command does it.
"""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bandstand.domain.errors import BandstandError, Unavailable
from bandstand.faces.wire import Client, Json, raise_error
from bandstand.faults import VARIABLE
from tests.chaos import job
from tests.chaos.auditor import Evidence
from tests.e2e.processes import end
from tests.e2e.stage import ASK_AGAIN_SECONDS, LOOK_AGAIN_SECONDS, TESTS, Stage
from tests.real_git import Folder

JOB_SECONDS = 120.0
BORN_SECONDS = 20.0
GONE = frozenset({"landed", "stopped"})


@dataclass(kw_only=True)
class User:
    """A user of one repository. `plan` is what BAND_FAULT says to one daemon after another, as they die."""

    stage: Stage
    repository: Folder
    plan: list[str] = field(default_factory=list)
    wakes: bool = False  # whether holders are left to start another daemon, where there are any
    hold: str = "say: Now I write."
    repeated: int = 0
    shown: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, stage: Stage, *plan: str, wakes: bool = False) -> "User":
        """A user with the main job's repository."""
        return cls(
            stage=stage, repository=stage.repository(files=job.FILES, rules=job.RULES), plan=[*plan], wakes=wakes
        )

    @property
    def record(self) -> Path:
        """Where daemons write what they pass."""
        return self.stage.root / "passed"

    def passed(self) -> list[list[str]]:
        """The words of every passing: point, number, and what was done there."""
        return [line.split() for line in self.record.read_text().splitlines()] if self.record.exists() else []

    def evidence(self, shown: Json) -> Evidence:
        """What the auditor looks at."""
        return Evidence(self.stage.state, self.repository.path, submitted=job.NAMES, checks=(TESTS,), shown=shown)

    # --- the whole job -----------------------------------------------------------------------------------------------

    def play(self, *, seconds: float = JOB_SECONDS) -> Json:
        """Bring the main job to its end; the fleet as it is shown then. Fails the test when that takes too long."""
        deadline = time.monotonic() + seconds
        self.submit(deadline)
        while True:
            fleet = self.look(deadline)
            if all(row["mark"] in GONE and row["over"] for row in fleet["tasks"]):
                return fleet
            self.attend(fleet, deadline)
            time.sleep(ASK_AGAIN_SECONDS)

    def submit(self, deadline: float) -> None:
        """Hand in the tasks."""
        work = {
            "tasks": _tasks(),
            "agent": "rehearsal",
            "score": {"name": "score.yaml", "text": job.score(hold=self.hold)},
            "variables": self.stage.environment,
        }
        digest = self.ask("POST", f"{self.at_repository(deadline)}/plans", work, deadline)["digest"]
        self.order("/tasks", {**work, "digest": digest}, key="submit", deadline=deadline)

    def look(self, deadline: float) -> Json:
        """The fleet, whoever has to be started for that."""
        while True:
            try:
                return self.client().call("ps", path=str(self.repository.path), tasks=[])
            except Unavailable:
                self.revive(deadline)

    def attend(self, fleet: Json, deadline: float) -> None:
        """Do what the fleet wants of its user now."""
        (mark,) = (row["mark"] for row in fleet["tasks"] if row["id"] == "four")
        begun = any(self.stage.state.glob("repositories/*/workspaces/four/tree/four.log"))
        if mark not in GONE and begun:
            self.order("/tasks/four/cancel", {"reason": "It was only a try."}, key="cancel", deadline=deadline)
        if not fleet["asks"]:
            return
        with suppress(BandstandError):  # there is none, or what it asked is over: we look again
            for ask in self.client().call("asks", path=str(self.repository.path)):
                self.answer(ask, deadline)

    def answer(self, ask: Json, deadline: float) -> None:
        """Allow it, approve it, try it again: the first choice; but what `two` first shows is sent back."""
        given: Json = {"choice": "1"}
        if ask["kind"] == "review" and ask["task"] == "two" and "sent back" not in self.shown:
            given = {"choice": "request-changes", "text": job.COMMENT}
        self.order(f"/asks/{ask['id']}/answer", given, key=f"answer-{ask['id']}", deadline=deadline)
        if given["choice"] != "1":
            self.shown.append("sent back")
        if ask["kind"] == "blocked":
            self.shown.append(f"blocked: {ask['title']} {ask['detail']}")

    # --- orders and questions ----------------------------------------------------------------------------------------

    def order(self, path: str, body: Json, *, key: str, deadline: float) -> None:
        """Give an order, and when it was taken give it once more: the receipt is the same."""
        first = self.ask("POST", f"{self.at_repository(deadline)}{path}", body, deadline, key=key)
        again = self.ask("POST", f"{self.at_repository(deadline)}{path}", body, deadline, key=key)
        assert again == first, f"The order {key!r} was carried out twice."
        self.repeated += 1

    def at_repository(self, deadline: float) -> str:
        """Where the repository is in the API."""
        found = self.ask("POST", "/repositories", {"path": str(self.repository.path)}, deadline)
        return f"/repositories/{found['id']}"

    def ask(self, method: str, path: str, body: Json, deadline: float, *, key: str = "") -> Json:
        """What the API says, however many daemons that takes."""
        while True:
            try:
                status, said = _exchange(self.stage.state / "run" / "api.sock", method, path, body, key)
            except (OSError, http.client.HTTPException, ValueError):
                self.revive(deadline)
                continue
            if status < 300:
                return said
            if status not in (500, 503):
                raise_error(said["error"])
            self._in_time(deadline, f"{method} {path} is answered with {status}: {said}")
            time.sleep(LOOK_AGAIN_SECONDS)

    def client(self) -> Client:
        """The wire to the daemon."""
        return Client(self.stage.state / "run" / "band.sock")

    # --- daemons -----------------------------------------------------------------------------------------------------

    def revive(self, deadline: float) -> None:
        """Have a daemon that answers: the one that there is, one that a holder starts, or another one of ours."""
        born = time.monotonic() + BORN_SECONDS
        while not self.answering():
            self._in_time(deadline, "No daemon answers.")
            if not self.daemons() and not (self.wakes and self._may_be_woken(born)):
                self.start()
            time.sleep(LOOK_AGAIN_SECONDS)

    def start(self) -> None:
        """Start a daemon with the next orders of the plan. One that a holder has started meanwhile is killed for it."""
        orders = self.plan.pop(0) if self.plan else ""
        environment = {**self.stage.environment, VARIABLE: f"record={self.record},{orders}"}
        while True:
            process = subprocess.Popen(
                self.stage.command("daemon"), env=environment, cwd="/", stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            self.stage.take(process)
            while process.poll() is None and self.answering() != process.pid:
                time.sleep(LOOK_AGAIN_SECONDS)
            if process.returncode is None or process.returncode < 0:
                return  # it is up, or it died at a point before it was
            self.kill()

    def kill(self) -> None:
        """End the daemon at once, if there is one."""
        found = self.daemons()
        end(found)
        for pid in found:
            self.stage.gone(pid)

    def daemons(self) -> list[int]:
        """The daemons that there are, or are about to be."""
        return [pid for pid, command in self.stage.processes().items() if "bandstand daemon" in command]

    def answering(self) -> int:
        """The daemon that takes commands, if there is one."""
        try:
            return int(self.client().call("hello")["pid"])
        except BandstandError:
            return 0

    def _may_be_woken(self, born: float) -> bool:
        """Whether there is a holder that will see to it that there is a daemon, in time."""
        holders = [command for command in self.stage.processes().values() if "hosts/holder" in command]
        return bool(holders) and time.monotonic() < born

    def _in_time(self, deadline: float, words: str) -> None:
        if time.monotonic() > deadline:
            self.stage.fail(f"The job did not come to its end. {words}")


def _tasks() -> Iterable[Json]:
    import yaml

    tasks: list[Json] = yaml.safe_load(job.TASKS)["tasks"]
    return tasks


def _exchange(at: Path, method: str, path: str, body: Json, key: str) -> tuple[int, Json]:
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(30)
        connection.sock.connect(str(at))
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        connection.request(method, f"/api/v1{path}", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
