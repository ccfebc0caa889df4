"""The songs of an evening."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Song:
    """A song, and its length in seconds."""

    title: str
    seconds: int


EVENING = (
    Song("Take the A Train", 175),
    Song("So What", 562),
    Song("Blue in Green", 337),
)
