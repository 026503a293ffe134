"""What can be said of a Ray cluster without one: addresses, room, versions, cores, checkpoints."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.config.run import ExecutorConfig
from search.errors import UserError
from search.executors.ray import actor, cluster
from search.executors.ray.cluster import Cluster, check_reachable, check_room, nodes_of, room
from search.executors.ray.folders import own_folder
from search.executors.ray.pinning import pin
from search.executors.ray.reasons import refuse_versions
from search.executors.ray.travel import receive, travelling
from search.jobs import Candidate

HERE = Cluster("10.0.0.1:6379")


def ray_config(**keys: Any) -> ExecutorConfig:
    return ExecutorConfig("ray", **keys)


def test_without_accelerators_a_worker_takes_cpus() -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 3.0}, {}]
    found = room(ray_config(cpus=2), nodes, "")
    assert (found.kind, found.workers, found.options) == ("CPU", 5, {"num_cpus": 2})
    assert room(ray_config(), nodes, "").workers == 11


def test_with_accelerators_only_they_have_workers() -> None:
    nodes = [{"CPU": 8.0, "GPU": 4.0}, {"CPU": 64.0}, {"CPU": 2.0, "GPU": 4.0}]
    found = room(ray_config(), nodes, "")
    # The third node has a CPU for two of its four.
    assert (found.kind, found.workers) == ("GPU", 6)
    assert found.options == {"num_cpus": 1, "num_gpus": 1.0}
    shared = room(ray_config(per_device=2), nodes, "")
    assert (shared.workers, shared.options["num_gpus"]) == (10, 0.5)
    assert room(ray_config(), nodes, "cpu").kind == "CPU"
    assert room(ray_config(), [{"CPU": 8.0, "TPU": 8.0}], "").options["resources"] == {"TPU": 1}


def test_memory_is_reserved() -> None:
    found = room(ray_config(memory=1.5), [{"CPU": 8.0, "memory": 4e9}], "")
    assert (found.workers, found.options["memory"]) == (2, 1_500_000_000)


def test_devices_bound_the_workers() -> None:
    nodes = [{"CPU": 8.0, "GPU": 4.0}]
    assert room(ray_config(devices=3, per_device=2), nodes, "").workers == 6
    assert room(ray_config(devices=64, cpus=0), [{"CPU": 2.0}], "").workers == 64


@pytest.mark.parametrize(
    ("keys", "nodes", "said"),
    [
        ({"devices": 9}, [{"CPU": 8.0}], "executor.devices=9 is more than .* give at most 8"),
        ({"cpus": 9}, [{"CPU": 8.0}], "no node of the Ray cluster .* has executor.cpus=9"),
        ({"memory": 2.0}, [{"CPU": 8.0, "memory": 1e9}], "and 2 GB of memory"),
        ({"per_device": 2}, [{"CPU": 8.0}], "executor.per_device=2 needs GPUs"),
    ],
)
def test_room_that_is_not_there(
    keys: dict[str, Any], nodes: list[dict[str, float]], said: str
) -> None:
    config = ray_config(**keys)
    with pytest.raises(UserError, match=said):
        check_room(config, room(config, nodes, ""), HERE)


def test_a_head_that_computes_nothing_waits_for_the_first_node() -> None:
    class Joining(Cluster):
        def nodes(self) -> list[dict[str, float]]:
            looks.append(1)
            return [{"memory": 1e9}, *([{"CPU": 4.0}] if len(looks) > 2 else [])]

    looks: list[int] = []
    assert nodes_of(Joining("there"))[1:] == [{"CPU": 4.0}]
    assert len(looks) == 3
    looks.clear()
    assert nodes_of(Joining("there"), patience=0.1) == [{"memory": 1e9}]


@pytest.mark.parametrize("address", ["nonsense", "ray://host:10001", "host:", ":6379", "host:port"])
def test_no_address(address: str) -> None:
    with pytest.raises(UserError, match=r"is not the address of a Ray cluster; give host:port"):
        check_reachable(ray_config(address=address))


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=r"no Ray cluster answers \(Connection refused\)"):
            check_reachable(ray_config(address=f"127.0.0.1:{port}"))
        taken.listen()
        # Accepts and says nothing.
        with pytest.raises(UserError, match="no Ray cluster answers"):
            check_reachable(ray_config(address=f"127.0.0.1:{port}"))


@pytest.mark.parametrize("answers", [True, False])
def test_tokens_are_used_only_while_connected(
    monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    read: list[str | None] = []
    connected: list[str | None] = []

    def mode() -> str | None:
        return os.environ.get("RAY_AUTH_MODE")

    def init(**_: Any) -> None:
        connected.append(mode())
        if not answers:
            raise ConnectionError("the token is another")

    ray = SimpleNamespace(
        init=init,
        is_initialized=lambda: False,
        shutdown=lambda: None,
        exceptions=SimpleNamespace(RayError=RuntimeError),
        _raylet=SimpleNamespace(Config=SimpleNamespace(initialize=lambda _: read.append(mode()))),
        _private=SimpleNamespace(worker=SimpleNamespace()),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(cluster, "wants_token", lambda *_: True)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    config = ray_config(address="10.0.0.1:6379")
    if answers:
        found = cluster.join(config)
        assert (read, mode()) == (["token"], "token")
        found.leave()
    else:
        with pytest.raises(UserError, match="the token is another"):
            cluster.join(config)
    assert (connected, read, mode()) == (["token"], ["token", None], None)
    # What the user asked for stays.
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    if answers:
        cluster.join(config).leave()
        assert (read, mode()) == (["token", None], "token")


def test_folders_of_processes_that_were_killed_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    prefix = "convbudget-test-"
    dead, alive, other = (
        tmp_path / f"{prefix}{name}" for name in (f"{ended.pid}-a", f"{os.getppid()}-a", "mine-a")
    )
    for folder in (dead, alive, other):
        folder.mkdir()
        (folder / "file").touch()
    made = own_folder(prefix, str(tmp_path))
    assert made.name.startswith(f"{prefix}{os.getpid()}-")
    assert {*tmp_path.iterdir()} == {alive, other, made}


def test_another_server_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            accepted, _ = server.accept()
            with accepted:
                accepted.recv(100)
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UserError, match="something else answers there"):
            check_reachable(ray_config(address=address))
        thread.join()


def test_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ray")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "convbudget\[ray\]"'):
        check_reachable(ray_config())


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "local", "address": "auto"}, "executor.address=auto has no effect with"),
        ({"name": "local", "cpus": 2}, "executor.cpus=2 has no effect with executor=local"),
        ({"name": "local", "memory": 1.0}, "executor.memory=1.0 has no effect"),
        ({"name": "ray", "cpus": 0}, "executor.cpus=0 says nothing of how many workers"),
        ({"name": "ray", "memory": 0.0}, "executor.memory=0.0 must be a number above 0"),
        ({"name": "ray", "cpus": -1}, "executor.cpus=-1 must be an integer from 0 to 4096"),
    ],
)
def test_keys(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        ExecutorConfig(**keys)


def test_other_versions_are_named_with_their_node() -> None:
    own = actor.versions()
    refuse_versions("node3", own, training=True)
    other = {**own, "jax": "0.9.0", "numpy": "none"}
    said = rf"workers on node3 have jax 0.9.0 instead of {own['jax']}, numpy none instead of"
    with pytest.raises(UserError, match=said):
        refuse_versions("node3", other, training=True)
    # An evaluator of one's own may do without JAX.
    refuse_versions("node3", other, training=False)
    with pytest.raises(UserError, match=r"have python 3\.9 instead of"):
        refuse_versions("node3", {**own, "python": "3.9"}, training=False)


def test_a_worker_that_trains_nothing_imports_no_jax() -> None:
    script = (
        "import sys; from search.executors.ray.actor import Worker; w = Worker(); w.greet(None);"
        " from search.jobs import Candidate; job = Candidate(('a',), '0', 1, None, '1').job();"
        " print(w.prepare(lambda job: 0.5, None, {}, 0, None, False)[0],"
        " w.evaluate(job, {})[1].accuracy, 'jax' in sys.modules, 'ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["ready", "0.5", "False", "False"], done.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no processes")
def test_workers_are_pinned_to_cores_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[list[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: pinned.append(sorted(cores)))
    first, second = pin(1, tmp_path), pin(1, tmp_path)
    assert pinned == [[3], [5]]
    # One core is free: a worker of two is pinned to none, and takes none away.
    assert pin(2, tmp_path) == []
    third = pin(1, tmp_path)
    assert pinned == [[3], [5], [7]]
    for held in [*first, *second, *third]:
        held.close()
    # All of them need no pinning.
    assert pin(3, tmp_path) == []
    assert len(pinned) == 3


def test_checkpoints_travel(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    job = Candidate(("a",), "0123456789ab", 1, None, "1").job(epochs=4, seed=1)
    for name in ("s1-e2", "s1-e3-partial", "s1-e9", "s2-e3"):
        (there / f"0123456789ab-{name}.npz").write_bytes(name.encode())
    sent = travelling(there, job, finished=False)
    assert sent == {"0123456789ab-s1-e2.npz": b"s1-e2"}
    assert travelling(there, job, finished=True) == {}
    receive(here, {**sent, "../outside.npz": b"", "0123456789ab-s1-e2.npz.py": b""})
    assert [path.name for path in tmp_path.rglob("*.npz") if path.parent == here] == list(sent)
    assert not (tmp_path / "outside.npz").exists()
    (there / "0123456789ab-s1-e4.npz").write_bytes(b"own")
    assert travelling(there, job, finished=True) == {"0123456789ab-s1-e4.npz": b"own"}
