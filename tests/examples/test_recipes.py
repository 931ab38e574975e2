"""Each recipe of examples/recipes goes from a log to answers of a real server that equal the offline ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emrys.blocks.errors import DependencyError
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.serving.installation import TritonInstallation
from examples.recipes.made_logs import make

RECIPES = Path(__file__).resolve().parents[2] / "examples" / "recipes"
EMRYS = str(Path(sys.executable).with_name("emrys"))

#: Log of each recipe, its rows, and the epochs that a run needs to be better than its baselines.
CASES: dict[str, tuple[str, int, int]] = {
    "clicks": ("clicks", 12_000, 3),
    "reviews": ("reviews", 12_000, 10),
    "reviews_again": ("reviews", 12_000, 10),
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


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_recipe_is_served_as_it_was_trained(name, tmp_path):
    case, rows, epochs = CASES[name]
    shutil.copytree(RECIPES, tmp_path / "recipes", ignore=shutil.ignore_patterns("data", "runs", "__pycache__"))
    folder = tmp_path / "recipes"
    make(case, folder / "data" / case, rows)
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
