"""The documents cannot lie: their links lead somewhere, and the commands they show exist."""

import argparse
import importlib
import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARSER_MODULE = "bandstand.faces.cli.parser"

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[\w-]*).*?\n(?P<body>.*?)^ *(?P=fence) *$", re.M | re.S
)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)", re.M)
ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//|#)", re.I)
SHELL_LANGUAGES = {"console", "sh", "shell", "bash"}


def documents() -> list[Path]:
    """Every Markdown file that is or could be committed."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [path for name in listed.stdout.split(b"\0") if name and (path := ROOT / name.decode()).is_file()]


def links(text: str) -> list[str]:
    """The targets of the links in a Markdown text, leaving out code."""
    prose = INLINE_CODE.sub("", FENCE.sub("", text))
    return [match[1] or match[2] for match in LINK.finditer(prose)]


def leads_somewhere(document: Path, link: str) -> bool:
    """Whether a link is of the web or the same page, or names a file that exists."""
    path = unquote(link.partition("#")[0])
    start = ROOT if path.startswith("/") else document.parent
    return bool(ELSEWHERE.match(link)) or (start / path.lstrip("/")).exists()


def shown_commands(text: str) -> Iterator[list[str]]:
    """Each `$ band ...` line in the shell blocks of a Markdown text, as words."""
    for block in FENCE.finditer(text):
        if block["language"] in SHELL_LANGUAGES:
            for line in block["body"].splitlines():
                if line.strip().startswith("$ band"):
                    yield shlex.split(line.strip().removeprefix("$ ").rstrip("\\"), comments=True)


def known_verbs() -> frozenset[str]:
    """The verbs of `band`, from its parser."""
    parser: argparse.ArgumentParser = importlib.import_module(PARSER_MODULE).build_parser()
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return frozenset(verb for group in groups for verb in group.choices)


def test_every_relative_link_leads_somewhere() -> None:
    """A reader who follows a link inside the repository arrives."""
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in documents()
        for link in links(document.read_text(encoding="utf-8"))
        if not leads_somewhere(document, link)
    ]
    assert not broken, "Mend the path, or take the link out:\n  " + "\n  ".join(broken)


def test_every_shown_command_exists() -> None:
    """A verb in a document is a verb of the program; before there is a parser, there is nothing to compare with."""
    if importlib.util.find_spec(PARSER_MODULE) is None:
        return
    verbs = known_verbs()
    unknown = [
        f"{document.relative_to(ROOT)}: {' '.join(words)}"
        for document in documents()
        for words in shown_commands(document.read_text(encoding="utf-8"))
        if (verb := next((word for word in words[1:] if not word.startswith("-")), None)) and verb not in verbs
    ]
    assert not unknown, "`band` has no such verb; show what exists:\n  " + "\n  ".join(unknown)


def test_every_decision_has_a_number_of_its_own() -> None:
    """They are named by it, and it is taken by whoever lands first."""
    numbers = sorted(page.name[:4] for page in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == [f"{number:04}" for number in range(len(numbers))]


def test_the_guide_for_agents_stays_short() -> None:
    """Every task begins with reading it, so each line costs: reasons go to docs/adr, checks to a machine."""
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 100


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[here](there.md) and ![picture](a.png)", ["there.md", "a.png"]),
        ("[part](page.md#part), [web](https://example.org)", ["page.md#part", "https://example.org"]),
        ("```sh\n[no](link)\n```\n`[no](link)`", []),
        ("[a]: gone.md", ["gone.md"]),
    ],
)
def test_the_link_finder_sees_links_and_only_links(text: str, found: list[str]) -> None:
    """What the rule about links relies on."""
    assert links(text) == found


def test_the_command_finder_sees_shell_blocks_only() -> None:
    """What the rule about commands relies on."""
    text = "```console\n$ band ps --json  # now\nband: said\n```\n```python\n$ band no\n```\n"
    assert list(shown_commands(text)) == [["band", "ps", "--json"]]
