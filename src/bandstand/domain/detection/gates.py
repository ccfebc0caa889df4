"""Which files are gates.

Some are as a whole: the policy, continuous integration, hooks, the settings of test runners, the scripts that the
commands run. Of others only a part is: the scripts of package.json, the pytest table of pyproject.toml, the hooks in a
conftest.py. A part that cannot be parsed is the whole file, and so is one in whose place stands a link.

The list cannot be complete, for tests run the code that they test. It holds what a person wants to be asked about.
"""

import posixpath
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bandstand.domain.detection import parts
from bandstand.domain.detection.makefiles import MAKEFILES, Reader
from bandstand.domain.detection.packages import NODE_TOOLS
from bandstand.domain.detection.programs import Programs, programs
from bandstand.domain.detection.suites import tells_of_tests

_INSTEAD = "which Python loads before or instead of its test runner"
_LOADED = r"(?:pytest|_pytest|pluggy|iniconfig|pygments|exceptiongroup|xdist|coverage|tox|nox)"
_ENDING = r"\.(?:py|pyc|pyd|(?:[\w-]+\.)*so)"
# The standard library has a `test` that nobody loads; the others of these names are folders of many projects.
_SHADOWING = sys.stdlib_module_names - {"test", "this", "antigravity", "idlelib", "turtledemo", "lib2to3"}
_MODULE = re.compile(rf"([A-Za-z_]\w*)(?:{_ENDING}|/__init__{_ENDING})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """Files that are gates from the first to the last byte; with `tools`, only if a command runs one of those."""

    paths: re.Pattern[str]
    why: str
    tools: frozenset[str] = frozenset()


def _whole(why: str, *patterns: str, tools: Iterable[str] = ()) -> _Whole:
    return _Whole(paths=re.compile("|".join(patterns)), why=why, tools=frozenset(tools))


_WHOLE = (
    _whole("the policy of this repository", r"bandstand\.toml"),
    _whole("which says what of your checkout is copied for agents", r"\.worktreeinclude"),
    _whole(
        "which continuous integration runs",
        r"\.github(?:/(?:workflows|actions)(?:/.*)?)?",
        r"\.(?:forgejo|gitea)(?:/workflows(?:/.*)?)?",
        r"\.gitlab-ci\.ya?ml|\.gitlab(?:/.*)?",
        r"\.(?:circleci|buildkite|teamcity|ci)(?:/.*)?",
        r"\.woodpecker(?:/.*|\.ya?ml)",
        r"\.(?:travis|drone|cirrus)\.ya?ml|\.?appveyor\.ya?ml",
        r"(?:azure|bitbucket)-pipelines\.ya?ml|Jenkinsfile",
    ),
    _whole("which says who has to review", r"(?:\.github/|docs/)?CODEOWNERS"),
    _whole(
        "which holds hooks",
        r"\.pre-commit-(?:config|hooks)\.ya?ml",
        r"\.(?:husky|githooks|lefthook)(?:/.*)?|\.?lefthook(?:-local)?\.ya?ml",
        r"\.lintstagedrc.*|lint-staged\.config\.\w+",
    ),
    _whole(
        "which says how tests are run",
        r"(?:.*/)?\.?pytest\.(?:ini|toml)|(?:.*/)?tox\.(?:ini|toml)|(?:.*/)?noxfile\.py|\.coveragerc",
        r"(?:.*/)?(?:jest|vitest|vite|ava|playwright|cypress|karma|wdio)\.(?:conf|config|setup|workspace)\.\w+",
        r"(?:.*/)?\.(?:mocharc|nycrc|c8rc|taprc|jestrc)(?:\.\w+)?",
        r"(?:.*/)?\.cargo(?:/config(?:\.toml)?)?|\.config/nextest\.toml",
    ),
    _whole("which pytest runs before any test", r"conftest\.py"),
    _whole("which makes pytest skip its folder", r"(?:.*/)?(?:pyvenv\.cfg|conda-meta/history|bin/activate)"),
    _whole(
        _INSTEAD,
        rf"(?:src/)?(?:site|user)customize(?:{_ENDING}|/.*)?",
        rf"(?:src/)?{_LOADED}(?:{_ENDING}|/.*)?",
        rf"(?:src/)?(?:py|packaging|tomli){_ENDING}|(?:src/)?packaging/__init__{_ENDING}",
    ),
    _whole(
        "which names plugins of the test runner",
        r"(?:src/)?[^/]+\.(?:egg|dist)-info(?:/entry_points\.txt)?",
    ),
    _whole("which stands where installed tools do", r"(?:node_modules|\.venv|venv|\.tox|\.nox)(?:/.*)?"),
    _whole("which sets the environment of commands", r"\.envrc|(?:\.config/|\.)?mise(?:\.[\w.]+)?\.toml|\.mise/.*"),
    _whole("which sets the environment of commands", r"\.env", tools=("pipenv", "dotenv", "dotenvx", "just", "task")),
    _whole("which chooses the compiler", r"rust-toolchain(?:\.toml)?", tools=("cargo", "rustc")),
    _whole("which says which tests Go finds", r"go\.work", tools=("go",)),
    _whole("which says how package scripts are run", r"\.npmrc|\.yarnrc(?:\.yml)?|\.pnpmfile\.c?js", tools=NODE_TOOLS),
    _whole("which says how package scripts are run", r"\.yarn/(?:releases|plugins)/.*", tools=NODE_TOOLS),
    _whole("by which checks are run", r"(?:.*/)?(?:GNUm|m|M)akefile|(?:.*/)?[^/]+\.mk", tools=("make", "gmake")),
    _whole("by which checks are run", r"\.?[jJ]ustfile", tools=("just",)),
    _whole("by which checks are run", r"[tT]askfile\.ya?ml", tools=("task",)),
    _whole(
        "by which checks are run",
        r"(?:.*/)?(?:build|settings)\.gradle(?:\.kts)?|gradlew|gradle/wrapper/.*",
        tools=("gradle", "gradlew"),
    ),
    _whole("by which checks are run", r"(?:.*/)?pom\.xml|mvnw|\.mvn/.*", tools=("mvn", "mvnw")),
    _whole("by which checks are run", r"(?:turbo|nx|lerna|wireit)\.json|pnpm-workspace\.yaml", tools=NODE_TOOLS),
    _whole(
        "by which checks are run",
        r"(?:.*/)?(?:Rakefile|Justfile|dodo\.py|tasks\.py)",
        tools=("rake", "doit", "invoke", "inv"),
    ),
    *(
        _whole("which says what a check looks for", *patterns, tools=tools)
        for tools, patterns in (
            (("ruff",), (r"(?:.*/)?\.?ruff\.toml",)),
            (("mypy",), (r"\.?mypy\.ini",)),
            (("flake8",), (r"\.flake8",)),
            (("pylint",), (r"\.?pylintrc(?:\.toml)?",)),
            (("pyright", "basedpyright"), (r"pyrightconfig\.json",)),
            (("bandit",), (r"\.bandit|bandit\.ya?ml",)),
            (("lint-imports",), (r"\.importlinter",)),
            (("eslint",), (r"(?:.*/)?(?:\.eslint(?:rc.*|ignore)|eslint\.config\.\w+)",)),
            (("biome",), (r"(?:.*/)?biome\.jsonc?",)),
            (("tsc", "vue-tsc"), (r"(?:.*/)?tsconfig(?:\.[\w.-]+)?\.json",)),
            (("golangci-lint",), (r"\.golangci\.(?:ya?ml|toml|json)",)),
            (("cargo", "cargo-clippy"), (r"\.?clippy\.toml|\.?rustfmt\.toml|deny\.toml",)),
            (("shellcheck",), (r"(?:.*/)?\.shellcheckrc",)),
            (("rubocop",), (r"(?:.*/)?\.rubocop(?:_todo)?\.yml",)),
            (("pre-commit",), (r"\.pre-commit-config\.ya?ml",)),
        )
    ),
)


def tells(path: str) -> bool:
    """Whether the content of a file is looked at; others count by their path alone, or by what leads to them."""
    return parts.has_part(path) or posixpath.basename(path) in MAKEFILES


def wanted(
    listed: Iterable[str],
    known: Mapping[str, bytes | None],
    *,
    changed: Iterable[str] = (),
    commands: Sequence[str] = (),
) -> frozenset[str]:
    """Which paths of a commit are to be read next, so that the commands can be followed; none once all are known.

    What was just read may lead on: ask until nothing is wanted. `changed` are the paths of the change that is judged.
    """
    here, changes = frozenset(listed), frozenset(changed)
    asked: set[str] = set()

    def read(path: str) -> bytes | None:
        asked.add(path)
        return known.get(path)

    programs(commands, read)
    asked |= _plugins(changes, read) & changes
    asked |= {path for path in changes if tells_of_tests(path)}
    asked |= {path for path in here if tells(path)}
    return (frozenset(asked) & here) - known.keys()


def touched_gates(
    *,
    changed: Sequence[str],
    before: Reader,
    after: Reader,
    commands: Sequence[str],
    statuses: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """A sentence for each gate that a change touches; none if it leaves all as they are.

    `changed` holds every path that differs, both names of a renamed file; `statuses` git's letters for them. Without
    those a file that cannot be read any more is taken to be a link. The readers have to know what `wanted` names, also
    what did not change: what the commands run is read there, in `before` and in `after`, so that neither a new detour
    nor the end of an old one hides a script.
    """
    ran = programs(commands, before) | programs(commands, after)
    paths = frozenset(changed)
    plugins = _plugins(paths, before) | _plugins(paths, after)
    sentences = []
    for path in sorted(paths):
        old, new = before(path), after(path)
        status = (statuses or {}).get(path, "")
        if why := _why(path, ran):
            sentences.append(f"It {_verb(old, new, status)} {path}, {why}.")
        elif parts.has_part(path) or path in plugins:
            if _unreadable(old, new, status):
                sentences.append(f"It changes {path}, which is no plain file and may hold {parts.subject(path)}.")
            elif parts.part(path, old, ran.tools) != parts.part(path, new, ran.tools):
                sentences.append(f"It changes {parts.subject(path)} in {path}.")
    return tuple(sentences)


def _unreadable(old: bytes | None, new: bytes | None, status: str) -> bool:
    """Whether something other than a plain file stands, or stood, where one has to be."""
    if not status:
        return new is None
    return (old is None and status != "A") or (new is None and status != "D")


def _plugins(changed: Collection[str], read: Reader) -> set[str]:
    """The files from which a conftest.py above or beside a changed one, or in the folder of all tests, takes hooks."""
    found: set[str] = set()
    folders = {"tests", "test"} | {one for path in changed for one in _above(path)}
    waiting = [posixpath.join(folder, "conftest.py") for folder in folders]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            new = set(parts.plugins(path, read)) - found
            found |= new
            waiting += new
    return found


def _above(path: str) -> Iterator[str]:
    while path:
        path = posixpath.dirname(path)
        yield path


def _verb(before: bytes | None, after: bytes | None, status: str) -> str:
    if status == "A" or (before is None and after is not None and not status):
        return "adds"
    return "removes" if status == "D" or (before is not None and after is None and not status) else "changes"


def _why(path: str, ran: Programs) -> str:
    """Why the whole file is a gate; empty if it is none."""
    for rule in _WHOLE:
        if rule.paths.fullmatch(path) and (not rule.tools or rule.tools & ran.tools):
            return rule.why
    if ran.runs(path):
        return "which a check runs"
    return _INSTEAD if _shadows(path, ran.search) else ""


def _shadows(path: str, search: Collection[str]) -> bool:
    """Whether Python would find a module of its own library here first."""
    for folder in search:
        below = path.removeprefix(f"{folder}/") if folder not in {"", "."} else path
        match = _MODULE.fullmatch(below)
        if match is not None and match[1] in _SHADOWING and (below != path or folder in {"", "."}):
            return True
    return False
