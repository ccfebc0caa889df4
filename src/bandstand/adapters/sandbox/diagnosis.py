"""Why bubblewrap does not work on a machine, and the one command that cures it."""

from collections.abc import Callable
from pathlib import Path

Settings = Callable[[str], str | None]
"""What a file of the system says, without the white space around it; `None` if it cannot be read."""

_CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_MOST = "/proc/sys/user/max_user_namespaces"

_INSTALL = (
    ({"debian", "ubuntu"}, "sudo apt-get install bubblewrap"),
    ({"fedora", "rhel", "centos"}, "sudo dnf install bubblewrap"),
    ({"arch"}, "sudo pacman -S bubblewrap"),
    ({"alpine"}, "sudo apk add bubblewrap"),
    ({"suse", "opensuse"}, "sudo zypper install bubblewrap"),
    ({"nixos"}, "nix-env -iA nixos.bubblewrap"),
)
_WITHOUT = "name `--sandbox none` to do without walls"


def on_this_machine(path: str) -> str | None:
    """The settings of the machine we run on."""
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return None


def how_to_install(settings: Settings = on_this_machine) -> str:
    """The command that installs bubblewrap on this distribution."""
    release = settings("/etc/os-release")
    if release is None:
        return f"bubblewrap needs Linux; elsewhere, {_WITHOUT}."
    words = set()
    for line in release.splitlines():
        name, _, value = line.partition("=")
        if name in {"ID", "ID_LIKE"}:
            words |= set(value.strip("\"'").split())
    command = next((command for names, command in _INSTALL if names & words), None)
    return f"Run `{command}`." if command else "Install the package `bubblewrap` with your system's package manager."


def diagnosis(said: str, settings: Settings = on_this_machine) -> tuple[str, str]:
    """What is wrong and what to do, when bubblewrap is there but opened no sandbox; `said` is what it wrote."""
    if settings(_MOST) == "0":
        return "This machine allows no user namespaces, which the sandbox needs.", _set(_MOST, "15000")
    if "cannot become user" in said:
        return (
            f"Root cannot become an ordinary user before a sandbox begins: {said.strip().splitlines()[-1]}",
            "Run Bandstand as an ordinary user, or name another one in `[sandbox] uid`.",
        )
    denied = any(word in said for word in ("ermitted", "ermission denied", "No permissions"))
    if denied and settings(_CLONE) == "0":
        return "This kernel keeps user namespaces, which the sandbox needs, from ordinary users.", _set(_CLONE, "1")
    if denied and settings(_APPARMOR) == "1":
        return "AppArmor keeps user namespaces, which the sandbox needs, from ordinary users.", _set(_APPARMOR, "0")
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "It said nothing.")
    if denied:
        return (
            f"bubblewrap may not open a sandbox here: {last}",
            "In a container, start it with a profile that allows user namespaces (Docker: "
            f"`--security-opt seccomp=unconfined --security-opt systempaths=unconfined`), or {_WITHOUT}.",
        )
    return f"bubblewrap could not open a sandbox: {last}", f"Update bubblewrap, or {_WITHOUT}."


def _set(path: str, value: str) -> str:
    """The command that changes a setting of the kernel now and for good."""
    name = path.removeprefix("/proc/sys/").replace("/", ".")
    file = "/etc/sysctl.d/60-bandstand.conf"
    return f"Run `echo {name}={value} | sudo tee {file} && sudo sysctl -p {file}`."
