"""Which software outside the system a PATH brings along, and what it can never bring along."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bandstand.adapters.sandbox.toolchains import PRIVATE, READ_VARIABLES, TOOLCHAINS, Tools, find_tools

Make = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's home folder."""
    (folder := tmp_path / "user").mkdir()
    return folder


@pytest.fixture
def program(home: Path) -> Make:
    """Makes a program below the home folder, or a link to one."""

    def make(path: str, *, to: str = "") -> Path:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        if to:
            (home / path).symlink_to(to)
        else:
            (home / path).write_text("#!/bin/sh\n")
            (home / path).chmod(0o755)
        return home / path

    return make


def found(home: Path, *folders: str, program: str = "", **environment: str) -> Tools:
    """The tools for a PATH of folders below home, behind those of the system."""
    path = os.pathsep.join(("/usr/bin", "/bin", *(str(home / folder) for folder in folders)))
    return find_tools({"PATH": path, **environment}, home=home, program=program)


def roots(tools: Tools, home: Path) -> set[str]:
    """What is to be read, as seen from home."""
    return {str(root.relative_to(home)) for root in tools.roots}


@pytest.mark.parametrize("toolchain", TOOLCHAINS, ids=lambda toolchain: toolchain.roots[0])
def test_the_table_names_software_only(toolchain: object) -> None:
    """No entry of it is a private folder or holds one; what a manager keeps inside of one is named exactly."""
    assert isinstance(toolchain, type(TOOLCHAINS[0]))
    for root in map(Path, toolchain.roots):
        assert root != Path()
        assert not any(Path(secret).is_relative_to(root) for secret in PRIVATE)
        assert not any(root.is_relative_to(secret) for secret in PRIVATE) or root == Path(".claude/local")


@pytest.mark.parametrize(
    ("entry", "also", "variables"),
    [
        (".pyenv/shims", [".pyenv"], {"PYENV_ROOT": ".pyenv"}),
        (".nvm/versions/node/v22/bin", [".nvm"], {}),
        (".volta/bin", [".volta"], {"VOLTA_HOME": ".volta"}),
        (".asdf/shims", [".asdf"], {"ASDF_DATA_DIR": ".asdf"}),
        (".cargo/bin", [".cargo/bin", ".rustup"], {"RUSTUP_HOME": ".rustup"}),
        (".local/bin", [".local/bin", ".local/lib", ".local/share/uv", ".local/share/pipx"], {}),
        (".sdkman/candidates/java/current/bin", [".sdkman"], {"SDKMAN_DIR": ".sdkman"}),
        (".bun/bin", [".bun/bin"], {}),
        ("go/bin", ["go/bin"], {}),
    ],
)
def test_a_tool_manager_comes_with_what_it_needs(
    home: Path, program: Make, entry: str, also: list[str], variables: dict[str, str]
) -> None:
    """Its own folders, and the variables by which it finds them from another home."""
    program(f"{entry}/tool")
    program(".cargo/credentials.toml")
    program("go/src/private.go")
    for folder in also:
        (home / folder).mkdir(parents=True, exist_ok=True)
    tools = found(home, entry)
    assert roots(tools, home) == set(also)
    assert tools.variables == {name: str(home / folder) for name, folder in variables.items()}
    kept = found(home, entry, **dict.fromkeys(variables, "/elsewhere"))
    assert kept.variables == {}


def test_nothing_is_found_for_the_system(home: Path) -> None:
    """Folders of the system, relative ones and those that are not there bring nothing."""
    tools = find_tools({"PATH": f"/usr/bin:/bin::.:bin:{home}/none:/opt/x/bin"}, home=home)
    assert (tools.roots, tools.links, tools.variables) == ((), {}, {})


