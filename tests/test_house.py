"""The rules of the house, kept by a machine. A failing rule says what to do about it.

What ruff, mypy and import-linter can say stands in pyproject.toml; here is the rest.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "bandstand"

LONGEST_FILE = 400
LONGEST_PORT = 300
LONGEST_FUNCTION = 50
MOST_METHODS = 20

BROAD_EXCEPT_MODULES = {
    "services/reconcile.py",  # the guard around every performer: the failure becomes a fact
    "adapters/hosts/holder/",  # it must outlive whatever its run does
    "faces/daemon/server.py",  # the boundary of the socket: one bad request ends alone
    "faces/cli/main.py",  # the boundary of the terminal: a sentence instead of a traceback
}
MAY_PRINT = ("faces/", "rehearsal/")
STANDARD_LIBRARY_ONLY = {
    "rehearsal/": ("rehearsal/",),
    "adapters/hosts/holder/": ("adapters/hosts/holder/", "starter/", "egress/"),
    "starter/": ("starter/",),
    "egress/": ("egress/",),
}
"""What starts alone, and what of ours it may know."""
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}

# What the first instant of every command may load: these modules, and of the heavy ones none.
LIGHT_MODULES = ["bandstand", "bandstand.__main__"]
HEAVY_MODULES = ["asyncio", "pydantic", "rich", "sqlite3", "yaml"]

# In two pieces, so that this file does not name them.
REGISTRY_HOSTS = [
    first + second
    for first, second in [
        ("pypi.", "org"),
        ("python", "hosted.org"),
        ("npm", "js.org"),
        ("npm", "js.com"),
        ("yarn", "pkg.com"),
        ("crates.", "io"),
        ("golang.", "org/dl"),
        ("proxy.", "golang.org"),
        ("ruby", "gems.org"),
        ("deb.", "debian.org"),
        ("archive.", "ubuntu.com"),
    ]
]

Problems = Iterator[str]


# --- what there is -------------------------------------------------------------------------------------------------


@cache
def repository_files() -> list[Path]:
    """Every file that is or could be committed: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


@cache
def python_files(folder: Path) -> list[Path]:
    """Our own Python below a folder; what the package ships as data for agents to edit is not ours to judge."""
    found = (path for path in repository_files() if path.suffix == ".py" and path.is_relative_to(folder))
    return [path for path in found if "data" not in path.relative_to(folder).parts]


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a file, parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path, node: ast.AST | None = None) -> str:
    """A place as an editor opens it."""
    line = f":{node.lineno}" if isinstance(node, ast.stmt | ast.expr | ast.excepthandler) else ""
    return f"{path.relative_to(ROOT)}{line}"


def inside(path: Path, parts: Iterable[str]) -> bool:
    """Whether a file of the package is one of these, or in one of these folders."""
    name = path.relative_to(PACKAGE).as_posix()
    return any(name == part or (part.endswith("/") and name.startswith(part)) for part in parts)


def nodes(paths: Iterable[Path]) -> Iterator[tuple[Path, ast.AST]]:
    """Every node of every file."""
    for path in paths:
        for node in ast.walk(tree(path)):
            yield path, node


# --- the rules: each yields the places where it does not hold ------------------------------------------------------


def files_too_long() -> Problems:
    """A file has at most 400 lines, a port 300. Split it by noun: what is the thing that half of it is about?"""
    for path in python_files(ROOT):
        limit = LONGEST_PORT if path.is_relative_to(PACKAGE / "ports") else LONGEST_FILE
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > limit:
            yield f"{shown(path)} has {count} lines, {limit} are allowed"


