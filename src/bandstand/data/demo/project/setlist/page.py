"""The plan as a page."""

from setlist import songs


def render() -> str:
    """The whole page."""
    items = "\n".join(f"  <li>{song.title}</li>" for song in songs.EVENING)
    return f"<h1>Tonight</h1>\n<ol>\n{items}\n</ol>\n"
