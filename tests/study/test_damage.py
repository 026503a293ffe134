"""Three hundred damaged files: each reads as before, or is refused in one line that names it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from attacks import studies
from attacks.damage import attack

PLACES = [(place, target) for place, found in studies.targets().items() for target in found]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return studies.make(tmp_path_factory.mktemp("healthy"))


@pytest.mark.parametrize(("place", "target"), PLACES, ids=[target.title for _, target in PLACES])
def test_damage_is_found(
    healthy: dict[str, Path], tmp_path: Path, place: str, target: studies.Target
) -> None:
    outcomes = attack(
        healthy[place],
        target.file,
        target.ways,
        target.read,
        tmp_path,
        count=15 * target.share,
        seed=0,
        exact=target.exact,
    )
    assert outcomes["refused"] > 2 * target.share


def test_arrays_that_do_not_fit_are_refused(healthy: dict[str, Path], tmp_path: Path) -> None:
    target = studies.loading()
    outcomes = attack(
        healthy["second"], target.file, target.ways, target.read, tmp_path, 14, 1, exact=False
    )
    assert outcomes["refused"] >= 12, outcomes