def functions_too_long() -> Problems:
    """A function has at most 50 lines. Make it a table of contents of smaller ones (one `match` may be longer)."""
    for path, node in nodes(python_files(ROOT)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_one_match(node):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > LONGEST_FUNCTION:
                yield f"{shown(path, node)} {node.name} has {count} lines"


def is_one_match(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is a docstring and one `match`."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return len(body) == 1 and isinstance(body[0], ast.Match)


def classes_too_wide() -> Problems:
    """A class has at most 20 methods. Two ideas share it: give each its own class."""
    for path, node in nodes(python_files(PACKAGE)):
        if isinstance(node, ast.ClassDef):
            count = sum(isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) for child in node.body)
            if count > MOST_METHODS:
                yield f"{shown(path, node)} {node.name} has {count} methods"


def modules_without_docstring() -> Problems:
    """A module begins with what it is and what stays true."""
    for path in python_files(PACKAGE):
        if not ast.get_docstring(tree(path)):
            yield shown(path)


def public_without_docstring() -> Problems:
    """A public function or class, and each verb of a port, says what it is, what stays true, units and errors."""
    for path in python_files(PACKAGE):
        for node in public_definitions(path):
            if not ast.get_docstring(node):
                yield f"{shown(path, node)} {node.name}"


def public_definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """What a module offers by name."""
    definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in tree(path).body:
        if isinstance(node, definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef) and path.is_relative_to(PACKAGE / "ports"):
                yield from (
                    child for child in node.body if isinstance(child, definition) and not child.name.startswith("_")
                )


def broad_excepts() -> Problems:
    """Catch only what you can mend: name the errors. To clean up and pass it on, end with a bare `raise`.

    The four boundaries that may catch everything stand in BROAD_EXCEPT_MODULES.
    """
    for path, node in nodes(python_files(PACKAGE)):
        if isinstance(node, ast.ExceptHandler) and swallows(node) and not inside(path, BROAD_EXCEPT_MODULES):
            yield shown(path, node)


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches everything, by name or by naming nothing, and keeps it."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(one is None or ast.unparse(one) in {"Exception", "BaseException"} for one in caught)
    match handler.body[-1]:
        case ast.Raise(exc=None):
            return False
        case _:
            return broad


def prints() -> Problems:
    """Only a face speaks to a person: return a value, and let faces/text.py have the sentence."""
    for path, node in nodes(python_files(PACKAGE)):
        match node:
            case ast.Call(func=ast.Name(id="print")) if not inside(path, MAY_PRINT):
                yield shown(path, node)
            case _:
                pass


def banned_names() -> Problems:
    """A module is named by a noun of the domain. What do the things in it have in common besides having no home?"""
    for path in python_files(ROOT):
        for word in BANNED_NAMES & {*path.relative_to(ROOT).parts, path.stem}:
            yield f"{shown(path)} ({word})"


def leftovers() -> Problems:
    """Finish it now, or say in the report what is missing. A note in the code is read by nobody."""
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    for path in repository_files():
        if path.suffix in {".py", ".sh", ".toml", ".md"}:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if pattern.search(line):
                    yield f"{shown(path)}:{number}"


def mocks() -> Problems:
    """Nothing is patched: use the fakes of bandstand.testing, which one contract suite judges like the real ones."""
    for path, node in nodes(python_files(ROOT)):
        match node:
            case ast.Import(names=names) if any(name.name.startswith("unittest") for name in names):
                yield shown(path, node)
            case ast.ImportFrom(module=str(module)) if module.startswith("unittest"):
                yield shown(path, node)
            case ast.Attribute(value=ast.Name(id="monkeypatch"), attr="setattr"):
                yield shown(path, node)
            case _:
                pass


def skips() -> Problems:
    """A test that did not look is not green. When a tool is missing the test fails and says which."""
    for path, node in nodes(python_files(ROOT / "tests")):
        match node:
            case ast.Attribute(
                value=ast.Name(id="pytest") | ast.Attribute(attr="mark"),
                attr="skip" | "skipif" | "xfail" | "importorskip" as name,
            ):
                yield f"{shown(path, node)} {name}"
            case _:
                pass


def foreign_imports() -> Problems:
    """The rehearsal agent and the holder start alone in milliseconds, with the standard library and little of ours."""
    for folder, known in STANDARD_LIBRARY_ONLY.items():
        packages = tuple(f"bandstand/{one}".replace("/", ".") for one in known)
        for path in python_files(PACKAGE / folder):
            for name, node in imported(path):
                if name.partition(".")[0] not in sys.stdlib_module_names and not f"{name}.".startswith(packages):
                    yield f"{shown(path, node)} imports {name}"


def imported(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every module that a file names in an import, at any depth."""
    for _, node in nodes([path]):
        match node:
            case ast.Import(names=names):
                yield from ((name.name, node) for name in names)
            case ast.ImportFrom(module=module, level=level):
                yield ("." * level + (module or ""), node)
            case _:
                pass


def addresses_and_paths() -> Problems:
    """No address of a package index and no path of one machine: each machine has its own configuration."""
    places = [Path(sys.base_prefix), ROOT]
    here = [place for place in places if len(place.parts) > 2 and not place.is_relative_to("/usr")]
    paths = [rf"(?<![\w.]){re.escape(str(place))}\b" for place in here]
    words = [*(re.escape(host) for host in REGISTRY_HOSTS), *paths]
    for path in repository_files():
        pattern = re.compile("|".join(words))
        text = path.read_text(encoding="utf-8", errors="replace")
        for found in pattern.finditer(text):
            yield f"{shown(path)}:{text.count(chr(10), 0, found.start()) + 1} names {found.group()}"


RULES: list[Callable[[], Problems]] = [
    files_too_long,
    functions_too_long,
    classes_too_wide,
    modules_without_docstring,
    public_without_docstring,
    broad_excepts,
    prints,
    banned_names,
    leftovers,
    mocks,
    skips,
    foreign_imports,
    addresses_and_paths,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Callable[[], Problems]) -> None:
    """Each rule holds in every file; its docstring is what a failure teaches."""
    problems = list(rule())
    if problems:
        pytest.fail(f"{rule.__doc__}\n  " + "\n  ".join(problems), pytrace=False)


# --- importing -----------------------------------------------------------------------------------------------------

IMPORT_EVERYTHING = """
import importlib, os, pkgutil, threading
import bandstand

for module in pkgutil.walk_packages(bandstand.__path__, "bandstand."):
    importlib.import_module(module.name)
assert threading.active_count() == 1, f"a thread was started: {threading.enumerate()}"
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    pass
else:
    raise AssertionError("a process was started")
"""


def python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter whose every folder is `home`."""
    folders = {name: str(home) for name in os.environ if name == "HOME" or name.startswith("XDG_")}
    environment = os.environ | folders | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_importing_any_module_does_nothing(tmp_path: Path) -> None:
    """Importing starts no thread and no process, writes no file and says nothing."""
    ran = python(IMPORT_EVERYTHING, tmp_path)
    said = ran.stdout + ran.stderr
    assert (ran.returncode, said) == (0, ""), f"Move what is done on import into a function:\n{said}"
    assert list(tmp_path.rglob("*")) == [], "Importing wrote these files; write them when they are asked for."


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_the_light_path_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    """`band` answers at once because its first instant loads the standard library's light part only."""
    ran = python(f"import sys, {module}; print(*sorted({HEAVY_MODULES!r} & sys.modules.keys()))", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [], f"{module} loads these; import them inside the function that needs them."


# --- the lock files ------------------------------------------------------------------------------------------------


def pins(name: str) -> dict[str, str]:
    """The versions that a lock file names, by package."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return {match[1]: match[2] for match in re.finditer(r"^([\w.-]+)==([^ ;]+)", text, re.MULTILINE)}


def test_the_lock_files_hold_what_the_project_asks_for() -> None:
    """What pyproject.toml names is locked, within its range, and the tests run on what is released."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run, dev = pins("run.txt"), pins("dev.txt")
    wanted = [(run, text) for text in project["project"]["dependencies"]]
    wanted += [(dev, text) for text in project["dependency-groups"]["dev"]]
    missing = []
    for locked, text in wanted:
        requirement = Requirement(text)
        version = locked.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            missing.append(f"{text}: locked is {version}")
    assert not missing, "Run `make lock` and commit what it writes.\n  " + "\n  ".join(missing)
    assert run.items() <= dev.items(), "The two lock files disagree. Run `make lock`."


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_a_lock_file_has_hashes_and_no_addresses(name: str) -> None:
    """Any index may serve the packages, and none can change them."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"://|^--|file:|/home/|/tmp/", text, re.MULTILINE), "Make it with `make lock`."
