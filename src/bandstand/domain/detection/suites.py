"""Tests as files hold them: which are gone, and which no longer run although their file is still there.

Names are read from the text, by a parser for Python and by patterns for other languages.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bandstand.domain.detection.makefiles import UNPARSABLE, Reader

_FILES = re.compile(
    r"(?:.*/)?(?:test_[^/]*|[^/]*_test|tests?)\.py"
    r"|(?:.*/)?[^/]+_test\.(?:go|exs|dart|cc|cpp|c)"
    r"|(?:.*/)?[^/]+\.(?:test|spec)\.[cm]?[jt]sx?|(?:.*/)?__tests__/.*\.[cm]?[jt]sx?"
    r"|(?:.*/)?[^/]+(?:Tests?|IT|Spec)\.(?:java|kt|scala|groovy|cs|php|swift)"
    r"|(?:.*/)?[^/]+_(?:test|spec)\.rb"
    r"|(?:.*/)?tests/.*\.rs"
    r"|(?:.*/)?[^/]+\.bats"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Language:
    """How a language names a test, and how it marks one that does not run. As text: few of them are ever wanted, and
    to compile them all takes a part of the time that the first command waits."""

    test: str
    skip: str


def _language(test: str, skip: str) -> _Language:
    return _Language(test=test, skip=skip)


_JVM = _language(
    r"(?:@(?:Parameterized|Repeated)?Test\b|\[(?:Test|Fact|Theory)\b)[\s\S]{0,300}?(?:void|fun|def|Task)\s+(`[^`]+`|\w+)",
    r"@(?:Disabled|Ignore)\b|\[Ignore\b|\bSkip\s*=",
)
_SCRIPT = _language(
    r"\b[xf]?(?:it|test|specify)\b[^\n'\"`]*['\"`]([^\n'\"`]*)",
    r"\b(?:x(?:it|test|describe)|f(?:it|describe))\s*[(.]"
    r"|\b(?:it|test|describe|suite)(?:\.\w+)*\.(?:skip|only|todo|fails|skipIf|runIf)\b",
)
_LANGUAGES: Mapping[str, _Language] = {
    "py": _language(r"\bdef\s+(test\w*)", r"\bpytest\.(?:mark\.)?(?:skip|xfail)|\bunittest\.skip"),
    "go": _language(r"\bfunc\s+((?:Test|Fuzz|Example)\w*)\s*\(", r"\.Skip(?:Now|f)?\(|^//(?:go:build| \+build)\b.*"),
    "rs": _language(
        r"#\[(?:\w+::)*(?:test|rstest|test_case)\b[^\]]*\](?:\s*#\[[^\]]*\])*\s*(?:pub\s+)?(?:async\s+)?fn\s+(\w+)",
        r"#\[ignore\b",
    ),
    "rb": _language(
        r"\b(?:x?it|test|specify|scenario|example)\b[\s(]+['\"]([^\n'\"]*)|\bdef\s+(test_\w+)",
        r"\b(?:xit|xdescribe|xcontext)\b|^\s*(?:skip|pending)\b",
    ),
    "php": _language(r"\bfunction\s+(test\w*)", r"\bmarkTest(?:Skipped|Incomplete)\b"),
    "swift": _language(r"\bfunc\s+(test\w*)", r"\bXCTSkip"),
    "exs": _language(r"\btest\s+\"([^\n\"]*)", r"@tag\s+:skip"),
    "dart": _SCRIPT,
    "bats": _language(r"@test\s+['\"]([^\n'\"]*)", r"^\s*skip\b"),
    **dict.fromkeys(("java", "kt", "scala", "groovy", "cs"), _JVM),
    **{f"{kind}{end}": _SCRIPT for kind in ("js", "ts", "cjs", "cts", "mjs", "mts") for end in ("", "x")},
}
_COMMENT = re.compile(r"^\s*(?://(?!go:build| \+build)|#(?!\[)|\*).*$", re.MULTILINE)
_PYTHON_SKIP = re.compile(
    r"(?:pytest\.)?mark\.(?:skip|skipif|xfail)|pytest\.(?:skip|xfail|importorskip)|self\.skipTest"
    r"|unittest\.(?:skip\w*|expectedFailure|SkipTest)|skipIf|skipUnless|importorskip|expectedFailure|SkipTest|__test__"
)
_MOST_NAMES = 5


def holds_tests(path: str) -> bool:
    """Whether a path is that of a file with tests, by its name."""
    return _FILES.fullmatch(path) is not None


def tells_of_tests(path: str) -> bool:
    """Whether the content of a file is looked at for tests where it changes. Rust has them beside the code."""
    return path.rpartition(".")[2] in _LANGUAGES and (holds_tests(path) or path.endswith(".rs"))


def removed_tests(removed: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each path that holds tests and is gone, also under another name: what never runs is never red."""
    return tuple(f"It removes or moves {path}, which holds tests." for path in sorted(removed) if holds_tests(path))


