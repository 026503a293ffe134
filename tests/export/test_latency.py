"""Networks run by other runtimes to be timed: any batch, and what they compute is the network."""

from pathlib import Path

import numpy as np
import pytest
from export.models import ARCH

from search.errors import UserError
from search.export.forms import onnx, tflite
from search.export.latency import random_network, runtime_calls


def test_both_runtimes_compute_the_same_network_for_a_whole_batch(tmp_path: Path) -> None:
    network = random_network(ARCH)
    size = (3, ARCH.input.height, ARCH.input.width, ARCH.input.channels)
    images = np.random.default_rng(1).standard_normal(size, np.float32)
    for form in (onnx, tflite):
        form.write(network, tmp_path, None)
    logits = onnx.load(tmp_path)(images)
    assert np.ptp(logits) > 0.01
    interpreter = tflite.opened((tmp_path / tflite.FILE).read_bytes(), batch=3, threads=1)
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(taken["index"], images)
    interpreter.invoke()
    assert interpreter.get_tensor(given["index"]) == pytest.approx(logits, abs=1e-6)


@pytest.mark.parametrize("runtime", ["onnxruntime", "litert"])
def test_a_call_runs_after_its_files_are_gone(runtime: str) -> None:
    calls = runtime_calls(runtime, ARCH, threads=1)
    for batch in (1, 5):
        found = calls(batch)()
        if found is not None:
            assert np.shape(found) == (1, batch, ARCH.classes)


def test_a_library_that_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no such\noperation")

    monkeypatch.setattr(onnx, "write", refuse)
    with pytest.raises(UserError, match=r"onnxruntime could not run .* \(RuntimeError: no such op"):
        runtime_calls("onnxruntime", ARCH, threads=1)
