"""The composition root: from places on this machine to services that run. The only importer of adapters."""

import asyncio
import contextlib
import os
import shutil
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from bandstand.adapters import remains
from bandstand.adapters.agents.acp import AcpProtocol
from bandstand.adapters.agents.gist import gist
from bandstand.adapters.checks import SandboxedChecks
from bandstand.adapters.clock import AwakeClock, Reading, this_boot
from bandstand.adapters.credentials import LoginFolders, LoginWatch
from bandstand.adapters.folders import DiskFolders
from bandstand.adapters.git.abandoned import StateFolders
from bandstand.adapters.git.checkpoints import GitCheckpoints
from bandstand.adapters.git.layout import ARCHIVE
from bandstand.adapters.git.remains import GitRemains
from bandstand.adapters.git.remote import GitRemote
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.rescues import GitRescues
from bandstand.adapters.git.retiring import destroy
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.adapters.hosts.grouping import over
from bandstand.adapters.hosts.local import LocalHost
from bandstand.adapters.hosts.networks import ProcNetworks
from bandstand.adapters.hosts.stuck import held_up
from bandstand.adapters.hosts.upkeep import Upkeep
from bandstand.adapters.hosts.waking import Waking
from bandstand.adapters.leases import FileLeases
from bandstand.adapters.machine import LinuxMachine
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.editables import editables, refusal, warning
from bandstand.adapters.sandbox.none import NoSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.adapters.sandbox.seatbelt import SeatbeltSandbox
from bandstand.adapters.store import backups
from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.adapters.surroundings import FileEnvironment
from bandstand.config.limits_table import users_limits
from bandstand.config.machine_tables import Fetch
from bandstand.config.models import UserSettings
from bandstand.config.places import Places, shows_home
from bandstand.config.settings import blocks, retention, user_settings
from bandstand.config.stops import StopNote
from bandstand.domain.admission import MEGABYTE, Capacity
from bandstand.domain.errors import BandstandError
from bandstand.domain.ids import AgentName, RepositoryId
from bandstand.domain.limits import Limits
from bandstand.domain.policy import Push
from bandstand.domain.redaction import Redaction
from bandstand.ports.remains import Remains
from bandstand.ports.sandbox import Sandbox
from bandstand.services.abandoned import Abandoned
from bandstand.services.admission import Admission
from bandstand.services.broadcast import Broadcast
from bandstand.services.checkpoint_orders import CheckpointOrders
from bandstand.services.checkpoints import Checkpointing
from bandstand.services.commands import Commands
from bandstand.services.desk import Desk
from bandstand.services.desks import Desks
from bandstand.services.fleet import Fleet, Hearing
from bandstand.services.fleets import Fleets
from bandstand.services.housekeeping import Housekeeping
from bandstand.services.launching import Launching
from bandstand.services.listening import Listening
from bandstand.services.logins import Logins
from bandstand.services.measures import Measures
from bandstand.services.orders import Orders
from bandstand.services.performing import Performers
from bandstand.services.policies import REHEARSAL, Policies
from bandstand.services.purging import Purging
from bandstand.services.reconcile import Brain
from bandstand.services.repositories import Repositories
from bandstand.services.rescues import Rescuing
from bandstand.services.upstreams import Upstreams
from bandstand.services.views import Views
from bandstand.services.watching import Watch

T = TypeVar("T")

DRAIN_SECONDS = 5.0
"""How long a landing, say, may go on when the daemon ends. The next one would take it up where it stands."""

SANDBOXES = ("bubblewrap", "none")
_MEMORY = {AgentName(REHEARSAL): 64 * MEGABYTE}
"""What runs of agents that we know well are expected to need."""


