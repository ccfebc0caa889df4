"""Real remotes: bare repositories that take, refuse, or never answer. Nobody is asked, and only one branch moves."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from bandstand.adapters.git.remote import GitRemote
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import CommitId
from tests.real_git import Folder


@pytest.fixture
def user(tmp_path: Path) -> Folder:
    """A repository that shares `main` with a bare one."""
    user = Folder.init(tmp_path / "user")
    user.git("init", "-q", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    user.git("remote", "add", "origin", f"file://{tmp_path}/remote.git")
    user.git("push", "-q", "-u", "origin", "main")
    return user


def remote(user: Folder, **seconds: float) -> GitRemote:
    """What looks at its remotes."""
    return GitRemote(asyncio.run(user.open()), os.environ, **seconds)


def there(user: Folder) -> Folder:
    """The bare repository."""
    return Folder(user.path.parent / "remote.git")


def refs(folder: Folder) -> dict[str, str]:
    """All refs of a repository."""
    lines = folder.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def theirs(user: Folder) -> CommitId:
    """Somebody else pushes a commit."""
    commit = user.commit_aside("theirs", {"theirs.txt": "theirs\n"}, onto="refs/remotes/origin/main")
    user.git("push", "-q", "origin", f"{commit}:refs/heads/main")
    user.git("update-ref", "refs/remotes/origin/main", f"{commit}^")
    return commit


def test_a_fetch_tells_how_both_stand_and_moves_nothing_here(user: Folder) -> None:
    """But what git itself notes of the remote; no tag comes along."""
    before = user.head()
    said = asyncio.run(remote(user).fetch("main"))
    assert said is not None
    assert (said.tip, said.ahead, said.behind) == (before, 0, 0)
    tip = theirs(user)
    there(user).git("tag", "v1", tip)
    said = asyncio.run(remote(user).fetch("main"))
    assert said is not None
    assert (said.remote, said.tip, said.local, said.ahead, said.behind) == ("origin", tip, before, 0, 1)
    user.commit("mine", {"mine.txt": "mine\n"})
    said = asyncio.run(remote(user).fetch("main"))
    assert said is not None
    assert (said.ahead, said.behind) == (1, 1)
    assert refs(user).keys() == {"refs/heads/main", "refs/remotes/origin/main"}
    assert not (user.path / ".git" / "FETCH_HEAD").exists()


def test_the_remote_is_the_one_that_the_branch_follows(user: Folder) -> None:
    """Under the name that it has there; without any, `origin`; without that, none."""
    user.git("branch", "-q", "work")
    assert asyncio.run(remote(user).of("work")) == "origin"
    assert asyncio.run(remote(user).fetch("work")) is None
    user.git("remote", "rename", "origin", "upstream")
    assert asyncio.run(remote(user).of("main")) == "upstream"
    assert asyncio.run(remote(user).of("work")) is None
    user.git("config", "branch.work.remote", "upstream")
    user.git("config", "branch.work.merge", "refs/heads/main")
    said = asyncio.run(remote(user).fetch("work"))
    assert said is not None
    assert (said.remote, said.tip) == ("upstream", user.head())


def test_a_push_takes_one_branch_there_and_no_hook_runs(user: Folder) -> None:
    """No tag, no other branch, nothing of Bandstand's; and again it is nothing."""
    witness = user.path.parent / "witness"
    user.plant_hooks(witness)
    (user.path / ".git" / "hooks" / "pre-push").write_text(f"#!/bin/sh\necho pre-push >> '{witness}'\nexit 1\n")
    (user.path / ".git" / "hooks" / "pre-push").chmod(0o755)
    user.git("config", "push.followTags", "true")
    new = user.commit_aside("new", {"new.txt": "new\n"})
    user.git("-c", "core.hooksPath=/dev/null", "update-ref", "refs/heads/main", new)
    user.git("-c", "core.hooksPath=/dev/null", "tag", "-a", "-m", "v1", "v1")
    user.git("-c", "core.hooksPath=/dev/null", "update-ref", "refs/bandstand/rescue/t1/1", new)
    witness.unlink(missing_ok=True)
    for _ in range(2):
        asyncio.run(remote(user).push("main", new, remote="origin"))
        assert refs(there(user)) == {"refs/heads/main": new}
    assert not witness.exists()


def test_what_is_there_already_is_not_pushed_again(user: Folder) -> None:
    """Also below what others have pushed on top of it since."""
    first = user.head()
    tip = theirs(user)
    asyncio.run(remote(user).fetch("main"))
    asyncio.run(remote(user).push("main", first, remote="origin"))
    assert refs(there(user)) == {"refs/heads/main": tip}


def test_what_is_there_below_a_commit_that_nobody_here_knows_is_not_pushed_again(user: Folder) -> None:
    """The daemon died behind its push, and others pushed before the next one looked. Nothing here is moved for it."""
    mine = user.commit("mine", {"mine.txt": "mine\n"})
    asyncio.run(remote(user).push("main", mine, remote="origin"))
    before = refs(user)
    other = user.path.parent / "other"
    user.git("clone", "-q", str(there(user).path), str(other))
    tip = Folder(other).commit("theirs", {"theirs.txt": "theirs\n"})
    Folder(other).git("push", "-q", "origin", "main")
    asyncio.run(remote(user).push("main", mine, remote="origin"))
    assert refs(there(user)) == {"refs/heads/main": tip}
    assert refs(user) == before
    assert not (user.path / ".git" / "FETCH_HEAD").exists()


