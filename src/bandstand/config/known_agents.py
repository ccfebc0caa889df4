"""The coding agents that Bandstand knows by name: how each is started, installed and logged in.

Data only. Where an agent's own session mode would let it act without asking, a mode that asks is set.
Packages are pinned: agents change weekly, and these are the versions that were tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bandstand.domain.agent import AgentProfile
from bandstand.domain.ids import AgentName


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAgent:
    """An agent that speaks the Agent Client Protocol.

    `home` are the files below the home folder that hold its login and settings, `passes` the environment variables that
    may hold them instead. `hosts` are those of its maker's models and logins, as the maker names them; an agent that
    speaks with many makers has those that it asks first. Hosts of telemetry are left out.
    """

    name: AgentName
    title: str
    command: tuple[str, ...]
    install: str
    home: tuple[str, ...] = ()
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
            reads=tuple(f"~/{path}" for path in self.home),
            mode=self.mode,
            start_seconds=self.start_seconds,
            hosts=self.hosts,
        )


_ALL = (
    KnownAgent(
        name=AgentName("claude"),
        title="Claude Code",
        command=("claude-agent-acp",),
        install="npm install -g @anthropic-ai/claude-code@2.1.330 @agentclientprotocol/claude-agent-acp@0.101.0",
        home=(".claude/.credentials.json", ".claude/settings.json", ".claude.json"),
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
        home=(".codex/auth.json", ".codex/config.toml"),
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
        home=(".gemini/oauth_creds.json", ".gemini/google_accounts.json", ".gemini/settings.json"),
        passes=("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
        hosts=("generativelanguage.googleapis.com", "cloudcode-pa.googleapis.com", "oauth2.googleapis.com"),
    ),
    KnownAgent(
        name=AgentName("opencode"),
        title="OpenCode",
        command=("opencode", "acp"),
        install="npm install -g opencode-ai@1.18.33",
        home=(".config/opencode", ".local/share/opencode/auth.json"),
        environment={"OPENCODE_DISABLE_AUTOUPDATE": "1"},
        hosts=("models.dev", "opencode.ai", "api.anthropic.com", "api.openai.com"),
    ),
    KnownAgent(
        name=AgentName("copilot"),
        title="Copilot CLI",
        command=("copilot", "--acp"),
        install="npm install -g @github/copilot@1.0.102",
        home=(".copilot/config.json",),
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
        home=(".cline/data/settings",),
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
        home=(".qwen/oauth_creds.json", ".qwen/settings.json"),
        passes=("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
        hosts=("chat.qwen.ai", "portal.qwen.ai", "dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"),
    ),
    KnownAgent(
        name=AgentName("vibe"),
        title="Mistral Vibe",
        command=("vibe-acp",),
        install="pip install mistral-vibe==3.0.2 (with Python 3.12 or newer)",
        home=(".vibe/config.toml", ".vibe/.env"),
        passes=("MISTRAL_API_KEY",),
        hosts=("api.mistral.ai", "chat.mistral.ai"),
    ),
)

KNOWN_AGENTS: Mapping[AgentName, KnownAgent] = {agent.name: agent for agent in _ALL}
"""Every known agent by its name, in the order in which one is chosen when nobody names one."""
