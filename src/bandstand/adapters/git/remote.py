"""Remotes: one branch fetched, one commit pushed, with the user's own settings and credential helpers.

Nobody is there to be asked, so git is told to fail where it would ask; no hook of the user's runs (law 4), a `pre-push`
neither. A remote that does not answer is ended with everything that was started for it.
"""

from collections.abc import Mapping

from bandstand.adapters.git.command import OutOfTime, Output, execute, silenced
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.store import is_object_id
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import CommitId
from bandstand.faults import fault
from bandstand.ports.remote import Fetched

FETCH_SECONDS = 20.0
PUSH_SECONDS = 120.0
_HELPERS = (
    *("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GIT_SSH", "GIT_SSH_COMMAND", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
)
"""What the user's ssh and credential helpers need of the environment."""

_NOBODY_TO_ASK = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
}
_QUIET = ("-c", "push.gpgSign=false", "-c", "push.followTags=false", "-c", "submodule.recurse=false")
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--refmap=")
_LOOK = "See whether the network and the remote are there."
_SAYS_NO = ("[rejected]", "[remote rejected]", "denied", "not permitted", "Authentication failed")


class GitRemote:
    """The remotes of one repository. `environment` is the daemon's."""

    def __init__(
        self,
        repository: GitRepository,
        environment: Mapping[str, str],
        *,
        fetch_seconds: float = FETCH_SECONDS,
        push_seconds: float = PUSH_SECONDS,
    ) -> None:
        self._repository = repository
        self._store = repository.store
        self._extra = {name: environment[name] for name in _HELPERS if name in environment} | _NOBODY_TO_ASK
        self._fetch_seconds = fetch_seconds
        self._push_seconds = push_seconds

    async def of(self, branch: str) -> str | None:
        """The name of the remote that a branch is shared by."""
        remotes = await self._remotes()
        followed = await self._setting(f"branch.{branch}.remote")
        return next((name for name in (followed, "origin") if name in remotes), None)

    async def fetch(self, branch: str) -> Fetched | None:
        """Get what the remote has of a branch."""
        remote = await self.of(branch)
        if remote is None:
            return None
        there = await self._there(branch, remote)
        place = f"refs/remotes/{remote}/{there}"
        refspec = f"+refs/heads/{there}:{place}"
        fault("remote.fetch.before")
        said = await self._run(*_FETCH, remote, refspec, seconds=self._fetch_seconds, remote=remote)
        fault("remote.fetch.after")
        if said.code != 0 and "couldn't find remote ref" in said.complaint:
            return None
        if said.code != 0:
            raise _trouble(remote, said)
        tip, local = await self._store.resolve(place), await self._store.resolve(f"refs/heads/{branch}")
        if tip is None or local is None:
            return None
        counts = (await self._store.run("rev-list", "--left-right", "--count", f"{local}...{tip}")).text.split()
        return Fetched(remote=remote, tip=tip, local=local, ahead=int(counts[0]), behind=int(counts[1]))

    async def push(self, branch: str, commit: CommitId, *, remote: str) -> None:
        """Have the branch of the remote hold a commit."""
        if remote not in await self._remotes():
            raise Refused(f"There is no remote {remote} any more.", hint=f"git remote add {remote} URL")
        there = await self._there(branch, remote)
        if await self._holds(remote, there, commit):
            return
        argv = ("push", "--porcelain", "--no-verify", "--recurse-submodules=no", remote)
        fault("remote.push.before")
        said = await self._run(*argv, f"{commit}:refs/heads/{there}", seconds=self._push_seconds, remote=remote)
        fault("remote.push.after")
        if said.code != 0:
            raise _trouble(remote, said)

    async def _holds(self, remote: str, branch: str, commit: CommitId) -> bool:
        argv = ("ls-remote", "--heads", remote, f"refs/heads/{branch}")
        said = await self._run(*argv, seconds=self._fetch_seconds, remote=remote)
        if said.code != 0:
            raise _trouble(remote, said)
        tip = said.text.partition("\t")[0]
        if not is_object_id(tip):
            return False
        if not await self._store.holds(CommitId(tip)):
            # Others have pushed since, maybe on top of it. Only its objects are fetched: nothing here points to them.
            said = await self._run(*_FETCH, remote, f"refs/heads/{branch}", seconds=self._fetch_seconds, remote=remote)
            if said.code != 0:
                raise _trouble(remote, said)
            if not await self._store.holds(CommitId(tip)):
                return False
        return (await self._store.run("merge-base", "--is-ancestor", commit, tip, ok=(0, 1))).code == 0

    async def _there(self, branch: str, remote: str) -> str:
        """What a branch is called on a remote: its own name, unless it follows another one of that remote."""
        if await self._setting(f"branch.{branch}.remote") != remote:
            return branch
        return (await self._setting(f"branch.{branch}.merge")).removeprefix("refs/heads/") or branch

    async def _remotes(self) -> list[str]:
        return (await self._store.run("remote")).text.splitlines()

    async def _setting(self, key: str) -> str:
        return (await self._store.run("config", "--get", key, ok=(0, 1))).text

    async def _run(self, *argv: str, seconds: float, remote: str, stdin: bytes = b"") -> Output:
        git, at = self._repository.git, self._repository.git_dir
        extra = {**self._extra, "GIT_DIR": str(at)}
        still = await silenced(git.command("config", at=at, extra=extra))
        try:
            launch = git.command(*_QUIET, *still, *argv, at=at, extra=extra)
            return await execute(launch, deadline_seconds=seconds, stdin=stdin)
        except OutOfTime:
            raise Unavailable(f"{remote} did not answer within {seconds:.0f} seconds.", hint=_LOOK) from None


def _trouble(remote: str, said: Output) -> Refused | Unavailable:
    """What a remote said, sorted by who must act."""
    refused = [line.strip() for line in said.text.splitlines() if line.startswith("!")]
    fatal = [line.removeprefix("fatal: ") for line in said.complaint.splitlines() if line.startswith("fatal: ")]
    words = "; ".join(refused) or next(iter(fatal), " ".join(said.complaint.split())) or f"exit status {said.code}"
    words = words.rstrip(".")
    if refused or any(sign in said.complaint for sign in _SAYS_NO):
        hint = "Bring both together by hand (git pull), push, and try again."
        return Refused(f"{remote} refuses: {words}.", hint=hint)
    return Unavailable(f"{remote} cannot be reached: {words}.", hint=_LOOK)
