"""Tables over several columns, sparse ids, inferred dimensions, weights of lists, lists of numbers."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

#: Row i holds (2 i, 2 i + 1).
ROWS = np.arange(20.0, dtype="float32").reshape(10, 2)
ITEM, LAST = (mm.create_categorical_column(name, 9, domain_name="items") for name in ("item", "last"))
#: The lists [1, 2] and [3].
SPARSE = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1, 2, 3], [2, 2])
COMBINED = {
    "mean": [[3.0, 4.0], [6.0, 7.0]],
    "sum": [[6.0, 8.0], [6.0, 7.0]],
    "sqrtn": [[6.0 / 2**0.5, 8.0 / 2**0.5], [6.0, 7.0]],
}


class TestSeveralColumns:
    def test_one_table(self):
        table = mm.EmbeddingTable(2, ITEM, LAST, weights=ROWS)
        found = table({"item": np.array([[1]]), "last": np.array([[4]])})
        assert {name: value.numpy().tolist() for name, value in found.items()} == {
            "item": [[2.0, 3.0]],
            "last": [[8.0, 9.0]],
        }
        assert (table.name, len(table.weights)) == ("items", 1)

    def test_embedding_features_share_the_configuration(self):
        block = mm.EmbeddingFeatures.from_schema(Schema([ITEM, LAST]))
        assert block.table_config("item") is block.table_config("last")
        assert block.feature_config["item"].table is block.feature_config["last"].table
        assert list(block.embedding_tables) == ["items"]
        assert block.embedding_tables["items"] is block.parallel_layers["items"]
        with pytest.raises(TypeError, match="does not support item assignment"):
            block.embedding_tables["items"] = None
        again = mm.EmbeddingFeatures.from_config(block.get_config())
        assert again.table_config("item") is again.table_config("last")

    def test_one_configuration_without_a_name(self):
        items = mm.TableConfig(10, 4)
        block = mm.EmbeddingFeatures({"item": mm.FeatureConfig(items), "last": mm.FeatureConfig(items)})
        assert block.table_config("last") is block.table_config("item")
        assert block.table_config("last").name == "item"


@pytest.mark.parametrize(("combiner", "expected"), COMBINED.items())
class TestSparseIds:
    def _table(self, combiner):
        return mm.EmbeddingTable(2, ITEM, weights=ROWS, sequence_combiner=combiner)

    def test_alone(self, combiner, expected):
        np.testing.assert_allclose(self._table(combiner)(SPARSE), expected, rtol=1e-6)
        ids = tf.sparse.reshape(SPARSE, [2, 2, 1])
        np.testing.assert_allclose(self._table(combiner)(ids), expected, rtol=1e-6)

    def test_by_name_in_a_graph(self, combiner, expected):
        table = self._table(combiner)
        found = tf.function(lambda batch: table(batch))({"item": SPARSE})["item"]
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_embeddings(self, combiner, expected):
        initializer = mm.TensorInitializer(ROWS)
        block = mm.Embeddings(Schema([ITEM]), dim=2, embeddings_initializer=initializer, sequence_combiner=combiner)
        np.testing.assert_allclose(block({"item": SPARSE})["item"], expected, rtol=1e-6)
        config = mm.FeatureConfig(mm.TableConfig(10, 2, initializer, combiner=combiner))
        np.testing.assert_allclose(
            mm.EmbeddingFeatures({"item": config})({"item": SPARSE})["item"], expected, rtol=1e-6
        )


class TestOtherReadersOfSparseIds:
    def test_lists_that_stay_lists(self):
        table = mm.EmbeddingTable(2, ITEM, weights=ROWS, mask_zero=True)
        assert table(SPARSE).to_list() == [[[2.0, 3.0], [4.0, 5.0]], [[6.0, 7.0]]]
        config = mm.FeatureConfig(mm.TableConfig(10, 2, mm.TensorInitializer(ROWS)))
        found = mm.SequenceEmbeddingFeatures({"item": config})({"item": SPARSE})["item"]
        assert found.to_list() == [[[2.0, 3.0], [4.0, 5.0]], [[6.0, 7.0]]]

    def test_linear_part(self):
        layer = mm.WideLogit(Schema([ITEM]), kernel_initializer=mm.TensorInitializer(ROWS[:, :1]))
        # Rows 1 and 2 of the weights, 2 + 4, and row 3.
        assert layer({"item": SPARSE}).numpy().tolist() == [[6.0], [6.0]]


class TestInferredSizes:
    LARGE = mm.create_categorical_column("large", 100000)

    def _dims(self, **arguments):
        return [table.dim for table in mm.Embeddings(Schema([ITEM, self.LARGE]), **arguments).parallel_values]

    def test_embeddings(self):
        # 2 * 10 ** 0.25 = 3.6 and 2 * 100001 ** 0.25 = 35.6, rounded up to multiples of 8; as released.
        assert self._dims() == self._dims(infer_embedding_sizes=True) == [8, 40]
        # 17.8 and 1.8, rounded up
        assert self._dims(infer_embedding_sizes=True, infer_embedding_sizes_multiplier=1.0) == [8, 24]
        assert self._dims(infer_embedding_sizes=True, infer_embeddings_ensure_dim_multiple_of_8=False) == [4, 36]

    def test_a_default_dimension(self):
        assert self._dims(infer_embedding_sizes=False, embedding_dim_default=6, dim={"large": 12}) == [6, 12]
        with pytest.raises(ConfigError, match="column 'item': embeddings: a table has no dimension"):
            self._dims(infer_embedding_sizes=False)

    def test_arguments_by_column(self):
        block = mm.Embeddings(Schema([ITEM, self.LARGE]), mask_zero={"large": True}, sequence_combiner=None)
        assert [table.mask_zero for table in block.parallel_values] == [False, True]

    def test_a_table(self):
        assert mm.EmbeddingTable(None, self.LARGE, infer_embedding_sizes=True).dim == 40
        with pytest.raises(ConfigError, match="EmbeddingTable: dim; expected a whole number above 0, got None"):
            mm.EmbeddingTable(None, self.LARGE)

    def test_a_model(self):
        schema = Schema(
            [
                mm.create_categorical_column("user", 99999, tags=[Tags.USER, Tags.USER_ID]),
                mm.create_categorical_column("item", 99999, tags=[Tags.ITEM, Tags.ITEM_ID]),
            ]
        )
        options = mm.EmbeddingOptions(infer_embedding_sizes=True, infer_embedding_sizes_multiplier=0.4)
        model = mm.TwoTowerModel(schema, query_tower=mm.MLPBlock([4]), embedding_options=options)
        model({"user": np.array([[1]]), "item": np.array([[2]])})
        dims = [weight.shape[1] for weight in model.weights if weight.shape[0] == 100000 and len(weight.shape) > 1]
        assert dims == [8, 8]  # 0.4 * 100000 ** 0.25 = 7.1


class TestWeightsOfLists:
    GENRES = mm.create_categorical_column("genres", 9, tags=[Tags.SEQUENCE], min_value_count=0)
    WEIGHTS = ColumnSchema("genres_weight", dtype="float64", tags=[Tags.CONTINUOUS], is_list=True, is_ragged=True)
    BATCH = {  # noqa: RUF012
        "genres": tf.ragged.constant([[1, 2], [3]], dtype="int64"),
        "genres_weight": tf.ragged.constant([[3.0, 1.0], [1.0]]),
    }

    def _model(self, combiner):
        table = mm.EmbeddingTable(2, self.GENRES, weights=ROWS, sequence_combiner=combiner)
        return mm.Model(mm.ParallelBlock({"genres": table}, aggregation="concat", is_input=True))

    def test_are_read_by_the_model(self):
        combiner = mm.AverageEmbeddingsByWeightFeature.from_schema_convention(Schema([self.GENRES, self.WEIGHTS]))
        model = self._model(combiner["genres"])
        assert model.input_schema.column_names == ["genres", "genres_weight"]
        assert model.input_schema["genres_weight"].dtype.name == "float64"
        # (3 * row 1 + row 2) / 4 and row 3
        assert model(self.BATCH).numpy().tolist() == [[2.5, 3.5], [6.0, 7.0]]

    def test_of_a_column_that_is_not_known(self):
        model = self._model(mm.AverageEmbeddingsByWeightFeature("genres_weight"))
        column = model.input_schema["genres_weight"]
        assert (column.dtype.name, column.is_list, column.is_ragged) == ("float32", True, True)

    def test_come_back_from_the_configuration(self):
        combiner = mm.AverageEmbeddingsByWeightFeature("genres_weight").set_schema(Schema([self.WEIGHTS]))
        again = mm.AverageEmbeddingsByWeightFeature.from_config(combiner.get_config())
        assert again.schema.first.dtype.name == "float64"


class TestListsOfNumbers:
    ITEMS = mm.create_categorical_column("items", 9, tags=[Tags.ITEM_ID, Tags.SEQUENCE], min_value_count=0)
    PRICES = ColumnSchema(
        "prices", dtype="float32", tags=[Tags.CONTINUOUS, Tags.SEQUENCE], is_list=True, is_ragged=True
    )
    SCHEMA = Schema([ITEMS, PRICES])
    BATCH = {  # noqa: RUF012
        "items": tf.ragged.constant([[1, 2], [3]], dtype="int64"),
        "prices": tf.ragged.constant([[0.5, 0.25], [1.0]]),
    }

    def _inputs(self):
        tables = mm.Embeddings(
            Schema([self.ITEMS]),
            dim=2,
            sequence_combiner=None,
            embeddings_initializer=mm.TensorInitializer(ROWS),
        )
        return mm.InputBlockV2(self.SCHEMA, categorical=tables)

    def test_beside_embeddings(self):
        found = self._inputs()(self.BATCH)
        assert found.to_list() == [[[2.0, 3.0, 0.5], [4.0, 5.0, 0.25]], [[6.0, 7.0, 1.0]]]
        # what a sequence transform has already given a last axis
        assert self._inputs()(mm.PrepareFeatures(self.SCHEMA)(self.BATCH)).to_list() == found.to_list()

    def test_dense(self):
        batch = {"items": np.array([[1, 2]]), "prices": np.array([[0.5, 0.25]])}
        assert self._inputs()(batch).numpy().tolist() == [[[2.0, 3.0, 0.5], [4.0, 5.0, 0.25]]]
        assert self._inputs().compute_output_shape({"items": (None, 2), "prices": (None, 2)}) == (None, 2, 3)

    def test_vectors_are_no_lists(self):
        column = self.PRICES.with_tags(Tags.EMBEDDING)
        found = mm.Continuous(Schema([column]))({"prices": np.array([[0.5, 0.25]])})["prices"]
        assert found.numpy().tolist() == [[0.5, 0.25]]

    @pytest.mark.parametrize("make", [mm.Continuous, lambda schema: mm.ContinuousFeatures(["prices"])])
    def test_alone(self, make):
        found = make(Schema([self.PRICES]))(self.BATCH)["prices"]
        assert found.to_list() == [[[0.5], [0.25]], [[1.0]]]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("make", "transform"),
        [(mm.GPT2Block, mm.SequencePredictNext), (mm.BertBlock, mm.SequenceMaskRandom)],
    )
    def test_a_session_model(self, make, transform):
        block = make(d_model=4, n_head=2, n_layer=1, pre=mm.MLPBlock([4], activation="linear"), dropout=0.0)
        output = mm.CategoricalOutput(self.ITEMS, default_loss="categorical_crossentropy")
        model = mm.Model(self._inputs(), block, output)
        model.compile(optimizer="adam")
        data = tf.data.Dataset.from_tensors(
            ({name: tf.concat([rows, rows], axis=1) for name, rows in self.BATCH.items()}, {})
        )
        losses = model.fit(data, pre=transform(self.SCHEMA, "items", transformer=block), verbose=0).history["loss"]
        assert np.isfinite(losses).all()
        served = model(self.BATCH)
        assert served.shape == (2, 10)
        # Serving reads the prices: other ones give other scores.
        other = model({**self.BATCH, "prices": self.BATCH["prices"] + 1.0})
        assert not np.allclose(served, other)


class TestTableConfigAsJson:
    def test_there_and_back(self):
        config = mm.TableConfig(10, 4, initializer=keras.initializers.Constant(2.0), combiner="sum", name="items")
        fields = json.loads(json.dumps(mm.serialize_table_config(config)))
        assert {name: value for name, value in fields.items() if name != "initializer"} == {
            "vocabulary_size": 10,
            "dim": 4,
            "optimizer": None,
            "combiner": "sum",
            "name": "items",
            "quantization_config": None,
        }
        again = mm.deserialize_table_config(fields)
        assert (again.dim, again.combiner, again.initializer((1,)).numpy().tolist()) == (4, "sum", [2.0])
