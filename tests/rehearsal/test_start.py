"""The rehearsal agent starts alone: what it loads, what it needs on the disk, and from where it can be started."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bandstand
from tests.rehearsal.stage import ENTRY, stage

PACKAGE = Path(bandstand.__file__).parent

# Each of these costs as much as all that the agent needs for its start.
SLOW = {"argparse", "asyncio", "dataclasses", "inspect", "logging", "pathlib", "subprocess", "threading", "typing"}

AUDIT = """
import sys
loaded = []
sys.addaudithook(lambda event, details: loaded.append(details[0]) if event == "import" else None)
sys.path.insert(0, {root!r})
from bandstand.rehearsal.__main__ import main
code = main(["--score", {score!r}])
sys.stderr.write("\\n".join(sorted(set(loaded) | set(sys.modules))))
sys.exit(code)
"""


def lines(folder: Path) -> str:
    """A client that greets, opens a session and gives it a prompt."""
    calls = [
        ("initialize", {"protocolVersion": 1}),
        ("session/new", {"cwd": str(folder), "mcpServers": []}),
        ("session/prompt", {"sessionId": "rehearsal-1", "prompt": [{"type": "text", "text": "Go."}]}),
    ]
    messages = [
        {"jsonrpc": "2.0", "id": n, "method": method, "params": params} for n, (method, params) in enumerate(calls)
    ]
    return "".join(json.dumps(message) + "\n" for message in messages)


def talk(command: list[str], folder: Path, home: Path) -> tuple[list[str], str]:
    """The text of what the agent says, and its standard error, when started by this command with nothing around it."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=environment,
        text=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(lines(folder))
        process.stdin.flush()
        heard = []
        for line in process.stdout:
            message = json.loads(line)
            update = message["params"]["update"] if "method" in message else {}
            if update.get("sessionUpdate") == "agent_message_chunk":
                heard.append(update["content"]["text"])
            if message.get("id") == 2:
                break
        process.stdin.close()
        return heard, process.stderr.read()


def test_it_loads_the_standard_library_only_and_little_of_it(tmp_path: Path) -> None:
    """From its start to the end of a turn that speaks, it imports nothing foreign and nothing slow."""
    on = stage(tmp_path, "parts: [{steps: [{edit: {path: a, content: b}}, {say: Hello.}]}]")
    code = AUDIT.format(root=str(PACKAGE.parent), score=str(on.score))
    heard, loaded = talk([sys.executable, "-I", "-S", "-c", code], on.folder, on.home)
    assert heard == ["Hello."]
    modules = {name.partition(".")[0] for name in loaded.splitlines()}
    assert modules - sys.stdlib_module_names == {"__main__", "bandstand"}
    own = {name for name in loaded.splitlines() if name.startswith("bandstand.")}
    assert all(name.startswith("bandstand.rehearsal") for name in own)
    assert not modules & SLOW


@pytest.mark.parametrize("started", ["by file", "by module"])
def test_it_needs_nothing_but_its_own_folder(tmp_path: Path, started: str) -> None:
    """A read-only copy of the package's marker and the agent's folder is enough, from any working directory."""
    on = stage(tmp_path, "parts: [{steps: [{say: Hello.}]}]")
    copy = tmp_path / "elsewhere" / "bandstand"
    shutil.copytree(PACKAGE / "rehearsal", copy / "rehearsal", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "__init__.py", copy)
    for folder in (copy / "rehearsal", copy):
        folder.chmod(0o555)
    code = (
        f"import sys; sys.path.insert(0, {str(copy.parent)!r}); "
        "from bandstand.rehearsal.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    entry = ["-c", code] if started == "by module" else [str(copy / "rehearsal" / ENTRY.name)]
    try:
        command = [sys.executable, "-I", "-S", "-B", *entry, "--score", str(on.score)]
        assert talk(command, on.folder, on.home) == (["Hello."], "")
    finally:
        for folder in (copy, copy / "rehearsal"):
            folder.chmod(0o755)
