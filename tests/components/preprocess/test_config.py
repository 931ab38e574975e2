from __future__ import annotations

from typing import Any

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.preprocess.config import PreprocessConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 0}, "folds cannot be used; expected a whole number of at least 1, got 0"),
        ({"folds": True}, "folds cannot be used"),
        ({"fold_seed": -1}, "fold_seed cannot be used"),
        ({"fold_seed": None}, "fold_seed cannot be used"),
        ({"max_size": 3}, "max_size cannot be used; expected a whole number of at least 4, got 3"),
        ({"smoothing": -0.5}, "smoothing cannot be used; expected a number of at least 0, got -0.5"),
        ({"smoothing": float("nan")}, "smoothing cannot be used; expected a number of at least 0, got nan"),
        ({"task": "search"}, "task cannot be used; expected ranking, retrieval, got 'search'"),
        ({"recipe": "mine.yaml"}, "recipe cannot be used; expected a mapping, got 'mine.yaml'"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PreprocessConfig(**settings)
    assert message in str(caught.value)
