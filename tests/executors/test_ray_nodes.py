"""Nodes that join and die, and a search that is killed, on Ray clusters of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.config.run import ExecutorConfig
from search.errors import UserError
from search.executors.ray import executor as executors
from search.executors.ray.executor import RayExecutor
from search.executors.worker import OwnEvaluator
from search.jobs import Candidate, Job
from search.study.study import Study

pytest.importorskip("ray", reason="the tests of executor=ray need the extra ray")
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("default")]

SEARCH = """
import os, sys, time
from pathlib import Path
import search
from chains import numbers

folder, keys = Path(sys.argv[1]), eval(sys.argv[2])

def evaluate(job):
    with (folder / job.candidate.id).open("a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(0.3)
    return job.candidate.multiplies / 1e4

found = search.run(
    space=numbers(3, 9, 100), budget=900, strategy="random", evaluator=evaluate, trials=30, ahead=2,
    study=folder.parent / "study", executor={"name": "ray", "cpus": 0, "devices": 2, **keys},
)
print(len(found.trials))
"""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster whose head has one CPU; this process is not connected to it."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


def brief(folder: Path) -> Callable[[Job], float]:
    def evaluate(job: Job) -> float:
        with (folder / str(job.options[1])).open("a") as file:
            file.write(".")
        time.sleep(0.3)
        return 0.5

    return evaluate


def test_nodes_join_and_die(
    cluster: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(executors, "_POLL", 0.5)
    config = ExecutorConfig("ray", address=cluster.address)
    workers = RayExecutor(config, OwnEvaluator(brief(tmp_path)))
    request.addfinalizer(workers.close)
    assert workers.workers == 1
    count, found = 0, {}

    def receive_until(enough: Callable[[], bool]) -> None:
        nonlocal count
        until = time.monotonic() + 60
        while not enough():
            assert time.monotonic() < until
            workers.submit(count, Candidate(("a", count), f"{count:012x}", 1, None, "1").job())
            count += 1
            if count - len(found) > 4:
                number, result = workers.next()
                assert number not in found
                found[number] = result.worker

    receive_until(lambda: len(found) == 2)
    node = cluster.add_node(num_cpus=1)
    receive_until(lambda: len(set(found.values())) == 2)
    assert workers.workers == 2
    cluster.remove_node(node, allow_graceful=False)
    receive_until(lambda: workers.workers == 1)
    while len(found) < count:
        number, result = workers.next()
        found[number] = result.worker
    tries = [len((tmp_path / str(number)).read_text()) for number in range(count)]
    # What ran on the node that died ran once more.
    assert sorted(found) == list(range(count))
    assert sum(tries) <= count + 1


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def start(folder: Path, keys: dict[str, Any]) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[1]}:{os.getcwd()}"}
    return subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(folder), repr(keys)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("where", ["started here", "existing"])
def test_the_search_is_killed(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    keys: dict[str, Any] = {}
    if where == "existing":
        keys["address"] = request.getfixturevalue("cluster").address
    folder = tmp_path / "runs"
    folder.mkdir()
    first = start(folder, keys)
    until = time.monotonic() + 120
    while len(list(folder.iterdir())) < 8:
        assert first.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    # Two agents of Ray's, idle by then, look for the head for another minute.
    before = {pid for pid in children(first.pid) if "Agent" not in command_of(pid)}
    assert len(before) >= (4 if where == "started here" else 0)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    kept = Study.read(tmp_path / "study").trials()
    assert len(kept) >= 5
    pids = {int(line) for path in folder.iterdir() for line in path.read_text().split()}
    until = time.monotonic() + 30
    while left := [pid for pid in pids | before if alive(pid)]:
        assert time.monotonic() < until, f"{left} outlive the search"
        time.sleep(0.1)
    second = start(folder, keys)
    told, _ = second.communicate(timeout=180)
    assert (second.returncode, told.split()) == (0, ["30"])
    trials = Study.read(tmp_path / "study").trials()
    assert [trial.result for trial in trials[: len(kept)]] == [trial.result for trial in kept]
    tries = {path.name: len(path.read_text().split()) for path in folder.iterdir()}
    recorded = {trial.arch_id for trial in kept}
    assert {tries[name] for name in recorded} == {1}
    # Those in flight at the kill, at most two and the one told last, ran again.
    assert sum(tries.values()) <= len(tries) + 3


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except FileNotFoundError:
        return ""


def children(pid: int) -> set[int]:
    """Return the processes that a process started, and those that they started."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()[1:]]
    found = {pid}
    while more := {child for child, parent in pairs if parent in found} - found:
        found |= more
    return found - {pid}


def test_a_worker_with_other_versions(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.executors.ray import reasons

    own = {**reasons.versions(), "convbudget": "9.9"}
    monkeypatch.setattr(reasons, "versions", lambda: own)
    config = ExecutorConfig("ray", address=cluster.address)
    workers = RayExecutor(config, OwnEvaluator(brief(tmp_path)))
    with pytest.raises(UserError, match=r"the workers on .* have convbudget .* instead of 9\.9"):
        workers.computed()
    workers.close()


def test_every_server_is_on_the_loopback_interface(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    searching = start(folder, {})
    while not list(folder.iterdir()):
        assert searching.poll() is None
        time.sleep(0.1)
    family = children(searching.pid) | {searching.pid}
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True)
    own = [
        line.split()[3]
        for line in listening.stdout.splitlines()
        if any(f"pid={pid}," in line for pid in family)
    ]
    os.kill(searching.pid, signal.SIGINT)
    searching.communicate()
    assert len(own) >= 4
    assert all("127.0.0.1" in address for address in own), own
