"""The public face: names that lead somewhere, light to import, typed for a user's own program."""

import subprocess
import sys
from pathlib import Path

import pytest

import search

ROOT = Path(__file__).parents[1]
PROGRAM = """
import search

class Sizes:
    def start(self) -> int:
        return 0
    def options(self, position: int, state: int, /) -> range:
        return range(1, 9) if position == 0 else range(0)
    def step(self, position: int, state: int, option: search.Option, /) -> tuple[int, int]:
        return int(option), 100 * int(option)
    def finish(self, state: int, /) -> int:
        return 0
    def value(self, options: search.Options, /) -> list[int]:
        return [int(option) for option in options]

class Mine:
    def __init__(self, table: search.BudgetTable) -> None:
        self.left = list(table.encodings())
        self.table = table
    def ask(self) -> search.Job:
        if not self.left:
            raise search.Exhausted("all were tried")
        return self.table.candidate(self.left.pop()).job()
    def tell(self, job: search.Job, result: search.Result) -> None:
        reveal_type(result.accuracy)

def evaluate(job: search.Job) -> float:
    if job.candidate.multiplies > 700:
        raise search.Infeasible("too large")
    return job.candidate.multiplies / 1000

space = Sizes()
found: search.Outcome = search.run(
    space=space, budget=900, evaluator=evaluate, strategy=Mine(search.tabulate(space, 900))
)
reveal_type(found.front[0].arch_id)
reveal_type(search.zoo.network("resnet18"))
reveal_type(search.cost_of(search.zoo.network("resnet18")).multiplies)
reveal_type(search.__version__)
"""


def test_every_name_leads_somewhere_and_none_is_a_rooms() -> None:
    rooms = {path.stem for path in (ROOT / "search").iterdir()} - {"__init__"}
    for name in search.__all__:
        assert getattr(search, name) is not None
        assert name not in rooms
    assert dir(search) == sorted(search.__all__)
    assert search.__all__ == sorted(search.__all__)


def test_every_name_stands_in_the_table_of_contents() -> None:
    text = search.__doc__ or ""
    mentioned = {"Cost", "Evaluator", "FrontEntry", "Model", "Option", "Options", "Trial"}
    for name in set(search.__all__) - mentioned - {"__version__"}:
        assert name in text, name


def test_importing_is_light() -> None:
    code = "import search, sys; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("jax", "numpy", "flax", "hydra", "tensorflow_datasets", "omegaconf", "rich"):
        assert f"'{heavy}'" not in done.stdout


@pytest.mark.slow
def test_types_reach_a_users_program(tmp_path: Path) -> None:
    assert (ROOT / "search" / "py.typed").exists()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(program)],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    revealed = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed" in line]
    own = [line for line in done.stdout.splitlines() if "program.py" in line and "error" in line]
    assert own == []
    assert revealed == ["float", "str", "search.networks.arch.Arch", "int", "str"]


def test_that_program_runs(tmp_path: Path) -> None:
    code = "\n".join(line for line in PROGRAM.splitlines() if "reveal_type" not in line)
    code = code.replace("-> None:\n\ndef", "-> None:\n        pass\n\ndef")
    space: dict[str, object] = {}
    exec(compile(code, "program.py", "exec"), space)
    outcome = space["found"]
    assert isinstance(outcome, search.Outcome)
    assert [row.multiplies for row in outcome.front] == [100 * n for n in range(1, 8)]
    assert sum(trial.result.status == "infeasible" for trial in outcome.trials) == 1
