"""Each recipe of examples/recipes goes from a log to answers of a real server that equal the offline ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import storage

from emrys.blocks.errors import DependencyError
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.serving.installation import TritonInstallation
from examples.recipes.made_logs import make
from tests.components.storage.emulator import BUCKET, emulator

RECIPES = Path(__file__).resolve().parents[2] / "examples" / "recipes"
EMRYS = str(Path(sys.executable).with_name("emrys"))

#: Log of each recipe, its rows, and the epochs that a run needs to be better than its baselines.
CASES: dict[str, tuple[str, int, int]] = {
    "clicks": ("clicks", 12_000, 3),
    "clicks_dlrm": ("clicks", 12_000, 3),
    "clicks_deepfm": ("clicks", 12_000, 3),
    "reviews": ("reviews", 12_000, 10),
    "reviews_again": ("reviews", 12_000, 10),
    "reviews_factors": ("reviews", 12_000, 10),
    "shop": ("shop", 20_000, 12),
    "shop_sessions": ("shop", 20_000, 10),
    "stars": ("ratings", 12_000, 8),
    "star_classes": ("ratings", 12_000, 8),
    "own": ("ratings", 12_000, 6),
    "days": ("days", 12_000, 5),
    "four_columns": ("four_columns", 12_000, 6),
}


def test_every_recipe_is_run():
    assert set(CASES) == {path.stem for path in RECIPES.glob("*.yaml")}


def _emrys(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([EMRYS, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def _server_is_there() -> bool:
    """Whether Triton is installed; in CI it has to be."""
    try:
        TritonInstallation.find()
    except DependencyError:
        if os.environ.get("CI"):
            raise
        return False
    return True


@pytest.fixture
def folder(tmp_path):
    """A copy of the recipes and of the code that they name."""
    copied = tmp_path / "recipes"
    return shutil.copytree(RECIPES, copied, ignore=shutil.ignore_patterns("data", "runs", "__pycache__"))


def _check_and_run(folder: Path, name: str) -> None:
    _, _, epochs = CASES[name]
    _emrys(folder, "check", f"{name}.yaml")
    server = _server_is_there()
    settings = (f"require_server={str(server).lower()}", "batch_size=128", f"epochs={epochs}")
    said = [part for setting in settings for part in ("--set", setting)]
    # The exit status is 0 only if the model is better than its baselines and the ensemble answers as the offline path.
    _emrys(folder, "run", f"{name}.yaml", "--output", "out", *said)
    parity = TritonRepository(folder / "out" / "triton").metadata["parity"]
    assert parity["through"] == ("triton" if server else "in-process")
    (splits,) = (Splits(path.parent) for path in (folder / "out").rglob("ingest/splits/manifest.json"))
    assert parity["rows"] >= min(1000, splits.metadata["rows"]["test"])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_recipe_is_served_as_it_was_trained(name, folder):
    case, rows, _ = CASES[name]
    make(case, folder / "data" / case, rows)
    _check_and_run(folder, name)


@pytest.mark.slow
def test_a_log_in_a_bucket(folder, monkeypatch):
    make("days", folder / "data", CASES["days"][1])
    with emulator(monkeypatch):
        bucket = storage.Client().bucket(BUCKET)
        for path in (folder / "data").rglob("*"):
            if path.is_file():
                bucket.blob(path.relative_to(folder).as_posix()).upload_from_filename(path)
        shutil.rmtree(folder / "data")
        recipe = folder / "days.yaml"
        recipe.write_text(recipe.read_text().replace("data/days/plays", f"gs://{BUCKET}/data/plays"))
        _check_and_run(folder, "days")
