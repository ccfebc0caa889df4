"""The profile for macOS, as a text: nothing of it has ever run. It is read here as its makers say that it is read."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.adapters.sandbox.seatbelt import SeatbeltSandbox
from bandstand.domain.errors import Unavailable
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount
from bandstand.ports.walls import Network

Expression = str | list["Expression"]
_TOKENS = re.compile(r'[()]|"(?:[^"\\]|\\.)*"|[^\s()"]+')


def parsed(text: str) -> list[Expression]:
    """The rules of a profile."""
    stack: list[list[Expression]] = [[]]
    for token in _TOKENS.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    (rules,) = stack
    return rules


class Profile:
    """What a launch allows, by the last rule that fits."""

    def __init__(self, launch: Launch) -> None:
        words = list(launch.argv)
        assert words[:2] == ["/usr/bin/sandbox-exec", "-p"]
        self.rules = parsed(words[2])
        self.parameters: dict[str, str] = {}
        rest = words[3:]
        while rest[:1] == ["-D"]:
            name, _, value = rest[1].partition("=")
            self.parameters[name] = value
            rest = rest[2:]
        self.command = rest

    def allows(self, operation: str, path: Path) -> bool:
        """Whether an operation on a file is allowed."""
        verdict = False
        for rule in self.rules:
            assert isinstance(rule, list)
            verb, *words = rule
            operations = [word for word in words if isinstance(word, str)]
            filters = [word for word in words if isinstance(word, list)]
            fits = not filters or any(self.fits(one, str(path)) for one in filters)
            if fits and verb in ("allow", "deny") and any(covers(one, operation) for one in operations):
                verdict = verb == "allow"
        return verdict

    def fits(self, filter_: list[Expression], path: str) -> bool:
        """Whether a filter is about a path."""
        kind, what = filter_[0], filter_[1]
        place = self.parameters[str(what[1]).strip('"')] if isinstance(what, list) else str(what).strip('"')
        match kind:
            case "literal":
                return path == place
            case "subpath":
                return path == place or path.startswith(place.rstrip("/") + "/")
            case _:
                return False


def covers(rule: str, operation: str) -> bool:
    """Whether a rule's operation is this one, or a family that it is in."""
    return rule in ("default", operation) or (rule.endswith("*") and operation.startswith(rule[:-1]))


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A user's home with a secret, a state, and a workspace in it."""
    for folder in (".ssh", "state/ws/tree", "state/ws/home", "project/.git/objects", "project/.git/refs", "odd"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def confined(user: Path, *, network: Network = Network.NONE, argv: tuple[str, ...] = ("/bin/sh",)) -> Launch:
    """A command in the workspace, which may read the repository's objects."""
    sandbox = SeatbeltSandbox(user, (user / "state", user / "project"))
    tree, objects = user / "state" / "ws" / "tree", user / "project" / ".git" / "objects"
    return sandbox.confine(
        Confinement(
            argv=argv,
            cwd=sandbox.inside(tree, role="workspace"),
            environment={"PATH": "/usr/bin:/bin", "TOKEN": "x"},
            home=user / "state" / "ws" / "home",
            writable=(Mount(host=tree, inside=tree),),
            readable=(Mount(host=objects, inside=objects), Mount(host=user / "not-there", inside=user)),
            network=network,
        )
    )


def operations(user: Path, place: str) -> Iterator[str]:
    """What may be done to the contents of a place."""
    profile = Profile(confined(user))
    for operation in ("file-read-data", "file-write-create", "process-exec", "file-write-setugid"):
        if profile.allows(operation, user / place):
            yield operation.split("-")[1]


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("state/ws/tree", ["read", "write", "exec"]),
        ("state/ws/tree/src/x.py", ["read", "write", "exec"]),
        ("state/ws/home/.cache", ["read", "write", "exec"]),
        ("project/.git/objects/ab/cd", ["read", "exec"]),
        ("project/.git/refs/heads/main", []),
        ("project/x", []),
        ("state/events.db", []),
        ("state/ws/other", []),
        (".ssh/id_ed25519", ["exec"]),
        ("", ["exec"]),
    ],
)
def test_each_place_is_shown_as_it_should_be(user: Path, place: str, allowed: list[str]) -> None:
    """The workspace and the home to write, the objects to read, and of everything else nothing."""
    assert list(operations(user, place)) == allowed


@pytest.mark.parametrize("path", ["/usr/bin/git", "/System/Library/x", "/private/etc/hosts"])
def test_the_system_is_read_and_never_written(user: Path, path: str) -> None:
    """As far as it holds no secret."""
    profile = Profile(confined(user))
    assert profile.allows("file-read-data", Path(path))
    assert not profile.allows("file-write-data", Path(path))
    for secret in ("/Library/Keychains/System.keychain", "/private/etc/master.passwd", "/private/var/db/x", "/Users/x"):
        assert not profile.allows("file-read-data", Path(secret))


def test_folders_above_can_be_walked_through_and_not_be_listed(user: Path) -> None:
    """So that a path of the workspace can be resolved."""
    profile = Profile(confined(user))
    for folder in (user, user / "state", user / "state" / "ws", user.parent):
        assert profile.allows("file-read-metadata", folder)
        assert not profile.allows("file-read-data", folder)


def test_no_path_can_be_read_as_a_rule(user: Path) -> None:
    """Paths are parameters: what they are called is in no text that is parsed."""
    odd = user / "odd" / '") (allow file* (subpath "'
    odd.mkdir(parents=True)
    launch = SeatbeltSandbox(user, ()).confine(
        Confinement(argv=("true",), cwd=odd, environment={"PATH": ""}, writable=(Mount(host=odd, inside=odd),))
    )
    assert str(user) not in launch.argv[2]
    profile = Profile(launch)
    assert str(odd) in profile.parameters.values()
    assert profile.allows("file-write-data", odd / "x")
    assert not profile.allows("file-write-data", user / "x")
    assert profile.command == ["true"]


@pytest.mark.parametrize("network", list(Network))
def test_the_network_is_what_is_said(user: Path, network: Network) -> None:
    """All of it, the proxy and servers of its own, or none."""
    rules = [rule for rule in parsed(confined(user, network=network).argv[2]) if "network" in str(rule)]
    match network:
        case Network.HOST:
            assert rules == [["allow", "network*", "system-socket"]]
        case Network.PROXIED:
            assert rules == [
                ["allow", "network-outbound", ["remote", "ip", '"localhost:3128"']],
                ["allow", "network-bind", "network-inbound", ["local", "ip", '"localhost:*"']],
            ]
        case Network.NONE:
            assert rules == []


def test_the_environment_is_the_orders_and_the_home_is_its_own(user: Path) -> None:
    """There is no private /tmp on a Mac: what is for a while is in the home."""
    home = str(user / "state" / "ws" / "home")
    assert confined(user).environment == {"PATH": "/usr/bin:/bin", "TOKEN": "x", "HOME": home, "TMPDIR": home}


def test_elsewhere_than_on_a_mac_it_is_refused(user: Path) -> None:
    """In words, before anything begins."""
    with pytest.raises(Unavailable, match="only macOS"):
        asyncio.run(SeatbeltSandbox(user, (), executable="/no/such/sandbox-exec").probe())
