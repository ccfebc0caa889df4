"""The tree of errors, sorted by who must act.

    BandstandError
    ├── Refused        the asker: the order or its input is wrong; nothing was changed
    │   ├── Unknown    what was named does not exist
    │   └── Stale      what the asker saw has been overtaken
    ├── Unavailable    nobody yet: wait and try again
    └── Broken         a person: something that must hold does not

A message is one or more full sentences. A hint says the next step. Nothing is retried unless it is `Unavailable`.
"""

import errno


class BandstandError(Exception):
    """Something that a person should read. `hint` names the next step, or is empty."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class Refused(BandstandError):
    """The order cannot be taken as it is. Nothing was changed."""


class Unknown(Refused):
    """What the order names does not exist."""


class Stale(Refused):
    """The order is about something that is not as it was: look again, and then perhaps give another one."""


class Unavailable(BandstandError):
    """Something is not there now and may be later. Trying again is right."""


class Broken(BandstandError):
    """Something that must hold does not. A person has to look."""


def of_the_disk(error: OSError) -> BandstandError | None:
    """What an error of the operating system is to a person, if it is the disk's: full, read-only, failing, closed."""
    where = f" ({error.filename})" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Unavailable(f"There is no room on the disk{where}.", hint="Make room, and it goes on.")
        case errno.EROFS:
            return Unavailable(f"The disk cannot be written{where}.", hint="Make it writable, and it goes on.")
        case errno.EIO:
            return Unavailable(f"The disk fails{where}.", hint="Look at the disk.")
        case errno.EACCES | errno.EPERM:
            hint = "See who owns it, and let it be read and written by you."
            return Refused(f"You have no permission for a file or folder{where}.", hint=hint)
        case _:
            return None
