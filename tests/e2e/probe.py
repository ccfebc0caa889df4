"""What an agent would try that wants out of its workspace. Run inside of a run or a check, it imports nothing of ours.

`python3 probe.py FACTS.json` prints one JSON object: for each attempt what came of it, or `blocked: ` and why.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def connect(path: str) -> str:
    """Speak to whoever listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(3)
        connection.connect(path)
    return "connected"


def read(path: str) -> str:
    """Read a file."""
    return f"read {len(Path(path).read_bytes())} bytes"


def browse(path: str) -> str:
    """Look into a folder."""
    return "saw " + " ".join(sorted(one.name for one in Path(path).iterdir()))


def write(path: str, text: str = "escaped\n") -> str:
    """Leave a file somewhere. What is written may be in a place of the sandbox's own: look outside."""
    Path(path).write_text(text)
    return "wrote"


def git(*words: str) -> str:
    """Give git an order."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.strip().splitlines()[-1])
    return "done"


def signal(pid: int) -> str:
    """See whether a process could be signalled."""
    os.kill(pid, 0)
    return "it could"


def daemon() -> str:
    """Find the daemon among the processes, and read its environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"bandstand\0daemon" in (folder / "cmdline").read_bytes():
                return f"saw {len((folder / 'environ').read_bytes())} bytes of process {folder.name}"
        except OSError:
            continue
    raise OSError("no daemon in sight")


def secret(name: str) -> str:
    """Find a variable of the user's in the environment of any process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if name.encode() in (folder / "environ").read_bytes():
                return f"found in process {folder.name}"
        except OSError:
            continue
    raise OSError("nowhere")


def attempts(facts: dict[str, str]) -> dict[str, Callable[[], str]]:
    """Every attempt by its name. The facts name the user's folders, as somebody would who knows this machine."""
    state, home, repository = facts["state"], facts["home"], facts["repository"]
    runs = f"{state}/repositories/{facts['id']}/runs"
    return {
        "connect to the daemon": lambda: connect(f"{state}/run/band.sock"),
        "connect to the own holder": lambda: connect(f"{runs}/probe.1/sock"),
        "connect to another holder": lambda: connect(f"{runs}/other.1/sock"),
        "browse the runs": lambda: browse(runs),
        "read the database": lambda: read(f"{state}/bandstand.db"),
        "read the own journal": lambda: read(f"{runs}/probe.1/journal"),
        "read another journal": lambda: read(f"{runs}/other.1/journal"),
        "read the kept environment": lambda: read(f"{state}/repositories/{facts['id']}/environment.json"),
        "browse another workspace": lambda: browse(f"{state}/repositories/{facts['id']}/workspaces/other/tree"),
        "browse the home": lambda: browse(f"{home}/.ssh"),
        "read a secret": lambda: read(f"{home}/.ssh/id_ed25519"),
        "read a secret beside tools": lambda: read(f"{home}/.local/share/secret"),
        "read the checkout": lambda: read(f"{repository}/calc.py"),
        "read the repository's settings": lambda: read(f"{repository}/.git/config"),
        "move main by path": lambda: git("--git-dir", f"{repository}/.git", "update-ref", "refs/heads/moved", "HEAD"),
        "push to the repository": lambda: git("push", "-q", repository, "HEAD:refs/heads/pushed"),
        "write to the object store": lambda: write(f"{repository}/.git/objects/escaped"),
        "write a ref by hand": lambda: write(f"{repository}/.git/refs/heads/written", facts["tip"]),
        "write a hook": lambda: write(f"{repository}/.git/hooks/pre-commit"),
        "write to the checkout": lambda: write(f"{repository}/escaped"),
        "write to the home": lambda: write(f"{home}/escaped"),
        "write to the state": lambda: write(f"{state}/escaped"),
        "write beside them": lambda: write(f"{facts['root']}/escaped"),
        "see the daemon": daemon,
        "signal the daemon": lambda: signal(int(facts["daemon"])),
        "find a variable of the user's": lambda: secret(facts["variable"]),
    }


def main() -> None:
    """Try everything."""
    facts = json.loads(Path(sys.argv[1]).read_text())
    found = {}
    for name, attempt in attempts(facts).items():
        try:
            found[name] = attempt()
        except (OSError, subprocess.TimeoutExpired) as error:
            found[name] = f"blocked: {error}"
    json.dump(found, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