class Bandstand:
    """Bandstand on one machine, for one user: the log, and a desk for each repository."""

    def __init__(self, places: Places, environment: Mapping[str, str], *, redaction: Redaction | None = None) -> None:
        self.places = places
        self.home = Path(environment.get("HOME") or "/")
        self.variables = environment
        self.redaction = redaction or Redaction(environment)
        self.redaction.source = LoginWatch(places.logins)
        self.logins = Logins(folders=LoginFolders(places.logins))
        self._clock = AwakeClock(boot=this_boot(), earlier=Reading.kept(places.clock))
        self._log = SqliteLog(places.database)
        self.measures = Measures()
        self.broadcast = Broadcast(self._log)
        self.orders = Orders(self._log)
        self._stopped = StopNote(file=places.stopped)
        self.fleets = Fleets(log=self._log, clock=self._clock, desks=self.desks, stopped=self._stopped)
        self.repositories = Repositories(log=self._log, clock=self._clock, desks=self.desks, open_at=self.desk)
        self._admission = Admission(
            capacity=self.capacity, machine=LinuxMachine(), clock=self._clock, folders=(str(places.state),)
        )
        self._settings: tuple[os.stat_result, UserSettings] | None = None
        self.folders = StateFolders(places.state / "repositories")
        self.abandoned = Abandoned(
            repositories=self.repositories,
            folders=self.folders,
            repository=self.repository,
            alive=lambda one: LocalHost(self._root(one) / "runs", sys.executable).live(),
        )
        self._desks = Desks(
            log=self._log,
            find=self.repository,
            fleet=self._fleet,
            compose=self._compose,
            shut=self._admission.close,
            heard=self.broadcast.hear,
        )

    async def start(self) -> None:
        """Open the log, and take up every repository that has something going on. Raises what the log raises."""
        self.places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._log.open()
        with contextlib.suppress(BandstandError):  # whoever needs that fact will tell
            for fact in await self._log.read_all(after=await self._log.latest() - 1):
                self._clock.not_before(fact.at)
        await self.fleets.heed_stop()
        await self._desks.take_up()
        self.look()

    def look(self) -> None:
        """From time to time: keep what the clock shows, which catches up with the time of day if nothing goes on."""
        if not any(desk.live for desk in self.desks()):
            self._clock.catch_up()
        with contextlib.suppress(OSError):  # the state may be gone, or the disk full: then time counts by the wall
            self._clock.reading().save(self.places.clock)

    async def stop(self) -> None:
        """Let go of everything, once what takes moments is done. Agents go on, and the next start finds them again."""
        await self._desks.stop(drain_seconds=DRAIN_SECONDS)
        self.look()
        await self._admission.stop()
        await self._log.close()

    async def desk(self, path: Path) -> Desk:
        """The desk of the repository that a folder is in. Raises `Refused` if it is in none, `Broken` if what is known
        of it cannot be read.
        """
        return await self._desks.at(path)

    async def reseat(self, desk: Desk, order: Callable[[], Awaitable[T]]) -> T:
        """Have an order carried out that changes the sandbox. Nothing begins there before the desk is made anew."""
        return await self._desks.reseat(desk, order)

    async def forget(self, desk: Desk) -> None:
        """Let go of a repository and remove journals, checkpoints and outputs of it; its facts stay in the log.

        Raises `Refused` while any task of it lives or has a workspace.
        """
        await self._desks.forget(desk, lambda: destroy(self._root(desk.repository.id)))

    def _root(self, repository: RepositoryId) -> Path:
        return self.places.state / "repositories" / repository

    def desks(self) -> tuple[Desk, ...]:
        """The desks that are open."""
        return self._desks.all()

    def settings(self) -> UserSettings:
        """The user's own settings as they stand in their file now. Raises `Refused` with the line of a mistake."""
        path = self.places.settings
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            standing = path.stat()
            if self._settings is None or not _unchanged(self._settings[0], standing):
                self._settings = standing, user_settings(path.read_bytes(), name=str(path))
            return self._settings[1]
        return UserSettings()

    def sandbox(self, name: str, *hidden: Path, git_dir: Path | None = None) -> Sandbox:
        """A sandbox by its name, which hides what belongs to Bandstand and the folders named.

        With the git dir of a repository, Python in it does not import that repository's code from a checkout.
        """
        if name == "none":
            return NoSandbox(git_dir=git_dir, workspaces=self.places.state / "repositories")
        hide = (self.places.state, self.places.runtime, self.places.cache, *hidden)
        if sys.platform == "darwin":
            return SeatbeltSandbox(self.home, hide)
        uid = ordinary_user(self.settings().sandbox.uid)
        return BubblewrapSandbox("bwrap", self.home, hide, git_dir=git_dir, uid=uid)

    async def foreign_imports(self, sandbox: str, path: Path, variables: Mapping[str, str]) -> tuple[str, ...]:
        """What to say of Python environments in `variables` that import the repository of a folder from a checkout.

        Raises `Refused` where commands would test that one and not the change.
        """
        git_dir = (await self.repository(path)).git_dir
        found = await asyncio.to_thread(
            editables, variables, git_dir=git_dir, workspaces=self.places.state / "repositories"
        )
        if sandbox == "none" and found:
            raise refusal(found[0])
        return tuple(dict.fromkeys(warning(one) for one in found if one.below is None))

    def capacity(self) -> Capacity:
        """What agents may have of this machine now: nothing while all is to stop. Raises what `settings` raises."""
        settings = self.settings()
        memory = settings.memory
        slots = settings.slots or max(2, min(8, os.cpu_count() or 2))
        return Capacity(
            slots=0 if self._stopped.there() else slots,
            run=memory.run_mb * MEGABYTE,
            agents=_MEMORY | {AgentName(name): size * MEGABYTE for name, size in memory.agents_mb.items()},
            keep_free=memory.keep_free_mb * MEGABYTE if memory.keep_free_mb is not None else None,
            keep_on_disk=settings.disk.keep_free_mb * MEGABYTE if settings.disk.keep_free_mb is not None else None,
        )

    async def repository(self, path: Path) -> GitRepository:
        """The repository that a folder is in, without a desk. Raises `Refused` if it is in none."""
        return await GitRepository.find(path, environment=self.variables, new_id=lambda: uuid.uuid4().hex[:16])

    def _waking(self) -> Waking:
        """A daemon like this one, for holders that nobody attends to."""
        environment = dict(self.variables)
        if environment.get("BAND_STATE_DIR"):
            environment["BAND_STATE_DIR"] = str(self.places.state)  # it may have been said relative to a folder
        return Waking(
            command=(sys.executable, "-m", "bandstand", "daemon", "--woken"),
            environment=environment,
            lock=self.places.wake_lock,
            unless=self.places.down,
        )

    def _fleet(self, name: RepositoryId, heard: Hearing) -> Fleet:
        return Fleet(name, log=self._log, clock=self._clock, heard=heard, measures=self.measures)

    def _policies(self, repository: GitRepository, fleet: Fleet, environment: FileEnvironment) -> Policies:
        """The rules of a repository."""
        return Policies(
            fleet=fleet,
            repository=repository,
            user=self.settings,
            which=lambda name: which(name, environment),
            shows_home=partial(shows_home, home=self.home),
        )

    def _leases(self, name: RepositoryId) -> FileLeases:
        """What the workspaces of a repository have of the machine for themselves."""
        return FileLeases(
            self.places.state / "leases",
            repository=name,
            root=lambda other: self._root(RepositoryId(other)) / "workspaces",
            blocks=lambda: blocks(self.settings()),
        )

    def _housekeeping(self, fleet: Fleet, host: LocalHost, *of_it: Remains) -> Housekeeping:
        """What clears up a repository, and copies of the log: of these none while something of it cannot be read."""
        copies = remains.backups(
            backups.folder_of(self.places.database),
            destroy=backups.remove,
            is_copy=lambda name: backups.is_copy(name) and not self._desks.unread,
        )
        return Housekeeping(
            fleet=fleet, host=host, remains=(*of_it, copies), retention=lambda: retention(self.settings())
        )

    def _compose(self, repository: GitRepository, fleet: Fleet) -> Desk:
        """Wire up one repository."""
        root, leases = self._root(repository.id), self._leases(repository.id)
        sandbox = self.sandbox(fleet.state.sandbox, repository.path, repository.git_dir, git_dir=repository.git_dir)
        environment = _environment(root, self.redaction)
        host = LocalHost(root / "runs", sys.executable, waking=self._waking(), upkeep=_upkeep(self.settings()))
        protocol = AcpProtocol()
        policies = self._policies(repository, fleet, environment)
        workspaces = GitWorkspaces(repository, root / "workspaces", sandbox)
        housekeeping = self._housekeeping(fleet, host, *_remains(repository, workspaces, root))
        rescuing = Rescuing(fleet=fleet, repository=repository, rescues=GitRescues(repository, workspaces.root))
        upstreams = _upstreams(fleet, repository, GitRemote(repository, self.variables), self.settings)
        launching = _launching(self, repository, sandbox, environment, leases)
        account = self._admission.open(repository.id, state=lambda: fleet.state, host=host)
        may, waits, full = partial(_may, launching, fleet), account.wait, partial(held_up, root / "runs")
        performers = Performers.of(
            fleet,
            host=host,
            protocol=protocol,
            workspaces=workspaces,
            launching=launching,
            policies=policies,
            runner=SandboxedChecks(workspaces, sandbox=sandbox, root=root / "checks", leases=leases, limits=may),
            housekeeping=housekeeping,
            upstreams=upstreams,
        )
        commands = Commands(fleet=fleet, environment=environment, landed=performers.landing.landed_before)
        checkpoints = GitCheckpoints(workspaces)
        return Desk(
            repository=repository,
            sandbox=sandbox,
            fleet=fleet,
            commands=commands,
            checkpoint_orders=CheckpointOrders(commands=commands, checkpoints=checkpoints, workspaces=workspaces),
            views=Views(fleet=fleet, repository=repository, host=host, protocol=protocol, waits=waits, held_up=full),
            policies=policies,
            account=account,
            watch=Watch(fleet=fleet, host=host, folders=DiskFolders(workspaces.root), limits=launching.allowed),
            brain=Brain(fleet, perform=performers.perform, account=account, measures=self.measures),
            housekeeping=housekeeping,
            upstreams=upstreams,
            listening=Listening(fleet=fleet, networks=ProcNetworks(root / "runs"), leases=leases),
            checkpointing=Checkpointing(fleet=fleet, checkpoints=checkpoints),
            rescuing=rescuing,
            purging=Purging(fleet=fleet, remains=housekeeping.remains, rescuing=rescuing),
        )


