from __future__ import annotations

from typing import Any

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.preprocess.config import PreprocessConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"categorical": "userId"}, "categorical cannot be used; expected names of columns, got 'userId'"),
        ({"continuous": ("",)}, "continuous cannot be used; expected names of columns, got ('',)"),
        ({"continuous": ("age",)}, "column 'age': a column is used twice. Name it as one kind of column."),
        ({"categorical": ("userId", "userId")}, "column 'userId': categorical names a column twice"),
        ({"categorical": ("labels",)}, "column 'labels': categorical holds a reserved name. Rename the column."),
        ({"target_encoded": ("genres",)}, "column 'genres': the column cannot be target-encoded; expected a column of"),
        ({"target_encoded": ("rating",)}, "column 'rating': the column cannot be target-encoded"),
        ({"extra_targets": ("rating_binary",)}, "column 'rating_binary': a column is used twice"),
        ({"folds": 0}, "folds cannot be used; expected a whole number of at least 1, got 0"),
        ({"folds": True}, "folds cannot be used"),
        ({"fold_seed": -1}, "fold_seed cannot be used"),
        ({"max_size": 3}, "max_size cannot be used; expected a whole number of at least 4, got 3"),
        ({"smoothing": -0.5}, "smoothing cannot be used; expected a number of at least 0, got -0.5"),
        ({"smoothing": float("nan")}, "smoothing cannot be used; expected a number, got nan"),
        ({"fill": "mean"}, "fill cannot be used; expected a number, got 'mean'"),
        (
            {"categorical": (), "categorical_lists": (), "continuous": (), "target_encoded": ()},
            "the configuration names no feature",
        ),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PreprocessConfig(**settings)
    assert message in str(caught.value)


def test_lists_from_json_are_as_good_as_tuples() -> None:
    config = PreprocessConfig(categorical=["userId"], target_encoded=[])  # type: ignore[arg-type]
    assert config == PreprocessConfig(categorical=("userId",), target_encoded=())
    assert config.features == ("userId", "genres", "release_year")
    assert config.targets == ("rating_binary", "rating")
