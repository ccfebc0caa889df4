"""Folders of logins, and the links to them in homes that belong to agents, which may have put anything anywhere."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from bandstand.adapters.credentials import LoginFolders, LoginWatch, known_logins
from bandstand.config.places import shows_home
from bandstand.domain.credentials import CredentialKind, Credentials
from bandstand.domain.ids import AgentName

HOUSE = AgentName("house")
WORD = "Zk9-" + "aB3_" * 8
CREDENTIALS = Credentials(
    kind=CredentialKind.SHARED,
    links=(".house/auth.json", ".local/share/house"),
    files=((".house/settings.json", "{}\n"),),
)
SEEN = Path("/run/logins/house")


@pytest.fixture
def logins(tmp_path: Path) -> LoginFolders:
    """Folders below a state that nobody has made yet."""
    return LoginFolders(tmp_path / "state" / "logins")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An agent's private home, and beside it something of the user's."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "kept.txt").write_text("kept\n")
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


def furnish(logins: LoginFolders, home: Path) -> None:
    """What happens before each start."""
    asyncio.run(logins.furnish(home, CREDENTIALS, seen=SEEN))


def opened(logins: LoginFolders) -> Path:
    """The folder of the agent."""
    return asyncio.run(logins.open(HOUSE, CREDENTIALS))


def test_a_folder_is_for_its_owner_alone(logins: LoginFolders) -> None:
    """With the folders that an agent writes a login into; and opening it again changes nothing."""
    folder = opened(logins)
    (folder / ".house" / "auth.json").write_text(WORD)
    assert opened(logins) == folder
    assert {stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent, folder / ".house")} == {0o700}
    assert (folder / ".house" / "auth.json").read_text() == WORD
    assert (folder / ".local" / "share").is_dir()


def test_a_home_leads_to_the_folder(logins: LoginFolders, home: Path) -> None:
    """By links, and as often as it is started; a file that the agent changed stays."""
    furnish(logins, home)
    assert (home / ".house" / "auth.json").readlink() == SEEN / ".house/auth.json"
    assert (home / ".local" / "share" / "house").readlink() == SEEN / ".local/share/house"
    (home / ".house" / "settings.json").write_text("mine\n")
    furnish(logins, home)
    assert (home / ".house" / "settings.json").read_text() == "mine\n"
    assert sorted(path.name for path in home.rglob("*")) == [
        *(".house", ".local", "auth.json", "house", "settings.json", "share"),
    ]


def test_what_an_agent_left_in_the_way_gets_another_name(logins: LoginFolders, home: Path) -> None:
    """A login that it wrote in place of the link, a file where a folder is to be: nothing of it is lost."""
    (home / ".house").mkdir()
    (home / ".house" / "auth.json").write_text("its own\n")
    (home / ".local").write_text("a file\n")
    furnish(logins, home)
    assert (home / ".house" / "auth.json").is_symlink()
    assert (home / ".house" / "auth.json.aside-1").read_text() == "its own\n"
    assert (home / ".local.aside-1").read_text() == "a file\n"
    (home / ".house" / "auth.json").unlink()
    (home / ".house" / "auth.json").write_text("once more\n")
    furnish(logins, home)
    assert (home / ".house" / "auth.json.aside-2").read_text() == "once more\n"


@pytest.mark.parametrize("place", [".house", ".local", ".local/share", ".house/auth.json", ".house/settings.json"])
def test_no_link_of_an_agents_leads_us_out(logins: LoginFolders, home: Path, tmp_path: Path, place: str) -> None:
    """Wherever it points: what lies there is neither changed nor added to."""
    (home / place).parent.mkdir(parents=True, exist_ok=True)
    (home / place).symlink_to(tmp_path / "precious")
    furnish(logins, home)
    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["kept.txt"]
    assert (home / ".house" / "auth.json").readlink() == SEEN / ".house/auth.json"


def test_no_link_in_a_shared_folder_leads_us_out(logins: LoginFolders, tmp_path: Path, home: Path) -> None:
    """The folder belongs to agents, too: making what is missing, looking whether there is a login, and reading it."""
    folder = opened(logins)
    (tmp_path / "precious" / "auth.json").write_text(WORD)
    (folder / ".house").rmdir()
    (folder / ".house").symlink_to(tmp_path / "precious")
    (folder / "token").symlink_to(tmp_path / "precious" / "auth.json")
    os.mkfifo(folder / "pipe")
    assert not logins.kept(HOUSE, CREDENTIALS)
    assert list(known_logins(folder.parent)) == []
    opened(logins)
    assert not (folder / ".house").is_symlink()
    assert sorted(path.name for path in (tmp_path / "precious").iterdir()) == ["auth.json", "kept.txt"]


def test_whether_there_is_a_login(logins: LoginFolders) -> None:
    """One of the linked files; where no link is said, any file."""
    folder = opened(logins)
    assert not logins.kept(HOUSE, CREDENTIALS)
    (folder / "history.json").write_text("{}")
    assert not logins.kept(HOUSE, CREDENTIALS)
    assert logins.kept(HOUSE, Credentials(kind=CredentialKind.SHARED))
    (folder / ".local" / "share" / "house").mkdir()
    (folder / ".local" / "share" / "house" / "token").write_text(WORD)
    assert logins.kept(HOUSE, CREDENTIALS)
    assert not logins.kept(AgentName("other"), CREDENTIALS)


def test_looking_changes_nothing(logins: LoginFolders) -> None:
    """Not a time, and not a byte: agents decide by both whether somebody renewed a login."""
    folder = opened(logins)
    file = folder / ".house" / "auth.json"
    file.write_text(f'{{"token": "{WORD}"}}')
    os.utime(file, ns=(1, 1))

    def state() -> list[tuple[str, int, int, bytes]]:
        return [
            (str(one), one.stat().st_mtime_ns, one.stat().st_ctime_ns, one.read_bytes() if one.is_file() else b"")
            for one in (folder, *sorted(folder.rglob("*")))
        ]

    before = state()
    assert logins.kept(HOUSE, CREDENTIALS)
    assert LoginWatch(folder.parent)() == (WORD,)
    assert state() == before


def test_a_login_that_was_renewed_is_seen(logins: LoginFolders) -> None:
    """Written anew or replaced; between two looks of a moment the files are left alone."""
    folder = opened(logins)
    time = [0.0]
    watch = LoginWatch(folder.parent, clock=lambda: time[0])
    assert watch() == ()
    (folder / ".house" / "auth.json").write_text(f'{{"token": "{WORD}1"}}')
    assert watch() == ()
    time[0] += 1
    first = watch()
    assert first == (f"{WORD}1",)
    time[0] += 1
    assert watch() is first
    draft = folder / ".house" / "auth.json.new"
    draft.write_text(f'{{"token": "{WORD}2"}}')
    draft.replace(folder / ".house" / "auth.json")
    time[0] += 1
    assert watch() == (f"{WORD}2",)


def test_a_folder_that_an_agent_filled_takes_no_time(logins: LoginFolders) -> None:
    """Many files, deep folders, large files: only so much is looked at."""
    folder = opened(logins)
    for number in range(600):
        (folder / f"{number:03}").write_text(f"{WORD}{number:03}")
    (folder / "0").write_bytes(b"x" * (1 << 20))
    assert 0 < len(list(known_logins(folder.parent))) <= 32


def test_what_root_left_belongs_to_whom_the_folder_belongs_to(logins: LoginFolders, home: Path) -> None:
    """A command of root's, and agents of root's that run as another user; nothing to do for anybody else."""
    folder = opened(logins)
    (folder / ".house" / "auth.json").write_text(WORD)
    if os.geteuid() == 0:
        os.chown(folder, 60_950, 60_950)
        os.chown(home, 60_950, 60_950)
    logins.give_back(HOUSE)
    furnish(logins, home)
    owner = folder.stat().st_uid
    assert (folder / ".house" / "auth.json").stat().st_uid == owner
    assert {path.lstat().st_uid for path in home.rglob("*")} == {owner}


@pytest.mark.parametrize(
    ("path", "shows"),
    [
        ("~/.ssh", True),
        ("{home}/.ssh", True),
        ("{home}", True),
        ("{top}", True),
        ("/", True),
        ("{top}/link", True),
        ("{top}/elsewhere/../home/x", True),
        ("{top}/elsewhere", False),
        ("{home}-of-another", False),
        ("/opt/tools", False),
    ],
)
def test_what_would_show_something_of_a_home(tmp_path: Path, path: str, *, shows: bool) -> None:
    """Below it, above it, or by a link; whether it is there or not."""
    home = tmp_path / "home"
    (home / "x").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(home / "x")
    assert shows_home(path.format(home=home, top=tmp_path), home=home) is shows
