"""The environment of a command inside: the caller's, with what would be wrong there put right."""

from collections.abc import Mapping
from pathlib import Path

from bandstand.adapters.sandbox.mounts import HOME, WORKSPACE

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"

# What makes the loader or the C library of bubblewrap itself, which runs outside, read files of somebody's choice.
_LOADER_VARIABLES = frozenset(
    {"GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "LOCPATH", "NIS_PATH", "RESOLV_HOST_CONF"}
)
# Folders of the caller's that are not there inside; without the variable a program takes its place below HOME or /tmp.
_FOLDER_VARIABLES = (
    "TMPDIR",
    "TMP",
    "TEMP",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
)


def environment_inside(given: Mapping[str, str], user_home: Path) -> dict[str, str]:
    """The environment with the paths that differ inside put right."""
    environment = {"PATH": _DEFAULT_PATH, **given, "HOME": str(HOME)}
    outside = (user_home, Path("/run/user"), Path("/var/folders"))
    for name in _FOLDER_VARIABLES:
        folder = Path(environment.get(name, "/"))
        kept = any(folder.is_relative_to(place) for place in (HOME, WORKSPACE)) or folder == Path("/tmp")
        if name in environment and (not kept or any(folder.is_relative_to(place) for place in outside)):
            del environment[name]
    return environment


def is_for_the_loader(name: str) -> bool:
    """Whether a variable would act on the program that makes the walls, too."""
    return name.startswith("LD_") or name in _LOADER_VARIABLES
