"""The folder that `emrys serve` loads into Triton."""

import pytest

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.pipelines.cli.serve_command import models_in


@pytest.fixture
def repository(tmp_path):
    """A repository with empty model folders."""
    with TritonRepository.create(tmp_path / "run" / "triton", {"name": "ranking", "version": 1}) as work:
        (work / "README.md").write_text("Serve it.")
        for name in ("ranking", "ranking_transform", "ranking_model"):
            (work / "models" / name).mkdir(parents=True)
            (work / "models" / name / "config.pbtxt").write_text(f'name: "{name}"')
    return tmp_path / "run" / "triton"


def test_a_run_a_repository_and_its_models_all_lead_to_the_models(repository):
    models = repository / "models"
    assert models_in(repository.parent) == models_in(repository) == models_in(models) == models


def test_a_damaged_repository_is_refused(repository):
    (repository / "models" / "ranking" / "config.pbtxt").unlink()
    with pytest.raises(ArtifactError, match=r"ranking/config\.pbtxt: a file of the artifact is missing"):
        models_in(repository.parent)


def test_a_folder_without_models_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="there is no ensemble to serve; expected the output folder of `emrys run`"):
        models_in(tmp_path)
