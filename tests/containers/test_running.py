"""The ranking pipeline with every step in its own image gives what it gives in subprocesses."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml

from emrys.components.contracts.triton_repository import TritonRepository
from emrys.pipelines.config.ranking_config import RankingConfig
from tests import real_data
from tests.containers.probing import IMAGES, STEPS

EMRYS = [sys.executable, "-c", "from emrys.pipelines.cli import main; main()"]


def run(folder, runner):
    """A short run; the metrics and the folder of the run."""
    # Two epochs make no good model; what is compared here is how it is run, the export behind the gate included.
    gate = {"thresholds": {"auc": 0.1}, "baseline_margin": -1.0, "slice_margin": -1.0}
    parameters = {"epochs": 2, "require_server": True, **gate}
    (folder / "config.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
    dataset = str(real_data.find("ml-100k.zip") or "synthetic")
    command = [*EMRYS, "run", "ranking", "--config", "config.yaml", "--dataset", dataset, "--runner", runner]
    result = subprocess.run([*command, "--output", runner], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads((folder / runner / "metrics.json").read_text()), folder / runner


def test_a_run_in_containers_has_the_metrics_of_one_in_subprocesses(engine, tmp_path):
    expected, _ = run(tmp_path, "subprocess")
    metrics, out = run(tmp_path, "docker")
    # The same versions, seeds and processor: only the sum over threads may round in another order.
    assert metrics == pytest.approx(expected, abs=1e-5)
    assert TritonRepository(out / "triton").metadata["parity"]["through"] == "triton"
    # KFP names the image of every container that it starts.
    started = re.findall(r"emrys/(\w+):\S+", (out / "run.log").read_text())
    assert set(started) == set(IMAGES)


def test_every_step_has_an_image_in_the_configuration():
    assert {image for image in vars(RankingConfig().images).values()} == set(IMAGES.values())
    assert set(STEPS.values()) == set(IMAGES)
