"""Running check commands on this machine, behind the same walls as an agent."""

from bandstand.adapters.checks.runner import SandboxedChecks

__all__ = ["SandboxedChecks"]
