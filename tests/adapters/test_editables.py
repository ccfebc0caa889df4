"""Python environments that import a project from the user's checkout: found in every form, and led to the workspace."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.editables import Editable, editables, refusal, search_path, warning
from bandstand.adapters.sandbox.none import NoSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.domain.errors import Refused
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount, Sandbox
from tests.real_git import Folder
from tests.starting import run

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
FILES = {"src/band/__init__.py": "WHOSE = 'the checkout'\n", "flat.py": "WHOSE = 'the checkout'\n"}

SETUPTOOLS = """\
import sys
from importlib.util import spec_from_file_location
MAPPING = {mapping!r}
NAMESPACES = {namespaces!r}
class _EditableFinder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return spec_from_file_location(name, MAPPING[name] + "/__init__.py") if name in MAPPING else None
def install():
    sys.meta_path.append(_EditableFinder)
"""


class Venv:
    """A virtual environment, and the checkout that things are installed from."""

    def __init__(self, root: Path, checkout: Folder) -> None:
        self.root = root
        self.checkout = checkout
        self.packages = root / "lib" / VERSION / "site-packages"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)

    def put(self, files: dict[str, str]) -> None:
        """Files in its site-packages; `{repo}` is the checkout."""
        for name, text in files.items():
            (self.packages / name).write_text(text.replace("{repo}", str(self.checkout.path)))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of one who has activated it."""
        return {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin", "VIRTUAL_ENV": str(self.root)}

    def found(self) -> list[tuple[str, str | None]]:
        """What is found in it: the file that says so, and the folder below a checkout."""
        found = editables(self.environment, git_dir=self.checkout.path / ".git")
        return [(one.said_in.name, None if one.below is None else str(one.below)) for one in found]


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    """An environment in the checkout, where most people have it."""
    checkout = Folder.init(tmp_path / "checkout", FILES)
    return Venv(checkout.path / ".venv", checkout)


FORMS: list[tuple[dict[str, str], list[tuple[str, str | None]]]] = [
    ({"band.pth": "{repo}/src\n"}, [("band.pth", "src")]),
    ({"band.pth": "# {repo}/tests\n\n{repo}\n"}, [("band.pth", ".")]),
    ({"__editable__.band-1.pth": "{repo}/src"}, [("__editable__.band-1.pth", "src")]),
    (
        {
            "__editable__.band-1.pth": "import __editable___band_1_finder; __editable___band_1_finder.install()",
            "__editable___band_1_finder.py": SETUPTOOLS.format(
                mapping={"band": "{repo}/src/band", "ns.deep": "{repo}/ns/deep"}, namespaces={"ns": ["{repo}/ns"]}
            ),
        },
        [("__editable__.band-1.pth", "src"), ("__editable__.band-1.pth", ".")],
    ),
    (
        {
            "__editable__.band-1.pth": "import __editable___band_1_finder; __editable___band_1_finder.install()",
            "__editable___band_1_finder.py": SETUPTOOLS.format(mapping={"other": "{repo}/src/band"}, namespaces={}),
        },
        [("__editable__.band-1.pth", None)],
    ),
    (
        {
            "_editable_impl_band.pth": "import _editable_impl_band",
            "_editable_impl_band.py": "from editables.redirector import RedirectingFinder as F\nF.install()\n"
            "F.map_module('band', '{repo}/src/band/__init__.py')\nF.map_module('flat', '{repo}/flat.py')\n",
        },
        [("_editable_impl_band.pth", "src"), ("_editable_impl_band.pth", ".")],
    ),
    (
        {
            "_band_editable.pth": "import _band_editable",
            "_band_editable.py": "import sys\nsys.meta_path.insert(0, object)\nKNOWN = {'band': '{repo}/src/band'}\n",
        },
        [("_band_editable.pth", None)],
    ),
    ({"band.pth": "{repo}/build/__editable__.band-1-py3\n"}, [("band.pth", None)]),
    ({"band.pth": "{repo}/gone\n/nowhere\n/usr\n./inside\nimport sys; sys.x = '/usr'\n"}, []),
    ({"broken.pth": "import broken\nimport (\n", "broken.py": "def ("}, []),
]


@pytest.mark.parametrize(("files", "found"), FORMS)
def test_every_form_is_found(files: dict[str, str], found: list[tuple[str, str | None]], venv: Venv) -> None:
    """A folder for the search path where one will do; none for a hook that comes before it or maps to other names."""
    for folder in ("ns/deep", "build/__editable__.band-1-py3"):
        (venv.checkout.path / folder).mkdir(parents=True)
    (venv.packages / "inside").mkdir()
    venv.put(files)
    assert sorted(venv.found(), key=str) == sorted(found, key=str)


def test_a_link_is_found(venv: Venv) -> None:
    """As old tools make them."""
    (venv.packages / "band").symlink_to(venv.checkout.path / "src" / "band")
    (venv.packages / "other").symlink_to(venv.checkout.path / "src" / "band")
    assert venv.found() == [("band", "src"), ("other", None)]


def test_the_checkout_may_be_any_of_the_repository(venv: Venv, tmp_path: Path) -> None:
    """A linked worktree, or one behind a link; but not another repository, and none inside of this one."""
    venv.checkout.git("worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "elsewhere").symlink_to(venv.checkout.path)
    other = Folder.init(tmp_path / "other", FILES)
    venv.put(
        {"a.pth": f"{tmp_path}/linked/src\n", "b.pth": f"{tmp_path}/elsewhere/src\n", "c.pth": f"{other.path}/src"}
    )
    assert venv.found() == [("a.pth", "src"), ("b.pth", "src")]


def test_environments_are_found_by_the_search_path_too(venv: Venv, tmp_path: Path) -> None:
    """Not activated, behind shims; but not what belongs to a home that commands do not have."""
    venv.put({"band.pth": "{repo}/src\n"})
    git_dir = venv.checkout.path / ".git"
    for place in ("versions/3", ".local"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        shutil.copytree(venv.root, tmp_path / place, symlinks=True)
    for path, number in ((venv.root / "bin", 1), (tmp_path / "shims", 1), (tmp_path / ".local/bin", 0), ("bin", 0)):
        assert len(editables({"PATH": f"/usr/bin:{path}"}, git_dir=git_dir)) == number


def test_our_own_checkouts_count_and_are_not_read(venv: Venv, tmp_path: Path) -> None:
    """An agent without walls may have installed its workspace in the user's environment."""
    tree = tmp_path / "repositories" / "id" / "workspaces" / "t1" / "tree"
    tree.mkdir(parents=True)
    os.mkfifo(tree / ".git")
    venv.put({"band.pth": f"{tree}/src\n"})
    (found,) = editables(venv.environment, git_dir=venv.checkout.path / ".git", workspaces=tmp_path / "repositories")
    assert found.below == PurePosixPath("src")


def confined(sandbox: Sandbox, venv: Venv, workspace: Path, program: str, **variables: str) -> Launch:
    """A Python program in a workspace."""
    home = workspace.parent / "home"
    home.mkdir(exist_ok=True)
    inside = sandbox.inside(workspace, role="workspace")
    return sandbox.confine(
        Confinement(
            argv=("python", "-c", program),
            cwd=Path("/"),
            environment=venv.environment | variables,
            home=home,
            writable=(Mount(host=workspace, inside=inside),),
        )
    )


Put = Callable[[Venv], None]


def _by_path(venv: Venv) -> None:
    venv.put({"band.pth": "{repo}/src\n"})


def _by_finder(venv: Venv) -> None:
    venv.put(FORMS[3][0])


@pytest.mark.parametrize("put", [_by_path, _by_finder])
def test_in_the_sandbox_the_workspaces_code_is_imported(put: Put, venv: Venv, tmp_path: Path) -> None:
    """And never that of the checkout, not even where the workspace has none any more."""
    (venv.checkout.path / "ns" / "deep").mkdir(parents=True)
    put(venv)
    workspace = Folder.init(tmp_path / "workspace", {"src/band/__init__.py": "WHOSE = 'the workspace'\n"}).path
    walls = BubblewrapSandbox(
        "bwrap", tmp_path, (venv.checkout.path,), git_dir=venv.checkout.path / ".git", uid=ordinary_user()
    )
    launch = confined(
        walls, venv, workspace, "import os, band; print(band.WHOSE, os.environ['PYTHONPATH'])", PYTHONPATH="/x"
    )
    said = run(launch)
    assert said.stdout.startswith("the workspace /workspace/src:"), said.stderr
    assert said.stdout.endswith(":/x\n")
    shutil.rmtree(workspace / "src" / "band")
    assert "Error" in run(launch).stderr


def test_without_a_sandbox_nothing_is_run(venv: Venv, tmp_path: Path) -> None:
    """For nothing keeps Python from the checkout. Without the install, or for git alone, all is as ever."""
    (workspace := tmp_path / "workspace").mkdir()
    none = NoSandbox(git_dir=venv.checkout.path / ".git")
    assert "PYTHONPATH" not in confined(none, venv, workspace, "").environment
    venv.put({"band.pth": "{repo}/src\n"})
    with pytest.raises(Refused, match=r"band\.pth has Python import this repository"):
        confined(none, venv, workspace, "")
    none.confine(Confinement(argv=("git",), cwd=workspace, environment=venv.environment))


def test_it_is_said_which_file_is_meant() -> None:
    """And what to do."""
    hook = Editable(place=Path("/repo/src"), said_in=Path("/env/x.pth"), below=None)
    for text in (str(refusal(hook)), warning(hook)):
        assert "/env/x.pth" in text
        assert "/repo/src" in text
    assert search_path((hook,), workspace=Path("/workspace"), given="") == ""
