from __future__ import annotations

import shutil

import numpy as np
import pytest

from emrys.blocks.errors import ArtifactError, DataError
from emrys.blocks.io import read_json, write_json
from emrys.components.serving.backends.model_step import ModelStep
from emrys.components.serving.backends.saved_signature import SavedSignature, without_padding
from emrys.components.serving.columns import Column
from tests.components.serving.small_ensemble import WEIGHTS

COLUMNS = (
    Column("userId", "int64", cardinality=6),
    Column("gender", "int64", cardinality=5),
    Column("genres", "int64", is_list=True, cardinality=6),
    Column("release_year", "float32"),
    Column("TE_gender_rating", "float32"),
)


@pytest.fixture
def step(models):
    return ModelStep.load(models / "ranking_model" / "1")


def batch(**changes):
    columns = {
        "userId": np.array([[3], [4]]),
        "gender": np.array([[3], [2]]),
        "genres": np.array([[3, 5, 0], [0, 0, 0]]),
        "release_year": np.array([[1.0], [-1.0]], np.float32),
        "TE_gender_rating": np.array([[2.0], [0.0]], np.float32),
    }
    return {**columns, **changes}


def test_padding_is_removed_at_any_position():
    values, offsets = without_padding(np.array([[4, 5, 0], [0, 0, 0], [6, 0, 7]]))
    assert values.tolist() == [4, 5, 6, 7]
    # Rows of 2, 0 and 2 values.
    assert offsets.tolist() == [0, 2, 2, 4]
    assert (values.dtype, offsets.dtype) == (np.int64, np.int32)


def test_numbers_are_padded_with_nan_and_vectors_not_at_all():
    values, offsets = without_padding(np.array([[0.0, 1.5, np.nan], [np.nan] * 3], np.float32))
    assert (values.tolist(), offsets.tolist()) == ([0.0, 1.5], [0, 2, 2])
    values, offsets = without_padding(np.zeros((2, 2), np.float32), padded=False)
    assert (values.tolist(), offsets.tolist()) == ([0.0] * 4, [0, 2, 4])


def test_scores_by_hand(step):
    users, genders, genres = WEIGHTS["userId"], WEIGHTS["gender"], WEIGHTS["genres"]
    # The first row has the genres 3 and 5, the second none.
    logits = [
        users[3] + genders[3] + genres[3] + genres[5] + 0.5 * 1 - 0.25 * 2,
        users[4] + genders[2] + 0.5 * -1,
    ]
    scores = step(batch())["score"]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-np.array(logits)[:, None])), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "values", "facts"),
    [
        ("gender", np.array([[3]]), "expected 2, got 1"),
        ("userId", np.array([3, 4]), "expected (B, 1), got (2,)"),
        ("genres", np.array([3, 4]), "expected (B, L), got (2,)"),
        ("gender", np.array([[3], [4]], np.int32), "expected int64, got int32"),
        ("genres", np.array([[3], [6]]), "expected 0 to 5, got 6"),
        ("release_year", np.array([[1], [np.inf]], np.float32), "NaN or an infinite number"),
    ],
)
def test_invalid_inputs_are_refused(step, name, values, facts):
    with pytest.raises(DataError) as caught:
        step.check(batch(**{name: values}))
    assert str(caught.value).startswith(f"column {name!r}: ")
    assert facts in str(caught.value)


def test_a_missing_input_is_refused(step):
    columns = batch()
    del columns["release_year"]
    with pytest.raises(DataError, match=r"column 'release_year': .*; got TE_gender_rating, gender"):
        step.check(columns)


def test_another_signature_is_refused(models):
    saved = models / "ranking_model" / "1" / "saved_model"
    with pytest.raises(ArtifactError, match=r"signature .*; expected inputs TE_gender_rating, gender, genr"):
        SavedSignature(saved, COLUMNS[1:], ["rating_binary/binary_output"])
    with pytest.raises(ArtifactError, match="output rating_binary/binary_output"):
        SavedSignature(saved, COLUMNS, ["score"])


def test_a_repository_of_an_earlier_release_is_read(models, tmp_path):
    shutil.copytree(models / "ranking_model" / "1", tmp_path / "1")
    definition = read_json(tmp_path / "1" / "columns.json")
    del definition["outputs"]
    write_json(tmp_path / "1" / "columns.json", {**definition, "output": "rating_binary/binary_output"})
    old, new = ModelStep.load(tmp_path / "1"), ModelStep.load(models / "ranking_model" / "1")
    assert old(batch())["score"].tolist() == new(batch())["score"].tolist()
