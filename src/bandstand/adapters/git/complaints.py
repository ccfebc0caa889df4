"""What git complains of, sorted by who must act and said so that one knows what to do.

Git says much, and much of it is about itself. Where the trouble is one that people have, it gets a sentence of ours
with the file or the object that git named; what git says of anything else is handed on as it is.
"""

import re
from dataclasses import dataclass

from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable

_LOCKED = re.compile(r"Unable to create '(.*\.lock)': File exists|cannot lock ref .*?'([^']*\.lock)': File exists")
_DAMAGED = re.compile(
    r"(?:bad object|cannot read object|unable to read(?: tree| sha1 file of)?|[Cc]ould not read|missing object)"
    r" (?P<name>refs/\S+|\(?[0-9a-f]{40,64}\)?(?: '[^']*')?)"
    r"|(?:loose|packed) object (?P<object>[0-9a-f]{40,64}) \(stored in (?P<place>.*)\) is corrupt"
)
_ALTERNATE = re.compile(r"unable to normalize alternate object path: (.*)|object directory (.*) does not exist")
_INDEX = re.compile(
    r"(\S*index): index file smaller than expected|bad index file sha1|bad signature 0x|index file corrupt"
)
_SETTINGS = re.compile(r"bad (?:numeric |boolean )?config (?:line|value|variable|file)[^\n]*")
_EXTENSION = re.compile(r"unknown repository extensions? found:\s*(\S+)|Expected git repo version <= \d+, found (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A git, or another program, that ended with an error: what it was, the folder it saw, what it said."""

    name: str
    where: str
    at: str  # the folder on the host
    complaint: str
    code: int


def error(failed: Failed) -> BandstandError:
    """The error that stands for it."""
    text = failed.complaint
    message = f"{failed.name} failed in {failed.where}: {text or f'exit status {failed.code}'}"
    message += "" if message.endswith((".", "!")) else "."
    if "not a git repository" in text or "not in a git directory" in text:
        return Refused(f"{failed.at} is not in a git repository.", hint="Run `git init` there, or go to one.")
    if "dubious ownership" in text:
        return Refused(
            f"{failed.at} belongs to another user, and git does not trust it.",
            hint=f"If you do: `git config --global --add safe.directory {failed.at}`.",
        )
    if "exists; cannot create" in text:
        return Refused(message, hint="Rename the branch whose name is the beginning of the other's.")
    return _of_the_place(failed) or _of_the_machine(text, message) or Broken(message)


def _of_the_machine(text: str, message: str) -> BandstandError | None:
    if "No space left on device" in text:
        return Unavailable(message, hint="Make room on the disk.")
    if "Permission denied" in text or "Read-only file system" in text or "insufficient permission" in text:
        return Broken(message, hint="See who owns these files and who may write them.")
    return None


def _of_the_place(failed: Failed) -> BandstandError | None:
    """What is wrong with the repository itself."""
    text = failed.complaint
    if locked := _LOCKED.search(text):
        lock = locked[1] or locked[2]
        return Unavailable(
            f"Another git is at work in {failed.where}: {lock} is there.", hint="If there is none, remove that file."
        )
    if extension := _EXTENSION.search(text):
        needs = extension[1] or f"format {extension[2]}"
        return Refused(
            f"The repository in {failed.where} needs a newer git than this machine has: {needs}.",
            hint="Install a newer git.",
        )
    if settings := _SETTINGS.search(text):
        return Refused(
            f"Git cannot read its settings in {failed.where}: {settings[0].removesuffix('.')}.",
            hint="Mend that line; `git config --list --show-origin` says where each setting stands.",
        )
    if index := _INDEX.search(text):
        return Broken(
            f"The index of {failed.where} is damaged{': ' + index[1] if index[1] else ''}.",
            hint="Move that file aside and run `git reset` there: it makes a new one, and leaves your files alone.",
        )
    return _damaged(failed)


def _damaged(failed: Failed) -> Broken | None:
    if found := _ALTERNATE.search(failed.complaint):
        return Broken(
            f"The repository in {failed.where} borrows objects from {found[1] or found[2]}, which is not there.",
            hint="Bring that folder back, or mend objects/info/alternates; `git fsck` says what is missing.",
        )
    if found := _DAMAGED.search(failed.complaint):
        place = f" ({found['place']})" if found["place"] else ""
        return Broken(
            f"The repository is damaged: {found['name'] or found['object']}{place} cannot be read.",
            hint="`git fsck --full` in your repository says what is broken; a clone of it may still have it.",
        )
    return None