def test_a_push_goes_to_the_remote_that_is_named(user: Folder) -> None:
    """Under the branch's own name where it follows another one; never to a second one in its place."""
    second = user.path.parent / "second.git"
    user.git("init", "-q", "--bare", "-b", "main", str(second))
    user.git("remote", "add", "second", f"file://{second}")
    user.git("branch", "-q", "work")
    user.git("config", "branch.work.remote", "second")
    user.git("config", "branch.work.merge", "refs/heads/theirs")
    before = refs(there(user))
    asyncio.run(remote(user).push("work", user.head(), remote="second"))
    assert refs(Folder(second)) == {"refs/heads/theirs": user.head()}
    asyncio.run(remote(user).push("work", user.head(), remote="origin"))
    assert refs(there(user)) == {**before, "refs/heads/work": user.head()}
    with pytest.raises(Refused, match=r"^There is no remote third any more\.$"):
        asyncio.run(remote(user).push("work", user.head(), remote="third"))


def test_a_branch_that_follows_one_of_this_repository_is_shared_under_its_own_name(user: Folder) -> None:
    """`git switch --track main` makes one: what it follows is no branch of a remote."""
    user.git("branch", "-q", "--track", "work", "main")
    before, new = refs(there(user)), user.commit_aside("new", {"new.txt": "new\n"})
    assert asyncio.run(remote(user).of("work")) == "origin"
    assert asyncio.run(remote(user).fetch("work")) is None
    asyncio.run(remote(user).push("work", new, remote="origin"))
    assert refs(there(user)) == {**before, "refs/heads/work": new}


def test_a_remote_that_has_moved_on_refuses_and_loses_nothing(user: Folder) -> None:
    """Never is anything taken off it."""
    tip = theirs(user)
    mine = user.commit("mine", {"mine.txt": "mine\n"})
    with pytest.raises(Refused, match="rejected"):
        asyncio.run(remote(user).push("main", mine, remote="origin"))
    assert refs(there(user)) == {"refs/heads/main": tip}


def test_a_remote_that_says_no_is_told_with_its_words(user: Folder) -> None:
    """As a protected branch does."""
    hook = there(user).path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refused, match="pre-receive hook declined"):
        asyncio.run(remote(user).push("main", user.commit("mine", {"mine.txt": "mine\n"}), remote="origin"))


@pytest.mark.parametrize(
    "url", ["file:///nonexistent/remote.git", "ssh://nobody@127.0.0.1:1/x.git", "http://127.0.0.1:1/x"]
)
def test_a_remote_that_is_not_there_is_unavailable(user: Folder, url: str) -> None:
    """Whatever it is reached by."""
    user.git("remote", "set-url", "origin", url)
    with pytest.raises(Unavailable, match="origin cannot be reached"):
        asyncio.run(remote(user).fetch("main"))
    with pytest.raises(Unavailable, match="origin cannot be reached"):
        asyncio.run(remote(user).push("main", user.head(), remote="origin"))


def test_one_that_never_answers_is_ended_with_all_that_was_started(user: Folder) -> None:
    """In bounded time, and nothing of it is left."""
    mark = user.path.parent / "hangs.pid"
    slow = user.path.parent / "slow-ssh"
    slow.write_text(f"#!/bin/sh\necho $$ > '{mark}'\nexec sleep 600\n")
    slow.chmod(0o755)
    user.git("config", "core.sshCommand", str(slow))
    user.git("remote", "set-url", "origin", "ssh://example.invalid/x.git")
    for verb in (
        remote(user, fetch_seconds=0.5).fetch("main"),
        remote(user, fetch_seconds=0.5).push("main", user.head(), remote="origin"),
    ):
        with pytest.raises(Unavailable, match="did not answer within"):
            asyncio.run(verb)
        pid, over = int(mark.read_text()), time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            assert time.monotonic() < over, "it still runs"


def test_nobody_is_asked_for_a_password(user: Folder) -> None:
    """A helper of the user's is; its answer is not enough here, and then it is over."""
    witness = user.path.parent / "asked"
    for name in ("helper", "askpass"):
        script = user.path.parent / name
        script.write_text(f"#!/bin/sh\necho {name} >> '{witness}'\n")
        script.chmod(0o755)
    user.git("config", "credential.helper", str(user.path.parent / "helper"))
    user.git("config", "core.askPass", str(user.path.parent / "askpass"))
    said = asyncio.run(_credentials(remote(user)))
    assert said != 0
    assert witness.read_text().split() == ["helper"]


async def _credentials(remote: GitRemote) -> int:
    """How it ends when git wants a password, under the conditions of a fetch."""
    said = await remote._run(
        "credential", "fill", seconds=20, remote="origin", stdin=b"protocol=https\nhost=x.invalid\n\n"
    )
    return said.code
