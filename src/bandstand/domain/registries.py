"""Where packages come from: the hosts that builds need in most languages, which an allow-list holds unasked.

They serve files that anybody may read. Some of them take files too, from whoever has an account there: a package index
is no secret channel by design, but it is not a proof against one either. Forges are not among them, since they are made
for writing.
"""

from bandstand.domain.network import HostRule, host_rule

_HOSTS = (
    # Python
    "pypi.org",
    "files.pythonhosted.org",
    # JavaScript
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "nodejs.org",
    # Rust
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    "static.rust-lang.org",
    # Go
    "proxy.golang.org",
    "sum.golang.org",
    # Ruby
    "rubygems.org",
    "index.rubygems.org",
    # Java and Kotlin
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "services.gradle.org",
    # PHP, .NET, Elixir, Dart
    "repo.packagist.org",
    "api.nuget.org",
    "repo.hex.pm",
    "pub.dev",
    # Systems
    "deb.debian.org",
    "security.debian.org",
    "archive.ubuntu.com",
    "security.ubuntu.com",
    "dl-cdn.alpinelinux.org",
)

REGISTRIES: tuple[HostRule, ...] = tuple(host_rule(host) for host in _HOSTS)
"""The rules for them: each on the ports of the web, and never in the machine's own network."""