@pytest.mark.parametrize("folder", [".", "..", ".ssh", ".config/tool/bin", ".aws", ".local", ".claude", ".cargo"])
def test_what_is_private_stays_out(home: Path, program: Make, folder: str) -> None:
    """The home folder, what lies above it, and where keys and settings are, are no folders of programs."""
    program(f"{folder}/tool")
    program(".cargo/credentials.toml")
    program(".local/share/keyrings/login")
    assert found(home, folder).roots == ()


@pytest.mark.parametrize("folder", ["/", "/etc", "/etc/init.d", "/proc/self", "/dev", "/home", "/tmp", "/var", "/run"])
def test_a_whole_part_of_the_machine_stays_out(home: Path, folder: str) -> None:
    """However PATH names it."""
    assert find_tools({"PATH": folder, "JAVA_HOME": folder}, home=home).roots == ()


@pytest.mark.parametrize("place", [".ssh", ".config/secret", ".netrc", ".git-credentials"])
def test_no_link_leads_to_what_is_private(home: Path, program: Make, place: str) -> None:
    """Neither a linked program nor a linked folder, nor a variable, nor a tool manager's folder that is one."""
    program(place if place.startswith((".net", ".git")) else f"{place}/key")
    target = str(home / place)
    program("bin/tool", to=target)
    program("bin/key", to=f"{target}/key")
    program("more", to=target)
    program(".nvm", to=target)
    tools = found(home, "bin", "more", ".nvm", SSL_CERT_FILE=target, VIRTUAL_ENV=target)
    assert roots(tools, home) == {"bin"}


def test_a_linked_program_brings_its_installation(home: Path, program: Make) -> None:
    """Not the folder around it: beside its `bin` only what installations have, of a lonely file nothing else."""
    program("apps/tool/bin/tool")
    program("apps/tool/lib/words")
    program("apps/tool/notes/diary")
    program("documents/script")
    program("documents/diary")
    program("bin/tool", to="../apps/tool/bin/tool")
    program("bin/script", to=str(home / "documents" / "script"))
    assert roots(found(home, "bin"), home) == {"bin", "apps/tool/bin", "apps/tool/lib", "documents/script"}


def test_links_are_followed_step_by_step(home: Path, program: Make) -> None:
    """Each step of a chain is there inside, be it a file or a folder that is a link."""
    program("apps/v1/bin/tool")
    program("apps/current", to="v1")
    program("steps/tool", to="../apps/current/bin/tool")
    program("bin/tool", to="../steps/tool")
    tools = found(home, "bin")
    assert roots(tools, home) == {"bin", "apps/v1/bin"}
    assert dict(tools.links) == {
        home / "steps/tool": home / "apps/current/bin/tool",
        home / "apps/current/bin": home / "apps/v1/bin",
    }


def test_links_in_a_circle_end(home: Path, program: Make) -> None:
    """A program that is only a link to itself is not there, nor is a folder or a file that a variable names."""
    program("bin/one", to="two")
    program("bin/two", to="one")
    circle = str(home / "bin" / "one")
    tools = found(home, "bin", "bin/one", program=circle, SSL_CERT_FILE=circle, JAVA_HOME=circle)
    assert roots(tools, home) == {"bin"}


def test_links_by_way_of_the_systems_settings_are_not_made_anew(home: Path, program: Make) -> None:
    """/etc/alternatives is there already, and could not be written to."""
    program("bin/tool", to="/etc/alternatives/awk")
    assert found(home, "bin").links == {}


def test_what_the_user_may_not_look_at_is_left_out(home: Path, program: Make) -> None:
    """A search path that was handed from one user to another breaks nothing. Root may look at all, and finds it."""
    program("bin/tool")
    program("closed/bin/tool")
    program("bin/linked", to=str(home / "closed" / "bin" / "tool"))
    (home / "closed").chmod(0o000)
    try:
        tools = found(home, "closed/bin", "bin", JAVA_HOME=str(home / "closed" / "bin"))
    finally:
        (home / "closed").chmod(0o700)
    assert roots(tools, home) == ({"bin"} if os.geteuid() else {"bin", "closed/bin"})


