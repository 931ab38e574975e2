"""Each recipe of examples/recipes goes from a log to answers of a real server that equal the offline ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.triton_repository import TritonRepository
from examples.recipes.made_logs import make

RECIPES = Path(__file__).resolve().parents[2] / "examples" / "recipes"
EMRYS = str(Path(sys.executable).with_name("emrys"))

#: Log of each recipe, its rows, and parameters that keep the run short.
CASES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "clicks": ("clicks", 12_000, ("epochs=4",)),
    "reviews": ("reviews", 12_000, ("epochs=12",)),
    "reviews_again": ("reviews", 12_000, ("epochs=12",)),
    "shop": ("shop", 12_000, ("epochs=6",)),
    "shop_sessions": ("shop", 12_000, ("epochs=12",)),
    "stars": ("ratings", 12_000, ("epochs=8",)),
    "star_classes": ("ratings", 12_000, ("epochs=8",)),
    "own": ("ratings", 12_000, ("epochs=6",)),
    "days": ("days", 12_000, ("epochs=6",)),
    "four_columns": ("four_columns", 12_000, ("epochs=10",)),
}


def test_every_recipe_is_run():
    assert set(CASES) == {path.stem for path in RECIPES.glob("*.yaml")}


def _emrys(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([EMRYS, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_recipe_is_served_as_it_was_trained(name, tmp_path):
    case, rows, settings = CASES[name]
    shutil.copytree(RECIPES, tmp_path / "recipes", ignore=shutil.ignore_patterns("data", "runs", "__pycache__"))
    folder = tmp_path / "recipes"
    make(case, folder / "data" / case, rows)
    _emrys(folder, "check", f"{name}.yaml")
    said = [part for setting in settings for part in ("--set", setting)]
    # The exit status is 0 only if the model is better than its baselines and the ensemble answers as the offline path.
    _emrys(folder, "run", f"{name}.yaml", "--output", "out", "--set", "require_server=true", *said)
    metrics = json.loads((folder / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics
    (repository,) = (TritonRepository(path.parent) for path in (folder / "out").rglob("repository/manifest.json"))
    (evaluation,) = (Evaluation(path.parent) for path in (folder / "out").rglob("evaluation/manifest.json"))
    assert repository.metadata["parity"]["through"] == "triton"
    assert repository.metadata["parity"]["rows"] >= min(1000, evaluation.rows.unit_count)
