"""One server for all retrieval ensembles of the tests: three architectures on synthetic data, one with string ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from emrys.blocks.errors import DependencyError
from emrys.components.build_model.step import Architecture
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.evaluate_retrieval.step import EvaluateRetrievalConfig
from emrys.components.evaluate_retrieval.step import run as evaluate
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.step import export, run
from emrys.components.serving.installation import TritonInstallation
from emrys.components.serving.server import TritonServer
from tests.components.evaluate_retrieval.retrieval_runs import fit, prepare
from tests.components.serving import small_recommender as small
from tests.components.serving.conftest import need_server

#: Items that the exported ensembles of synthetic data recommend.
K = 30

#: By name: the architecture, and how the catalogue of some 200 films is searched.
ENSEMBLES = {
    "towers": (Architecture.TWO_TOWER, {}),
    "factors": (Architecture.MATRIX_FACTORIZATION, {"exact_up_to": 50, "recall_target": 0.99}),
    "dnn": (Architecture.YOUTUBE_DNN, {}),
}


class Pipeline:
    """Outputs of the steps before the export, in a folder.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def inputs(self, name: str) -> dict[str, Path]:
        """Returns the inputs of the export of an ensemble."""
        root = self.root
        return {
            "model": root / f"trained-{ENSEMBLES[name][0].value}",
            "workflow": root / "workflow",
            "schema": root / "schema",
            "splits": root / "splits",
            "evaluation": root / f"evaluation-{name}",
        }

    def export(self, name: str, output: Path, **changes: object) -> TritonRepository:
        """Exports an ensemble; `inputs` replaces some of its inputs, other changes are settings."""
        inputs = {**self.inputs(name), **changes.pop("inputs", {})}  # type: ignore[dict-item]
        config = ExportRetrievalConfig(**{"name": name, "k": K, "start_timeout": 90.0, **changes})  # type: ignore[arg-type]
        return run(**inputs, config=config, output=output)


def without_server() -> mock._patch:
    missing = DependencyError("the Triton server is not installed", fix="Install it: pip install 'emrys[serve]'.")
    return mock.patch.object(TritonInstallation, "find", side_effect=missing)


@pytest.fixture
def no_server() -> Iterator[None]:
    """The same code runs in process."""
    with without_server():
        yield


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Synthetic data with a trained and evaluated model of every architecture."""
    root = prepare(tmp_path_factory.mktemp("retrieval"))
    for name, (architecture, search) in ENSEMBLES.items():
        model = fit(root, architecture)
        config = EvaluateRetrievalConfig(k=5, recall_k=20, batch_size=256, **search)  # type: ignore[arg-type]
        evaluate(root / "splits", root / "data", model, root / "schema", config, root / f"evaluation-{name}")
    return Pipeline(root)


@pytest.fixture(scope="session")
def repositories(pipeline: Pipeline) -> dict[str, TritonRepository]:
    """An exported repository for every ensemble, checked in process."""
    with without_server():
        return {name: pipeline.export(name, pipeline.root / "triton" / name) for name in ENSEMBLES}


@pytest.fixture(scope="session")
def export_small(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TritonRepository]:
    """Exports the ensemble with string ids, with changes of the arguments."""
    folder = tmp_path_factory.mktemp("small")
    recommender = small.make_recommender(folder)
    small.make_workflow().select(small.QUERY).save(folder / "workflow")

    def run_small(output: Path, **changes: object) -> TritonRepository:
        arguments = {
            "recommender": recommender,
            "workflow": folder / "workflow",
            "held_out": small.held_out(),
            "config": small.CONFIG,
            "offline_transform": small.make_workflow().transform_table,
            "offline_recommend": small.offline_recommend,
            "versions": {"emrys": "1.0"},
            **changes,
        }
        return export(**arguments, output=output)  # type: ignore[arg-type]

    return run_small


@pytest.fixture(scope="session")
def words(export_small: Callable[..., TritonRepository], tmp_path_factory: pytest.TempPathFactory) -> TritonRepository:
    """The repository of the ensemble with string ids."""
    with without_server():
        return export_small(tmp_path_factory.mktemp("words") / "triton")


@pytest.fixture(scope="session")
def server(
    repositories: dict[str, TritonRepository], words: TritonRepository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TritonServer]:
    """A real server with all ensembles; it must run until the end of the session."""
    need_server()
    models = tmp_path_factory.mktemp("models")
    for repository in (*repositories.values(), words):
        for model in repository.models.iterdir():
            (models / model.name).symlink_to(model)
    with TritonServer(models) as running:
        yield running
        running.check()
