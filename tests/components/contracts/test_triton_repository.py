from __future__ import annotations

import shutil

import pytest

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.triton_repository import TritonRepository


def write(path, models):
    with TritonRepository.create(path, {"name": "ranking", "version": 1}) as work:
        (work / "README.md").write_text("How to serve it.\n")
        for model in models:
            (work / "models" / model).mkdir(parents=True)
            (work / "models" / model / "config.pbtxt").write_text(f'name: "{model}"\n')


def test_it_knows_its_models_and_its_name(tmp_path):
    write(tmp_path / "triton", ["ranking", "ranking_transform", "ranking_model"])
    shutil.move(tmp_path / "triton", tmp_path / "moved")
    repository = TritonRepository(tmp_path / "moved")
    assert repository.name == "ranking"
    assert repository.models == tmp_path / "moved" / "models"


def test_a_missing_model_is_named(tmp_path):
    write(tmp_path / "triton", ["ranking", "ranking_transform"])
    with pytest.raises(ArtifactError) as caught:
        TritonRepository(tmp_path / "triton")
    missing = tmp_path / "triton" / "models" / "ranking_model" / "config.pbtxt"
    assert str(caught.value) == f"{missing}: a model of the ensemble is missing"
