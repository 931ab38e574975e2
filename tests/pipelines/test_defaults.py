"""What the pipeline does by default is what its steps do by default."""

from __future__ import annotations

import dataclasses

import pytest

from components.build_model.step import BuildModelConfig
from components.ingest.step import IngestConfig
from components.preprocess.step import PreprocessConfig
from components.train.step import TrainConfig
from pipelines.config import RankingParameters


@pytest.mark.parametrize("config", [IngestConfig(), PreprocessConfig(), BuildModelConfig(), TrainConfig()])
def test_defaults_agree(config):
    pipeline = {field.name: getattr(RankingParameters(), field.name) for field in dataclasses.fields(RankingParameters)}
    step = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    if isinstance(config, TrainConfig):
        del step["learning_rate"]  # the pipeline gives it to build_model
    shared = {name: value for name, value in step.items() if name in pipeline}
    assert len(shared) > 2
    # None and "" both stand for a default that the step finds for itself.
    assert {name: value or None for name, value in shared.items()} == {name: pipeline[name] or None for name in shared}
