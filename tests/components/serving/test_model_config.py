from __future__ import annotations

from pathlib import Path

import pytest

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.components.serving.columns import Column
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.model_config import (
    columns_of,
    ensemble_config,
    python_config,
    read_config,
    write_config,
)

EXPECTED = Path(__file__).parent / "expected"
CONFIG = EnsembleConfig(name="shop", max_batch_size=32, instances=2, preferred_batch_sizes=(8, 32), max_queue_delay=250)
RAW = (Column("name", "string"), Column("tags", "string", is_list=True))
BETWEEN = (Column("name", "int64", cardinality=9), Column("tags", "int64", is_list=True, cardinality=5))
SCORE = Column("score", "float32")


@pytest.fixture
def messages():
    transform = python_config("shop_transform", CONFIG, RAW, BETWEEN, {"emrys": "1.0"}, queue_delay=0)
    model = python_config(
        "shop_model",
        CONFIG,
        BETWEEN,
        [SCORE],
        {"threads": "1", "emrys": "1.0"},
        queue_delay=CONFIG.max_queue_delay,
        preferred_batch_sizes=CONFIG.preferred_batch_sizes,
    )
    ensemble = ensemble_config(CONFIG, transform, model, {"emrys": "1.0"}, RAW, [SCORE])
    return {message.name: message for message in (transform, model, ensemble)}


@pytest.mark.parametrize("name", ["shop_transform", "shop_model", "shop"])
def test_the_whole_configuration(messages, name, tmp_path):
    write_config(tmp_path / "config.pbtxt", messages[name])
    assert (tmp_path / "config.pbtxt").read_text() == (EXPECTED / f"{name}.pbtxt").read_text()
    assert read_config(tmp_path / "config.pbtxt") == messages[name]


def test_columns_come_back(messages):
    assert columns_of(messages["shop"].input) == RAW
    assert columns_of(messages["shop"].output) == (SCORE,)
    # Cardinalities are no part of Triton's configuration.
    assert columns_of(messages["shop_model"].input) == (Column("name", "int64"), Column("tags", "int64", True))


def test_vectors_and_classes_have_a_length():
    raw = (Column("vector", "float32", True, length=3), Column("one", "float32", True, length=1))
    message = python_config("m", CONFIG, raw, [Column("p", "float32", True, length=4)], {}, queue_delay=0)
    assert [list(tensor.dims) for tensor in (*message.input, *message.output)] == [[3], [-1], [4]]
    assert [tensor.allow_ragged_batch for tensor in message.input] == [False, True]
    # A list of one value must remain a list, so that its length is not in the configuration.
    assert columns_of(message.input) == (raw[0], Column("one", "float32", True))
    assert list(message.model_warmup[0].inputs["vector"].dims) == [3]


def test_an_invalid_configuration_is_reported_with_its_path(tmp_path):
    path = tmp_path / "config.pbtxt"
    with pytest.raises(ArtifactError, match=f"{path}: .* missing"):
        read_config(path)
    path.write_text("platform = tensorflow")
    with pytest.raises(ArtifactError, match="not a model configuration"):
        read_config(path)


def test_an_unsupported_dtype_is_refused():
    with pytest.raises(ConfigError, match=r"column 'price': .*; expected .*, got 'float64'"):
        Column("price", "float64")
