"""What an agent serves: `ports` lists it, `open` forwards one port of it to this machine."""

import argparse
import asyncio
import os
import sys
from contextlib import suppress

from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.entering import NoEntrance
from bandstand.faces.cli.forwarding import HERE, Forward, listen
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.terminal import Paint, clean, encoded, table, width
from bandstand.faces.wire import Json

_HIGHEST = 65535
_HTTPS = (443, 8443)
_ROOTS = ("127.0.0.1", "::1", "0.0.0.0", "::")


def ports(arguments: argparse.Namespace) -> int:
    """Where the agent of a task listens."""
    found = call("ports", task=arguments.task)
    if arguments.json:
        return dump(found)
    paint = Paint(sys.stdout)
    task = found["task"]
    if found["base"]:
        last = found["base"] + found["count"] - 1
        names = f"{found['project']} for Docker Compose, {found['database']} for a database"
        sys.stdout.write(paint.dim(f"Its own: ports {found['base']} to {last}, the names {names}.\n"))
    if not found["run"]:
        words = "has ended, so nothing of it listens" if found["over"] else "has no agent at work, so nothing listens"
        sys.stdout.write(f"{task} {words}.\n")
        return 0
    whose = "in a network of its own" if found["own"] else "in this machine's own network"
    if not found["ports"]:
        sys.stdout.write(f"The agent of {task} runs {whose}, and listens on no port.\n")
        return 0
    sys.stdout.write(f"The agent of {task} runs {whose}, and listens there:\n")
    rows = [[str(one["port"]), one["address"], one["program"]] for one in found["ports"]]
    for port, address, program in table(rows, columns=width() - 2):
        sys.stdout.write(f"  {paint.bold(port)}  {address}  {paint.dim(clean(program))}\n")
    first = next((one["port"] for one in found["ports"] if one["address"] in _ROOTS), found["ports"][0]["port"])
    sys.stdout.write(paint.dim(f"Open one: band open {task} --port {first}\n"))
    return 0


def open_port(arguments: argparse.Namespace) -> int:
    """Forward a port of an agent to this machine, until the run ends or somebody presses Ctrl-C."""
    task, port = arguments.task, _number(arguments.port, "--port", least=1)
    local = None if arguments.local_port is None else _number(arguments.local_port, "--local-port", least=0)
    found = call("ports", task=task)
    if not found["run"]:
        raise _no_run(found)
    if not found["own"]:
        return _machine(found, port, arguments)
    with listen(port, exactly=local) as listener:
        url = _url(port, listener.getsockname()[1])
        told = _Told(found, port, url, arguments)
        told.first()
        forward = Forward(listener, port=port, process=found["process"], started=found["started"])
        try:
            asyncio.run(forward.until_over(waiting=told.waiting, found=told.found))
        except NoEntrance as error:
            again = call("ports", task=task)
            if again["run"] == found["run"]:
                raise Broken(
                    f"The network of {task} cannot be entered: {error.strerror}.",
                    hint="Give the command as the user whose agent it is, on the same machine.",
                ) from None
        told.over()
    return 0


class _Told:
    """What is said of one forward as it goes on."""

    def __init__(self, found: Json, port: int, url: str, arguments: argparse.Namespace) -> None:
        self._found = found
        self._port = port
        self._url = url
        self._json = arguments.json
        self._browses = not (arguments.no_browser or arguments.json) and sys.stdout.isatty()

    def first(self) -> None:
        """Where to connect to."""
        listens = any(one["port"] == self._port for one in self._found["ports"])
        if self._json:
            _line(_record(self._found, self._port, self._url, listens=listens))
            return
        paint = Paint(sys.stdout)
        sys.stdout.write(f"{paint.bold(self._url)} is port {self._port} of {self._found['task']}. Ctrl-C ends it.\n")
        sys.stdout.flush()

    def waiting(self) -> None:
        """Nothing listens yet."""
        task, others = self._found["task"], sorted({one["port"] for one in self._found["ports"]})
        but = f" It listens on {', '.join(map(str, others))}." if others else ""
        _aside(f"Nothing listens on port {self._port} of {task} yet; this waits until something does.{but}")
        _aside(f'To have its agent start it: band send {task} "…"')

    def found(self) -> None:
        """Something listens."""
        if self._browses:
            _browse(self._url)

    def over(self) -> None:
        """The run has ended."""
        _aside(f"The agent of {self._found['task']} has ended, and its ports with it.")


def _machine(found: Json, port: int, arguments: argparse.Namespace) -> int:
    """Say that there is nothing to forward: the port is the machine's."""
    url = _url(port, port)
    listens = any(one["port"] == port for one in found["ports"])
    if arguments.json:
        _line(_record(found, port, url, listens=listens))
        return 0
    task = found["task"]
    sys.stdout.write(f"{Paint(sys.stdout).bold(url)}\n")
    _aside(f"{task} runs in this machine's own network, so its port {port} is this machine's: nothing is forwarded.")
    if arguments.local_port not in (None, port):
        _aside(f"--local-port {arguments.local_port} is not used.")
    if not listens:
        _aside(f"No process of {task} listens on it now: what answers there is something else. See: band ports {task}")
    elif not arguments.no_browser and sys.stdout.isatty():
        _browse(url)
    return 0


def _record(found: Json, port: int, url: str, *, listens: bool) -> Json:
    network = "own" if found["own"] else "machine"
    return {
        "task": found["task"],
        "run": found["run"],
        "port": port,
        "url": url,
        "network": network,
        "listens": listens,
    }


def _no_run(found: Json) -> Refused | Unavailable:
    task = found["task"]
    if found["over"]:
        return Refused(f"{task} has ended: nothing of it listens.", hint=f"See what came of it: band show {task}")
    return Unavailable(
        f"{task} has no agent at work, so nothing of it can listen.", hint=f"See what it waits for: band show {task}"
    )


def _number(value: int, option: str, *, least: int) -> int:
    if not least <= value <= _HIGHEST:
        raise Refused(f"{value} is no port.", hint=f"{option} takes {least} to {_HIGHEST}.")
    return value


def _url(port: int, local: int) -> str:
    return f"{'https' if port in _HTTPS else 'http'}://{HERE}:{local}/"


def _line(value: Json) -> None:
    sys.stdout.write(f"{encoded(value)}\n")
    sys.stdout.flush()


def _aside(words: str) -> None:
    """Say something that is not what was asked for."""
    sys.stderr.write(f"{clean(words)}\n")
    sys.stderr.flush()


def _browse(url: str) -> None:
    """Open a browser where there is a desktop: one in the terminal would take that."""
    if sys.platform != "darwin" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    import webbrowser

    with suppress(webbrowser.Error):
        webbrowser.open(url)
