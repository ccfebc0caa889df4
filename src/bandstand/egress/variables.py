"""What has the programs inside use the proxy, whichever way they look for one."""

from bandstand.egress import PORT

PROXY = f"http://127.0.0.1:{PORT}"
# What a program listens on inside is reached without it.
_DIRECT = "localhost,127.0.0.1,::1"


def proxy_variables() -> dict[str, str]:
    """Environment variables for a command behind the proxy.

    `ALL_PROXY` names the HTTP proxy too, and not SOCKS, which the same port speaks: widely used HTTP clients of Python
    fail where they find a SOCKS proxy there that they have no package for.
    """
    addresses = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY, "NO_PROXY": _DIRECT}
    return {
        **addresses,
        **{name.lower(): value for name, value in addresses.items()},
        # Node.js, which looks at the variables only if it is told to, and the newer yarn, which has its own.
        "NODE_USE_ENV_PROXY": "1",
        "YARN_HTTP_PROXY": PROXY,
        "YARN_HTTPS_PROXY": PROXY,
    }
