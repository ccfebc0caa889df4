"""Redaction: what looks like a secret is not shown. What is kept on disk stays as it is.

Two things give a secret away: the name of the variable that holds it, and the shape that its issuer gave it. The rules
are a list of moderate size for what coding agents meet; they are no scanner, and what they do not know they let pass.
A rule is tried only where its mark stands, so that text without any costs next to nothing; and no pattern begins again
inside of what it has looked at, so that no text, however long and hostile, takes more time than its length.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

REDACTED = "[redacted]"

_LEAST, _MOST_KNOWN = 8, 512
"""Shorter values are words like `true`; more of them than that nobody has."""

_MOST_RENEWED = 128
"""What is renewed is counted apart: an agent that fills its folder does not make a variable's value be forgotten."""

_SHORTEST = 10
"""No rule matches in less than that."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:AUTH|COOKIE|CREDENTIALS?|DSN|JWT|PASS|PASSPHRASE|PASSW(?:OR)?D|PAT|PWD|SECRETS?|TOKENS?"
    r"|(?:ACCESS|ACCOUNT|API|AUTH|ENCRYPTION|LICENSE|PRIVATE|SERVICE|SIGNING|SSH)_?KEYS?)(?:_|$)",
    re.IGNORECASE,
)
_HARMLESS_NAME = re.compile(
    r"^(?:OLD)?PWD$|_(?:SOCK|PATH|FILE|DIR|URL|URI|HOST|PORT|USER|NAME|TTL|TYPE)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One shape of secrets. `marks` are the words without one of which it cannot match; behind a word and `…` stands a
    sign that must be there, too. The group `secret`, if there is one, is what goes; otherwise all that matches does."""

    name: str
    marks: tuple[str, ...]
    pattern: str


