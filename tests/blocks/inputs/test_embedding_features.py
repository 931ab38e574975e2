from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests.blocks.checks import small_schema

ROWS = np.array([[i, 10.0 * i] for i in range(10)], "float32")
SHARED = Schema([mm.create_categorical_column(name, 9, domain_name="d", tags=[Tags.ITEM]) for name in ("a", "b")])


def _filled(block, rows=ROWS):
    block.build({name: (None, 1) for name in block.feature_config})
    block.set_weights([rows] * len(block.weights))
    return block


def _two(**kwargs):
    table = mm.TableConfig(10, 2, name="t", **kwargs)
    return {"a": mm.FeatureConfig(table), "b": mm.FeatureConfig(table)}


class TestLookup:
    def test_features_of_one_table_share_its_rows(self):
        outputs = _filled(mm.EmbeddingFeatures(_two()))({"b": np.array([[3]]), "a": np.array([[1]])})
        assert {name: value.numpy().tolist() for name, value in outputs.items()} == {"a": [[1, 10]], "b": [[3, 30]]}

    def test_tables_without_names_are_those_of_their_features(self):
        one, other = mm.TableConfig(10, 2), mm.TableConfig(20, 3)
        block = mm.EmbeddingFeatures({"a": mm.FeatureConfig(one), "b": mm.FeatureConfig(other)})
        assert {name: (table.input_dim, table.dim) for name, table in block.parallel_dict.items()} == {
            "a": (10, 2),
            "b": (20, 3),
        }

    @pytest.mark.parametrize(("combiner", "second"), [("mean", 2), ("sum", 6), ("sqrtn", 6 / 3**0.5)])
    def test_lists(self, combiner, second):
        block = _filled(mm.EmbeddingFeatures({"g": mm.FeatureConfig(mm.TableConfig(10, 2, combiner=combiner))}))
        # [] gives zeros; [1, 2, 3] sums to 6
        ragged = block({"g": tf.ragged.constant([[], [1, 2, 3]], dtype="int64")})["g"]
        np.testing.assert_allclose(ragged, [[0, 0], [second, 10 * second]], rtol=1e-6)
        np.testing.assert_allclose(block({"g": np.array([[1, 2, 3]])})["g"], [[second, 10 * second]], rtol=1e-6)

    def test_features_come_in_the_forms_that_a_model_takes(self):
        features = {"a": np.array([4, 5]), "g__values": np.array([1, 3]), "g__offsets": np.array([0, 0, 2])}
        config = {name: mm.FeatureConfig(mm.TableConfig(10, 2)) for name in ("a", "g")}
        outputs = _filled(mm.EmbeddingFeatures(config))(features)
        assert outputs["a"].numpy().tolist() == [[4, 40], [5, 50]]
        assert outputs["g"].numpy().tolist() == [[0, 0], [2, 20]]

    def test_lookup_feature(self):
        block = _filled(mm.EmbeddingFeatures(_two()))
        lists = tf.constant([[1, 3]])
        assert block.lookup_feature("b", tf.constant([[5]])).numpy().tolist() == [[5, 50]]
        assert block.lookup_feature("b", lists).numpy().tolist() == [[2, 20]]
        assert block.lookup_feature("b", lists, output_sequence=True).numpy().tolist() == [[[1, 10], [3, 30]]]

    def test_l2_of_what_is_looked_up(self):
        block = _filled(mm.EmbeddingFeatures({"a": mm.FeatureConfig(mm.TableConfig(10, 2))}, l2_reg=0.1))
        block({"a": np.array([[1], [2], [2]])})
        # 1 + 100, and twice 4 + 400
        assert float(block.losses[0]) == pytest.approx(0.1 * 909)


class TestFromSchema:
    def test_dimensions(self):
        def dims(**options):
            block = mm.EmbeddingFeatures.from_schema(small_schema(), mm.EmbeddingOptions(**options))
            return {name: table.dim for name, table in block.parallel_dict.items()}

        default = {"user_id": 64, "country": 64, "item_id": 64, "genres": 64}
        assert dims() == default
        assert dims(embedding_dims={"country": 3}) == {**default, "country": 3}
        assert dims(embedding_dim_default=5, embedding_dims={"genres": 2}) == {**dict.fromkeys(default, 5), "genres": 2}
        # twice the fourth root of 10, 5, 20 and 6: 3.6, 3.0, 4.2 and 3.1, rounded up
        inferred = {"user_id": 4, "country": 3, "item_id": 5, "genres": 4}
        assert dims(infer_embedding_sizes=True) == inferred
        assert dims(infer_embedding_sizes=True, infer_embeddings_ensure_dim_multiple_of_8=True) == dict.fromkeys(
            default, 8
        )

    def test_tags_choose_columns(self):
        assert list(mm.EmbeddingFeatures.from_schema(small_schema(), tags=Tags.USER).parallel_dict) == [
            "user_id",
            "country",
        ]
        assert mm.EmbeddingFeatures.from_schema(small_schema(), tags=Tags.SESSION) is None

    def test_one_domain_one_table(self):
        block = mm.EmbeddingFeatures.from_schema(SHARED, mm.EmbeddingOptions(embedding_dims={"b": 3}))
        assert {name: (table.dim, table.schema.column_names) for name, table in block.parallel_dict.items()} == {
            "d": (3, ["a", "b"])
        }

    def test_tables_start_small(self):
        block = mm.EmbeddingFeatures.from_schema(Schema([mm.create_categorical_column("a", 9999)]))
        block.build({"a": (None, 1)})
        (rows,) = block.get_weights()
        # a normal distribution with 0.05, cut at twice that: 0.88 times as wide
        assert abs(rows).max() <= 0.1
        assert rows.std() == pytest.approx(0.044, abs=0.001)

    def test_initializers_by_column(self):
        ones = keras.initializers.Ones()
        options = mm.EmbeddingOptions(embedding_dim_default=2, embeddings_initializers={"b": ones})
        block = mm.EmbeddingFeatures.from_schema(SHARED, options)
        assert block({"a": np.array([[1]])})["a"].numpy().tolist() == [[1, 1]]

    def test_targets_are_left_out(self):
        click = mm.create_categorical_column("click", 1, tags=[Tags.TARGET])
        assert mm.EmbeddingFeatures.from_schema(Schema([*SHARED, click])).schema.column_names == ["a", "b"]


