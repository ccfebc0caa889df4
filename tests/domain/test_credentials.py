"""How an agent is logged in: which of its ways holds, and what in a file of logins must not be shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.agent import AgentProfile
from bandstand.domain.credentials import CredentialKind, Credentials, Login, login_of, placed
from bandstand.domain.ids import AgentName
from bandstand.domain.policy import Policy
from bandstand.domain.redaction import REDACTED, Redaction, secrets_in_text

SHARED = Credentials(kind=CredentialKind.SHARED, variables=("A_TOKEN", "A_KEY"))
WORD = "Zk9-" + "aB3_" * 8
"""A value that no rule knows by its shape."""


def test_a_variable_with_a_value_is_the_login_and_nothing_is_shared() -> None:
    """The first that is said wins; without any of them the folder is needed."""
    assert SHARED.by_variable({"A_KEY", "A_TOKEN", "OTHER"}) == "A_TOKEN"
    assert not SHARED.shares({"A_KEY"})
    assert SHARED.shares({"OTHER"})
    assert not Credentials(variables=("A_KEY",)).shares(set())
    assert not Credentials(kind=CredentialKind.NONE).shares(set())


@pytest.mark.parametrize(
    ("credentials", "names", "kept", "state"),
    [
        (SHARED, {"A_TOKEN"}, True, "variable"),
        (SHARED, set(), True, "folder"),
        (SHARED, set(), False, "missing"),
        (Credentials(variables=("A_KEY",)), {"A_KEY"}, False, "variable"),
        (Credentials(variables=("A_KEY",)), set(), True, "missing"),
        (Credentials(), {"ANYTHING"}, False, "untold"),
        (Credentials(kind=CredentialKind.NONE), set(), False, "unneeded"),
    ],
)
def test_what_is_said_of_a_login(credentials: Credentials, names: set[str], *, kept: bool, state: str) -> None:
    """By what there is, and never more than a name."""
    by = next(iter(names)) if state == "variable" else ""
    assert login_of(credentials, names, kept=kept) == Login(kind=credentials.kind, state=state, by=by)


def test_the_folder_is_put_into_what_leads_to_it() -> None:
    """Wherever it is seen."""
    assert placed((("HOUSE", "{folder}/.house"), ("PLAIN", "1")), "/run/x") == {"HOUSE": "/run/x/.house", "PLAIN": "1"}


def test_how_an_agent_is_logged_in_is_no_rule_of_a_repository() -> None:
    """Nobody confirms rules again because of it."""
    plain = AgentProfile(name=AgentName("a"), command=("a",))
    told = AgentProfile(name=AgentName("a"), command=("a",), credentials=SHARED)
    assert Policy(target="main", agents=(plain,)).digest == Policy(target="main", agents=(told,)).digest


FILES = {
    "claude": json.dumps(
        {"claudeAiOauth": {"accessToken": WORD, "refreshToken": WORD + "2", "expiresAt": 1999999999999}}
    ),
    "codex": json.dumps({"OPENAI_API_KEY": None, "tokens": {"id_token": WORD, "refresh_token": WORD + "2"}}, indent=2),
    "gemini": json.dumps({"access_token": WORD, "scope": "https://example.org/auth/all", "refresh_token": WORD + "2"}),
    "opencode": json.dumps({"a": {"type": "oauth", "refresh": WORD, "access": WORD + "2", "expires": 1999999999999}}),
    "shell": f"export HOUSE_KEY={WORD}\nOTHER_TOKEN='{WORD}2'\n",
    "toml": f'api_key = "{WORD}"\nrefresh_token="{WORD}2"\n',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_the_secrets_of_a_file_are_found_whatever_its_form(text: str) -> None:
    """All of them, and neither times nor addresses."""
    assert set(secrets_in_text(text)) == {WORD, WORD + "2"}


def test_a_file_of_one_word_is_a_secret() -> None:
    """A token alone; not a sentence, and not a short word."""
    assert secrets_in_text(f"{WORD}\n") == (WORD,)
    assert secrets_in_text("This is a file of words.\n") == ()
    assert secrets_in_text("short\n") == ()
    assert (
        secrets_in_text('{"token_type": "Bearer", "auth_mode": "chatgpt", "tokenUrl": "https://example.org/tokens"}')
        == ()
    )


@given(st.text(max_size=400))
def test_any_text_may_stand_in_such_a_file(text: str) -> None:
    """Agents write there; what comes of it is made of what stands there."""
    assert all(value in text for value in secrets_in_text(text))


def test_what_is_renewed_is_not_shown_before_and_after() -> None:
    """An answer on its way may still hold the old one; and whoever fills its folder makes no variable be forgotten."""
    redaction = Redaction({"DB_PASSWORD": "correct horse battery"})
    for number in range(300):
        redaction.source = lambda number=number: (f"{WORD}{number:03}",)  # type: ignore[misc]
        redaction.refresh()
    assert redaction.text(f"now {WORD}299, before {WORD}298") == f"now {REDACTED}, before {REDACTED}"
    assert redaction.text("correct horse battery") == REDACTED
