"""The model of a retrieval ensemble on transformed queries, and the inputs that it refuses."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.serving.backends.retrieve_step import RetrieveStep
from emrys.components.serving.columns import Column
from emrys.components.serving.packing import pack
from emrys.components.serving.recommendation import NO_SCORE, unpack_recommendations
from emrys.components.serving.retrieval_repository import write_retrieval_repository
from tests.components.serving import small_recommender as small


@pytest.fixture(scope="module")
def version_folder(tmp_path_factory):
    """Version folder of the model of the small retrieval ensemble."""
    folder = tmp_path_factory.mktemp("small")
    small.make_workflow().select(small.QUERY).save(folder / "workflow")
    (folder / "models").mkdir()
    recommender = small.make_recommender(folder)
    write_retrieval_repository(folder / "models", folder / "workflow", recommender, small.CONFIG, {"emrys": "1.0"})
    return folder / "models" / "words_model" / "1"


@pytest.fixture(scope="module")
def step(version_folder):
    return RetrieveStep.load(version_folder)


def transformed(rows):
    workflow = small.make_workflow().select(small.QUERY)
    raw = pack(rows, [Column.of(column) for column in workflow.raw_columns])
    return {**workflow.transform(raw), "seen_by": raw["user"]}


def test_items_by_hand(step):
    answer = step(transformed(small.ROWS))
    for got, wanted in zip(unpack_recommendations(answer), small.expected_lists(small.ROWS), strict=True):
        assert [one.item for one in got] == [film for film, _ in wanted]
        np.testing.assert_allclose([one.score for one in got], [score for _, score in wanted], rtol=1e-5)
    # Bob has one film left: the rest is null, with the lowest score that a float32 can be.
    assert answer["item_ids"][1].tolist() == [b"film h", b"", b"", b""]
    assert answer["scores"][1, 1:].tolist() == [NO_SCORE] * 3 == [np.finfo(np.float32).min] * 3
    assert answer["scores"].dtype == np.float32


def test_film_c_is_never_recommended_but_can_be_in_a_history(step):
    answer = step(transformed([small.row("dan", ["film c"])]))
    assert len(unpack_recommendations(answer)[0]) == 4


def test_a_user_id_of_invalid_utf8_is_an_unknown_user(step):
    columns = transformed([small.row("dan")])
    columns["seen_by"] = np.array([[b"\xff\xfe"]], object)
    assert len(unpack_recommendations(step(columns))[0]) == 4


def test_the_rows_of_a_batch_do_not_depend_on_each_other(step):
    together = step(transformed(small.ROWS))
    for number, one in enumerate(small.ROWS):
        alone = step(transformed([one]))
        assert alone["item_ids"][0].tolist() == together["item_ids"][number].tolist()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("seen_by", None, "column 'seen_by': .* missing"),
        ("seen_by", np.zeros((5, 1), np.int64), "column 'seen_by': .* dtype; expected string"),
        ("history", np.full((5, 1), 99), "column 'history': .*; expected 0 to 10, got 99"),
        ("age", np.full((5, 1), np.nan, np.float32), "column 'age': .* NaN"),
    ],
)
def test_invalid_inputs_are_refused(step, name, values, message):
    columns = transformed(small.ROWS)
    if values is None:
        del columns[name]
    else:
        columns[name] = values
    with pytest.raises(DataError, match=message):
        step.check(columns)


@pytest.mark.parametrize("file", ["index/candidates.npy", "items.parquet", "seen_items.parquet"])
def test_a_damaged_or_missing_file_is_named(version_folder, tmp_path, file):
    folder = tmp_path / "1"
    shutil.copytree(version_folder, folder)
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1  # the same size
    (folder / file).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{file}: .*; expected SHA-256 "):
        RetrieveStep.load(folder)
    (folder / file).unlink()
    with pytest.raises(ArtifactError, match=f"{file}: .* missing"):
        RetrieveStep.load(folder)
