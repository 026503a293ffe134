"""The rooms import only from rooms on lower floors, and stay free of what they must not know."""

import ast
import graphlib
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "search"
ROOT = PACKAGE.parent

# A room is a module or a sub-package of `search`; each may import from lower floors, and from
# itself. Within a floor nothing imports its neighbour.
FLOORS: list[set[str]] = [
    {"cores", "errors", "lazy"},
    {"units", "files", "pareto"},
    {"networks"},
    {"jobs", "config"},
    {"spaces", "study"},
    {"data"},
    {"engine"},
    {"strategies", "executors"},
    {"report", "loggers"},
    {"export"},
    {"runner", "compare", "testing"},
    {"finals", "question"},
    {"cli"},
    {"api"},
    {"__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"jax", "jaxlib", "flax", "optax"}
# What each heavy package may be imported by, anywhere in the file.
ALLOWED = {
    "jax": {"engine", "executors", "export", "runner", "finals"},
    "tensorflow_datasets": {"data"},
    "hydra": {"cli"},
}
ENGINE = {"engine"}
ENGINE_MAY = {"jax", "flax", "optax", "numpy", "search"}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import absolutely"
            if node.module == "search":
                found |= {f"search.{alias.name}" for alias in node.names}
            else:
                found.add(node.module or "")
    return found


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("search.")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in FLOOR, f"{room} has no floor in the table"
    for other in rooms_imported(path) - {room}:
        assert other in FLOOR, f"{path.name} imports search.{other}, which has no floor"
        assert FLOOR[other] < FLOOR[room], f"{room} may not know {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_imports(path: Path) -> None:
    room = room_of(path)
    tops = {name.split(".")[0] for name in imports(path)}
    for package, rooms in ALLOWED.items():
        names = HEAVY if package == "jax" else {package}
        if tops & names:
            assert room in rooms, f"{room} may not import {package}"
    if room in ENGINE:
        import sys

        assert tops <= ENGINE_MAY | set(sys.stdlib_module_names), f"{room} imports {tops}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 350


def modules_imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, as dotted names; packages as themselves."""
    known = {module_of(file) for file in FILES}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & known
            # `from package import module` is the module's edge; anything else is the package's.
            named = {name.rpartition(".")[2] for name in inside}
            found |= inside
            if any(alias.name not in named for alias in node.names):
                found.add(node.module)
    return found - {module_of(path)}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_circle_between_files() -> None:
    graphlib.TopologicalSorter(
        {module_of(path): modules_imported(path) for path in FILES}
    ).prepare()


def shipped_files() -> list[str]:
    """The repository's files; in an unpacked archive, those that no tool has left there since."""
    command = ["git", "ls-files"]
    inside = (ROOT / ".git").exists()
    if inside and shutil.which("git"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.split()
    passing = {"build", "dist", "outputs", "__pycache__"}
    names = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
    return [
        str(name)
        for name in names
        if not any(
            part in passing or part.startswith(".") or part.endswith(".egg-info")
            for part in name.parts
        )
    ]


def check_top_level(listed: list[str]) -> None:
    assert len(listed) > 100
    tops = {name.split("/")[0] for name in listed}
    known = {"pyproject.toml", "README.md", "LICENSE", "search", "configs", "outputs", "tests"}
    assert {top for top in tops if not top.startswith(".")} <= known
    assert not any(Path(name).name == "utils.py" for name in listed)
    under_outputs = [n for n in listed if n.startswith("outputs/") and n != "outputs/.gitignore"]
    assert all(name.startswith("outputs/reference/") for name in under_outputs)


def test_top_level() -> None:
    check_top_level(shipped_files())


def test_top_level_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    check_top_level(shipped_files())
