"""Logging an agent in for Bandstand: the vendor's own command, in this terminal, with the shared folder as its place.

The user's own login is neither used nor changed.
"""

import argparse
import asyncio
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from bandstand.bootstrap import Bandstand
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.settings import own_profiles
from bandstand.domain.agent import AgentProfile
from bandstand.domain.credentials import CredentialKind, Login, placed
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import AgentName
from bandstand.faces.cli.starting import here
from bandstand.faces.cli.terminal import encoded
from bandstand.faces.text import login_cure, login_words

_HOMES = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


def login(arguments: argparse.Namespace) -> int:
    """Log an agent in. Raises `Refused` where there is nothing to log in to, or its command is not here."""
    band = Bandstand(here(), dict(os.environ))
    profile = _profile(band, arguments.agent)
    credentials = profile.credentials
    if credentials.kind is not CredentialKind.SHARED:
        return _by_variable(band, profile, arguments)
    if not arguments.copy and not credentials.login:
        hint = f"Say it in your settings: [agents.{profile.name}.credentials] login = [...]"
        raise Refused(f"Nobody said which command logs {profile.name} in.", hint=hint)
    folder = band.places.logins / profile.name
    environment = _environment(profile, folder)
    words = _shown(profile, folder)
    if arguments.dry_run:
        return _say(arguments, profile, _found(band, profile), words=words, command=words)
    os.umask(0o077)
    asyncio.run(band.logins.folders.open(profile.name, credentials))
    if arguments.copy:
        _copy(band, profile, folder)
    else:
        _run(profile, environment, quiet=arguments.json)
    band.logins.folders.give_back(profile.name)
    if not band.logins.folders.kept(profile.name, credentials):
        raise Unavailable(f"{profile.name} left no login in {folder}.", hint=f"Try it by hand: {words}")
    done = f"{profile.name} is logged in, for all of its runs. Your own login is as it was."
    return _say(arguments, profile, _found(band, profile), words=done, command=words)


def _profile(band: Bandstand, name: str | None) -> AgentProfile:
    """An agent of the user's, or a known one: no repository says what runs outside of a sandbox."""
    profiles = own_profiles(band.settings())
    if name is None:
        raise Refused("Say which agent is to be logged in.", hint=f"One of these: {', '.join(sorted(profiles))}.")
    if name not in profiles:
        raise Refused(
            f"There is no agent {name!r} in your settings, nor is it known.",
            hint=f"There are {', '.join(sorted(profiles))}. A repository's agent has no login of yours.",
        )
    return profiles[AgentName(name)]


def _by_variable(band: Bandstand, profile: AgentProfile, arguments: argparse.Namespace) -> int:
    """What there is to say of an agent that needs no folder."""
    found = _found(band, profile)
    if found.state == "missing":
        raise Refused(f"{profile.name} is logged in by a variable, and none has a value.", hint=login_cure(profile))
    words = f"{profile.name}: {login_words(found)}. There is nothing to do."
    return _say(arguments, profile, found, words=words, command="")


def _found(band: Bandstand, profile: AgentProfile) -> Login:
    return band.logins.login(profile, {name for name, value in os.environ.items() if value})


def _environment(profile: AgentProfile, folder: Path) -> dict[str, str]:
    """The caller's environment, but for what is a login already, with the folder as the place of the login."""
    credentials = profile.credentials
    mine = {name: value for name, value in os.environ.items() if name not in credentials.variables}
    if credentials.login_environment:
        return {**mine, **placed(credentials.login_environment, str(folder))}
    return {**{name: value for name, value in mine.items() if name not in _HOMES}, "HOME": str(folder)}


def _shown(profile: AgentProfile, folder: Path) -> str:
    """The command as somebody would type it."""
    placing = placed(profile.credentials.login_environment, str(folder)) or {"HOME": str(folder)}
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in placing.items()), _line(profile)])


def _line(profile: AgentProfile) -> str:
    return shlex.join(profile.credentials.login)


def _run(profile: AgentProfile, environment: dict[str, str], *, quiet: bool) -> None:
    """The vendor's command, on the caller's terminal. What it prints is no JSON of ours."""
    argv = profile.credentials.login
    program = shutil.which(argv[0])
    if program is None:
        known = KNOWN_AGENTS.get(profile.name)
        hint = f"Install it: {known.install}" if known is not None else "Install it, or name it by its whole path."
        raise Refused(f"{argv[0]}, which logs {profile.name} in, is not installed.", hint=hint)
    done = subprocess.run([program, *argv[1:]], env=environment, stdout=sys.stderr if quiet else None, check=False)
    if done.returncode != 0:
        raise Unavailable(f"`{_line(profile)}` ended with {done.returncode}: {profile.name} is not logged in by it.")


def _copy(band: Bandstand, profile: AgentProfile, folder: Path) -> None:
    """Take the user's own login. Raises `Refused` where two holders of one would log each other out."""
    credentials = profile.credentials
    if not credentials.several:
        raise Refused(
            f"A login of {profile.name} has one holder: who renews a copy of it may log the other one out.",
            hint=f"Make one for Bandstand: band agents login {profile.name}",
        )
    found = [link for link in credentials.links if (band.home / link).is_file()]
    if not found:
        raise Refused(f"There is no login of {profile.name} in your home.", hint=login_cure(profile))
    for link in found:
        draft = folder / f"{link}.new"
        draft.write_bytes((band.home / link).read_bytes())
        draft.replace(folder / link)


def _say(arguments: argparse.Namespace, profile: AgentProfile, found: Login, *, words: str, command: str) -> int:
    if arguments.json:
        said = {"agent": profile.name, "kind": found.kind.value, "state": found.state, "command": command}
        words = encoded(said, indent=2)
    sys.stdout.write(f"{words}\n")
    return 0