def _launching(
    band: Bandstand, repository: GitRepository, sandbox: Sandbox, environment: FileEnvironment, leases: FileLeases
) -> Launching:
    """How runs of a repository are started."""
    limits = partial(_limits, band.settings)
    return Launching(
        sandbox=sandbox,
        environment=environment,
        repository=repository,
        logins=band.logins.folders,
        home=band.home,
        leases=leases,
        limits=limits,
    )


def _limits(settings: Callable[[], UserSettings]) -> Limits:
    """What the user lets one run, or one check, have of this machine. Raises what `settings` raises."""
    memory = LinuxMachine().memory()
    return users_limits(settings().limits, memory=memory.total if memory is not None else None)


def _may(launching: Launching, fleet: Fleet) -> Limits:
    """What a check may have now."""
    return launching.allowed(fleet.state.policy)


def _remains(repository: GitRepository, workspaces: GitWorkspaces, root: Path) -> tuple[Remains, ...]:
    """Everything of one repository that may be left over."""
    return (
        GitRemains(repository, workspaces),
        remains.journals(root / "runs", destroy=destroy, free=over),
        remains.outputs(root / "checks", destroy=destroy),
        remains.archives(workspaces.root / ARCHIVE, destroy=destroy),
    )


def _environment(root: Path, redaction: Redaction) -> FileEnvironment:
    """What is kept of the caller's environment. Its secrets are known to the redaction."""
    environment = FileEnvironment(root / "environment.json")
    redaction.learn(environment.kept())
    return environment


def _upstreams(
    fleet: Fleet, repository: GitRepository, remote: GitRemote, settings: Callable[[], UserSettings]
) -> Upstreams:
    """The remote of a repository, with what the user wants of remotes at that time."""
    return Upstreams(
        fleet=fleet,
        repository=repository,
        remote=remote,
        fetches=lambda: settings().remote.fetch is Fetch.BEFORE_RUN,
        forbids=lambda: settings().remote.push is Push.NEVER,
    )


def _upkeep(settings: UserSettings) -> Upkeep:
    """How journals of live runs are kept."""
    table = settings.retention
    return Upkeep(gist=gist, most=table.run_megabytes << 20, beyond=table.run_beyond)


def _unchanged(before: os.stat_result, now: os.stat_result) -> bool:
    """Whether a file is the one that was read, and as it was then."""
    return os.path.samestat(before, now) and (before.st_mtime_ns, before.st_size) == (now.st_mtime_ns, now.st_size)


def which(name: str, environment: FileEnvironment) -> str | None:
    """A program by the search path of the last order."""
    return shutil.which(name, path=environment.kept().get("PATH"))
