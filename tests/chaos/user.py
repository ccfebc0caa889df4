"""Who plays the main job's user: gives the orders, answers what is asked, and starts a daemon when there is none.

A user in chaos is nervous: every order is given twice under one key, and as often again as it takes. What the user sees
of the fleet is asked for as a command does it.
"""

import http.client
import json
import socket
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never

import yaml

from bandstand.domain.ask import ALLOW_FOR_TASK, APPROVE, CONFIRM, GO_ON, REQUEST_CHANGES, RETRY, AskKind
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
ANSWER_SECONDS = 30.0
GONE = frozenset({"landed", "stopped"})


@dataclass(kw_only=True)
class User:
    """A user of one repository.

    `plan` are orders for BAND_FAULT. Each daemon is given all of them that have not struck yet, and what `always` says
    too. If the user `waits`, holders are left to start another daemon as long as there are any.
    """

    stage: Stage
    repository: Folder
    plan: list[str] = field(default_factory=list)
    always: tuple[str, ...] = ()
    waits: bool = False
    score: str = field(default_factory=job.score)
    submitted: list[str] = field(default_factory=list)
    repeated: int = 0
    shown: list[str] = field(default_factory=list)
    born: list["subprocess.Popen[str]"] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)  # what went wrong, in the words of the API

    @classmethod
    def at(cls, stage: Stage, *plan: str, **more: Any) -> "User":
        """A user with the main job's repository."""
        return cls(stage=stage, repository=stage.repository(files=job.FILES, rules=job.RULES), plan=[*plan], **more)

    @property
    def record(self) -> Path:
        """Where daemons write what they pass."""
        return self.stage.root / "passed"

    def struck(self) -> list[str]:
        """The points where a fault struck, in order."""
        return [point for point, _, *actions in self.passed() if actions]

    def pending(self) -> list[str]:
        """The orders that have not struck yet."""
        left = [*self.plan]
        for point in self.struck():
            due = next((one for one in left if one.partition("=")[0].partition("@")[0] == point), None)
            if due is not None:
                left.remove(due)
        return left

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
        return self.play_on(deadline)

    def play_on(self, deadline: float) -> Json:
        """Bring the job to its end from where it is."""
        while True:
            self.in_time(deadline, "See `band ps`.")
            fleet = self.look(deadline)
            if not fleet["asks"] and all(row["mark"] in GONE and row["over"] for row in fleet["tasks"]):
                return fleet
            self.attend(fleet, deadline)
            time.sleep(ASK_AGAIN_SECONDS)

    def submit(self, deadline: float, tasks: str = job.TASKS) -> None:
        """Hand in the tasks."""
        asked = yaml.safe_load(tasks)["tasks"]
        self.submitted = [task["id"] for task in asked]
        work = {
            "tasks": asked,
            "agent": "rehearsal",
            "score": {"name": "score.yaml", "text": self.score},
            "variables": self.stage.environment,
        }
        digest = self.ask("/plans", work, deadline)["digest"]
        self.order("/tasks", {**work, "digest": digest}, key="submit", deadline=deadline)

    def look(self, deadline: float) -> Json:
        """The fleet, whoever has to be started for that."""
        while True:
            if self.answering():
                with suppress(Unavailable):
                    return self.client().call("ps", path=str(self.repository.path), tasks=[])
            self.revive(deadline)

    def attend(self, fleet: Json, deadline: float) -> None:
        """Do what the fleet wants of its user now."""
        marks = {row["id"]: row["mark"] for row in fleet["tasks"]}
        if missing := [name for name in self.submitted if name not in marks]:
            self.stage.fail(f"{missing} were handed in and are not shown: {fleet}")
        begun = any(self.stage.state.glob("repositories/*/workspaces/four/tree/four.log"))
        if begun and marks["four"] not in GONE:
            self.order("/tasks/four/cancel", {"reason": "It was only a try."}, key="cancel", deadline=deadline)
        if not fleet["asks"]:
            return
        with suppress(BandstandError):  # there is none, or what it asked is over: we look again
            for ask in self.client().call("asks", path=str(self.repository.path)):
                self.answer(ask, deadline)

    def answer(self, ask: Json, deadline: float) -> None:
        """Give the answer that a sensible user gives; but what `two` first shows is sent back."""
        given = sensible(ask)
        sent_back = ask["kind"] == AskKind.REVIEW and ask["task"] == "two" and "sent back" not in self.shown
        if sent_back:
            given = {"choice": REQUEST_CHANGES.id, "text": job.COMMENT}
        self.order(f"/asks/{ask['id']}/answer", given, key=f"answer-{ask['id']}", deadline=deadline)
        if sent_back:
            self.shown.append("sent back")
        if ask["kind"] in (AskKind.BLOCKED, AskKind.LEFT_BEHIND):
            self.shown.append(f"{ask['kind']}: {ask['title']} {ask['detail']}")

    # --- orders and questions ----------------------------------------------------------------------------------------

    def order(self, path: str, body: Json, *, key: str, deadline: float) -> None:
        """Give an order, and when it was taken give it once more: the receipt is the same."""
        first = self.ask(path, body, deadline, key=key)
        again = self.ask(path, body, deadline, key=key)
        assert again == first, f"The order {key!r} was carried out twice."
        self.repeated += 1

    def ask(self, path: str, body: Json, deadline: float, *, key: str = "") -> Json:
        """What the API says to a request about the repository, however many daemons that takes.

        Raises what the API refuses.
        """
        while True:
            try:
                status, said = self._exchange("/repositories", {"path": str(self.repository.path)}, "")
                if status == 200:
                    status, said = self._exchange(f"/repositories/{said['id']}{path}", body, key)
            except (OSError, http.client.HTTPException, ValueError):
                self.revive(deadline)
                continue
            if status < 300:
                return said
            words = said["error"]["message"]
            self.heard.add(f"{path}: {words}")
            if status < 500 and "no repository" not in words:  # the daemon that had opened it died just now
                raise_error(said["error"])
            self.in_time(deadline, f"{path} is answered with {status}: {said}")
            time.sleep(ASK_AGAIN_SECONDS)

    def _exchange(self, path: str, body: Json, key: str) -> tuple[int, Json]:
        connection = http.client.HTTPConnection("localhost")
        with closing(connection):
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(ANSWER_SECONDS)
            connection.sock.connect(str(self.stage.state / "run" / "api.sock"))
            headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
            connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def client(self) -> Client:
        """The wire to the daemon."""
        return Client(self.stage.state / "run" / "band.sock")

    # --- daemons -----------------------------------------------------------------------------------------------------

    def revive(self, deadline: float) -> None:
        """Have a daemon that answers: the one that there is, one that a holder starts, or another one of ours."""
        born = time.monotonic() + BORN_SECONDS
        while not self.answering():
            self.in_time(deadline, "No daemon answers.")
            if not self.daemons() and not (self.waits and self._may_be_woken(born)):
                self.start()
            time.sleep(LOOK_AGAIN_SECONDS)

    def start(self) -> None:
        """Start a daemon with the orders that are left. One that a holder has started meanwhile is killed for it."""
        orders = ",".join([f"record={self.record}", *self.always, *self.pending()])
        environment = {**self.stage.environment, VARIABLE: orders}
        while True:
            process = subprocess.Popen(
                self.stage.command("daemon"), env=environment, cwd="/", stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            self.born.append(process)
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
        """The daemon that takes commands, if there is one. One that stands still is killed, one that is dead buried."""
        for process in self.born:
            process.poll()
        end(pid for pid in self.daemons() if stands_still(pid))
        try:
            return int(self.client().call("hello")["pid"])
        except BandstandError:
            return 0

    def _may_be_woken(self, born: float) -> bool:
        """Whether there is a holder that will see to it that there is a daemon, in time."""
        holders = [command for command in self.stage.processes().values() if "hosts/holder" in command]
        return bool(holders) and time.monotonic() < born

    def in_time(self, deadline: float, words: str) -> None:
        """Fail the test if its time is over."""
        if time.monotonic() > deadline:
            self.stage.fail(f"The job did not come to its end. {words}")


def sensible(ask: Json) -> Json:  # noqa: PLR0911 - one match over a sum type
    """What somebody answers who wants the work to come to its end in order, whatever is asked."""
    match AskKind(ask["kind"]):
        case AskKind.PERMISSION:
            granting = [choice["id"] for choice in ask["choices"] if choice["grants"]]
            return {"choice": granting[0]}
        case AskKind.QUESTION:
            return {"choice": ask["choices"][0]["id"]} if ask["choices"] else {"text": "Do as you think best."}
        case AskKind.LIMIT:
            return {"choice": GO_ON}
        case AskKind.REVIEW:
            return {"choice": APPROVE.id}
        case AskKind.POLICY:
            return {"choice": CONFIRM.id}
        case AskKind.NETWORK:
            return {"choice": ALLOW_FOR_TASK.id}
        case AskKind.BLOCKED | AskKind.LEFT_BEHIND:
            return {"choice": RETRY.id}
        case kind:
            assert_never(kind)


def stands_still(pid: int) -> bool:
    """Whether a process was stopped."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "T"
    return False
