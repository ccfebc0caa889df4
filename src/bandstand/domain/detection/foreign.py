"""What of a change does not stand in its files: it needs a person who knows where the rest is."""

from bandstand.domain.change import Foreign

_LARGE_FILES = "lfs"


def foreign_content(found: Foreign) -> tuple[str, ...]:
    """A sentence for each link to another repository, and for each file that was committed past its filter."""
    links = (
        f"It points {path} to a commit of another repository, whose files are no part of it: see that others can "
        "fetch that commit."
        for path in found.links
    )
    return (*links, *(_past(one.path, one.filter) for one in found.unfiltered))


def _past(path: str, name: str) -> str:
    if name == _LARGE_FILES:
        return f"It holds {path} as it is, where Git LFS would keep a pointer to it."
    return f"It holds {path} as the agent wrote it: the filter {name} that its attributes name did not run."