RULES: tuple[Rule, ...] = (
    Rule(
        name="private keys (PEM, OpenSSH, PGP)",
        marks=("PRIVATE KEY…-",),
        pattern=r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    Rule(name="age keys", marks=("AGE-SECRET-KEY-",), pattern=r"AGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    Rule(
        name="passwords in addresses",
        marks=("://",),
        pattern=r"(?<![\w+.-])[a-z][a-z0-9+.-]*://[^\s/:@\"']*:(?P<secret>[^\s/@\"']+)@",
    ),
    Rule(
        name="headers of HTTP",
        marks=(
            "earer ",
            "EARER ",
            "asic ",
            "uthorization…:",
            "UTHORIZATION…:",
            "-key:",
            "-Key:",
            "-KEY:",
            "oken:",
            "OKEN:",
        ),
        pattern=r"(?i)(?:\b(?:bearer|basic)\s+|\b(?:authorization|x-api-key|private-token|x-auth-token)\s*:\s*"
        r"(?:(?:bearer|basic|token)\s+)?)(?=\S{0,200}\d)(?P<secret>[\w.~+/=-]{12,})",
    ),
    Rule(
        name="assignments to variables in capitals whose name says so",
        marks=("KEY…=", "TOKEN…=", "SECRET…=", "PASS…=", "CREDENTIAL…="),
        pattern=r"(?<![A-Z0-9_])(?=[A-Z0-9_]{1,80}=)[A-Z0-9_]*(?:API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SIGNING_?KEY|TOKEN|SECRET"
        r"|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)[A-Z0-9_]*=(?P<quote>[\"']?)(?P<secret>[^\s\"'$<{(][^\s\"']{7,})(?P=quote)",
    ),
    Rule(name="JSON web tokens", marks=("eyJ….",), pattern=r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    Rule(name="Anthropic, OpenAI, OpenRouter", marks=("sk-",), pattern=r"\bsk-[A-Za-z0-9_-]{20,}"),
    Rule(
        name="Groq, xAI, Hugging Face, Replicate, Perplexity",
        marks=("gsk_", "xai-", "hf_", "r8_", "pplx-"),
        pattern=r"\b(?:gsk_|xai-|hf_|r8_|pplx-)[A-Za-z0-9]{24,}",
    ),
    Rule(
        name="GitHub",
        marks=("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        pattern=r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    ),
    Rule(
        name="GitLab",
        marks=("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-", "glimt-", "glagent-", "gloas-"),
        pattern=r"\bgl(?:pat|dt|rt|ptt|cbt|soat|imt|agent|oas)-[\w.-]{16,}",
    ),
    Rule(name="AWS key ids", marks=("AKIA", "ASIA"), pattern=r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    Rule(
        name="Google",
        marks=("AIza", "ya29.", "GOCSPX-"),
        pattern=r"\b(?:AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})",
    ),
    Rule(
        name="Azure",
        marks=("AccountKey=", "SharedAccessKey=", "sig="),
        pattern=r"(?:AccountKey|SharedAccessKey|[?&]sig)=(?P<secret>[A-Za-z0-9+/%=]{20,})",
    ),
    Rule(
        name="Slack",
        marks=("xox…-", "xapp-", "hooks.slack.com"),
        pattern=r"\b(?:xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,})|hooks\.slack\.com/services/(?P<secret>[\w/]{20,})",
    ),
    Rule(
        name="Stripe",
        marks=("_live_", "_test_", "whsec_"),
        pattern=r"\b(?:[srp]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})",
    ),
    Rule(
        name="package registries (npm, PyPI, Cargo, RubyGems, Docker)",
        marks=("npm_", "pypi-", "cio", "rubygems_", "dckr_pat_"),
        pattern=r"\b(?:npm_[A-Za-z0-9]{30,}|pypi-[\w-]{40,}|cio[A-Za-z0-9]{32}|rubygems_[a-f0-9]{40,}|dckr_pat_[\w-]{20,})",
    ),
    Rule(
        name="Vault, Doppler, DigitalOcean, Databricks, Fly, Supabase, Heroku",
        marks=("hvs.", "hvb.", "dp.", "_v1_", "dapi", "FlyV1 ", "sbp_", "HRKU-"),
        pattern=r"\b(?:hv[sb]\.[\w-]{20,}|dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9]{30,}|do[opr]_v1_[a-f0-9]{40,}"
        r"|dapi[a-f0-9]{32}|FlyV1 [\w+/=-]{20,}(?:,[\w+/=-]{20,})*|sbp_[a-f0-9]{40}|HRKU-[\w-]{20,})",
    ),
    Rule(
        name="Atlassian, Linear, Notion, Shopify, SendGrid, Sentry",
        marks=("ATATT", "lin_", "ntn_", "shp…_", "SG.", "sntr…_"),
        pattern=r"(?<![\w-])(?:ATATT3[\w=-]{20,}|lin_(?:api|oauth)_[A-Za-z0-9]{30,}|ntn_[A-Za-z0-9]{30,}|shp(?:at|ca|pa|ss)_[a-f0-9]{32}"
        r"|SG\.[\w-]{16,}\.[\w-]{16,}|sntr[yu]s?_[\w=+/-]{30,})",
    ),
)
"""Every shape that is known, the widest first."""

_PATTERNS = tuple(re.compile(rule.pattern) for rule in RULES)
_SIGNS = "-_:=. "


def _by_sign() -> dict[str, tuple[tuple[str, int], ...]]:
    """Every mark with the number of its rule, below its sign, or else the first in it; below nothing those without."""
    found: dict[str, list[tuple[str, int]]] = {}
    for number, rule in enumerate(RULES):
        for mark in rule.marks:
            word, _, sign = mark.partition("…")
            found.setdefault(sign or next((sign for sign in _SIGNS if sign in word), ""), []).append((word, number))
    return {sign: tuple(marks) for sign, marks in found.items()}


_MARKS = _by_sign()
"""A text that lacks a sign needs no look for the marks that have it: that spares most texts most of the looking."""


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name is likely to hold a secret."""
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name)


def secrets_in(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The values of an environment that must not be shown."""
    return tuple(value for name, value in variables.items() if is_secret_name(name) and len(value.strip()) >= _LEAST)


# In a file of logins, whatever its form: a word for a secret, what ends a name in JSON, TOML, YAML or a shell, a value.
_IN_A_LOGIN = re.compile(
    r"(?i)(?:token|secret|passw|credential|key|refresh|access|auth|jwt|cookie)[\w.-]{0,40}[\"']?"
    r"[ \t]{0,4}[:=][ \t]{0,4}[\"']?(?P<value>[^\s\"',;{}\[\]]{16,4096})"
)
_NO_SECRET = re.compile(r"(?i)[0-9.:TZ+-]+|[a-z]+://.*|true|false|null")
_ONE_VALUE = re.compile(r"\S{16,4096}")


def secrets_in_text(text: str) -> tuple[str, ...]:
    """What in a file that holds a login must not be shown: the values of what is called a secret, or its only word."""
    alone = _ONE_VALUE.fullmatch(text.strip())
    found = [alone[0]] if alone and "{" not in alone[0] else [one["value"] for one in _IN_A_LOGIN.finditer(text)]
    return tuple(dict.fromkeys(value for value in found if not _NO_SECRET.fullmatch(value)))


class Redaction:
    """Takes secrets out of what is shown. It learns the values of variables, and never forgets the last few hundred.

    `source` is asked at each answer for what else must not be shown now: logins that agents renew.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._known: dict[str, None] = {}
        self._renewed: dict[str, None] = {}
        self._last: tuple[str, ...] = ()
        self.source: Callable[[], tuple[str, ...]] = tuple
        self.learn(variables or {})

    def refresh(self) -> None:
        """Learn what the source says now. What it said before is remembered for a while: it may still be on its way."""
        said = self.source()
        if said is not self._last:
            self._last = said
            for value in said:
                self._renewed.pop(value, None)
                self._renewed[value] = None
            while len(self._renewed) > _MOST_RENEWED:
                del self._renewed[next(iter(self._renewed))]

    def learn(self, variables: Mapping[str, str]) -> None:
        """From now on the values of these variables are not shown, as far as their names look like secrets."""
        for value in secrets_in(variables):
            self._known.pop(value.strip(), None)
            self._known[value.strip()] = None
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def text(self, text: str) -> str:
        """The text without secrets."""
        for value in self._known:
            if value in text:
                text = text.replace(value, REDACTED)
        for value in self._renewed:
            if value in text:
                text = text.replace(value, REDACTED)
        if len(text) >= _SHORTEST and (marked := _marked(text)):
            for number in sorted(set(marked)):
                text = _PATTERNS[number].sub(_hidden, text)
        return text

    def lines(self, texts: Iterable[str]) -> list[str]:
        """Each text without secrets."""
        return [self.text(text) for text in texts]


def _marked(text: str) -> list[int]:
    """The numbers of the rules that might match."""
    found = []
    for sign, marks in _MARKS.items():
        if sign in text:
            for mark, number in marks:
                if mark in text:
                    found.append(number)
    return found


def _hidden(match: "re.Match[str]") -> str:
    """What stands in place of a match: only the secret goes, if the rule knows which part it is."""
    if "secret" not in match.re.groupindex or match["secret"] is None:
        return REDACTED
    begin, end = match.span("secret")
    return match.string[match.start() : begin] + REDACTED + match.string[end : match.end()]
