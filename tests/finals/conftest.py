"""A study of images made on the spot, once for all tests; each works on a copy."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from final_study import make_study, write_images


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finals")
    return make_study(write_images(root / "images"), root / "study")


@pytest.fixture
def study(_original: Path, tmp_path: Path) -> Path:
    """The folder of the study."""
    return Path(shutil.copytree(_original, tmp_path / "outputs" / "study"))
