"""Sweeps beside one another: joblib and submitit for real, SLURM as far as its sbatch script."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from search.__main__ import main
from search.cli import launchers
from search.cli.completion import complete
from search.cli.launchers import JobEnd
from search.config import shipped
from search.cores import cores
from search.errors import UserError

# One candidate of the two cheapest, for one epoch.
QUICK = ("budget=8k", "trials=1", "epochs=1", "train.form=whole")
# What SLURM's command says to submitit, which then waits for a result that never comes.
SBATCH = """#!/bin/sh
cp "$1" {kept}
echo "#$SRUN_CPUS_PER_TASK" >> {kept}
echo Submitted batch job 77
"""
SACCT = "#!/bin/sh\necho 'JobID|State|NodeList'\nfor i in 0 1; do echo \"77_$i|FAILED|n1\"; done\n"
# What it says instead of a partition that does not exist.
REFUSING = "#!/bin/sh\necho 'sbatch: error: invalid partition specified: night' >&2\nexit 1\n"
# SLURM without accounts: job 0 ended, the other is forgotten already.
NO_SACCT = "#!/bin/sh\necho Slurm accounting storage is disabled >&2\nexit 1\n"
SQUEUE = "#!/bin/sh\necho '77_0|FAILED'\n"
# The command, which waits 0.1 s for a result that SLURM says is there.
IMPATIENT = (
    "import sys, submitit; submitit.Job._results_timeout_s = 0.1\n"
    "from search.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of studies, in which the study `bad` cannot be made: a file has its name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "bad").touch()
    return tmp_path / "outputs"


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "search", "run", "-m", *words, *QUICK]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_joblib_runs_studies_beside_one_another(outputs: Path) -> None:
    """One failing job does not stop the other, and every line says whose it is."""
    done = ran("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "study=good,bad")
    assert done.returncode == 1
    assert (outputs / "good" / "front.csv").exists()
    assert all(line.startswith(("good: ", "bad: ")) for line in done.stdout.splitlines())
    each = max(1, cores() // 2)
    assert f"good: device: cpu, {each} core" in done.stdout
    errors = done.stderr.splitlines()
    assert re.match(r"convbudget: bad: outputs/bad ", errors[0])
    assert errors[1:] == ["convbudget: 1 of 2 jobs failed: bad"]
    assert {path.name for path in outputs.iterdir()} == {"good", "bad"}


@pytest.mark.slow
def test_submitit_runs_studies_in_processes_of_their_own(outputs: Path) -> None:
    done = ran("hydra/launcher=submitit_local", "study=good,bad")
    assert done.returncode == 1
    assert (outputs / "good" / "front.csv").exists()
    said = re.fullmatch(r"2 jobs by submitit_local; their logs lie in (\S+)\n", done.stdout)
    assert said
    assert re.match(r"convbudget: bad: outputs/bad ", done.stderr)
    assert done.stderr.endswith("\nconvbudget: 1 of 2 jobs failed: bad\n")
    logs = [path.read_text() for path in Path(said[1]).glob("*/*_log.out")]
    assert len(logs) == 2
    assert any("\ngood: 1/1  " in log for log in logs)


def sent_to_slurm(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Hand two jobs to a SLURM whose commands are `programs`.

    In a process of its own: submitit closes all handlers of `logging` when it is imported, and
    absl's, which JAX brings, then closes pytest's captured stderr.
    """
    folder.mkdir()
    for name, text in {"srun": "", **programs}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    words = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=night", "seed=0,1"]
    return subprocess.run(
        [sys.executable, "-c", IMPATIENT, "run", "-m", *words, "hydra.launcher.gpus_per_node=1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
    )


def test_what_slurm_is_told(outputs: Path) -> None:
    """The script that submitit writes has the shipped settings; lost jobs are one line."""
    kept = outputs.parent / "script.sh"
    done = sent_to_slurm(outputs.parent / "bin", sbatch=SBATCH.format(kept=kept), sacct=SACCT)
    assert done.returncode == 1
    assert done.stdout.startswith("2 jobs by submitit_slurm; their logs lie in outputs/.sweeps/")
    assert done.stderr.startswith("convbudget: a job of the sweep was lost (")
    assert done.stderr.count("\n") == 1
    script = kept.read_text()
    options = set(re.findall(r"^#SBATCH --(\S+)", script, re.MULTILINE))
    assert {
        *("array=0-1%2", "cpus-per-task=4", "gpus-per-node=1", "job-name=convbudget"),
        *("nodes=1", "partition=night", "signal=USR2@120", "time=240"),
    } <= options
    assert re.search(r"^srun .* -m submitit.core._submit ", script, re.MULTILINE)
    # What the job's srun goes by.
    assert script.endswith("\n#4\n")


def test_without_accounts_squeue_tells_of_lost_jobs(outputs: Path) -> None:
    sbatch = SBATCH.format(kept=outputs.parent / "script.sh")
    done = sent_to_slurm(outputs.parent / "bin", sbatch=sbatch, sacct=NO_SACCT, squeue=SQUEUE)
    assert done.returncode == 1
    assert re.match(r"convbudget: a job of the sweep was lost \(.*Job 77_0 ", done.stderr)
    assert done.stderr.count("\n") == 1


def test_jobs_that_slurm_refuses_are_told_apart_from_lost_ones(outputs: Path) -> None:
    done = sent_to_slurm(outputs.parent / "bin", sbatch=REFUSING, sacct=SACCT)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "convbudget: SLURM refused the jobs (invalid partition specified: night); correct"
        " hydra.launcher's values"
    )


