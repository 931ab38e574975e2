"""The first table of docs/coming-from-merlin-models.md: every row is shown here to be so.

A row is named by its first cell. `CODE` says which file makes the difference, and that file points to the page.
"""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/coming-from-merlin-models.md"
BLOCKS = ROOT / "blocks" / "emrys" / "blocks"

#: Files of `blocks` that make a difference, by row. The others are differences of Keras 3 itself.
CODE = {
    "Lists in a batch": ["loader/loader.py"],
    "Targets of a batch": ["loader/loader.py"],
    "Names of outputs": ["outputs/model_output.py"],
    "Ids outside a table": ["core/gather.py"],
    "The default optimizer": ["optimizers/get_optimizer.py"],
    "logQ correction": ["models/two_tower.py", "models/matrix_factorization.py"],
    "Equal scores": ["metrics/ranking.py"],
    "Graded relevance": ["metrics/ranking.py"],
    "Training of transformers": ["transformer/transformer_block.py"],
    "Weights of Hugging Face": ["transformer/transformer_block.py"],
    "Sampled softmax": ["legacy/item_retrieval_task.py"],
    "Filter(add_to_context=True)": ["core/tabular.py"],
    "Cut-offs above K": ["models/top_k_encoder.py"],
    "FMBlock": ["interactions/fm_block.py"],
}


def _ids(name, size, *tags, **options):
    domain = {"domain": {"min": 0, "max": size, "name": name}}
    return ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL, *tags], properties=domain, **options)


