"""Which files of the repository the commands of a check run, however they are written."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bandstand.domain.detection import touched_gates, wanted

Files = dict[str, str]


def guarded(command: str, path: str, files: Files | None = None) -> bool:
    """Whether an edit of a file is told where a check runs this command. All that is wanted is read first."""
    listed = {**(files or {}), path: "old\n"}
    known: dict[str, bytes | None] = {}
    while more := wanted(listed, known, commands=[command]):
        known |= {one: listed[one].encode() for one in more}
    after = {**known, path: b"new\n"} if path in known else known
    told = touched_gates(changed=[path], before=known.get, after=after.get, commands=[command], statuses={path: "M"})
    return any(path in sentence for sentence in told)


SHELL = [
    "set -e\nci/run\nci/other",
    "pip install -q .\nbash ci/run",
    "pip install \\\n  -q . &&\\\n ci/run",
    "# it's a comment\nci/run # another one's",
    "if true; then ci/run; fi",
    "if ! ci/run\nthen exit 1\nfi",
    "while ci/run; do :; done",
    "until false\ndo ci/run\ndone",
    "for one in ci/other ci/run; do sh $one; done",
    'for one in ci/*\ndo\n  bash "$one" || exit\ndone',
    "case $CI in true) ci/run;; esac",
    "{ ci/run; }",
    "check() { ci/run; }; check",
    "step() { shift; \"$@\"; }\nstep 'all of it' ci/run --fast",
    "! ci/run",
    "(cd web; npm test); ci/run",
    "cd web\nnpm test\ncd ..\nci/run",
    "cd web && cd - && ./ci/run",
    "out=$(ci/run)",
    'echo "$(sh ci/run "a b")"',
    "echo `ci/run`",
    "diff <(ci/run) expected",
    "ci/run 2>&1 | tee log > out.txt",
    "sh < ci/run",
    "cat ci/run | bash -s --",
    "bash <<'END'\nset -e\nci/run\nEND",
    "sh -c 'ci/run'",
    "bash -lc 'cd . && ci/run'",
    "sh -c \"bash -c 'ci/run'\"",
    "eval 'ci/run'",
    "trap ci/run EXIT",
    "bash -euo pipefail ci/run",
    "bash -x -o pipefail -- ci/run",
    "sh -ec 'set -u\nci/run'",
    ". ci/run",
    "source ci/run",
    '"$PWD/ci/run"',
    "sh ${ROOT:-.}/ci/run",
    'SCRIPT=ci/run\nsh "$SCRIPT"',
    "export DIR=ci; $DIR/run",
    "./ci/{lint,run}",
    "ci//../ci/./run",
]
WRAPPED = [
    "env -i PATH=/bin A=b ci/run",
    "env -u HOME ci/run",
    "env -S 'A=b ci/run'",
    "time -p ci/run",
    "nice -n 10 ci/run",
    "ionice -c2 -n 7 nice ci/run",
    "timeout -k 5 60 ci/run",
    "timeout --signal=KILL 60 ci/run",
    "stdbuf -oL -e 0 ci/run",
    "nohup setsid ci/run &",
    "exec -a name ci/run",
    "xvfb-run -a -s '-screen 0' ci/run",
    "sudo -E -u nobody ci/run",
    "flock /tmp/lock ci/run",
    "find . -name x | xargs -n 1 -P 4 ci/run",
    "find . -name x -exec ci/run {} ';'",
    "uv run --frozen --extra dev ci/run",
    "uv run --with x -- sh ci/run",
    "poetry run ci/run",
    "conda run -n env ci/run",
    "npm exec -- ci/run",
    "npx --yes -p tool ci/run",
    "bundle exec ruby -w -I lib ci/run",
    "concurrently 'ci/run' 'npm:x'",
    "coverage run --branch ci/run",
    "python -m coverage run ci/run",
    "python -W error -X dev ci/run",
    "python3.12 -u ci/run",
    "node -r ./ci/run test.js",
    "node --import=./ci/run test.js",
    "NODE_OPTIONS='--require ./ci/run' npm test",
    "BASH_ENV=ci/run bash -c true",
    "PATH=ci:$PATH run",
    'export PATH="$PWD/ci:$PATH"\nrun',
    "pytest -c ci/run",
    "pytest --config-file=ci/run",
    "PYTEST_ADDOPTS='-c ci/run' pytest",
    "mocha --require ci/run",
    "tox -c ci/run",
    "nox -f ci/run",
    "make -f ci/run test",
    "make --file=ci/run",
    "just --justfile ci/run test",
]


@pytest.mark.parametrize("command", SHELL + WRAPPED)
def test_no_way_of_writing_a_command_hides_what_it_runs(command: str) -> None:
    """Lines, keywords, quotes, wrappers, options that take values: the file is found, and a stranger is not."""
    assert guarded(command, "ci/run")
    assert not guarded(command, "ci/stranger") or "*" in command or "{lint" in command
    assert not guarded(command, "README.md")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("python -um tools.run", "tools/run.py"),
        ("python tools", "tools/__main__.py"),
        ("python3 -mtools.run", "tools/run.py"),
        ("PYTHONPATH=lib python -m tools.run", "lib/tools/run.py"),
        ("PYTEST_PLUGINS=tests.plugin pytest", "tests/plugin.py"),
        ("pytest -p tests.plugin", "tests/plugin.py"),
        ("uv run run.py", "run.py"),
        ("go run ./ci/check -v", "ci/check/main.go"),
        ("cargo xtask test", "xtask/src/main.rs"),
        ("cd web && yarn --silent test", "web/run.js"),
        ("npm --prefix web test", "web/run.js"),
        ("yarn --cwd=web run test", "web/run.js"),
        ("pnpm -C web test", "web/run.js"),
        ("npm t", "root.js"),
        ("npm --silent run test", "root.js"),
        ("npm run-script test --if-present", "root.js"),
        ("node --run test", "root.js"),
        ("run-s lint test", "root.js"),
        ("concurrently npm:test", "root.js"),
    ],
)
def test_each_tool_finds_its_files_in_its_own_way(command: str, path: str) -> None:
    """Modules by their folders, packages by theirs, and scripts of package.json where it lies."""
    files = {
        "package.json": json.dumps({"scripts": {"test": "node root.js"}}),
        "web/package.json": json.dumps({"scripts": {"test": "node run.js"}}),
    }
    assert guarded(command, path, files)
    assert not guarded(command, "stranger.js", files)


@pytest.mark.parametrize(
    ("command", "files", "path"),
    [
        ("make -C sub test", {"sub/Makefile": "test:\n\tci/run\n"}, "sub/ci/run"),
        ("make -C sub test", {}, "sub/Makefile"),
        ("cd sub; make", {"sub/GNUmakefile": "all:\n\t@ci/run\n"}, "sub/ci/run"),
        ("make -f rules test", {"rules": "test:\n\tci/run\n"}, "ci/run"),
        ("make test", {"Makefile": "include rules\n"}, "rules"),
        ("make test", {"Makefile": "-include a.mk rules\n", "rules": "test:\n\tci/run\n"}, "ci/run"),
        ("make test", {"Makefile": "include ci/*.inc\n"}, "ci/x.inc"),
        ("make test", {"Makefile": "D = ci\ntest:\n\t$(D)/run\n"}, "ci/run"),
        ("make test", {"Makefile": "test:\n\t$(PYTHON) run.py\n"}, "run.py"),
        ("make test", {"Makefile": "S := ci/run\nall:\n\ntest: $(X)\n\t+sh ${S} $@\n"}, "ci/run"),
        ("make test", {"Makefile": "test:\n\t$(MAKE) -C sub\n", "sub/Makefile": "a:\n\t./run\n"}, "sub/run"),
        ("make test", {"Makefile": "test:\n\tif true; then \\\n\t  ci/run; \\\n\tfi\n"}, "ci/run"),
        ("make test", {"Makefile": "X := $(shell ci/run)\ntest:\n\tpytest\n"}, "ci/run"),
        ("make test", {"Makefile": "SHELL = ci/run\ntest:\n\tpytest\n"}, "ci/run"),
        ("make test-a", {"Makefile": "test-%: prepare\n\tci/run $*\nprepare:\n\tci/other\n"}, "ci/other"),
        ("echo x\nmake CI=1 -j4 test", {"Makefile": "test:\n\tci/run\n"}, "ci/run"),
        ("tox -e py", {"tox.ini": "[testenv]\ncommands =\n  pip list\n  - python ci/run {posargs}\n"}, "ci/run"),
        ("tox", {"pyproject.toml": '[tool.tox.env_run_base]\ncommands = [["sh", "ci/run"]]\n'}, "ci/run"),
        ("nox -s test", {"noxfile.py": "def test(session):\n    session.run('sh', 'ci/run')\n"}, "ci/run"),
        ("hatch run test", {"pyproject.toml": '[tool.hatch.envs.default.scripts]\ntest = "ci/run"\n'}, "ci/run"),
        ("pdm run test", {"pyproject.toml": '[tool.pdm.scripts]\ntest = {shell = "sh ci/run"}\n'}, "ci/run"),
        ("poe test", {"pyproject.toml": '[tool.poe.tasks]\ntest = "ci/run"\n'}, "ci/run"),
        ("just test", {"justfile": "test:\n  ci/run\n"}, "ci/run"),
        ("ci/all", {"ci/all": "#!/bin/sh\nset -e\nci/run\n"}, "ci/run"),
        ("sh ci/all", {"ci/all": ". ci/more\n", "ci/more": "python ci/run\n"}, "ci/run"),
        ("ci/all", {"ci/all": '#!/bin/bash\ncd "$(dirname "$0")/.." || exit\n./ci/run\n'}, "ci/run"),
        ("ci/all", {"ci/all": '#!/bin/bash\n"$(dirname "$0")"/run\n'}, "ci/run"),
    ],
)
def test_what_a_command_runs_is_followed_into_files(command: str, files: Files, path: str) -> None:
    """Makefiles with what they include, tox, nox, task runners and shell scripts: what they run is run by the check."""
    assert guarded(command, path, files)
    assert not guarded(command, "ci/stranger", files)


def test_a_file_that_nothing_reads_is_not_wanted() -> None:
    """Reading costs: what is wanted are settings by their names, what commands lead to, and tests that changed."""
    listed = ["src/app.py", "tests/test_a.py", "tests/test_b.py", "ci/run.sh", "README.md", "pyproject.toml"]
    assert wanted(listed, {}, changed=["tests/test_a.py"], commands=["ci/run.sh"]) == (
        "ci/run.sh",
        "pyproject.toml",
        "tests/test_a.py",
    )
    known = {"ci/run.sh": b"", "pyproject.toml": None, "tests/test_a.py": b""}
    assert wanted(listed, known, changed=["tests/test_a.py"], commands=["ci/run.sh"]) == ()


def test_what_a_proposal_needs_is_wanted_too() -> None:
    """Whoever reads what is wanted can both propose commands and judge a change."""
    listed = ["requirements-dev.txt", "yarn.lock", "setup.cfg", "src/app.py"]
    assert wanted(listed, {}) == ("requirements-dev.txt", "setup.cfg", "yarn.lock")


def test_hooks_are_followed_through_modules_that_did_not_change() -> None:
    """A conftest takes all from one module, and that from another: the one between is wanted."""
    listed = ["tests/conftest.py", "tests/one.py", "tests/two.py"]
    known: dict[str, bytes | None] = {"tests/conftest.py": b"from tests.one import *\n"}
    assert wanted(listed, known, changed=["tests/two.py"]) == ("tests/one.py",)
    known["tests/one.py"] = b"from tests.two import *\n"
    assert wanted(listed, known, changed=["tests/two.py"]) == ("tests/two.py",)


@pytest.mark.parametrize(
    "command",
    [
        "pytest tests/test_x.py",
        "ruff check . && mypy src/app.py",
        "python -c 'import src.app'",
        "node -e 'require(\"src/app.py\")'",
        "echo src/app.py > tests/test_x.py",
        "PYTHONPATH=src:. pytest -q --cov=src/app.py",
        "shellcheck src/app.py tests/test_x.py",
        "test -f src/app.py\n[ -d tests/test_x.py ]",
        "pip install -r requirements.txt\npytest -k 'a and b'",
    ],
)
@pytest.mark.parametrize("path", ["src/app.py", "tests/test_x.py", "requirements.txt", "docs/run.md"])
def test_what_a_command_only_names_is_nobodys_business(command: str, path: str) -> None:
    """Most of what is edited is code and tests; a person who is asked about each of them stops reading."""
    assert not guarded(command, path)


_HIDDEN = st.sampled_from(["ci/run", "sh ci/run", "./ci/run --all", "bash -e ci/run", "env A=1 ci/run", "sh -c ci/run"])
_AROUND = st.sampled_from(
    [
        "{}",
        "true\n{}",
        "{}\ntrue",
        "true && {}",
        "false || {}",
        "({})",
        "{{ {}; }}",
        "! {}",
        "time {}",
        "if true; then {}; fi",
        "if {}; then :; fi",
        "for x in 1 2; do {}; done",
        "while true\ndo\n{}\nbreak\ndone",
        "cd web\n{}",
        "x=$({})",
        "{} | tee log",
        "{} > log 2>&1 &",
        "# first\n{}",
        "echo it\\'s; {}",
        "echo 'a b' \"c\" \\\n d; {}",
        "case a in a) {} ;; esac",
    ]
)


@given(command=_HIDDEN, around=st.lists(_AROUND, max_size=5))
@example(command="ci/run", around=["{{ {}; }}", "case a in a) {} ;; esac", "x=$({})"])
@example(command="sh ci/run", around=["# first\n{}", "({})", "x=$({})"])
def test_no_nesting_hides_what_is_run(command: str, around: list[str]) -> None:
    """Whatever of the shell's grammar stands around a command, and around that: its script stays a gate."""
    for one in around:
        command = one.format(command)
    assert guarded(command, "ci/run")
    assert not guarded(command, "src/app.py")


@given(command=st.text(alphabet="ab/.-$(){}'\"`\\ \n;|&<>#=cdmake", max_size=60), content=st.text(max_size=60))
@example(command="$(" * 20_000, content="include $(")
@example(command="tox", content="(" * 20_000)
@example(command="make", content="A = $(A)$(A)\n%: %x\n\t$(A)\n")
def test_any_command_is_survived(command: str, content: str) -> None:
    """Commands and files are written by anybody; a reading that cannot end or breaks would stop the fleet."""
    files = {"Makefile": content, "tox.ini": content, "noxfile.py": content, "a/b": content}
    guarded(f"{command}\nmake a b; tox; nox; sh a/b", "a/b", files)
