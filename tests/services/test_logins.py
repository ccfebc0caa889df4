"""Agents that share a login: many at once, behind real walls, with refresh tokens that are spent by their use.

The agent is a vendor's CLI and its server in one. A token that the server knows is a file of that name, and renewing is
renaming it: whoever comes with one that is spent finds no file, and is logged out.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bandstand.adapters.credentials import LoginFolders
from bandstand.adapters.hosts.local import LocalHost
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.none import NoSandbox
from bandstand.domain.agent import AgentProfile
from bandstand.domain.credentials import CredentialKind, Credentials
from bandstand.domain.ids import AgentName, RunId
from bandstand.domain.limits import Limits
from bandstand.domain.network import NetworkPolicy, Reach
from bandstand.ports.git import Signature
from bandstand.ports.hosts import RecordKind, RunState, RunStatus
from bandstand.ports.sandbox import Sandbox
from bandstand.ports.workspaces import Workspace
from bandstand.services.launching import Launching, People
from bandstand.testing.environment import MemoryEnvironment
from bandstand.testing.git import MemoryRepository
from bandstand.testing.leases import MemoryLeases
from tests.adapters.holder_ground import eventually
from tests.contracts.host_stage import clear

AGENTS, ROUNDS = 20, 3
HOUSE, OTHER = AgentName("house"), AgentName("other")
NOTHING = Reach(policy=NetworkPolicy.OFF)
ADA = Signature(name="Ada", email="ada@example.org")
FIRST = "first-" + "aB3_" * 8

CLI = """
import fcntl, json, os, secrets, shutil, sys
way, rounds = sys.argv[1], int(sys.argv[2])
folder = os.environ.get("HOUSE_HOME") or os.path.expanduser("~/.house")
login = os.path.join(folder, "auth.json")
if way == "copies":
    own = os.path.expanduser("~/copied.json")
    shutil.copy(login, own)
    login = own
server = os.path.join(os.path.dirname(os.path.realpath(os.path.join(folder, "auth.json"))), "server")
for _ in range(rounds):
    lock = open(login if way == "writes" else os.path.join(folder, "lock"), "a")
    if way != "copies":
        fcntl.flock(lock, fcntl.LOCK_EX)
    with open(login) as file:
        token = json.load(file)["refresh_token"]
    new = secrets.token_urlsafe(24)
    try:
        os.rename(os.path.join(server, token), os.path.join(server, new))
    except FileNotFoundError:
        sys.exit("invalid_grant: log in again")
    if way == "writes":
        with open(login, "r+") as file:
            json.dump({"refresh_token": new}, file)
            file.truncate()
    else:
        with open(login + new, "w") as file:
            json.dump({"refresh_token": new}, file)
        os.replace(login + new, login)
    print("used", token, flush=True)
    lock.close()