SCHEMA = Schema(
    [
        _ids("user_id", 5, Tags.USER, Tags.USER_ID),
        _ids("item_id", 5, Tags.ITEM, Tags.ITEM_ID),
        _ids("tags", 5, Tags.ITEM, is_list=True, is_ragged=True),
        ColumnSchema("click", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)
ROWS = pd.DataFrame(
    {"user_id": [1, 2, 3, 4], "item_id": [2, 3, 4, 5], "tags": [[1], [2, 3], [4], [5]], "click": [0, 1, 1, 0]}
)


def _data():
    return Dataset(ROWS, schema=SCHEMA)


def _model():
    return mm.Model(mm.InputBlockV2(SCHEMA.without(["click"])), mm.MLPBlock([4]), mm.BinaryOutput("click"))


def _trained(**compiled):
    model = _model()
    model.compile(**compiled)
    model.fit(_data(), batch_size=2, verbose=0)
    return model


def the_import(tmp_path):
    assert mm.DLRMModel.__module__.startswith("emrys.blocks")


def imports_by_module_path(tmp_path):
    with pytest.raises(ModuleNotFoundError):
        __import__("emrys.blocks.utils.schema_utils")
    assert mm.create_categorical_column("a", 3).name == "a"


def legacy_optimizers(tmp_path):
    with pytest.raises((ImportError, AttributeError)):
        tf.keras.optimizers.legacy.Adam(0.01)
    table = mm.MLPBlock([2])
    assert mm.MultiOptimizer([mm.OptimizerBlocks(tf.keras.optimizers.Adam(0.01), table)])


def loading(tmp_path):
    model = _trained(optimizer="sgd")
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="File format not supported"):
        tf.keras.models.load_model(tmp_path / "model")
    loader = mm.Loader(_data(), batch_size=4, shuffle=False)
    np.testing.assert_allclose(
        mm.Model.load(tmp_path / "model").predict(loader, verbose=0), model.predict(loader, verbose=0), rtol=1e-6
    )


def keras_2_s_arguments(tmp_path):
    model = _trained(optimizer="sgd")
    for argument in ("workers", "use_multiprocessing", "max_queue_size"):
        with pytest.raises(ConfigError, match=f"{argument}.*{PAGE}"):
            model.fit(_data(), batch_size=2, verbose=0, **{argument: 1})
    with pytest.raises(TypeError, match="save_traces"):
        model.save(tmp_path / "model", save_traces=False)


def lists_in_a_batch(tmp_path):
    features, _ = next(iter(mm.Loader(_data(), batch_size=4, shuffle=False)))
    assert features["tags"].to_list() == [[1], [2, 3], [4], [5]]
    assert "tags__values" not in features
    old = {key: value for key, value in features.items() if key != "tags"}
    old |= {"tags__values": features["tags"].values, "tags__offsets": features["tags"].row_splits}
    model = _trained(optimizer="sgd")
    np.testing.assert_allclose(model(old), model(features), rtol=1e-6)


def targets_of_a_batch(tmp_path):
    _, targets = next(iter(mm.Loader(_data(), batch_size=4, shuffle=False)))
    assert np.ravel(targets["click"]).tolist() == [0, 1, 1, 0]


def names_of_outputs(tmp_path):
    output = mm.BinaryOutput("click")
    assert (output.task_name, output.name) == ("click/binary_output", "click_binary_output")


def ids_outside_a_table(tmp_path):
    table = mm.EmbeddingTable(2, SCHEMA["item_id"])
    with pytest.raises(DataError, match="item_id"):
        table(tf.constant([[9]]))


def the_default_optimizer(tmp_path):
    assert isinstance(_trained().optimizer, mm.LazyAdam)
    assert isinstance(_trained(optimizer="rmsprop").optimizer, keras.optimizers.RMSprop)


def logq_correction(tmp_path):
    schema = SCHEMA.select_by_name(["user_id", "item_id"])
    assert mm.MatrixFactorizationModelV2(schema, dim=2).last.logq_sampling_correction
    output = mm.ContrastiveOutput(schema["item_id"], "in-batch", logq_sampling_correction=False)
    model = mm.MatrixFactorizationModelV2(schema, dim=2, outputs=output)
    assert not model.last.logq_sampling_correction


def equal_scores(tmp_path):
    metric = mm.RecallAt(1)
    metric.update_state(tf.constant([[1.0, 0.0]]), tf.constant([[0.5, 0.5]]))
    assert float(metric.result()) == 0


def graded_relevance(tmp_path):
    # The gain is the grade: (1 + 2 / log2(3)) / (2 + 1 / log2(3)).
    metric = mm.NDCGAt(2)
    metric.update_state(tf.constant([[1.0, 2.0]]), tf.constant([[0.9, 0.1]]))
    np.testing.assert_allclose(metric.result(), (1 + 2 / np.log2(3)) / (2 + 1 / np.log2(3)), rtol=1e-5)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        mm.RecallAt(2).update_state(tf.constant([[1.0, 2.0]]), tf.constant([[0.9, 0.1]]))


def training_of_transformers(tmp_path):
    with pytest.raises(ConfigError, match=f"masking_pre.*{PAGE}"):
        mm.GPT2Block(d_model=4, n_head=1, n_layer=1, masking_pre=None)
    assert mm.GPT2Block(d_model=4, n_head=1, n_layer=1, predicts="next").predicts == "next"


def weights_of_hugging_face(tmp_path):
    with pytest.raises(AttributeError, match=f"XLNetBlock.*{PAGE}"):
        mm.XLNetBlock  # noqa: B018
    with pytest.raises(ConfigError, match=f"transformer_pre.*{PAGE}"):
        mm.BertBlock(d_model=4, n_head=1, n_layer=1, transformer_pre=None)


def sampled_softmax(tmp_path):
    with (
        pytest.raises(ConfigError, match=rf"ContrastiveOutput\(to_call=.*{PAGE}"),
        pytest.warns(DeprecationWarning, match="ContrastiveOutput"),
    ):
        mm.ItemRetrievalTask(SCHEMA, sampled_softmax_mode=True)


def filter_add_to_context_true(tmp_path):
    with pytest.raises(ConfigError, match=f"add_to_context.*{PAGE}"):
        mm.Filter(SCHEMA, add_to_context=True)


def composition_with_arrows(tmp_path):
    with pytest.raises(TypeError):
        mm.MLPBlock([2]) >> mm.MLPBlock([2])
    assert mm.MLPBlock([2], activation="linear").connect(mm.MLPBlock([3]))(tf.ones((1, 2))).shape == (1, 3)


def keras_own_classes(tmp_path):
    for name in ("Layer", "Loss", "Metric", "Optimizer"):
        with pytest.raises(AttributeError, match=f"Keras' own {name}.*{PAGE}"):
            getattr(mm, name)


def cut_offs_above_k(tmp_path):
    encoder = mm.TopKEncoder(mm.Encoder(mm.InputBlockV2(SCHEMA.select_by_name("user_id"))), k=2)
    with pytest.raises(ConfigError, match="k"):
        encoder.compile(metrics=[mm.RecallAt(3)])


def fmblock(tmp_path):
    # (3, 4) and (15, 16): 3 * 15 + 4 * 16, where Merlin Models multiplies 3 * 4 + 15 * 16.
    pairs = mm.FMPairwiseInteraction()(tf.constant([[[3.0, 4.0], [15.0, 16.0]]]))
    assert float(tf.reduce_sum(pairs)) == 3 * 15 + 4 * 16


CHECKS = {
    name: check
    for name, check in list(globals().items())
    if callable(check) and getattr(check, "__code__", None) and check.__code__.co_varnames[:1] == ("tmp_path",)
}


def _rows():
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    table = re.search(r"^\| What .*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.group().splitlines()[2:]]


def _key(name):
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def test_the_page_and_its_checks_name_the_same_rows():
    assert [_key(row[0]) for row in _rows()] == list(CHECKS)
    assert set(CODE) <= {row[0] for row in _rows()}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.slow
def test_row(name, tmp_path):
    CHECKS[name](tmp_path)


@pytest.mark.parametrize("name", CODE)
def test_the_code_points_to_the_page(name):
    for file in CODE[name]:
        text = (BLOCKS / file).read_text(encoding="utf-8")
        assert "docs/coming-from-merlin-models.md" in text or "reject_removed(" in text, file
