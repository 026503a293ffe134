"""Which worker processes a machine gets."""

from typing import Any

import pytest

from search.config.run import ExecutorConfig
from search.errors import UserError
from search.executors import placement
from search.executors.placement import Machine, Placement, placements

CPU = Machine("cpu", 1, (0, 1, 2, 3, 8, 9, 10))
GPUS = Machine("gpu", 4, (0, 1))
ONE_GPU = Machine("gpu", 1, (0, 1))
# A host of a v5e-8 slice: eight chips, each of them one device.
TPUS = Machine("tpu", 8, tuple(range(112)))


def placed(machine: Machine, environment: dict[str, str] | None = None, **keys: Any) -> Any:
    return placements(ExecutorConfig(**keys), machine, environment or {})


@pytest.mark.parametrize("machine", [CPU, ONE_GPU])
def test_one_device_is_used_by_the_search_itself(machine: Machine) -> None:
    assert placed(machine) == ()
    # Only a process of its own can be given several, or be ended.
    assert len(placed(machine, devices=1)) == 1
    assert len(placed(machine, timeout=60.0)) == 1
    assert len(placed(machine, per_device=3)) == 3


def test_cores_are_divided() -> None:
    assert [one.cores for one in placed(CPU, devices=3)] == [(0, 1), (2, 3), (8, 9, 10)]
    assert [one.cores for one in placed(CPU, devices=7)] == [(core,) for core in CPU.cores]
    assert placed(CPU, devices=3)[2].environment["OMP_NUM_THREADS"] == "3"
    assert placed(CPU, devices=1, per_device=2) == tuple(
        Placement(f"local:{n}", placed(CPU, devices=1)[0].environment, CPU.cores) for n in (0, 1)
    )


def test_every_gpu_has_a_worker_that_sees_no_other() -> None:
    found = placed(GPUS)
    assert [one.name for one in found] == ["local:0", "local:1", "local:2", "local:3"]
    assert [one.environment for one in found] == [
        {"CUDA_VISIBLE_DEVICES": name} for name in ("0", "1", "2", "3")
    ]
    assert all(one.cores == () for one in found)
    # As the search was told which to use.
    seen = placed(GPUS, {"CUDA_VISIBLE_DEVICES": "5, 7,GPU-1,2"}, devices=3)
    assert [one.environment["CUDA_VISIBLE_DEVICES"] for one in seen] == ["5", "7", "GPU-1"]


def test_candidates_on_one_gpu_share_its_memory() -> None:
    found = placed(GPUS, per_device=2)
    assert [one.environment["CUDA_VISIBLE_DEVICES"] for one in found] == list("00112233")
    assert {one.environment["XLA_CLIENT_MEM_FRACTION"] for one in found} == {"0.3750"}
    for key in ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"):
        one = placed(GPUS, {key: "0.9"}, per_device=3)[0]
        assert one.environment["XLA_CLIENT_MEM_FRACTION"] == "0.3000"
        # JAX refuses both.
        assert one.environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] is None


def test_every_chip_of_a_tpu_host_is_a_topology_of_its_own() -> None:
    found = [one.environment for one in placed(TPUS)]
    assert [one["TPU_VISIBLE_CHIPS"] for one in found] == list("01234567")
    assert {one["TPU_PROCESS_BOUNDS"] for one in found} == {"1,1,1"}
    assert {one["TPU_CHIPS_PER_PROCESS_BOUNDS"] for one in found} == {"1,1,1"}
    assert len({one["TPU_MESH_CONTROLLER_PORT"] for one in found}) == 8


@pytest.mark.parametrize(
    ("machine", "keys", "said"),
    [
        (CPU, {"devices": 8}, "executor.devices=8 is more than the 7 cores here, and no accel"),
        (GPUS, {"devices": 5}, "executor.devices=5 is more than the 4 gpu devices that JAX sees"),
        (ONE_GPU, {"devices": 2}, "more than the 1 gpu device that JAX sees here; give at most 1"),
        (TPUS, {"per_device": 2}, "executor.per_device=2 has no effect on a tpu"),
        (Machine("METAL", 2, (0,)), {}, "of the kind METAL"),
    ],
)
def test_refusals(machine: Machine, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        placed(machine, **keys)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"devices": 0}, "executor.devices=0 must be an integer"),
        ({"per_device": 0}, "executor.per_device=0 must be an integer"),
        ({"retries": -1}, "executor.retries=-1 must be an integer"),
        ({"timeout": 0.0}, "executor.timeout=0.0 must be a number above 0"),
        ({"timeout": float("nan")}, "executor.timeout=nan must be a number"),
    ],
)
def test_values_out_of_range(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        ExecutorConfig(**keys)


def test_without_a_plugin_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(placement, "_accelerators", lambda: asked.append("") or ("gpu", 2))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert placement.this_machine.__wrapped__().platform == "cpu"
    assert not asked
    monkeypatch.setenv("JAX_PLATFORMS", "cuda,cpu")
    assert placement.this_machine.__wrapped__().devices == 2


def test_a_child_tells_what_devices_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
    assert placement._accelerators() == ("cpu", 8)
    monkeypatch.setattr(placement.sys, "executable", "false")
    with pytest.raises(UserError, match=r"JAX does not start here .no message.; mend that"):
        placement._accelerators()