"""
BY_VARIABLE = Credentials(kind=CredentialKind.SHARED, environment=(("HOUSE_HOME", "{folder}/.house"),))
BY_FOLDER = Credentials(kind=CredentialKind.SHARED, links=(".house",))
BY_FILE = Credentials(kind=CredentialKind.SHARED, links=(".house/auth.json",))


@dataclass(kw_only=True)
class Machine:
    """A user with a state, in which an agent is logged in."""

    root: Path

    def __post_init__(self) -> None:
        self.home = self.root / "home"
        self.state = self.root / "state"
        self.home.mkdir()
        self.logins = LoginFolders(self.state / "logins")
        self.environment = MemoryEnvironment()
        self.environment.kept["PATH"] = "/usr/local/bin:/usr/bin:/bin"
        self.host = LocalHost(self.state / "runs", shutil.which("python3") or "")

    def sandbox(self) -> BubblewrapSandbox:
        """Real walls, around all that is Bandstand's."""
        assert shutil.which("bwrap"), "bubblewrap is missing: sudo apt-get install bubblewrap"
        return BubblewrapSandbox("bwrap", self.home, (self.state,))

    async def log_in(self, agent: AgentName, credentials: Credentials) -> Path:
        """What the vendor's own command would leave; the place of it."""
        folder = await self.logins.open(agent, credentials) / ".house"
        (folder / "server").mkdir(parents=True, exist_ok=True)
        (folder / "server" / FIRST).touch()
        (folder / "auth.json").write_text(json.dumps({"refresh_token": FIRST}))
        return folder

    async def run(self, name: str, profile: AgentProfile, sandbox: Sandbox) -> None:
        """Start an agent in a workspace of its own, as every run is started."""
        folder = self.state / "workspaces" / name
        for below in ("tree", "home"):
            (folder / below).mkdir(parents=True, mode=0o700)
        workspace = Workspace(name=name, folder=folder / "tree", home=folder / "home", objects=())
        launching = Launching(
            sandbox=sandbox,
            environment=self.environment,
            repository=MemoryRepository({"a": b""}),
            logins=self.logins,
            home=self.home,
            leases=MemoryLeases(),
        )
        launch = await launching.launch(profile, workspace, People(author=ADA, committer=ADA), NOTHING, limits=Limits())
        await self.host.start(RunId(name), launch)

    async def ended(self, name: str) -> RunStatus:
        """How it ended."""
        await eventually(lambda: (self.state / "runs" / name / "exit").exists(), f"{name} ends")
        await self.host.stop(RunId(name))
        return await self.host.status(RunId(name))

    async def said(self, name: str) -> list[str]:
        """Every line that it said."""
        records = [record async for record in self.host.journal(RunId(name))]
        return [record.payload.decode() for record in records if record.kind is RecordKind.FROM_AGENT]

    async def at_once(self, way: str, credentials: Credentials, *, agents: int) -> tuple[list[RunStatus], list[str]]:
        """Many runs of one agent at the same time: how they ended, and every token that was taken."""
        names = [f"task-{number}.1" for number in range(agents)]
        profile = house(credentials, CLI, way, str(ROUNDS))
        sandbox = self.sandbox()
        await asyncio.gather(*(self.run(name, profile, sandbox) for name in names))
        ends = [await self.ended(name) for name in names]
        return ends, [line.split()[1] for name in names for line in await self.said(name)]


def house(credentials: Credentials, script: str, *words: str, name: AgentName = HOUSE) -> AgentProfile:
    """An agent that is a script."""
    command = ("python3", "-I", "-S", "-c", script, *words)
    return AgentProfile(name=name, command=command, credentials=credentials, passes=("HOUSE_KEY",))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a user; whatever runs there afterwards is ended."""
    made = Machine(root=tmp_path)
    try:
        yield made
    finally:
        asyncio.run(clear(made.host))


@pytest.mark.parametrize(
    ("way", "credentials"),
    [("replaces", BY_VARIABLE), ("replaces", BY_FOLDER), ("writes", BY_FILE)],
    ids=["a variable names the folder", "a link to the folder", "a link to the file"],
)
def test_no_token_is_used_twice_and_nobody_is_logged_out(machine: Machine, way: str, credentials: Credentials) -> None:
    """Twenty runs that renew again and again; what stands there in the end is what the server knows."""

    async def story() -> None:
        folder = await machine.log_in(HOUSE, credentials)
        ends, used = await machine.at_once(way, credentials, agents=AGENTS)
        assert {(end.state, end.code) for end in ends} == {(RunState.EXITED, 0)}
        assert len(used) == len(set(used)) == AGENTS * ROUNDS
        (known,) = (path.name for path in (folder / "server").iterdir())
        assert json.loads((folder / "auth.json").read_text()) == {"refresh_token": known}

    asyncio.run(story())


def test_with_a_copy_for_each_run_they_log_one_another_out(machine: Machine) -> None:
    """The control: what nobody must do is noticed by this server."""

    async def story() -> None:
        await machine.log_in(HOUSE, BY_VARIABLE)
        ends, _ = await machine.at_once("copies", BY_VARIABLE, agents=3)
        assert sorted(str(end.code) for end in ends) == ["0", "1", "1"]

    asyncio.run(story())


LOOK = """
import os, sys
print("run", sorted(os.listdir("/run")))
for path in sys.argv[1:]:
    try:
        print(path, sorted(os.listdir(path)))
    except OSError as error:
        print(path, "blocked")
