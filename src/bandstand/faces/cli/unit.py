"""`band up --install-unit`: a systemd unit of the user's own that runs the daemon. Nothing here needs systemd.

`KillMode=process` is what matters: systemd ends the daemon alone, and the holders, which are in its control group, go
on with their agents. A daemon that was ended on purpose, or found another one at work, is not started again.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from bandstand.domain.errors import Broken, Refused
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.terminal import Paint

NAME = "bandstand.service"
MARK = "# Written by `band up --install-unit`; `band up --remove-unit` takes it away.\n"

_CARRIED = ("BAND_LOG", "BAND_STATE_DIR", "PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
"""Variables that say where everything is: the unit has them as they are when it is written."""


def install(arguments: argparse.Namespace) -> int:
    """Write the unit, and say how to enable it."""
    path = place(os.environ)
    if path.exists() and not path.read_text(errors="replace").startswith(MARK):
        raise Refused(f"{path} is there already, and was not written by band.", hint="Move it away, and try again.")
    options = ["--port", str(arguments.port)] if arguments.port is not None else []
    options += ["--listen", arguments.listen] if arguments.listen else []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unit(sys.executable, options, os.environ))
    except OSError as error:
        raise Broken(f"{path} cannot be written: {error.strerror}.") from None
    commands = {
        "band down": "a daemon that runs already would stay in its place",
        "systemctl --user daemon-reload": "read the unit",
        f"systemctl --user enable --now {NAME}": "start it now, and at every login",
        "loginctl enable-linger": "keep it when you are not logged in",
    }
    if arguments.json:
        return dump({"unit": str(path), "there": True, "commands": list(commands)})
    paint = Paint(sys.stdout)
    sys.stdout.write(f"Written: {path}\n")
    if shutil.which("systemctl") is None:
        sys.stdout.write("There is no systemd here; nothing else has changed.\n")
    sys.stdout.write("".join(f"  {line:<48}{paint.dim(why)}\n" for line, why in commands.items()))
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Take the unit away, if it is ours."""
    path = place(os.environ)
    commands = [f"systemctl --user disable --now {NAME}", "systemctl --user daemon-reload"]
    there = path.exists()
    if there and not path.read_text(errors="replace").startswith(MARK):
        raise Refused(f"{path} was not written by band.", hint="Remove it yourself, if that is what you want.")
    path.unlink(missing_ok=True)
    if arguments.json:
        return dump({"unit": str(path), "there": False, "commands": commands if there else []})
    if not there:
        sys.stdout.write(f"There is no {path}.\n")
        return 0
    sys.stdout.write(f"Removed: {path}\nA service that runs goes on until: {commands[0]}\n")
    return 0


def place(environment: Mapping[str, str]) -> Path:
    """Where systemd looks for the units of a user."""
    home = Path(environment.get("HOME") or "/")
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user" / NAME


def unit(python: str, options: list[str], environment: Mapping[str, str]) -> str:
    """The unit, for an installation that a Python runs."""
    command = " ".join(_quoted(word, command=True) for word in [python, "-m", "bandstand", "up", *options])
    carried = "".join(
        f"Environment={_quoted(f'{name}={value}', command=False)}\n"
        for name in _CARRIED
        if (value := environment.get(name)) and "\n" not in value
    )
    return f"""{MARK}
[Unit]
Description=Bandstand: keeps coding agents at work
StartLimitIntervalSec=60
StartLimitBurst=3

[Service]
Type=exec
ExecStart={command}
{carried}WorkingDirectory=/
# Agents are in processes of their own, and go on when the daemon ends.
KillMode=process
Restart=on-failure
RestartSec=2
# Refused, or another daemon is at work.
RestartPreventExitStatus=2 3

[Install]
WantedBy=default.target
"""


def _quoted(word: str, *, command: bool) -> str:
    """A word as systemd reads it. In a command `$` begins the name of a variable, too."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{word.replace("$", "$$") if command else word}"'
