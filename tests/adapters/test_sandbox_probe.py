"""What is said when bubblewrap is missing, old or forbidden, and that each cause is met with its one cure."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.diagnosis import diagnosis, how_to_install
from bandstand.adapters.sandbox.none import NoSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.domain.errors import Unavailable
from bandstand.faces.cli.terminal import BETTER, LACKS, STANDS
from bandstand.ports.sandbox import Confinement
from bandstand.ports.walls import Gap
from tests.starting import run

BWRAP = shutil.which("bwrap")


def walls(user_home: Path, executable: str = "bwrap") -> BubblewrapSandbox:
    """A sandbox by the bubblewrap of this machine, or by another."""
    assert BWRAP, "bubblewrap is missing: sudo apt-get install bubblewrap"
    return BubblewrapSandbox(executable, user_home, (), uid=ordinary_user())


def test_a_probe_says_whether_the_walls_stand(tmp_path: Path) -> None:
    """It returns where they do; without bubblewrap it names the command that installs it."""
    asyncio.run(walls(tmp_path).probe())
    asyncio.run(NoSandbox().probe())
    with pytest.raises(Unavailable, match="not installed") as missing:
        asyncio.run(walls(tmp_path, executable=f"{tmp_path}/bwrap").probe())
    assert "bubblewrap" in missing.value.hint


def test_an_older_bubblewrap_does_without_what_it_does_not_know(tmp_path: Path) -> None:
    """One that cannot forbid nested user namespaces is used all the same, once it was asked."""
    older = tmp_path / "older-bwrap"
    older.write_text(
        '#!/bin/sh\ncase " $* " in\n*" --help "*) echo "usage: bwrap" ;;\n*--disable-userns*) exit 1 ;;\n'
        f'*) exec {BWRAP} "$@" ;;\nesac\n'
    )
    older.chmod(0o755)
    sandbox = walls(tmp_path, executable=str(older))
    asyncio.run(sandbox.probe())
    launch = sandbox.confine(Confinement(argv=("/bin/true",), cwd=Path("/"), environment={}))
    assert "--disable-userns" not in launch.argv
    assert run(launch).returncode == 0


def test_what_the_walls_lack_is_told(tmp_path: Path) -> None:
    """Nothing, on a machine that has all of it; root, where it stays root; of each a person can read what it means."""
    assert walls(tmp_path).gaps == ()
    remains = BubblewrapSandbox("bwrap", tmp_path, ())
    assert remains.gaps == ((Gap.ROOT,) if os.geteuid() == 0 else ())
    assert set(Gap) == STANDS.keys() == LACKS.keys() == BETTER.keys()


def test_root_that_cannot_become_another_user_opens_no_sandbox(tmp_path: Path) -> None:
    """It is told in the words of who tried, with a way on; nothing begins as root instead."""
    message, hint = diagnosis("bandstand: cannot become user 60877: [Errno 1] Operation not permitted\n")
    assert "Root cannot become an ordinary user" in message
    assert "60877" in message
    assert "as an ordinary user" in hint


def test_a_broken_bubblewrap_is_told_with_its_own_words(tmp_path: Path) -> None:
    """The last line that it wrote, and a way on."""
    broken = tmp_path / "broken-bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: out of luck' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(Unavailable, match="out of luck"):
        asyncio.run(walls(tmp_path, executable=str(broken)).probe())


KERNEL = "/proc/sys/kernel/"
DENIED = "bwrap: setting up uid map: Permission denied"


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"/proc/sys/user/max_user_namespaces": "0"}, "user.max_user_namespaces=15000"),
        ({KERNEL + "unprivileged_userns_clone": "0"}, "kernel.unprivileged_userns_clone=1"),
        ({KERNEL + "apparmor_restrict_unprivileged_userns": "1"}, "kernel.apparmor_restrict_unprivileged_userns=0"),
        ({}, "--security-opt"),
    ],
)
def test_each_cause_has_its_cure(settings: Mapping[str, str], cure: str) -> None:
    """Where namespaces are forbidden, the hint is the one command that allows them."""
    assert cure in diagnosis(DENIED, settings.get)[1]


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian\n", "apt-get install bubblewrap"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt-get install bubblewrap"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install bubblewrap"),
        ("ID=arch\n", "pacman -S bubblewrap"),
        ("ID=alpine\n", "apk add bubblewrap"),
        ("ID=other\n", "package manager"),
    ],
)
def test_bubblewrap_is_installed_by_the_systems_own_command(release: str, command: str) -> None:
    """As the distribution names itself; elsewhere than on Linux there is none."""
    assert command in how_to_install({"/etc/os-release": release}.get)
    assert "Linux" in how_to_install(lambda _: None)
