"""Which address shows what."""

from setlist import page, songs


def titles() -> str:
    """The titles, one on a line."""
    return "\n".join(song.title for song in songs.EVENING)


ROUTES = {
    "/": page.render,
    "/titles": titles,
}