class TestTables:
    def test_rows(self, tmp_path):
        block = _filled(mm.EmbeddingFeatures.from_schema(SHARED, mm.EmbeddingOptions(embedding_dim_default=2)))
        frame = pd.DataFrame(ROWS, columns=["0", "1"])
        pd.testing.assert_frame_equal(block.embedding_table_df("d", gpu=False), frame)
        pd.testing.assert_frame_equal(block.embedding_table_dataset(Tags.ITEM).to_ddf().compute(), frame)
        block.export_embedding_table("d", tmp_path / "d.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "d.parquet"), frame)
        # (1, 10) has the length 10.05
        scaled = block.embedding_table_df("d", l2_normalization=True)
        np.testing.assert_allclose(scaled.iloc[:2], [[0, 0], [0.0995037, 0.9950372]], rtol=1e-5)
        assert block.table_config("b").name == "d"

    def test_unknown_ones(self):
        block = mm.EmbeddingFeatures(_two())
        with pytest.raises(ConfigError, match="has no such table; expected t, got u"):
            block.get_embedding_table("u")
        with pytest.raises(SchemaError, match=r"column 'c': embedding_features.* has no such feature; expected a, b"):
            block.table_config("c")
        with pytest.raises(ConfigError, match=r"EmbeddingTable 't' has no rows yet. Build it, or call it on a batch"):
            block.embedding_table_df("t")


class TestUsedWrongly:
    def test_a_table_that_is_too_small(self):
        with pytest.raises(SchemaError, match="'a': EmbeddingFeatures: table 'a' is too small; expected at least 10 i"):
            mm.EmbeddingFeatures({"a": mm.FeatureConfig(mm.TableConfig(9, 2))}, schema=SHARED)

    def test_two_tables_of_one_name(self):
        config = {name: mm.FeatureConfig(mm.TableConfig(10, dim, name="t")) for name, dim in (("a", 2), ("b", 3))}
        with pytest.raises(
            ConfigError, match=r"two tables called 't' differ; expected 10 ids, dimension 2, .* got 10 ids, dimension 3"
        ):
            mm.EmbeddingFeatures(config)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: mm.EmbeddingFeatures({}), "feature_config; expected a dictionary of FeatureConfig by feature na"),
            (lambda: mm.EmbeddingFeatures({"a": 3}), "column 'a': EmbeddingFeatures: feature_config; expected a Featu"),
            (lambda: mm.FeatureConfig(3), "FeatureConfig: table; expected a TableConfig, got 3"),
            (lambda: mm.TableConfig(0, 2), "TableConfig: vocabulary_size; expected a whole number above 0, got 0"),
            (lambda: mm.TableConfig(2, 0.5), "TableConfig: dim; expected a whole number above 0, got 0.5"),
            (lambda: mm.TableConfig(2, 2, combiner="max"), "combiner; expected one of 'mean', 'sum', 'sqrtn', got 'ma"),
            (lambda: mm.TableConfig(2, 2, optimizer="adam"), "TableConfig: optimizer; expected None, got 'adam'"),
            (lambda: mm.EmbeddingOptions(combiner=None), "EmbeddingOptions: combiner; expected one of 'mean', 'sum'"),
            (lambda: mm.EmbeddingOptions({"a": 0}), "EmbeddingOptions: a; expected a whole number above 0, got 0"),
        ],
    )
    def test_arguments(self, make, message):
        with pytest.raises(ConfigError, match=message):
            make()

    def test_dimensions_of_one_domain_that_differ(self):
        options = mm.EmbeddingOptions(embedding_dims={"a": 2, "b": 3})
        with pytest.raises(ConfigError, match=r"columns of one domain share a table; expected one .* got a 2, b 3"):
            mm.EmbeddingFeatures.from_schema(SHARED, options)
        with pytest.raises(ConfigError, match="column 'a': EmbeddingOptions gives no dimension"):
            mm.EmbeddingFeatures.from_schema(SHARED, mm.EmbeddingOptions(embedding_dim_default=None))
