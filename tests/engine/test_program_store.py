"""Programs kept across runs: they hit, change no bit, and are never what they should not be."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small import EVERY_OP, dataset, job_of

from search.config.train import TrainConfig
from search.engine.evaluator import TrainingEvaluator
from search.engine.programs import cache, store
from search.engine.programs.cache import ProgramCache, ProgramSpec
from search.engine.programs.per_layer import PerLayerPrograms
from search.jobs import Result
from search.networks.layers import layers_of

DEVICE = jax.local_devices()[0]


def trained(programs: str | None, form: str) -> tuple[Result, list[str]]:
    """A short training by programs from there; and the notes."""
    config = TrainConfig(batch=16, form=form)
    engine = TrainingEvaluator(dataset(), config, None, programs=programs)
    return engine(job_of("tiny", 2, 1)), engine.notes


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/*"))


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The functions that are compiled from here on."""
    found: list[object] = []
    real = cache.compiled

    def counted(function: Callable, *rest, **options):
        found.append(function)
        return real(function, *rest, **options)

    monkeypatch.setattr(cache, "compiled", counted)
    return found


@pytest.mark.parametrize("form", ["layers", "whole"])
def test_results_are_the_same_without_a_store_and_with_one_empty_full_or_damaged(
    form: str, tmp_path: Path, compilations: list[object]
) -> None:
    alone, _ = trained(None, form)
    count = len(compilations)
    assert count > 1
    for content in ("empty", "full", "damaged"):
        compilations.clear()
        if content == "damaged":
            for number, path in enumerate(files(tmp_path)):
                raw = path.read_bytes()
                half = len(raw) // 2
                flipped = raw[:half] + bytes([raw[half] ^ 1]) + raw[half + 1 :]
                path.write_bytes((flipped, raw[:half], b"")[number % 3])
        result, notes = trained(str(tmp_path), form)
        assert not notes
        assert (result.accuracy, result.loss) == (alone.accuracy, alone.loss)
        assert result.curve is not None
        assert alone.curve is not None
        assert result.curve.train_loss == alone.curve.train_loss
        # What is damaged is compiled again, and mended.
        assert len(compilations) == (0 if content == "full" else count)
        assert len(files(tmp_path)) == count
    compilations.clear()
    trained(str(tmp_path), form)
    assert not compilations


def plus(number: int) -> ProgramSpec:
    argument = jax.ShapeDtypeStruct((3,), np.float32)
    return ProgramSpec(("plus", number), lambda x: x + number, (argument,))


def opened(folder: Path) -> store.ProgramStore:
    found, note = store.open_store(str(folder), DEVICE)
    assert found is not None, note
    return found


def value(programs: store.ProgramStore | None, number: int) -> float:
    """1 + number, computed by a program that may come from the store."""
    ((program,), _) = ProgramCache(DEVICE, programs).get([plus(number)])
    return float(program(jnp.ones(3, jnp.float32))[0])


def test_no_file_stands_for_another(tmp_path: Path, compilations: list[object]) -> None:
    assert [value(opened(tmp_path), number) for number in (1, 2)] == [2, 3]
    one, two = files(tmp_path)
    content = one.read_bytes(), two.read_bytes()
    one.write_bytes(content[1])
    two.write_bytes(content[0])
    compilations.clear()
    assert [value(opened(tmp_path), number) for number in (1, 2)] == [2, 3]
    assert len(compilations) == 2


def test_the_folder_is_this_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path)
    (home,) = tmp_path.iterdir()
    assert home.name == f"programs-{os.geteuid()}"
    assert [one.stat().st_mode & 0o777 for one in (home, *home.iterdir())] == [0o700, 0o700]
    home.chmod(0o770)
    found, note = store.open_store(str(tmp_path), DEVICE)
    assert found is None
    assert str(home) in note
    assert "cache.programs=" in note
    home.rename(tmp_path / "elsewhere")
    home.symlink_to(tmp_path / "elsewhere")
    assert store.open_store(str(tmp_path), DEVICE)[0] is None
    monkeypatch.setattr(store, "home", lambda: "mine")
    opened(tmp_path)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert store.open_store(str(tmp_path), DEVICE)[0] is None


def test_files_of_another_user_are_not_read(
    tmp_path: Path, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = opened(tmp_path)
    assert value(programs, 1) == 2
    compilations.clear()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert value(programs, 1) == 2
    assert len(compilations) == 1


def test_what_cannot_be_written_is_said_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found, note = store.open_store(str(tmp_path / "file"), DEVICE)
    assert found is None
    assert "Not a directory" in note or "File exists" in note
    result, notes = trained(str(tmp_path / "file"), "layers")
    assert result.status == "ok"
    assert notes == [note]
    assert store.open_store(None, DEVICE) == (None, "")


def test_the_least_recently_used_go_first(
    tmp_path: Path, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = opened(tmp_path)
    for number in range(4):
        value(programs, number)
    paths = files(tmp_path)
    for path in paths:
        os.utime(path, (1, 1))
    # Reading is using.
    assert value(programs, 0) == 1
    size = sum(path.stat().st_size for path in paths)
    monkeypatch.setattr(store, "LARGEST", size)
    programs = opened(tmp_path)
    assert len(files(tmp_path)) == 4
    value(programs, 4)
    left = sum(path.stat().st_size for path in files(tmp_path))
    assert left <= size * 3 / 4
    compilations.clear()
    assert [value(programs, number) for number in (0, 4)] == [1, 5]
    assert not compilations
    # Programs of other machines and versions count as well.
    (files(tmp_path)[0].parent.parent / "other").mkdir()
    monkeypatch.setattr(store, "LARGEST", 0)
    opened(tmp_path)
    assert not files(tmp_path)


def test_programs_of_other_surroundings_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder may lie on a home that machines share."""
    before = store.fingerprint(DEVICE)
    assert before == store.fingerprint(DEVICE)
    changes: list[Callable[[pytest.MonkeyPatch], None]] = [
        lambda patch: patch.setattr(store, "processor", lambda: "flags: sse2"),
        lambda patch: patch.setattr(store, "cores", lambda: 4096),
        lambda patch: patch.setattr(store, "version", lambda name: "0.0"),
        lambda patch: patch.setattr(store, "_sources", lambda: "another model"),
        lambda patch: patch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true"),
    ]
    found = {before}
    for change in changes:
        with monkeypatch.context() as patch:
            change(patch)
            found.add(store.fingerprint(DEVICE))
    assert len(found) == 1 + len(changes)
    assert "flags" in store.processor() or not Path("/proc/cpuinfo").exists()


def test_programs_of_layers_serve_other_images_and_other_classes() -> None:
    """Another seed has another training part, with another mean."""
    recipe = TrainingEvaluator(dataset(), TrainConfig(batch=16), None)._trainer.recipe
    layers = layers_of(EVERY_OP)

    def texts(**changes: object) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for spec in PerLayerPrograms(
            layers, replace(recipe, **changes), (6, 5, 1), (50, 13)
        ).program_specs():
            found.setdefault(spec.key[0], []).append(spec.text)
        return found

    plain, images = texts(), texts(mean=(0.1,), std=(0.9,), label_smoothing=0.1)
    assert {name for name in plain if plain[name] != images[name]} == {"batch", "plain"}
    classes = texts(classes=7)
    changed = {name for name in plain if plain[name] != classes[name]}
    assert changed == {"batch", "plain", "loss", "score"}
    other = texts(optimiser="sgd")
    assert other["backward"] != plain["backward"]
    assert other["loss"] != plain["loss"]
