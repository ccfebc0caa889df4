"""The start of a holder: it takes the lock of the run's folder, starts the agent, says how that went, and holds it."""
# ruff: noqa: PTH108 - pathlib would be a tenth of the start of a process that every run starts
# ruff: noqa: E402 - isolated from everything but the standard library, it has to say where its own modules are

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys

# Last, and instead of our own folder: no module of the standard library may be taken from elsewhere.
sys.path[:1] = []
sys.path.append(__file__.rpartition("/bandstand/")[0])

from bandstand.adapters.hosts.holder import SEGMENT, VERSION
from bandstand.adapters.hosts.holder.bell import Bell, say
from bandstand.adapters.hosts.holder.egress import Egress
from bandstand.adapters.hosts.holder.faults import arm, fault
from bandstand.adapters.hosts.holder.holding import Holder
from bandstand.adapters.hosts.holder.journal import Journal
from bandstand.adapters.hosts.holder.tree import adopt_orphans, kill_tree, own_group, spawn


def main() -> None:
    """Start what the orders on stdin say, and hold it to its end."""
    spec, umask, journal = json.load(sys.stdin), os.umask(0o077), None
    group = None
    arm(spec.get("faults", {}))
    try:
        fcntl.flock(spec["lock"], fcntl.LOCK_EX | fcntl.LOCK_NB)
        journal = Journal(segment=spec.get("segment", SEGMENT))
        with contextlib.suppress(FileNotFoundError):
            os.unlink("sock")  # whoever made it had our lock, and is dead
        server = socket.create_server("sock", family=socket.AF_UNIX, backlog=64)
        os.write(os.open("exit.tmp", os.O_WRONLY | os.O_CREAT, 0o600), b" " * 512)
        adopt_orphans()
        fault("holder.spawn.before")
        group = own_group(spec)
        agent, inside, gate = spawn(spec, umask, group)
        fault("holder.spawn.after")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        if group:
            group.remove()
        if journal:
            os.unlink("journal")
        answer = {"live": False, "begun": bool(journal), "errno": getattr(error, "errno", 0), "detail": str(error)}
        return say(1, json.dumps(answer).encode())
    tree = "pid-namespace" if os.getpid() == 1 else "subreaper"
    about = {"version": VERSION, "tree": tree, "pid": agent.pid, "inside": inside}
    journal.note("start", **about, argv=spec["argv"], cwd=spec["cwd"])
    say(1, b'{"live": true}')
    for standard, path in enumerate((os.devnull, os.devnull, "stderr")):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), standard)
    try:
        holder = Holder(journal, agent, server, Bell(spec["bell"]), group)
        egress = Egress(holder.loop, journal, gate, inside) if gate else None
        holder.run(egress)
    finally:
        kill_tree()


if __name__ == "__main__":
    main()
