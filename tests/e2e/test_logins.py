"""Logins: an agent is logged in once, for all of its runs; what it renews is found in one place, and shown nowhere."""

import gzip
import json
from pathlib import Path

from tests.e2e.stage import RULES, Stage
from tests.e2e.test_bundle import read
from tests.e2e.test_json import fits
from tests.real_git import Folder

AGENT = Path(__file__).with_name("house_agent.py")
TOKEN = "Zk9-" + "aB3_" * 8
"""No rule knows its shape, and no variable holds it."""

SETTINGS = f"""\
agent = "house"

[agents.house]
title = "The house agent"
command = ["python3", "{AGENT}", "acp"]
reads = ["{AGENT}"]
passes = ["HOUSE_KEY"]

[agents.house.credentials]
kind = "shared"
variables = ["HOUSE_KEY"]
links = ["~/.house"]
login = ["python3", "{AGENT}", "login"]
login_environment = {{ HOUSE_HOME = "{{folder}}/.house" }}
"""


def furnished(stage: Stage) -> Folder:
    """A user who is logged in as anybody is, in the home; and a repository."""
    stage.settings(SETTINGS)
    (stage.home / ".house").mkdir()
    (stage.home / ".house" / "auth.json").write_text('{"refresh_token": "the-users-own-login"}')
    return stage.repository(rules=RULES)


def log_in(stage: Stage, *words: str, at: Path | None = None) -> str:
    """Log the agent in, with what its own command asks for; what is said on standard output."""
    return stage.band("agents", "login", "house", *words, stdin=f"{TOKEN}\n", at=at).out


def login_of(stage: Stage) -> str:
    """What stands in the shared folder."""
    return str(json.loads((stage.state / "logins" / "house" / ".house" / "auth.json").read_text())["refresh_token"])


def holding(stage: Stage, secret: str) -> list[str]:
    """Every file of the stage that holds a secret, packed ones too; the shared folder aside."""
    found = []
    for path in stage.root.rglob("*"):
        if path.is_symlink() or not path.is_file() or path.is_relative_to(stage.state / "logins"):
            continue
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        if secret.encode() in content:
            found.append(str(path.relative_to(stage.root)))
    return found


def seen_of_processes(stage: Stage) -> bytes:
    """The commands and environments of all that runs on the stage."""
    folders = [Path(f"/proc/{pid}") for pid in stage.processes()]
    return b"".join((folder / name).read_bytes() for folder in folders for name in ("cmdline", "environ"))


def test_an_agent_is_logged_in_once_for_all_of_its_runs(stage: Stage) -> None:
    """Before that it is told everywhere; then each run finds what the last one renewed. The user's own login stays."""
    repository = furnished(stage)
    cure = "band agents login house"
    planned = stage.band("run", "say it", "--dry-run")
    assert "The house agent is not logged in for Bandstand." in planned.text and cure in planned.text
    assert cure in stage.band("agents").out
    assert cure in stage.band("doctor", ends=None).out
    said = stage.band("agents", "login", "house", "--dry-run").out
    assert (
        said.startswith(f"HOUSE_HOME={stage.state}/logins/house/.house python3")
        and not (stage.state / "logins").exists()
    )

    told = fits("Login", json.loads(log_in(stage, "--json")))
    assert (told["agent"], told["kind"], told["state"]) == ("house", "shared", "folder")
    (house,) = [one for one in stage.band_json("agents")["agents"] if one["name"] == "house"]
    assert house["login"] == {
        **{"kind": "shared", "state": "folder", "words": "logged in, in a folder that its runs share", "cure": ""}
    }
    assert "house (logged in" in stage.band("doctor", ends=None).out
    for name in ("one", "two"):
        said = stage.band("run", "write it down", "--id", name, "--yes").text
        assert "not logged in" not in said
        stage.landed(name)
    assert login_of(stage) == f"{TOKEN}-renewed-renewed"
    assert (stage.home / ".house" / "auth.json").read_text() == '{"refresh_token": "the-users-own-login"}'
    assert repository.text("GOAL.md").startswith("GOAL.md ")


def test_a_login_is_found_in_one_place_only(stage: Stage) -> None:
    """Not in the log, journals, what holders keep, the vault, rescues, archives, the homes, the repository, the
    arguments or the environment of any process; while it works, and when its task was given up.
    """
    furnished(stage)
    log_in(stage)
    stage.band("run", "wait", "--id", "one", "--yes", "--detach")
    stage.begun("one")
    assert login_of(stage) == f"{TOKEN}-renewed"
    assert TOKEN.encode() not in seen_of_processes(stage)
    assert holding(stage, TOKEN) == []
    link = stage.workspace("one").parent / "home" / ".house"
    assert link.is_symlink() and str(link.readlink()) == "/run/logins/house/.house"
    stage.go_on("one")
    stage.landed("one")
    stage.band("run", "wait", "--id", "two", "--yes", "--detach")
    stage.begun("two")
    (stage.workspace("two") / "kept.txt").write_text("not landed\n")
    stage.band("cancel", "two")
    stage.band("ps", "-f", "two", ends=None)
    assert stage.band_json("rescue")["rescues"]
    stage.band("doctor", "--bundle", "-o", stage.root / "report.tar.gz", ends=None)
    stage.band("export", "--all", "-o", stage.root / "export.tar.gz")
    assert holding(stage, TOKEN) == []
    assert login_of(stage).startswith(TOKEN)


