"""Secrets, planted everywhere: none is shown, none gets into the archive for a bug report; what is kept keeps them."""

import json
import tarfile
from pathlib import Path

from tests.e2e.stage import RULES, Stage
from tests.e2e.test_json import fits

# In two pieces each, so that no scanner takes this file for a leak.
TOKEN = "ghp_" + "Ab3" * 12
KEY = "sk-" + "ant-api03-" + "Zy9" * 12
PASSWORD = "correct-horse-battery"
SECRETS = (TOKEN, KEY, PASSWORD, "hunter2secret")

SCORE = f"""\
parts:
  - steps:
      - say: "I found {TOKEN} and {PASSWORD} in the environment."
      - think: "The remote is https://me:hunter2secret@example.org/a.git"
      - run: "echo {KEY}"
      - edit: {{path: hello.txt, content: "hello\\n"}}
      - commit: Say hello
"""
USER = f"""\
[agents.other]
command = ["other-agent", "--acp"]
passes = ["OTHER_API_KEY"]

[agents.other.environment]
SOME_TOKEN = "{TOKEN}"
MODE = "{PASSWORD}"
"""


def planted(stage: Stage) -> None:
    """A fleet in which secrets are everywhere: environment, settings, facts, log, agents' words, checks, remote."""
    stage.environment |= {"DB_PASSWORD": PASSWORD, "OTHER_API_KEY": KEY}
    stage.settings(USER)
    repository = stage.repository(rules=RULES.replace("commands = [", f"commands = ['echo checked with {TOKEN}', ", 1))
    repository.git("remote", "add", "origin", "https://me:hunter2secret@example.org/a.git")
    stage.play(f"teach parrots to whistle with {TOKEN}", SCORE, "--id", "parrot-whistling")
    with (stage.state / "daemon.log").open("a") as log:
        log.write(f'at=… level=error event="fetch of parrot-whistling from https://me:hunter2secret@a.b: {KEY}"\n')


def read(path: Path) -> dict[str, str]:
    """Every file of an archive, by its name."""
    with tarfile.open(path) as archive:
        return {
            Path(one.name).name: file.read().decode()
            for one in archive.getmembers()
            if (file := archive.extractfile(one)) is not None
        }


def test_planted_secrets_are_neither_shown_nor_in_the_archive(stage: Stage) -> None:
    """Nor are goals, prompts and names of tasks; with `--with-texts` the former are, and still no secret."""
    planted(stage)
    shown = "".join(stage.band(*words, "parrot-whistling").out for words in (["show"], ["log", "--full"], ["ps"]))
    assert "I found [redacted] and [redacted] in the environment." in shown
    assert [secret for secret in SECRETS if secret in shown] == []
    (journal,) = stage.state.glob("repositories/*/runs/parrot-whistling.1/journal")
    assert TOKEN.encode() in journal.read_bytes()

    said = stage.band("doctor", "--bundle", "-o", "report.tar.gz")
    path = stage.repositories[0].path / "report.tar.gz"
    assert path.stat().st_mode & 0o777 == 0o600
    files = read(path)
    assert [name for name in files if name not in said.out] == []
    whole = "".join(files.values())
    assert [secret for secret in SECRETS if secret in whole] == []
    assert [word for word in ("parrot", "whistle", "I found", str(stage.home)) if word in whole] == []
    assert "fetch of task-1 from https://me:[redacted]@a.b: [redacted]" in files["daemon.log"]
    facts = [json.loads(line) for line in files["facts.jsonl"].splitlines()]
    assert {"TaskSubmitted", "ChangeLanded"} <= {fact["type"] for fact in facts}
    assert {fact["task"] for fact in facts} == {None, "task-1"}
    (run,) = [json.loads(line) for line in files["journals.jsonl"].splitlines()]
    assert (run["run"], run["notes"]["start"]) == ("task-1.1", 1)
    variables = json.loads(files["settings.json"])["of the user"]["agents"]["other"]["environment"]
    assert variables == {"SOME_TOKEN": "[redacted]", "MODE": "[redacted]"}
    assert {"bandstand", "python", "git", "bubblewrap"} <= json.loads(files["versions.json"]).keys()

    again = stage.band("doctor", "--bundle", "-o", "report.tar.gz", ends=2)
    assert "report.tar.gz is there already." in again.err
    told = fits("Bundle", stage.band_json("doctor", "--bundle", "--with-texts", "-o", "whole.tar.gz"))
    whole = "".join(read(Path(told["file"])).values())
    assert "teach parrots to whistle with [redacted]" in whole
    assert [secret for secret in SECRETS if secret in whole] == []


def test_a_report_can_be_made_of_a_broken_state(stage: Stage) -> None:
    """That is when it is wanted: what cannot be read is said to be so."""
    stage.repository()
    (stage.state / "bandstand.db").write_bytes(b"no database " * 1000)
    stage.settings("no = = toml")
    told = stage.band_json("doctor", "--bundle", "-o", "report.tar.gz")
    files = read(Path(told["file"]))
    assert files["facts.jsonl"].startswith("cannot be read: ")
    assert files["settings.json"].startswith("cannot be read: ")
    assert json.loads(files["versions.json"])["bandstand"]
