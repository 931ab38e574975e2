import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from merlin.schema import Tags

from emrys.blocks.datasets import LOG_SCHEMA, RatingFeatures, get_movielens, movielens_like
from emrys.blocks.errors import ConfigError, DataError
from tests import real_data
from tests.blocks.datasets.small_movielens import ONE_M, write_folder, write_zip

COLUMNS = [
    "userId",
    "movieId",
    "title",
    "genres",
    "gender",
    "age",
    "occupation",
    "zipcode",
    "TE_age_rating",
    "TE_gender_rating",
    "TE_occupation_rating",
    "TE_zipcode_rating",
    "TE_movieId_rating",
    "TE_userId_rating",
    "rating_binary",
    "rating",
]


def _frame(data):
    return data.to_ddf().compute().reset_index(drop=True)


@pytest.mark.slow
def test_movielens_100k():
    published = real_data.path("ml-100k.zip")
    train, valid = get_movielens("ml-100k", path=published)
    first, second = _frame(train), _frame(valid)
    assert (len(first), len(second)) == (80_000, 20_000)
    assert first.columns.tolist() == second.columns.tolist() == COLUMNS == train.schema.column_names
    # Normalised on the train split: mean 0 and deviation 1 there.
    encoded = first.filter(like="TE_")
    np.testing.assert_allclose(encoded.mean(), 0, atol=1e-4)
    np.testing.assert_allclose(encoded.std(ddof=0), 1, atol=1e-4)
    # What a row's own rating would give away is not in the train rows: they correlate as the valid rows do.
    for name in ("TE_userId_rating", "TE_movieId_rating"):
        seen, unseen = (np.corrcoef(frame[name], frame["rating"])[0, 1] for frame in (first, second))
        assert 0.3 < seen < unseen + 0.02
    assert (first["rating_binary"] == (first["rating"] > 3)).all()
    again, _ = get_movielens("ml-100k", path=published)
    assert _frame(again).equals(first)


def test_schema_of_1m(tmp_path):
    train, _ = get_movielens("ml-1m", path=write_zip(tmp_path / "ml-1m.zip", ONE_M))
    schema = train.schema
    assert schema.select_by_tag(Tags.USER_ID).column_names == ["userId"]
    assert schema.select_by_tag(Tags.ITEM_ID).column_names == ["movieId"]
    assert schema.select_by_tag(Tags.CATEGORICAL).column_names == COLUMNS[:8]
    assert schema.select_by_tag(Tags.CONTINUOUS).column_names == COLUMNS[8:14]
    assert schema.select_by_tag(Tags.TARGET).column_names == ["rating_binary", "rating"]
    assert schema["genres"].is_ragged
    frame = _frame(train)
    for column in COLUMNS[:8]:
        ids = np.concatenate(frame["genres"].tolist()) if column == "genres" else frame[column]
        assert 0 <= min(ids) <= max(ids) <= schema[column].int_domain.max


def _log(users, ratings):
    movies = list(range(1, len(users) + 1))
    inputs = {"userId": users, "movieId": movies, "timestamp": movies, "rating": ratings, "age": [24] * len(users)}
    rows = [{**dict(zip(inputs, row, strict=True)), "genres": ["Drama"]} for row in zip(*inputs.values(), strict=True)]
    return pa.Table.from_pylist(rows, schema=LOG_SCHEMA)


def test_encodings_by_hand():
    # One fold: the "other" rows of every row are none, so that each train row gets the mean of no rows, 0; that is
    # constant and normalises to 0. Other rows: user 1 has the ratings 5 and 3, the mean of all is (5 + 3 + 1) / 3 = 3.
    # With a smoothing of 2: (8 + 2 * 3) / (2 + 2) = 3.5; an unknown user gets 3.
    features = RatingFeatures(_log([1, 1, 2], [5.0, 3.0, 1.0]), folds=1, smoothing=2.0)
    assert _frame(features.train())["TE_userId_rating"].tolist() == [0, 0, 0]
    rows = _frame(features.transform(_log([1, 9], [4.0, 2.0])))
    np.testing.assert_allclose(rows["TE_userId_rating"], [3.5, 3.0])
    # Most frequent first after padding, null and unseen: user 1 is 3; 9 was never seen, the titles are all null.
    assert rows["userId"].tolist() == [3, 2]
    assert rows["title"].tolist() == [1, 1]
    assert rows["rating_binary"].tolist() == [1, 0]


def test_train_rows_do_not_hold_their_own_rating():
    table = movielens_like(2_000, seed=1).table
    place = table.column_names.index("rating")
    other = table.set_column(place, "rating", pa.array([5.0, *table["rating"].to_pylist()[1:]], pa.float32()))
    raw = [RatingFeatures(each, seed=3) for each in (table, other)]
    own = []
    for features in raw:
        (encoding,) = (op for op in features.workflow.ops if op.output.name == "TE_userId_rating")
        value = _frame(features.train())["TE_userId_rating"][0]
        own.append(value * encoding.std + encoding.mean)
    assert own[0] == pytest.approx(own[1], abs=1e-6)


def test_ages_are_grouped_as_in_1m():
    table = _log([1, 2, 3, 4], [5.0, 3.0, 1.0, 2.0])
    table = table.set_column(table.column_names.index("age"), "age", pa.array([17, 18, 24, None]))
    ages = _frame(RatingFeatures(table).train())["age"].tolist()
    assert ages[1] == ages[2] != ages[0]
    assert ages[3] == 1


@pytest.mark.slow
def test_neither_tensorflow_nor_nvtabular_is_imported():
    code = "import sys, emrys.blocks.datasets; print({'tensorflow', 'nvtabular'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_errors(tmp_path):
    with pytest.raises(ConfigError, match="unknown MovieLens data set; expected ml-100k or ml-1m, got 'ml-25m'"):
        get_movielens("ml-25m")
    with pytest.raises(DataError, match="there is no MovieLens data set"):
        get_movielens("ml-1m", path=write_folder(tmp_path / "empty", {"readme": ""}))