def test_a_node_package_brings_the_packages_around_it(home: Path, program: Make) -> None:
    """A program of a package requires others that lie beside it."""
    program("node/lib/node_modules/cli/bin/cli.js")
    program("node/lib/node_modules/other/index.js")
    program("tools/cli", to="../node/lib/node_modules/cli/bin/cli.js")
    assert roots(found(home, "tools"), home) == {"tools", "node/lib/node_modules"}


def test_a_virtual_environment_brings_its_interpreter(home: Path, program: Make) -> None:
    """By PATH or by VIRTUAL_ENV; and the interpreter's own installation."""
    program("python/bin/python3")
    program("python/lib/python3.11/os.py")
    program("project/.venv/bin/python", to=str(home / "python/bin/python3"))
    program("project/source.py")
    (home / "project/.venv/pyvenv.cfg").write_text(f"home = {home}/python/bin\nversion = 3.11\n")
    expected = {"project/.venv", "python/bin", "python/lib"}
    assert roots(found(home, "project/.venv/bin"), home) == expected
    assert roots(found(home, VIRTUAL_ENV=str(home / "project/.venv")), home) == expected


def test_the_program_itself_is_found(home: Path, program: Make) -> None:
    """A command that is named by its path needs no PATH."""
    program("apps/agent/bin/agent")
    program("apps/agent/lib/words")
    link = program("agent", to="apps/agent/bin/agent")
    tools = found(home, program=str(link))
    assert roots(tools, home) == {"apps/agent/bin", "apps/agent/lib"}
    assert dict(tools.links) == {link: home / "apps/agent/bin/agent"}


def test_certificates_of_a_company_are_found(home: Path, program: Make) -> None:
    """Exactly the file that the variable names."""
    bundle = program("company/root.pem")
    program("company/key.pem")
    assert roots(found(home, NODE_EXTRA_CA_CERTS=str(bundle)), home) == {"company/root.pem"}


def test_this_interpreter_is_found(home: Path) -> None:
    """What runs these tests could run inside."""
    tools = find_tools({"PATH": str(Path(sys.executable).parent)}, home=home)
    library = Path(os.__file__).resolve()
    assert any(library.is_relative_to(root) for root in (*tools.roots, Path("/usr")))


def test_a_path_may_lead_to_the_home_of_the_account(tmp_path: Path, home: Path, program: Make) -> None:
    """Where HOME names another folder the tools of the account come whole, and what is private there stays out."""
    program(".pyenv/shims/python3")
    program(".pyenv/libexec/pyenv")
    program(".local/bin/tool")
    program(".local/share/keyrings/login")
    path = os.pathsep.join(str(home / folder) for folder in (".pyenv/shims", ".local/bin", ".ssh"))
    (other := tmp_path / "other").mkdir()
    tools = find_tools({"PATH": path}, home=other, account=home)
    assert roots(tools, home) == {".pyenv", ".local/bin"}
    assert tools.variables == {"PYENV_ROOT": str(home / ".pyenv")}


class Watched(dict[str, str]):
    """An environment that knows which of its variables were asked for."""

    def __init__(self, content: Mapping[str, str]) -> None:
        super().__init__(content)
        self.asked: set[object] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """As a mapping."""
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(name)
        return super().__contains__(name)


def test_all_that_is_read_of_an_environment_is_named(home: Path, program: Make) -> None:
    """What was found is remembered by these variables, so no other one may make a difference."""
    for toolchain in TOOLCHAINS:
        for root in toolchain.roots:
            if not root.startswith("/"):
                program(f"{root}/bin/x")
    folders = [str(home / root / "bin") for toolchain in TOOLCHAINS for root in toolchain.roots]
    environment = Watched({"PATH": os.pathsep.join(folders), "LANG": "C"})
    find_tools(environment, home=home)
    assert {"PATH", "RUSTUP_HOME", "VIRTUAL_ENV"} <= environment.asked <= READ_VARIABLES