def test_what_an_agent_says_of_its_login_is_not_shown(stage: Stage) -> None:
    """Neither the one it had nor the one it made a moment ago, at any door; its journal has what it said."""
    furnished(stage)
    log_in(stage)
    stage.band("run", "tell", "--id", "one", "--yes")
    shown = "".join(
        stage.band(*words).text
        for words in (["log", "one", "--full"], ["show", "one"], ["ps"], ["export", "one", "-o", "out"])
    )
    shown += "".join(path.read_text() for path in (stage.repositories[0].path / "out").rglob("*") if path.is_file())
    assert "I was [redacted]" in shown
    assert TOKEN not in shown
    (journal,) = stage.state.glob("repositories/*/runs/one.1/journal")
    assert TOKEN.encode() in journal.read_bytes()
    # Another process has not seen the one before, which is spent.
    stage.band("doctor", "--bundle", "--with-texts", "-o", "report.tar.gz", ends=None)
    whole = "".join(read(stage.repositories[0].path / "report.tar.gz").values())
    assert f"{TOKEN}-renewed" not in whole and "and am [redacted]." in whole


def test_who_cannot_be_logged_in_is_told_why(stage: Stage) -> None:
    """By a variable, by nobody, by a copy that would log the user out; and a command that fails leaves nothing."""
    furnished(stage)
    assert "COPILOT_GITHUB_TOKEN" in stage.band("agents", "login", "copilot", ends=2).err
    by_variable = stage.band("agents", "login", "qwen", variables={"OPENAI_API_KEY": "x"})
    assert "logged in by OPENAI_API_KEY" in by_variable.out
    assert "no agent 'nobody'" in stage.band("agents", "login", "nobody", ends=2).err
    assert "Say which agent" in stage.band("agents", "login", ends=2).err
    assert "has one holder" in stage.band("agents", "login", "house", "--import", ends=2).err
    assert (
        "There is no login of gemini in your home." in stage.band("agents", "login", "gemini", "--import", ends=2).err
    )
    assert "not installed" in stage.band("agents", "login", "codex", ends=2).err
    stage.settings(SETTINGS.replace(f'["python3", "{AGENT}", "login"]', '["false"]'))
    assert "`false` ended with 1" in stage.band("agents", "login", "house", ends=3).err
    stage.settings(SETTINGS.replace(f'["python3", "{AGENT}", "login"]', '["true"]'))
    assert "left no login" in stage.band("agents", "login", "house", ends=3).err


def test_a_copy_is_taken_where_a_vendor_allows_that(stage: Stage) -> None:
    """For the owner alone; what it was taken of stays."""
    stage.repository()
    own = stage.home / ".gemini" / "oauth_creds.json"
    own.parent.mkdir()
    own.write_text(f'{{"refresh_token": "{TOKEN}"}}')
    stage.band("agents", "login", "gemini", "--import")
    copy = stage.state / "logins" / "gemini" / ".gemini" / "oauth_creds.json"
    assert copy.read_text() == own.read_text() and copy.stat().st_mode & 0o777 == 0o600


def test_purging_names_the_logins_that_go(stage: Stage) -> None:
    """They have to be made again; the user's own stay."""
    furnished(stage)
    log_in(stage)
    refused = stage.band("purge", ends=2)
    assert "and the logins of house" in refused.err
    stage.band("purge", "--yes")
    assert not stage.state.exists()
    assert (stage.home / ".house" / "auth.json").exists()


def test_a_repository_has_no_word_in_it(stage: Stage) -> None:
    """It may define an agent, which gets neither the user's login nor what lies in the home by another name."""
    stage.settings(SETTINGS)
    log_in(stage, at=stage.home)
    (stage.home / "notes.txt").write_text("secret\n")
    rules = (
        RULES
        + f'[agents.guest]\ncommand = ["python3", "{AGENT}", "acp"]\nreads = ["{stage.home}/notes.txt", "{AGENT}"]\n'
    )
    stage.repository(rules=rules)
    planned = stage.band("run", "look", "--agent", "guest", "--dry-run").text
    assert f"guest is not shown {stage.home}/notes.txt, which lies in your home" in planned
    refused = stage.band("agents", "login", "guest", ends=2)
    assert "A repository's agent has no login of yours." in refused.err
    stage.band("run", "look", "--agent", "guest", "--yes", "--detach", "--id", "one")
    ask = stage.ask()
    assert "auth.json" in ask["detail"] + ask["title"], "it finds no login"
