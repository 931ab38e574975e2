"""Models that are built with defaults have no dropout and no penalty, and start as documented."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import pytest
import tensorflow as tf

import emrys.blocks as mm
from tests.blocks.checks import small_schema
from tests.blocks.models.retrieval import HISTORY, ITEMS, SCHEMA, USERS

_RANKING = small_schema().excluding_by_name(["rating"])
_FEATURES = _RANKING.excluding_by_name(["click"])

#: Initializers by the attribute that holds them, as the reference documents them.
_DOCUMENTED = {
    "embeddings_initializer": "uniform",
    "kernel_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
}
_OF_CROSS_LAYERS = {**_DOCUMENTED, "kernel_initializer": "truncated_normal"}
_OF_FIRST_GENERATION = {**_DOCUMENTED, "embeddings_initializer": keras.initializers.TruncatedNormal(stddev=0.05)}
_READS = {
    **dict.fromkeys(("DLRM", "DCN", "DeepFM", "WideAndDeep", "NCF"), _FEATURES),
    **dict.fromkeys(("MatrixFactorization", "TwoTower"), SCHEMA),
    "Youtube": HISTORY,
}


def _towers() -> tuple[mm.Encoder, mm.Encoder]:
    return mm.Encoder(USERS, mm.MLPBlock([4])), mm.Encoder(ITEMS, mm.MLPBlock([4]))


MODELS = {
    "DLRMModel": lambda: mm.DLRMModel(
        _RANKING, embedding_dim=4, bottom_block=mm.MLPBlock([4]), top_block=mm.MLPBlock([4])
    ),
    "DLRMModel without a dimension": lambda: mm.DLRMModel(_RANKING, bottom_block=mm.MLPBlock([4])),
    "DCNModel stacked": lambda: mm.DCNModel(_RANKING, depth=2),
    "DCNModel parallel": lambda: mm.DCNModel(_RANKING, depth=1, stacked=False),
    "DeepFMModel": lambda: mm.DeepFMModel(_RANKING),
    "DeepFMModel with a dimension": lambda: mm.DeepFMModel(_RANKING, embedding_dim=4),
    "WideAndDeepModel": lambda: mm.WideAndDeepModel(_RANKING, mm.MLPBlock([4]), wide_schema=_RANKING),
    "WideAndDeepModel crossed": lambda: mm.WideAndDeepModel(
        _RANKING,
        mm.MLPBlock([4]),
        wide_schema=_RANKING.select_by_name(["user_id", "country"]),
        wide_preprocess=mm.HashedCross(_RANKING.select_by_name(["user_id", "country"]), num_bins=20),
    ),
    "NCFModel": lambda: mm.NCFModel(_RANKING, 4, mm.MLPBlock([4])),
    "MatrixFactorizationModelV2": lambda: mm.MatrixFactorizationModelV2(SCHEMA, dim=4),
    "TwoTowerModelV2": lambda: mm.TwoTowerModelV2(*_towers()),
    "YoutubeDNNRetrievalModelV2": lambda: mm.YoutubeDNNRetrievalModelV2(HISTORY, num_sampled=5),
    "MatrixFactorizationModel": lambda: mm.MatrixFactorizationModel(SCHEMA, dim=4),
    "TwoTowerModel": lambda: mm.TwoTowerModel(SCHEMA, mm.MLPBlock([4])),
    "YoutubeDNNRetrievalModel": lambda: mm.YoutubeDNNRetrievalModel(HISTORY, num_sampled=5),
}


def _layers(value: Any, seen: set[int]) -> Iterator[keras.layers.Layer]:
    """All layers that are attributes of a layer, whatever their names, or inside such attributes."""
    if isinstance(value, (keras.layers.Layer, Mapping, list, tuple)) and id(value) not in seen:
        seen.add(id(value))
        if isinstance(value, keras.layers.Layer):
            yield value
        inner = vars(value) if isinstance(value, keras.layers.Layer) else value
        for item in inner.values() if isinstance(inner, Mapping) else inner:
            yield from _layers(item, seen)


def _start(initializer: Any) -> tuple[type, dict[str, Any]]:
    """An initializer without its seed."""
    found = keras.initializers.get(initializer)
    return type(found), {key: value for key, value in found.get_config().items() if key != "seed"}


@pytest.mark.parametrize("name", MODELS)
def test_no_dropout_no_penalty_and_the_documented_initializers(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = MODELS[name]()
    columns = next(schema for family, schema in _READS.items() if name.startswith(family))
    model.build({column.name: (None, None if column.is_list else 1) for column in columns})
    layers = list(_layers(model, set()))
    crossed = [layer.dense for layer in layers if type(layer).__name__ == "CrossLayer"]
    first_generation = name in ("MatrixFactorizationModel", "TwoTowerModel", "YoutubeDNNRetrievalModel")
    started = set()
    for layer in layers:
        documented = _OF_FIRST_GENERATION if first_generation else _DOCUMENTED
        if any(layer is dense for dense in crossed):
            documented = _OF_CROSS_LAYERS
        for attribute, value in vars(layer).items():
            where = f"{type(layer).__name__} {layer.name}: {attribute}"
            if attribute == "rate" or attribute.endswith(("regularizer", "regularization_factor", "l2_reg")):
                assert not value, where
            elif attribute.endswith("initializer"):
                assert _start(value) == _start(documented[attribute]), where
                started |= {id(weight) for weight in layer.weights}
    # No weight starts, or is penalised, without such an attribute.
    assert [weight.path for weight in model.trainable_weights if id(weight) not in started] == []
    assert [weight.path for weight in model.weights if weight.regularizer is not None] == []


@pytest.mark.parametrize(
    ("name", "sizes"), [("DCNModel stacked", [512, 256]), ("DCNModel parallel", [512, 256]), ("DeepFMModel", [64])]
)
def test_default_deep_blocks(name, sizes):
    blocks = [layer for layer in _layers(MODELS[name](), set()) if isinstance(layer, mm.MLPBlock)]
    assert sizes in [[dense.units for dense in block.layers] for block in blocks]


def test_the_correction_of_two_towers_is_turned_off_by_an_output():
    # All vectors are 0. Corrected, item 2 of the last row would differ by ln 2 from item 1, which comes three times.
    output = mm.ContrastiveOutput(SCHEMA["item_id"], "in-batch", logq_sampling_correction=False)
    start = keras.initializers.Constant(0.0)
    model = mm.MatrixFactorizationModelV2(SCHEMA, 2, embeddings_initializers=start, outputs=output)
    batch = {"user_id": tf.constant([[1], [2], [3], [4]]), "item_id": tf.constant([[1], [1], [1], [2]])}
    scores = next(iter(model.call_train_test(batch, training=True).outputs.values()))
    # The last negative is the row's own item, a false negative.
    assert scores[3].numpy()[:4].tolist() == [0.0] * 4
