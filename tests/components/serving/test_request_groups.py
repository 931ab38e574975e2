"""A request gets the same answer alone and together with others: both kinds of ensembles, all types of columns."""

from __future__ import annotations

import shutil
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.errors import DependencyError, ParityError
from emrys.components.serving.backends.batching import TRANSFORMED_PADDING
from emrys.components.serving.backends.transform_step import TransformStep
from emrys.components.serving.in_process import InProcessEnsemble
from emrys.components.serving.installation import TritonInstallation
from emrys.components.serving.packing import pack
from emrys.components.serving.parity import check_group, comparison_rows, run_both_paths
from tests.components.serving.conftest import need_server
from tests.components.serving.mixed_ensembles import (
    CONFIGS,
    SCHEMA,
    STEPS,
    draw_rows,
    make_workflow,
    write_mixed_repository,
)

KINDS = sorted(CONFIGS)


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """The model repository of each kind."""
    folders = {}
    for kind in KINDS:
        work = tmp_path_factory.mktemp(kind)
        write_mixed_repository(kind, work / "models", work)
        folders[kind] = work / "models"
    return folders


@pytest.fixture(scope="module")
def ensembles(repositories):
    return {kind: InProcessEnsemble(folder, STEPS[kind], kind) for kind, folder in repositories.items()}


@pytest.fixture
def zero_is_padding(monkeypatch):
    """The fault that was there once: shorter lists of raw ids are padded with 0, which is an id like any other."""
    monkeypatch.setattr(TransformStep, "padding", TRANSFORMED_PADDING)


def group_differs(ensemble, seed):
    """Sends a group of requests, drawn under a seed, together and each alone; returns whether an answer differs."""
    random = np.random.default_rng(seed)
    requests = [
        pack(draw_rows(random, int(random.integers(1, 4))), ensemble.inputs) for _ in range(random.integers(2, 7))
    ]
    for request, together in zip(requests, ensemble.infer_together(requests), strict=True):
        for name, alone in ensemble.infer(request).items():
            close = np.allclose(together[name], alone, rtol=1e-5, atol=1e-5) if alone.dtype.kind == "f" else None
            if not (np.array_equal(together[name], alone) if close is None else close):
                return True
    return False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_an_answer_is_the_same_in_any_group(ensembles, kind):
    assert not any(group_differs(ensembles[kind], seed) for seed in range(40))


@pytest.mark.parametrize("kind", KINDS)
def test_the_property_fails_where_padding_is_an_id(ensembles, kind, zero_is_padding):
    assert sum(group_differs(ensembles[kind], seed) for seed in range(20)) > 10


def run_gate(kind, folder):
    table = pa.Table.from_pylist(draw_rows(np.random.default_rng(7), 40), schema=SCHEMA)
    columns = InProcessEnsemble(folder, STEPS[kind], kind).inputs
    rows = comparison_rows(table, columns, rows=30, seed=0)
    return run_both_paths(folder, rows, make_workflow().transform_table, CONFIGS[kind], "test", STEPS[kind])


@pytest.fixture
def no_server():
    missing = DependencyError("the Triton server is not installed", fix="Install it.")
    with mock.patch.object(TritonInstallation, "find", side_effect=missing):
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_sends_requests_together(repositories, kind, no_server):
    assert run_gate(kind, repositories[kind]).through == "in-process"


@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_fails_where_padding_is_an_id(repositories, kind, no_server, zero_is_padding):
    with pytest.raises(
        ParityError, match=r"gets a different answer when sent together .* \(alone\), got .* \(together\)"
    ):
        run_gate(kind, repositories[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_fails_through_a_server_where_padding_is_an_id(repositories, kind, tmp_path):
    need_server()
    shutil.copytree(repositories[kind], tmp_path / "models")
    assert run_gate(kind, tmp_path / "models").through == "triton"
    with (tmp_path / "models" / f"{kind}_transform" / "1" / "model.py").open("a") as entry:
        entry.write('\nTransformStep.padding = {"i": 0, "f": 0.0, "O": b""}\n')
    with pytest.raises(ParityError, match="gets a different answer when sent together"):
        run_gate(kind, tmp_path / "models")


def test_items_may_change_places_only_where_scores_are_equal():
    alone = {
        "item_ids": np.array([[1, 2, 3, 4]]),
        "scores": np.array([[0.9, 0.5, 0.5, 0.1]], np.float32),
    }
    check_group(alone, {**alone, "item_ids": np.array([[1, 3, 2, 4]])}, [7], 1e-4)
    check_group(alone, {**alone, "item_ids": np.array([[1, 2, 3, 9]])}, [7], 1e-4)  # 9 has the score of the last
    with pytest.raises(ParityError, match=r"column 'item_ids': row 7 .*\[1, 2, 3, 4\] \(alone\), got \[2, 1, 3, 4\]"):
        check_group(alone, {**alone, "item_ids": np.array([[2, 1, 3, 4]])}, [7], 1e-4)
    with pytest.raises(ParityError, match="column 'scores': row 7"):
        check_group(alone, {**alone, "scores": alone["scores"] + 0.01}, [7], 1e-4)
    with pytest.raises(ParityError, match="column 'scores': row 7"):
        check_group(alone, {**alone, "scores": alone["scores"] * np.float32("nan")}, [7], 1e-4)
