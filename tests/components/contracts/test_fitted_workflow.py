from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.blocks.workflow import FillNormalize, FittedWorkflow
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact


def test_the_workflow_is_read_back(tmp_path: Path) -> None:
    with FittedWorkflowArtifact.create(tmp_path / "w", {"config": {"folds": 5}}) as folder:
        FittedWorkflow([FillNormalize("x", fill=2.0, mean=1.0, std=0.5)], ["y"]).save(folder)
    artifact = FittedWorkflowArtifact(tmp_path / "w")
    # (2 - 1) / 0.5 and (0 - 1) / 0.5
    out = artifact.workflow.transform({"x": np.array([np.nan, 0.0], np.float32)})
    assert out["x"].tolist() == [[2.0], [-2.0]]
    assert artifact.workflow.targets == ("y",)
    assert artifact.metadata == {"config": {"folds": 5}}
    assert sorted(artifact.files) == ["workflow.json"]


def test_a_workflow_of_another_version(tmp_path: Path) -> None:
    with FittedWorkflowArtifact.create(tmp_path / "w", {}) as folder:
        (folder / "workflow.json").write_text(json.dumps({"version": 9}))
    with pytest.raises(ArtifactError, match=r"w/workflow\.json: the workflow has another version; expected 1, got 9"):
        _ = FittedWorkflowArtifact(tmp_path / "w").workflow
