"""Saved and exported models, loaded in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests.blocks.checks import small_schema
from tests.blocks.models.models import every_input_batch, every_input_model

LOAD = """
import sys
import numpy as np
import emrys.blocks as mm
from tests.blocks.models.models import every_input_batch
model = mm.Model.load(sys.argv[1] + "/model")
expected = np.load(sys.argv[1] + "/expected.npz")
found = model.predict(every_input_batch(seed=5)[0])
assert sorted(found) == sorted(name.replace("|", "/") for name in expected if name != "losses")
for name, values in found.items():
    assert np.array_equal(values, expected[name.replace("/", "|")]), name
losses = model.fit(every_input_batch(seed=7), epochs=2, verbose=0).history["loss"]
assert losses == expected["losses"].tolist(), losses
assert int(model.optimizer.iterations) == 5
assert model.schema["image"].dtype.name == "float32"
assert "click/binary_output/auc" in model.evaluate(every_input_batch(), return_dict=True, verbose=0)
"""

SERVE = """
import sys
import numpy as np
import tensorflow as tf
batch = dict(np.load(sys.argv[1] + "/batch.npz"))
serve = tf.saved_model.load(sys.argv[1] + "/served").signatures["serving_default"]
found = serve(**{name: tf.constant(value) for name, value in batch.items()})
expected = np.load(sys.argv[1] + "/expected.npz")
for name, values in found.items():
    np.testing.assert_allclose(values, expected[name.replace("/", "|")], atol=1e-6)
assert len(found) == 2 and "emrys" not in sys.modules
"""


def _in_a_fresh_process(script, folder):
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_every_kind_of_input(tmp_path):
    model = every_input_model()
    model.compile(keras.optimizers.Adam(0.01), loss_weights={"click": 2.0})
    model.fit(every_input_batch(), epochs=3, verbose=0)
    features = every_input_batch(seed=5)[0]
    predictions = {name.replace("/", "|"): values for name, values in model.predict(features).items()}
    model.save(tmp_path / "model")
    model.export(tmp_path / "served")
    losses = model.fit(every_input_batch(seed=7), epochs=2, verbose=0).history["loss"]
    np.savez(tmp_path / "expected.npz", **predictions, losses=losses)
    flat = {name: value.numpy() for name, value in features.items() if not isinstance(value, tf.RaggedTensor)}
    for name in ("genres", "tags", "tags_weight", "images"):
        flat[f"{name}__values"] = features[name].values.numpy()
        flat[f"{name}__offsets"] = features[name].row_splits.numpy().astype("int32")
    np.savez(tmp_path / "batch.npz", **flat)
    _in_a_fresh_process(SERVE + LOAD, tmp_path)  # in this order: what is served needs TensorFlow alone


class TestShared:
    SCHEMA = small_schema().select_by_name(["item_id"])

    def _same(self, model, tmp_path):
        features = {"item_id": np.array([[3], [7]])}
        expected = model(features)
        model.save(tmp_path / "model.keras")
        loaded = mm.Model.load(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded(features), expected)
        assert loaded.count_params() == model.count_params()
        return loaded

    def test_a_table_of_two_branches(self, tmp_path):
        table = mm.EmbeddingTable(2, self.SCHEMA["item_id"])
        branches = [mm.ParallelBlock({"item_id": table}).connect(mm.ConcatFeatures(), mm.MLPBlock([3])) for _ in "ab"]
        both = mm.ParallelBlock(dict(zip("ab", branches, strict=True)), aggregation="concat")
        model = mm.Model(both, mm.BinaryOutput("click"))
        # one table of 20 x 2; two MLPs of 2 x 3 + 3; the output 6 + 1
        model({"item_id": np.array([[1]])})
        assert model.count_params() == 40 + 18 + 7
        loaded = self._same(model, tmp_path)
        tables = loaded.get_blocks_by_name(table.name)
        assert len(tables) == 1
        tables[0].embeddings.assign(np.zeros((20, 2)))
        assert np.ptp(loaded({"item_id": np.array([[3], [7]])})) == 0.0

    def test_a_table_of_an_output(self, tmp_path):
        table = mm.EmbeddingTable(2, self.SCHEMA["item_id"])
        model = mm.Model(mm.ParallelBlock({"item_id": table}).connect(mm.ConcatFeatures()), mm.CategoricalOutput(table))
        model({"item_id": np.array([[1]])})
        assert model.count_params() == 40
        self._same(model, tmp_path)

    def test_a_layer_of_two_blocks(self, tmp_path):
        dense = mm.Dense(4)
        model = mm.Model(
            mm.Embeddings(self.SCHEMA, dim=4, aggregation="concat"),
            mm.SequentialBlock(dense, keras.layers.ReLU()), mm.SequentialBlock(dense), mm.BinaryOutput("click"),
        )  # fmt: skip
        model({"item_id": np.array([[1]])})
        assert model.count_params() == 80 + 20 + 5
        self._same(model, tmp_path)


class TestSave:
    def _model(self):
        model = mm.Model(mm.MLPBlock([2]), mm.BinaryOutput("click"))
        model.compile("adam")
        model.fit(np.ones((4, 3), "float32"), np.ones((4, 1), "float32"), verbose=0)
        return model

    @pytest.mark.slow
    def test_without_the_optimizer(self, tmp_path):
        model = self._model()
        model.save(tmp_path / "model.keras", include_optimizer=False)
        loaded = mm.Model.load(tmp_path / "model.keras")
        assert not loaded.compiled
        np.testing.assert_array_equal(loaded(np.ones((1, 3))), model(np.ones((1, 3))))
        assert model.compiled

    @pytest.mark.slow
    def test_nothing_is_overwritten_unasked(self, tmp_path):
        model = self._model()
        model.save(tmp_path / "model")
        with pytest.raises(ConfigError, match=r"model: save: something is there already\. Give another path"):
            model.save(tmp_path / "model", overwrite=False)


@pytest.mark.slow
def test_a_table_of_embedding_features_that_an_output_is_tied_to(tmp_path):
    schema = Schema([mm.create_categorical_column("item", 9, tags=[Tags.ITEM_ID], dtype="int64")])
    features = mm.EmbeddingFeatures.from_schema(schema, mm.EmbeddingOptions(embedding_dim_default=4))
    model = mm.Model(features, mm.MLPBlock([4]), mm.CategoricalOutput(features.parallel_dict["item"], "next"))
    model.compile("sgd")
    ids = np.arange(6).reshape(6, 1)
    model.fit({"item": ids}, {"next": ids}, batch_size=6, verbose=0)
    model.save(tmp_path / "tied.keras")
    loaded = mm.Model.load(tmp_path / "tied.keras")
    np.testing.assert_array_equal(loaded({"item": ids}), model({"item": ids}))
    assert len(loaded.weights) == len(model.weights) == 3, "one table, a kernel and a bias"
    loaded.fit({"item": ids}, {"next": ids}, batch_size=6, verbose=0)
    inputs, output = loaded.blocks[0], loaded.blocks[-1]
    assert inputs.parallel_dict["item"].table is output.to_call.table.table
