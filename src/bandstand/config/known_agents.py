"""The coding agents that Bandstand knows by name: how each is started, installed and logged in.

Data only. Where an agent's own session mode would let it act without asking, a mode that asks is set.
Packages are pinned: agents change weekly, and these are the versions that were tried.

Of the user's home nothing is shown. Settings there may start programs (hooks, MCP servers, plugins), and a login there
is the user's own: whoever renews it in a place that is thrown away logs the user out. A login is a key in the
environment, or one that was made for the shared folder. What of that was tried with the pinned versions, and what was
only read in their code or documentation, says docs/how-to/log-in.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bandstand.domain.agent import AgentProfile
from bandstand.domain.credentials import CredentialKind, Credentials
from bandstand.domain.ids import AgentName


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAgent:
    """An agent that speaks the Agent Client Protocol.

    `passes` are variables of its own, keys among them. `hosts` are those of its maker's models and logins, as the maker
    names them; an agent that speaks with many makers has those that it asks first. Hosts of telemetry are left out.
    """

    name: AgentName
    title: str
    command: tuple[str, ...]
    install: str
    credentials: Credentials
    passes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""
    start_seconds: int = 60
    hosts: tuple[str, ...] = ()

    def profile(self) -> AgentProfile:
        """The agent as it is started when nobody says otherwise."""
        return AgentProfile(
            name=self.name,
            command=self.command,
            title=self.title,
            environment=tuple(self.environment.items()),
            passes=self.passes,
            mode=self.mode,
            start_seconds=self.start_seconds,
            hosts=self.hosts,
            credentials=self.credentials,
        )


_ALL = (
    KnownAgent(
        name=AgentName("claude"),
        title="Claude Code",
        command=("claude-agent-acp",),
        install="npm install -g @anthropic-ai/claude-code@2.1.330 @agentclientprotocol/claude-agent-acp@0.101.0",
        # Its login, and the lock for renewing it, can be apart from its settings. It replaces the file, so a link to
        # that would not last (anthropics/claude-code#76561).
        credentials=Credentials(
            kind=CredentialKind.SHARED,
            variables=("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
            environment=(("CLAUDE_SECURESTORAGE_CONFIG_DIR", "{folder}/.claude"),),
            login=("claude", "auth", "login"),
            login_environment=(("CLAUDE_CONFIG_DIR", "{folder}/.claude"),),
            keys="`claude setup-token` makes a token that lasts a year: export CLAUDE_CODE_OAUTH_TOKEN=…",
            locks=True,
        ),
        passes=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_OAUTH_TOKEN"),
        environment={"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"},
        mode="default",
        hosts=("api.anthropic.com", "claude.ai", "platform.claude.com", "console.anthropic.com"),
    ),
    KnownAgent(
        name=AgentName("codex"),
        title="Codex",
        command=("codex-acp",),
        install="npm install -g @agentclientprotocol/codex-acp@2.6.0",
        # It writes into the file that the link leads to, has a lock beside that, and looks before it renews whether
        # another process did.
        credentials=Credentials(
            kind=CredentialKind.SHARED,
            variables=("CODEX_API_KEY", "OPENAI_API_KEY"),
            links=(".codex/auth.json",),
            login=("codex", "login", "-c", 'cli_auth_credentials_store="file"'),
            login_environment=(("CODEX_HOME", "{folder}/.codex"),),
            keys="an API key: export CODEX_API_KEY=…",
        ),
        passes=("OPENAI_API_KEY", "CODEX_API_KEY", "MODEL_PROVIDER"),
        environment={"NO_BROWSER": "1"},
        mode="read-only",
        hosts=("api.openai.com", "chatgpt.com", "auth.openai.com"),
    ),
    KnownAgent(
        name=AgentName("gemini"),
        title="Gemini CLI",
        command=("gemini", "--acp"),
        install="npm install -g @google/gemini-cli@0.61.0",
        # It writes into the file. Google's refresh tokens are not spent by their use.
        credentials=Credentials(
            kind=CredentialKind.SHARED,
            variables=("GEMINI_API_KEY",),
            links=(".gemini/oauth_creds.json", ".gemini/google_accounts.json"),
            files=((".gemini/settings.json", '{"security":{"auth":{"selectedType":"oauth-personal"}}}\n'),),
            login=("gemini",),
            login_environment=(
                ("GEMINI_CLI_HOME", "{folder}"),
                ("GOOGLE_GENAI_USE_GCA", "true"),
            ),
            keys="an API key: export GEMINI_API_KEY=…",
            several=True,
        ),
        passes=("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
        hosts=("generativelanguage.googleapis.com", "cloudcode-pa.googleapis.com", "oauth2.googleapis.com"),
    ),
    KnownAgent(
        name=AgentName("opencode"),
        title="OpenCode",
        command=("opencode", "acp"),
        install="npm install -g opencode-ai@1.18.33",
        # It writes into the file, and has no lock (anomalyco/opencode#37059).
        credentials=Credentials(
            kind=CredentialKind.SHARED,
            links=(".local/share/opencode/auth.json",),
            login=("opencode", "auth", "login"),
            login_environment=(("XDG_DATA_HOME", "{folder}/.local/share"),),
            keys="a key for a provider, in a variable that you add to `passes` and `credentials.variables`",
        ),
        environment={"OPENCODE_DISABLE_AUTOUPDATE": "1"},
        hosts=("models.dev", "opencode.ai", "api.anthropic.com", "api.openai.com"),
    ),
    KnownAgent(
        name=AgentName("copilot"),
        title="Copilot CLI",
        command=("copilot", "--acp"),
        install="npm install -g @github/copilot@1.0.102",
        credentials=Credentials(
            variables=("COPILOT_GITHUB_TOKEN", "COPILOT_PROVIDER_API_KEY", "COPILOT_PROVIDER_BASE_URL"),
            keys="a fine-grained token with the permission Copilot Requests: export COPILOT_GITHUB_TOKEN=…",
        ),
        passes=(
            "COPILOT_GITHUB_TOKEN",
            "COPILOT_PROVIDER_API_KEY",
            "COPILOT_PROVIDER_BASE_URL",
            "COPILOT_PROVIDER_TYPE",
            "COPILOT_PROVIDER_WIRE_API",
            "COPILOT_MODEL",
            "COPILOT_OFFLINE",
        ),
        environment={"COPILOT_AUTO_UPDATE": "false"},
        hosts=("api.github.com", "*.githubcopilot.com", "copilot-proxy.githubusercontent.com"),
    ),
    KnownAgent(
        name=AgentName("cline"),
        title="Cline",
        command=("cline", "--acp"),
        install="npm install -g cline@3.0.65",
        # It replaces the file with its login, and beside that lie its MCP servers: a folder that one run may write to
        # must not name programs for the others.
        credentials=Credentials(
            variables=("CLINE_API_KEY",), keys="a key: export CLINE_API_KEY=…, with CLINE_PROVIDER and CLINE_MODEL"
        ),
        passes=("CLINE_API_KEY", "CLINE_PROVIDER", "CLINE_MODEL"),
        environment={"CLINE_TELEMETRY_DISABLED": "1"},
        hosts=("api.cline.bot",),
    ),
    KnownAgent(
        name=AgentName("qwen"),
        title="Qwen Code",
        command=("qwen", "--acp"),
        # On an older Node.js npm takes an old version without a word.
        install="npm install -g @qwen-code/qwen-code@0.24.4 (with Node.js 22 or newer)",
        credentials=Credentials(
            variables=("OPENAI_API_KEY",), keys="an API key: export OPENAI_API_KEY=…, with OPENAI_BASE_URL"
        ),
        passes=("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
        hosts=("chat.qwen.ai", "portal.qwen.ai", "dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"),
    ),
    KnownAgent(
        name=AgentName("vibe"),
        title="Mistral Vibe",
        command=("vibe-acp",),
        install="pip install mistral-vibe==3.0.2 (with Python 3.12 or newer)",
        credentials=Credentials(variables=("MISTRAL_API_KEY",), keys="an API key: export MISTRAL_API_KEY=…"),
        passes=("MISTRAL_API_KEY",),
        hosts=("api.mistral.ai", "chat.mistral.ai"),
    ),
)

KNOWN_AGENTS: Mapping[AgentName, KnownAgent] = {agent.name: agent for agent in _ALL}
"""Every known agent by its name, in the order in which one is chosen when nobody names one."""