print("env", sorted(name for name in os.environ if "HOUSE" in name))
print("links", os.path.islink(os.path.expanduser("~/.house")))
"""


async def seen(machine: Machine, profile: AgentProfile, sandbox: Sandbox, places: Sequence[Path]) -> list[str]:
    """What an agent sees that looks for logins."""
    profile = replace(profile, command=("python3", "-I", "-S", "-c", LOOK, *map(str, places)))
    await machine.run("look.1", profile, sandbox)
    await machine.ended("look.1")
    return await machine.said("look.1")


def test_an_agent_sees_no_other_agents_login(machine: Machine) -> None:
    """Not its folder, at no place; without walls the same look finds it."""

    async def story(sandbox: Sandbox, name: AgentName, credentials: Credentials) -> list[str]:
        folder = await machine.log_in(HOUSE, BY_FOLDER)
        places = [Path("/run/logins/house"), folder, machine.state]
        return await seen(machine, house(credentials, "", name=name), sandbox, places)

    found = asyncio.run(story(machine.sandbox(), OTHER, BY_FOLDER))
    assert found[0] == "run ['logins']"
    assert [line.rsplit(" ", 1)[1] for line in found[1:4]] == ["blocked"] * 3
    shutil.rmtree(machine.state)
    open_to_all = asyncio.run(story(NoSandbox(), OTHER, BY_FOLDER))
    assert "auth.json" in open_to_all[2] and "logins" in open_to_all[3]


def test_where_a_variable_is_the_login_the_folder_stays_away(machine: Machine) -> None:
    """It is not there, nor does anything lead to it; an empty variable is none."""

    async def story(value: str) -> list[str]:
        folder = await machine.log_in(HOUSE, BY_FOLDER)
        machine.environment.kept |= {"HOUSE_KEY": value, "HOUSE_OTHER": "not passed"}
        credentials = replace(BY_FOLDER, variables=("HOUSE_KEY",), environment=(("HOUSE_AT", "{folder}"),))
        return await seen(machine, house(credentials, ""), machine.sandbox(), [Path("/run/logins/house"), folder])

    by_key = asyncio.run(story("a key"))
    assert by_key[0] == "run []" and by_key[1].endswith("blocked")
    assert by_key[3:] == ["env ['HOUSE_KEY']", "links False"]
    shutil.rmtree(machine.state)
    by_folder = asyncio.run(story(""))
    assert by_folder[0] == "run ['logins']" and ".house" in by_folder[1]
    assert by_folder[2].endswith("blocked"), "only at one place"
    assert by_folder[3:] == ["env ['HOUSE_AT', 'HOUSE_KEY']", "links True"]


def test_who_is_shown_a_login_to_read_has_no_link_in_its_place(machine: Machine) -> None:
    """The user said so in the settings; the folder stays away, and nothing is mounted over it."""

    async def story() -> list[str]:
        await machine.log_in(HOUSE, BY_FILE)
        (machine.home / ".house").mkdir()
        (machine.home / ".house" / "auth.json").write_text("the user's own\n")
        profile = replace(house(BY_FILE, ""), reads=("~/.house",))
        return await seen(machine, profile, machine.sandbox(), [Path("/run/logins"), Path("/home/agent/.house")])

    found = asyncio.run(story())
    assert found[0] == "run []"
    assert found[2] == "/home/agent/.house ['auth.json']"
    assert not os.path.lexists(machine.state / "workspaces" / "look.1" / "home" / ".house" / "auth.json")
