"""What of a change is kept elsewhere or otherwise, in sentences."""

from bandstand.domain.change import Foreign, Unfiltered
from bandstand.domain.detection import foreign_content


def test_each_has_its_sentence() -> None:
    """Which names the path, and for a filter what did not happen."""
    found = Foreign(
        links=("lib",),
        unfiltered=(Unfiltered(path="big.bin", filter="lfs"), Unfiltered(path="k.txt", filter="git-crypt")),
    )
    link, large, other = foreign_content(found)
    assert link.startswith("It points lib to a commit of another repository")
    assert large == "It holds big.bin as it is, where Git LFS would keep a pointer to it."
    assert other == "It holds k.txt as the agent wrote it: the filter git-crypt that its attributes name did not run."


def test_most_changes_have_none() -> None:
    """Nothing is said of what is as it shows."""
    assert foreign_content(Foreign()) == ()
