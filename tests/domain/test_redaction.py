"""What looks like a secret is not shown, and what does not is left as it is."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.redaction import REDACTED, RULES, Redaction, is_secret_name

A, H = "Ab3" * 14, "0af" * 14
# In two pieces each, so that no scanner takes this file for a leak.
SECRETS = {
    "private keys (PEM, OpenSSH, PGP)": [
        "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----"
    ],
    "age keys": ["AGE-SECRET-" + "KEY-1" + "QPZRY9X8" * 7],
    "passwords in addresses": [],
    "headers of HTTP": [],
    "assignments to variables in capitals whose name says so": [],
    "JSON web tokens": ["ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0In0.abcdefghijkl"],
    "Anthropic, OpenAI, OpenRouter": ["sk-" + "ant-api03-" + A, "sk-" + "proj-" + A, "sk-" + "or-v1-" + H],
    "Groq, xAI, Hugging Face, Replicate, Perplexity": [mark + A for mark in ("gsk_", "xai-", "hf_", "r8_", "pplx-")],
    "GitHub": ["ghp_" + A, "ghs_" + A, "github_" + "pat_11" + A],
    "GitLab": ["glpat-" + A[:20], "glrt-" + A[:20]],
    "AWS key ids": ["AKIA" + "IOSFODNN7EXAMPLE"],
    "Google": ["AIza" + A[:35], "ya29." + A, "GOCSPX-" + A],
    "Azure": [],
    "Slack": ["xoxb-" + "1234567890-" + A, "xapp-" + "1-A0-" + A],
    "Stripe": ["sk_" + "live_" + A, "rk_" + "test_" + A, "whsec_" + A],
    "package registries (npm, PyPI, Cargo, RubyGems, Docker)": [
        *("npm_" + A, "pypi-" + A, "cio" + A[:32], "rubygems_" + H, "dckr_pat_" + A),
    ],
    "Vault, Doppler, DigitalOcean, Databricks, Fly, Supabase, Heroku": [
        *("hvs." + A, "dp.pt." + A, "dop_v1_" + H, "dapi" + H[:32], "FlyV1 " + A, "sbp_" + H[:40], "HRKU-" + A),
    ],
    "Atlassian, Linear, Notion, Shopify, SendGrid, Sentry": [
        *("ATATT3" + A, "lin_api_" + A, "ntn_" + A, "shpat_" + H[:32], "SG." + A[:20] + "." + A, "sntrys_" + A),
    ],
}


def test_every_rule_is_tried() -> None:
    """A rule without an example may never have matched anything."""
    assert SECRETS.keys() == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("pattern", "mark"), [(rule.pattern, mark) for rule in RULES for mark in rule.marks if "…" in mark]
)
@given(data=st.data())
def test_a_mark_asks_for_no_sign_that_a_match_may_lack(pattern: str, mark: str, data: st.DataObject) -> None:
    """Where the word stands in what a rule takes out, its sign does, too: no secret is passed over for want of it."""
    word, _, sign = mark.partition("…")
    found = re.search(pattern, data.draw(st.from_regex(pattern)))
    assert found is not None
    assert word not in found[0] or sign in found[0]


def test_the_page_lists_the_rules() -> None:
    """All of them, in their order, so that everybody can see what is known."""
    page = Path(__file__).parents[2] / "docs" / "explanation" / "secrets.md"
    rows = [
        line.split(" | ")[0].removeprefix("| ")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    assert rows[1:] == [rule.name for rule in RULES]


@pytest.mark.parametrize("secret", [secret for secrets in SECRETS.values() for secret in secrets])
def test_a_token_goes_wherever_it_stands(secret: str) -> None:
    """Alone, in a sentence, in quotes, at the end of a line; all else stays."""
    for before, after in (("", ""), ("use ", ", please"), ('{"key": "', '"}'), ("a\n", "\nb"), ("key=", "&x=1")):
        assert Redaction().text(f"{before}{secret}{after}") == f"{before}{REDACTED}{after}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git clone https://me:hunter2@example.org/a.git", "git clone https://me:[redacted]@example.org/a.git"),
        ("postgres://app:p%40ss@db:5432/app", "postgres://app:[redacted]@db:5432/app"),
        ("redis://:hunter2@cache", "redis://:[redacted]@cache"),
        ("curl -H 'Authorization: Bearer abc.def-1234567'", "curl -H 'Authorization: Bearer [redacted]'"),
        ("authorization: Basic dXNlcjpodW50ZXIy", "authorization: Basic [redacted]"),
        ("AUTHORIZATION:Token 0123456789abcdef", "AUTHORIZATION:Token [redacted]"),
        ("X-Api-Key: 0123456789abcdef", "X-Api-Key: [redacted]"),
        ("PRIVATE-TOKEN: 0123456789abcdef", "PRIVATE-TOKEN: [redacted]"),
        ("export MY_API_KEY=0123456789", "export MY_API_KEY=[redacted]"),
        ("THE_TOKEN=0123456789", "THE_TOKEN=[redacted]"),
        ("MY_SECRET=0123456789", "MY_SECRET=[redacted]"),
        ("A_PASSPHRASE=0123456789", "A_PASSPHRASE=[redacted]"),
        ("SOME_CREDENTIALS=0123456789", "SOME_CREDENTIALS=[redacted]"),
        ('DB_PASSWORD="correct horse"', 'DB_PASSWORD="correct horse"'),
        ('DB_PASSWORD="correct-horse"', 'DB_PASSWORD="[redacted]"'),
        ("AccountName=a;AccountKey=" + A + ";x=1", "AccountName=a;AccountKey=[redacted];x=1"),
        ("https://hooks.slack.com/services/" + "T0/B0/" + A, "https://hooks.slack.com/services/[redacted]"),
        ("-----BEGIN PRIVATE" + " KEY-----\nMII cut off", "[redacted]"),
    ],
)
def test_only_the_secret_goes(text: str, shown: str) -> None:
    """What stands around it says what it was."""
    assert Redaction().text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "api_key = os.environ['API_KEY']",
        "TOKEN=$GITHUB_TOKEN",
        "TOKEN=${TOKEN}",
        "SECRET=<yours>",
        "PASSWORD=short",
        "the token is refreshed, the password is not",
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "https://example.org/a:b@c",
        "git@example.org:a/b.git and https://example.org:8080/a",
        "a task-sk-or and risk-management-of-everything-here",
        "basic arithmetic, bearer of news, bearer authentication",
        "def test_live_view(): pass",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Code and prose speak of secrets all the time."""
    assert Redaction().text(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN",
        "OPENAI_API_KEY",
        "db_password",
        "AWS_SECRET_ACCESS_KEY",
        "SENTRY_DSN",
        "MY_PAT",
        "NPM_CONFIG__AUTH",
    ],
)
def test_names_that_give_a_secret_away(name: str) -> None:
    """As people call them."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["PWD", "OLDPWD", "PATH", "SSH_AUTH_SOCK", "KEYBOARD", "TOKENIZERS_PARALLELISM", "TOKEN_URL", "HOME", "SECRETARY"],
)
def test_names_that_do_not(name: str) -> None:
    """As systems call them."""
    assert not is_secret_name(name)


def test_the_values_of_variables_go_wherever_they_stand() -> None:
    """Whatever their shape; short ones are words, and stay."""
    redaction = Redaction({"MY_TOKEN": "correct horse battery", "A_PASSWORD": "true", "NAME": "bandstand-demo"})
    assert redaction.text("so: correct horse battery!") == "so: [redacted]!"
    assert redaction.text("it is true: bandstand-demo") == "it is true: bandstand-demo"
    redaction.learn({"OTHER_SECRET": "swordfish-1"})
    assert redaction.lines(["swordfish-1", "correct horse battery"]) == [REDACTED, REDACTED]


def test_what_is_known_does_not_grow_for_ever() -> None:
    """The last ones count."""
    redaction = Redaction()
    for number in range(2000):
        redaction.learn({"A_TOKEN": f"value-{number:04}"})
    assert redaction.text("value-1999") == REDACTED
    assert redaction.text("value-0001") == "value-0001"


@pytest.mark.parametrize(
    "piece",
    [
        "-eyJabcdefgh",
        "a.",
        "x://u:",
        "TOKEN",
        "sk-",
        "SG.aaaaaaaaaaaaaaaa",
        "-----BEGIN PRIVATE KEY",
        "bearer ",
        "A_TOKEN=",
    ],
)
def test_a_long_and_hostile_text_is_looked_at_once(piece: str) -> None:
    """A pattern that began again at every place of a megabyte would not end today; the time limit of a test would."""
    text = f"{piece * (1_000_000 // len(piece))} ://eyJ.PRIVATE KEY TOKEN sk- SG. bearer "
    assert len(Redaction().text(text)) > 0


@given(st.text(st.sampled_from(string.printable), max_size=200))
def test_twice_is_as_once(text: str) -> None:
    """And no text at all is a fault."""
    redaction = Redaction({"X_TOKEN": "12345678"})
    once = redaction.text(text)
    assert redaction.text(once) == once
