"""Rows of the escape table: traps in a workspace for whoever looks at it from outside."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.e2e.escapes.trap import SEQUENCE, Looks, Told, Trap, changed, leaked, sprang, steers

CONFINED = "git in a workspace runs behind walls, and of settings has its own"
NO_FOLLOWING = "links are kept as links, by git behind walls where the file is not there"
OWN_GIT_DIR = "git behind walls: what it points to is not there"


def runs(name: str, plant: str, springs: str, holds: str = CONFINED, agent: str = "settings") -> Trap:
    """A program is started by whoever looks."""
    return Trap(
        name=name,
        plant=plant,
        words=lambda looks, key: {"witness": str(looks.witness(key))},
        told=sprang,
        holds=holds,
        springs=springs,
        agent=agent,
    )


def shows(name: str, plant: str, springs: str, holds: str = NO_FOLLOWING, agent: str = "links") -> Trap:
    """A file of the person's is read by whoever looks."""
    return Trap(
        name=name,
        plant=plant,
        words=lambda looks, key: {"secret": looks.secret(key)},
        told=leaked,
        holds=holds,
        springs=springs,
        agent=agent,
    )


def _other(
    name: str,
    plant: str,
    words: Callable[[Looks, str], Mapping[str, Any]],
    told: Told,
    springs: str,
    holds: str = OWN_GIT_DIR,
    agent: str = "",
) -> Trap:
    made = agent or plant.replace("_", "-")
    return Trap(name=name, plant=plant, words=words, told=told, springs=springs, holds=holds, agent=made)


def _repository(looks: Looks, _: str) -> dict[str, Any]:
    return {"git_dir": str(looks.repository.path / ".git"), "ref": "refs/heads/redirected"}


_MAKES_A_REF = "git update-ref refs/remotes/origin/redirected HEAD"

PROGRAMS = (
    runs("hooks in the git dir", "hooks", "git commit -q --allow-empty -m x"),
    runs("hooks in a folder that the settings name", "hooks_elsewhere", "git commit -q --allow-empty -m x"),
    runs("a monitor of the files", "monitor", "git status"),
    runs("settings in another file", "included", "git status"),
    runs("filters of files", "filters", "git add -A"),
    runs("text conversion for a diff", "text_conversion", "git add -A && git diff --cached"),
    runs("a program that makes the diff", "diff_driver", "git add -A && git diff --cached"),
    runs("a program to reach a remote by", "transport", "git fetch -q trap"),
    runs("a remote that is a program", "remote_program", "git fetch -q program"),
    runs("the program of the other side", "remote_helper", "git fetch -q folder"),
    runs("a pager", "pager", "git log"),
    runs("an editor", "editor", "git commit --allow-empty"),
    runs(
        "a helper for passwords",
        "credentials",
        "printf 'protocol=https\\nhost=nowhere.invalid\\n\\n' | git credential fill",
    ),
    runs("a program that signs", "signatures", "git commit -q --allow-empty -m x"),
    runs("settings in the agent's home", "own_settings", "GIT_CONFIG_GLOBAL=$HOME/.gitconfig git status"),
    runs(
        "modules of Python in the workspace",
        "modules",
        "python3 -c 'import json'",
        "no program of ours is started there",
    ),
    runs(
        "programs in the workspace",
        "programs",
        "PATH=.:$PATH git status",
        "a search path without folders of the agent's",
    ),
)
LINKS = (
    shows("a link to a file, in a commit", "link", "cat link-to-file"),
    shows("a link that is in no commit", "link_uncommitted", "cat link-uncommitted"),
    shows("a link to a folder", "link_to_folder", "cat link-to-folder/*"),
    shows("a link that git ignores", "link_ignored", "tar -chf - link-ignored | cat"),
    _other(
        "a pipe that nobody writes to",
        "pipe",
        lambda *_: {},
        lambda looks, key, shown, kept: "still-reading" in shown,
        "timeout 1 cat pipe || echo still-reading",
        "only regular files and links are kept, and reading has a deadline",
        "links",
    ),
    _other(
        "orders to a terminal in names, texts and messages",
        "escape_sequences",
        lambda looks, _: {"sequence": f"{SEQUENCE}{looks.stage.mark}\x07"},
        steers,
        "ls --show-control-chars; cat name-*; git log --no-pager 2>&1; git --no-pager log --format=%s",
        "every face shows control characters as what they are",
        "links",
    ),
)
REDIRECTIONS = (
    shows(
        "files that are said to be elsewhere", "worktree", "git add -A && git show :secret.txt", CONFINED, "worktree"
    ),
    _other("a git dir that is said to be the person's", "git_file", _repository, changed, _MAKES_A_REF),
    _other("a git dir that is a link to the person's", "git_link", _repository, changed, _MAKES_A_REF),
    _other("refs that are said to be the person's", "common_dir", _repository, changed, _MAKES_A_REF),
    _other(
        "objects of a repository that nobody showed it",
        "alternates",
        lambda looks, _: {"objects": str(looks.hidden.path / ".git/objects"), "commit": looks.tip},
        leaked,
        "git show HEAD:secret.txt",
    ),
    shows("a HEAD that is a link", "head_link", "cat .git/HEAD", OWN_GIT_DIR, "head-link"),
)
TRAPS = (*PROGRAMS, *LINKS, *REDIRECTIONS)
