"""Sequence transforms in `fit(pre=...)`, in the loader, and first in the model: the same training of a transformer."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from merlin.io import Dataset
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

LISTS = {"dtype": "int64", "min_value_count": 2, "max_value_count": 5}
SCHEMA = Schema(
    [
        mm.create_categorical_column("items", 12, tags=[Tags.ITEM_ID, Tags.SEQUENCE], **LISTS),
        mm.create_categorical_column("genres", 5, tags=[Tags.SEQUENCE], **LISTS),
    ]
)
WAYS = ("pre", "loader", "model")


def _sessions(rows: int) -> Dataset:
    """Item i is followed by item i + 1."""
    draw = np.random.default_rng(0)
    items = [(draw.integers(12) + np.arange(length)) % 12 + 1 for length in draw.integers(3, 6, rows)]
    lists = {"items": [row.tolist() for row in items], "genres": [(row % 5 + 1).tolist() for row in items]}
    return Dataset(pd.DataFrame(lists), schema=SCHEMA)


DATA = _sessions(16)


def _trained(make, block, way, eager=True):
    """A trained model, its losses and its metrics, with the transform in one of three positions."""
    keras.utils.set_random_seed(3)
    tables = mm.Embeddings(SCHEMA.select_by_tag(Tags.CATEGORICAL), dim=4, sequence_combiner=None)
    transformer = block(d_model=8, n_head=2, n_layer=1, dropout=0.0)
    transform = make(SCHEMA, "items", transformer=transformer)
    model = mm.Model(
        mm.InputBlockV2(SCHEMA, categorical=tables),
        transformer,
        mm.CategoricalOutput(SCHEMA.select_by_name("items")),
        pre=transform if way == "model" else None,
    )
    model.compile(keras.optimizers.Adam(0.02), metrics=[mm.RecallAt(3)], run_eagerly=eager)
    loader = mm.Loader(DATA, 16, shuffle=False, transform=transform if way == "loader" else None)
    ahead = {"pre": transform} if way == "pre" else {}
    losses = model.fit(loader, epochs=2, verbose=0, **ahead).history["loss"]
    return model, losses, model.evaluate(loader, verbose=0, return_dict=True, **ahead)


def _scores(model):
    output = model.predict(mm.Loader(DATA, 16, shuffle=False))
    return output if isinstance(output, np.ndarray) else output.to_tensor()


@pytest.mark.parametrize(
    ("make", "block", "a_row_each"),
    [
        (mm.SequencePredictNext, mm.GPT2Block, True),
        (mm.SequencePredictLast, mm.GPT2Block, True),
        (mm.SequenceMaskLast, mm.BertBlock, True),
        (mm.SequenceTargetAsInput, mm.GPT2Block, False),
    ],
)
@pytest.mark.slow
def test_the_same_model_comes_out(make, block, a_row_each):
    (one, losses, metrics), *others = (_trained(make, block, way) for way in WAYS)
    assert losses[-1] < losses[0]
    assert (_scores(one).shape == (16, 13)) is a_row_each
    for model, history, result in others:
        np.testing.assert_allclose(history, losses, rtol=1e-5)
        assert result == pytest.approx(metrics, rel=1e-4)
        np.testing.assert_allclose(_scores(model), _scores(one), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "block"), [(mm.SequencePredictRandom, mm.GPT2Block), (mm.SequenceMaskRandom, mm.BertBlock)]
)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_random_ones_train_too(make, block, way):
    model, losses, metrics = _trained(make, block, way)
    assert losses[-1] < losses[0]
    assert 0 < metrics["loss"] < 4
    assert 0 <= metrics["recall_at_3"] <= 1
    assert _scores(model).shape == (16, 13)


@pytest.mark.slow
def test_in_a_graph_and_in_a_file(tmp_path):
    eager = _trained(mm.SequencePredictNext, mm.GPT2Block, "model")
    model, losses, metrics = _trained(mm.SequencePredictNext, mm.GPT2Block, "model", eager=False)
    np.testing.assert_allclose(losses, eager[1], rtol=1e-4)
    assert metrics == pytest.approx(eager[2], rel=1e-4)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    np.testing.assert_allclose(_scores(loaded), _scores(model), rtol=1e-5, atol=1e-6)
    again = loaded.evaluate(mm.Loader(DATA, 16, shuffle=False), verbose=0, return_dict=True)
    assert again == pytest.approx(metrics, rel=1e-4)


@pytest.mark.slow
def test_a_loader_tests_what_was_trained():
    model, _, _ = _trained(mm.SequenceMaskLast, mm.BertBlock, "pre")
    transformer = next(layer for layer in model.layers if isinstance(layer, mm.BertBlock))
    loader = mm.Loader(DATA, 16, transform=mm.SequencePredictLast(SCHEMA, "items", transformer=transformer))
    with pytest.raises(ConfigError, match=r"does not fit the training objective of .*; expected predicts='next'"):
        model.evaluate(loader, verbose=0)
