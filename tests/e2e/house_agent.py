"""An agent of a house that has logins: `login` makes one, `acp` works with it and renews it as it goes.

It imports nothing of ours. What it finds in its login it says aloud if the goal is to tell it, and else not.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def login_file() -> Path:
    """Where the login is: as the vendor documents it, else below the home."""
    return Path(os.environ.get("HOUSE_HOME", Path.home() / ".house")) / "auth.json"


def keep(token: str) -> None:
    """Replace the login."""
    draft = login_file().with_suffix(".new")
    draft.write_text(json.dumps({"refresh_token": token}))
    draft.replace(login_file())


def send(**message: Any) -> None:
    """One line of the protocol."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def work(session: str, prompt: str) -> None:
    """Use the login, renew it, and leave a change, with something beside it that git ignores."""
    token = json.loads(login_file().read_text())["refresh_token"]
    keep(token + "-renewed")
    if "tell" in prompt:
        text = f"I was {token} and am {token}-renewed."
        update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
        send(method="session/update", params={"sessionId": session, "update": update})
    Path(".git/begun").touch()
    while "wait" in prompt and not Path(".git/go-on").exists():
        time.sleep(0.05)
    for name in ("GOAL.md", "unfinished.txt", "ignored.txt"):
        Path(name).write_text(f"{name} {os.urandom(8).hex()}\n")
    Path(".gitignore").write_text("ignored.txt\n")
    for words in (["add", "GOAL.md", ".gitignore"], ["commit", "-q", "-m", "Write down the goal"]):
        subprocess.run(["git", *words], check=True, stdout=sys.stderr)


def serve() -> None:
    """Answer until there is nothing more to answer."""
    for line in sys.stdin:
        request = json.loads(line)
        match request.get("method"):
            case "initialize":
                send(id=request["id"], result={"protocolVersion": 1, "agentCapabilities": {}})
            case "session/new":
                send(id=request["id"], result={"sessionId": "only"})
            case "session/prompt":
                parts = request["params"]["prompt"]
                work(request["params"]["sessionId"], "".join(part.get("text", "") for part in parts))
                send(id=request["id"], result={"stopReason": "end_turn"})
            case _:
                pass


if __name__ == "__main__":
    if sys.argv[1] == "login":
        login_file().parent.mkdir(parents=True, exist_ok=True)
        keep(sys.stdin.readline().strip())
        sys.stdout.write("Welcome to the house.\n")
    else:
        serve()