def weakened_tests(*, changed: Sequence[str], before: Reader, after: Reader) -> tuple[str, ...]:
    """A sentence for each test file that is left with fewer tests or with more that are skipped.

    Tests that only moved to another file of the change, or got another name, are not told. Neither are files that are
    gone, which `removed_tests` tells.
    """
    files = [_Suite.of(path, before(path), after(path)) for path in sorted(set(changed)) if tells_of_tests(path)]
    gone, new = _total(suite.gone for suite in files), _total(suite.new for suite in files)
    sentences: list[str] = []
    for suite in files:
        lost = suite.gone - (new - suite.new)
        count = lost.total() - (suite.new - (gone - suite.gone)).total()
        if suite.kept and count > 0:
            sentences.append(_lost(suite, count, lost))
        if suite.skips:
            sentences.append(f"It skips tests in {suite.path}.")
    return tuple(sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    """One file of a change: its tests that went and came, and whether more are skipped than were."""

    path: str
    had: int
    has: int
    gone: Counter[str]
    new: Counter[str]
    skips: bool
    kept: bool

    @classmethod
    def of(cls, path: str, before: bytes | None, after: bytes | None) -> "_Suite":
        old, old_skips = _read(path, before)
        new, new_skips = _read(path, after)
        return cls(
            path=path,
            had=old.total(),
            has=new.total(),
            gone=old - new,
            new=new - old,
            skips=(new_skips - old_skips).total() > 0 and new_skips.total() > old_skips.total(),
            kept=after is not None,
        )


def _total(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counters:
        total.update(one)
    return total


def _lost(suite: _Suite, count: int, lost: Counter[str]) -> str:
    if not suite.has:
        return f"It leaves none of {suite.had} tests in {suite.path}."
    names = sorted(lost)
    more = ", …" if len(names) > _MOST_NAMES else ""
    return f"It removes {count} of {suite.had} tests in {suite.path}: {', '.join(names[:_MOST_NAMES])}{more}."


def _read(path: str, content: bytes | None) -> tuple[Counter[str], Counter[str]]:
    """The names of the tests in a file, and the marks that keep some from running."""
    text = (content or b"").decode(errors="replace")
    if path.endswith(".py"):
        try:
            tree = ast.parse(text)
            return Counter(_python_tests(tree.body)), Counter(_python_skips(tree))
        except UNPARSABLE:
            pass
    language, text = _LANGUAGES[path.rpartition(".")[2]], _COMMENT.sub("", text)
    names = [next((group for group in match.groups() if group), "") for match in re.finditer(language.test, text)]
    return Counter(names), Counter(match[0] for match in re.finditer(language.skip, text, re.MULTILINE))


def _python_tests(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test"):
                yield prefix + name
            case ast.ClassDef(name=name, bases=bases) if bases or name.startswith("Test"):
                yield from _python_tests(node.body, f"{prefix}{name}.")
            case ast.If(body=inner, orelse=other) | ast.Try(body=inner, orelse=other):
                yield from _python_tests([*inner, *other], prefix)
            case ast.With(body=inner):
                yield from _python_tests(inner, prefix)
            case _:
                pass


def _python_skips(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and _PYTHON_SKIP.fullmatch(name := ast.unparse(node)):
            yield name