def test_without_slurm_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="needs SLURM's commands, and there is no srun here"):
        launchers.prepare_slurm(4)


@pytest.mark.parametrize(("restarts", "before", "again"), [(1, None, True), (2, "2", False)])
def test_a_job_that_slurm_will_start_again(
    restarts: int, before: str | None, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scontrol").write_text(f"#!/bin/sh\necho 'Requeue=1 Restarts={restarts} A=0'\n")
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "78")
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    assert not launchers.queued_again()
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    if before is not None:
        monkeypatch.setenv("SLURM_RESTART_COUNT", before)
    assert launchers.queued_again() is again


@pytest.mark.parametrize("name", shipped.choices(shipped.LAUNCHER))
def test_without_the_plugin_a_line_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Plugins are looked for once in a process, whichever test comes first.
    Plugins.instance()
    group = ConfigStore.instance().repo["hydra"]["launcher"]
    for known in [known for known in group if name in known]:
        monkeypatch.delitem(group, known)
    assert main(["run", "-m", f"hydra/launcher={name}", "seed=0,1"]) == 2
    assert capsys.readouterr().err == (
        f"convbudget: hydra/launcher={name} needs a package that is not installed; pip install"
        " 'convbudget[launchers]', or leave it out to run one job after the other\n"
    )


def test_a_time_limit_is_no_failure_of_a_candidate() -> None:
    """What submitit's handler raises does not reach an evaluator's `except Exception`."""

    def refuse(number: int, frame: object) -> None:
        raise RuntimeError("timed-out too many times")

    before = signal.signal(signal.SIGUSR2, refuse)
    try:
        with pytest.raises(KeyboardInterrupt), launchers.stopped_at_the_limit():
            signal.raise_signal(signal.SIGUSR2)
        assert signal.getsignal(signal.SIGUSR2) is refuse
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_shares_of_the_cores() -> None:
    eight = range(8)
    assert [launchers.share(eight, place, 3) for place in range(3)] == [
        [0, 1],
        [2, 3, 4],
        [5, 6, 7],
    ]
    assert [launchers.share([4, 6], place, 3) for place in range(3)] == [[4], [6], [4]]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are bound on Linux")
def test_two_processes_take_different_shares(tmp_path: Path) -> None:
    """A process that asks again keeps its share; one that comes after the end of another has it."""
    code = (
        "import os, sys; from pathlib import Path; from search.cli.launchers import take_share\n"
        "for _ in range(2): held = take_share(Path(sys.argv[1]), 2)\n"
        "print(held.held, sorted(os.sched_getaffinity(0)), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

    def started() -> "tuple[subprocess.Popen[str], str]":
        process = subprocess.Popen(command, **pipes)  # type: ignore[call-overload]
        return process, process.stdout.readline()

    first, second = started(), started()
    mine = sorted(os.sched_getaffinity(0))
    expected = [f"True {launchers.share(mine, place, 2)}\n" for place in range(2)]
    assert [first[1], second[1]] == expected
    first[0].communicate("")
    third = started()
    assert third[1] == expected[0]
    for process, _ in (second, third):
        process.communicate("")


@pytest.mark.parametrize(
    ("launcher", "config", "jobs", "at_once"),
    [
        ("basic", {}, 5, 1),
        ("joblib", {"n_jobs": 2}, 5, 2),
        ("joblib", {"n_jobs": 4}, 3, 3),
        ("joblib", {"n_jobs": -1}, None, cores()),
        ("joblib", {"n_jobs": -1000}, None, 1),
        ("submitit_local", {}, 5, 5),
        ("submitit_local", {}, None, cores()),
        ("submitit_slurm", {}, 5, 1),
    ],
)
def test_jobs_at_once(
    launcher: str, config: dict[str, int], jobs: int | None, at_once: int
) -> None:
    assert launchers.jobs_at_once(launcher, OmegaConf.create(config), jobs) == at_once


def test_no_jobs_at_once_are_refused() -> None:
    with pytest.raises(UserError, match=r"hydra.launcher.n_jobs=0 runs nothing; give the number"):
        launchers.jobs_at_once("joblib", OmegaConf.create({"n_jobs": 0}), 2)


def test_lines_stay_together_behind_their_label() -> None:
    file = io.StringIO()
    labelled = launchers._Labelled(file, "name")
    assert labelled.write("one\ntw") == 6
    assert file.getvalue() == "name: one\n"
    labelled.write("o  \n\n")
    assert file.getvalue() == "name: one\nname: two\nname: \n"


def test_the_summary_names_what_failed() -> None:
    assert launchers.summary([JobEnd("a"), JobEnd("b")]) == ""
    assert launchers.summary([JobEnd("a"), JobEnd("b", "why")]) == "1 of 2 jobs failed: b"


def test_launchers_are_completed() -> None:
    found = complete("convbudget run -m hydra/launcher=")
    assert found == [
        f"hydra/launcher={name} " for name in ("joblib", "submitit_local", "submitit_slurm")
    ]
