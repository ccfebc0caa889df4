"""How a holder makes itself heard outside of its namespace, where somebody waits who can start a daemon."""

import contextlib
import os

ALONE, LONGEST = 1.0, 60.0  # seconds without a client: after which we ring for one, between rings in the end


def say(pipe: int, words: bytes) -> None:
    """Say one line to whoever started us, or waits outside, if they still listen."""
    with contextlib.suppress(OSError):
        os.write(pipe, words + b"\n")


class Bell:
    """Has a daemon started while nobody attends to us, ever more rarely."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._at, self._lull = 0.0, ALONE  # the first is 0 while somebody attends to us

    def attended(self) -> None:
        """Somebody attends to us."""
        self._at, self._lull = 0.0, ALONE

    def alone(self, now: float) -> float:
        """Nobody does. Ring if it is time to; how long until the next time."""
        if now >= self._at:
            say(self._pipe, b"ring" if self._at else b"live")
            self._at, self._lull = now + self._lull, min(LONGEST, 2 * self._lull)
        return self._at - now

    def farewell(self) -> None:
        """Somebody has seen our end: nobody is to be started for it."""
        say(self._pipe, b"bye")
