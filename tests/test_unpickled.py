"""Nothing that lies in a study is run: no pickle, no `eval`; and what listens is this machine's."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "search"
FILES = sorted(PACKAGE.rglob("*.py"))
# Modules whose readers run what they read.
RUNS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "pty", "multiprocessing"}
# Between a search and the workers that it started itself; they read nothing of a study so.
OWN_PROCESSES = "executors"
# Compiled programs, in a cache folder that is the user's own and never in a study.
CACHE = "engine/programs/store.py"
# These read what anyone wrote who may write into a study's folder.
SPOOL = {"spool.py", "joined.py", "shared.py"}
CALLS = {"eval", "exec", "compile", "__import__"}
LOADS = {
    "np.load": "allow_pickle",
    "numpy.load": "allow_pickle",
    "torch.load": "weights_only",
}


def modules(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_what_is_read_is_not_run(path: Path) -> None:
    tree = ast.parse(path.read_text())
    room = path.relative_to(PACKAGE).parts[0]
    own = room == OWN_PROCESSES or path.relative_to(PACKAGE).as_posix() == CACHE
    if not own or path.name in SPOOL:
        assert not modules(tree) & RUNS, "it could unpickle"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in CALLS, f"line {node.lineno}: {called}"
        assert not called.endswith(("read_pickle", "yaml.load", "yaml.unsafe_load"))
        if called in LOADS:
            flags = {word.arg: ast.unparse(word.value) for word in node.keywords}
            # NumPy's own default refuses pickles too.
            assert flags.get(LOADS[called], "False") == "False" or called == "torch.load"
            assert called != "torch.load" or flags.get(LOADS[called]) == "True"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_what_listens_listens_here_alone(path: Path) -> None:
    text = path.read_text()
    for everywhere in ("0.0.0.0", '"::"', "INADDR_ANY"):
        assert everywhere not in text
    if "HTTPServer(" in text or ".bind(" in text:
        assert '"127.0.0.1"' in text
