"""Layers that people write themselves, inside blocks: without declared shapes, with other arguments and names."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

X = np.array([[1.0, 2.0]], "float32")
COLUMNS = Schema([mm.create_continuous_column("age"), mm.create_continuous_column("price")])
BATCH = {"age": np.array([[0.5], [0.25]], "float32"), "price": np.array([[1.0], [2.0]], "float32")}


@keras.saving.register_keras_serializable("tests")
class RowSum(keras.layers.Layer):
    """(B, D) to (B, 2), each the sum of the row; its weight is made in `build`."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 2), initializer="ones", name="kernel")

    def call(self, x):
        return tf.matmul(x, self.kernel)


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """Takes any argument."""

    def call(self, x, **kwargs):
        return x * 2.0


@keras.saving.register_keras_serializable("tests")
class _Tripled(keras.layers.Layer):
    """Its default name, `__tripled`, begins with an underscore."""

    def call(self, x):
        return x * 3.0


@keras.saving.register_keras_serializable("tests")
class ThreeSums(keras.layers.Layer):
    """Holds a layer and has no `build`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(3, kernel_initializer="ones")

    def call(self, x, **kwargs):
        return self.dense(x)


#: What each gives for (1, 2), and how many weights it has.
LAYERS = [
    (RowSum, [3.0, 3.0], 1),
    (Doubled, [2.0, 4.0], 0),
    (_Tripled, [3.0, 6.0], 0),
    (ThreeSums, [3.0, 3.0, 3.0], 2),
]
each = pytest.mark.parametrize(("layer", "expected", "weights"), LAYERS)


def _dense():
    return keras.layers.Dense(1, kernel_initializer="ones")


@each
class TestInsideBlocks:
    def test_sequential(self, layer, expected, weights):
        block = mm.SequentialBlock([layer(), _dense()])
        block.build((None, 2))
        assert block.compute_output_shape((None, 2)) == (None, 1)
        assert len(block.weights) == weights + 2
        assert block(X).numpy().tolist() == [[sum(expected)]]

    def test_parallel(self, layer, expected, weights):
        block = mm.ParallelBlock({"a": layer(), "b": layer()}, aggregation="concat")
        assert block(X).numpy().tolist() == [[*expected, *expected]]
        assert block.compute_output_shape((None, 2)) == (None, 2 * len(expected))

    def test_shortcut(self, layer, expected, weights):
        block = mm.NoOp().connect_with_shortcut(layer(), aggregation="concat")
        assert block(X).numpy().tolist() == [[1.0, 2.0, *expected]]

    def test_residual(self, layer, expected, weights):
        if layer is ThreeSums:
            with pytest.raises(ConfigError, match=r"keeps the shape; expected \(1, 2\), got \(1, 3\)"):
                mm.ResidualBlock(layer())(X)
        else:
            assert mm.ResidualBlock(layer())(X).numpy().tolist() == [[1.0 + expected[0], 2.0 + expected[1]]]

    def test_condition(self, layer, expected, weights):
        positive = keras.layers.Lambda(lambda x: tf.reduce_sum(x) > 0)
        block = mm.Cond(positive, layer(), layer())
        assert block(X).numpy().tolist() == [expected]
        np.testing.assert_allclose(block(-X), -np.array([expected]))

    def test_every_value(self, layer, expected, weights):
        assert mm.MapValues(layer())({"a": X})["a"].numpy().tolist() == [expected]

    def test_before_and_after(self, layer, expected, weights):
        assert mm.TabularBlock(pre=layer())(X).numpy().tolist() == [expected]
        branch = mm.ParallelBlock({"a": mm.NoOp()}, post=mm.SequentialBlock(mm.ConcatFeatures(), layer()))
        assert branch(X).numpy().tolist() == [expected]

    def test_normalization_of_a_stack(self, layer, expected, weights):
        block = mm.MLPBlock([2], kernel_initializer="ones", normalization=layer())
        # The dense layer gives (3, 3), and the layer is linear.
        three = layer()(np.array([[3.0, 3.0]], "float32")).numpy().tolist()
        assert block(X).numpy().tolist() == three

    @pytest.mark.slow
    def test_trained_and_saved(self, layer, expected, weights, tmp_path):
        model = mm.Model(
            mm.InputBlockV2(COLUMNS),
            layer(),
            mm.MLPBlock([2], activation="linear"),
            mm.BinaryOutput("y"),
            schema=COLUMNS,
        )
        model.compile(optimizer="adam")
        data = tf.data.Dataset.from_tensors((BATCH, {"y": np.array([[1.0], [0.0]])}))
        before = model(BATCH).numpy()
        model.fit(data, verbose=0)
        assert not np.allclose(model(BATCH), before)
        model.save(tmp_path / "model.keras")
        np.testing.assert_array_equal(mm.Model.load(tmp_path / "model.keras")(BATCH), model(BATCH))


class TestOtherInputs:
    def test_a_dictionary(self):
        class Halved(keras.layers.Layer):
            def call(self, features):
                return {f"{name}_half": value / 2 for name, value in features.items()}

        batch = {name: value[:1] for name, value in BATCH.items()}
        assert mm.InputBlockV2(COLUMNS, post=Halved())(batch).numpy().tolist() == [[0.25, 0.5]]

    def test_an_aggregation(self):
        class Total(keras.layers.Layer):
            def call(self, features):
                return tf.add_n(list(features.values()))

        assert mm.InputBlockV2(COLUMNS, aggregation=Total())(BATCH).numpy().tolist() == [[1.5], [2.25]]

    def test_ids(self):
        class OneHot(keras.layers.Layer):
            def call(self, ids):
                return tf.one_hot(ids[:, 0], 3)

        block = mm.SequentialBlock(OneHot(), keras.layers.Dense(1, kernel_initializer="ones"))
        assert block(np.array([[2]])).numpy().tolist() == [[1.0]]

    def test_ragged_lists(self):
        class Longest(keras.layers.Layer):
            def call(self, lists):
                return tf.cast(lists.row_lengths(), "float32")[:, tf.newaxis]

        block = mm.SequentialBlock(Longest(), keras.layers.Dense(1, kernel_initializer="ones"))
        assert block(tf.ragged.constant([[1.0, 2.0], [3.0]], ragged_rank=1)).numpy().tolist() == [[2.0], [1.0]]

    def test_a_combiner(self):
        class Largest(keras.layers.Layer):
            def call(self, vectors):
                return tf.reduce_max(vectors, axis=1)

        column = mm.create_categorical_column("genres", 3, min_value_count=0)
        table = mm.EmbeddingTable(2, column, weights=np.arange(8.0).reshape(4, 2), sequence_combiner=Largest())
        assert table(np.array([[1, 3, 2]])).numpy().tolist() == [[6.0, 7.0]]

    def test_a_required_argument(self):
        class OnlyInServing(keras.layers.Layer):
            def call(self, x, training):
                return x if training else x * 3.0

        block = mm.SequentialBlock(OnlyInServing(), _dense())
        assert block(X, training=False).numpy().tolist() == [[9.0]]
        assert block(X, training=True).numpy().tolist() == [[3.0]]

    def test_a_layer_that_fails_for_every_type(self):
        class Broken(keras.layers.Layer):
            def call(self, x):
                raise RuntimeError("out of order")

        with pytest.raises(
            ConfigError, match=r"broken.*fails for inputs of shape \(1, 2\); got RuntimeError: out of order"
        ):
            mm.SequentialBlock(Broken())(X)


class Unregistered(keras.layers.Layer):
    """Keras does not find it by its name."""

    def call(self, x, **kwargs):
        return x * 5.0


class TestCopies:
    def test_of_a_block_around_a_layer(self):
        block = mm.Block.parse_block(Unregistered())
        copied = block.copy()
        assert copied.layers[0] is not block.layers[0]
        assert copied(X).numpy().tolist() == [[5.0, 10.0]]
        assert block.repeat(1)(X).numpy().tolist() == [[25.0, 50.0]]

    def test_experts(self):
        tasks = [mm.BinaryOutput("click"), mm.BinaryOutput("like")]
        experts = mm.CGCBlock(tasks, mm.Block.parse_block(Unregistered()), num_task_experts=1, num_shared_experts=1)
        # Whatever the gates: each expert gives five times its input.
        found = experts(X)
        for task in ("click/binary_output", "like/binary_output"):
            np.testing.assert_allclose(found[task], [[5.0, 10.0]], rtol=1e-6)


class TestOwnBlocks:
    def test_call_outputs_alone(self):
        class Negated(mm.Block):
            def call_outputs(self, outputs, training=False, **kwargs):
                return outputs.copy_with_updates(outputs=-outputs.outputs)

        chain = mm.SequentialBlock(mm.Dense(1, kernel_initializer="ones"), Negated())
        assert chain(X).numpy().tolist() == [[3.0]]
        assert chain.call_outputs(mm.Prediction(X)).outputs.tolist() == [[-1.0, -2.0]]

    def test_call_alone(self):
        class Twice(mm.Block):
            def call(self, inputs):
                return tf.concat([inputs, inputs], -1)

        assert Twice().compute_output_shape((None, 2)) == (None, 4)
        assert mm.SequentialBlock(Twice(), _dense())(X).numpy().tolist() == [[6.0]]

    def test_a_tabular_block_gets_what_is_before_and_after(self):
        class Doubles(mm.TabularBlock):
            def call(self, inputs):
                return {f"{name}_2": value * 2 for name, value in super().call(inputs).items()}

        block = Doubles(pre=mm.Filter("age"), post="continuous-powers", aggregation="concat")
        # 2 * 0.5 = 1, its square and its root; 2 * 0.25 = 0.5
        np.testing.assert_allclose(block(BATCH), [[1.0, 1.0, 1.0], [0.5, 0.25, 0.5**0.5]], rtol=1e-6)
        assert block.compute_output_shape({"age": (None, 1), "price": (None, 1)}) == (None, 3)
        assert mm.SequentialBlock(block, _dense())(BATCH).numpy()[0].tolist() == [3.0]


class TestOtherLayersInOneCall:
    def test_tabular_block(self):
        block = mm.TabularBlock()
        assert block(BATCH, aggregation="concat").numpy().tolist() == [[0.5, 1.0], [0.25, 2.0]]
        found = block(BATCH, pre=mm.Filter("age"), post=mm.Rename({"age": "years"}))
        assert {name: value.numpy().tolist() for name, value in found.items()} == {"years": [[0.5], [0.25]]}
        assert list(block(BATCH)) == ["age", "price"]

    def test_instead_of_its_own(self):
        block = mm.ContinuousFeatures(["age", "price"], aggregation="concat")
        assert block(BATCH, aggregation="stack").numpy().tolist() == [[[0.5, 1.0]], [[0.25, 2.0]]]

    def test_merged(self):
        found = mm.TabularBlock()(BATCH, merge_with=mm.SequentialBlock(mm.Filter("age"), mm.AsTabular("again")))
        assert list(found) == ["age", "price", "again"]

    def test_branches(self):
        tables = mm.Embeddings(Schema([mm.create_categorical_column("a", 3)]), dim=2, embeddings_initializer="ones")
        block = mm.ParallelBlock({"tables": tables, "numbers": mm.Filter("age")})
        batch = {"a": np.array([[1]]), "age": np.array([[0.5]], "float32")}
        assert block(batch, aggregation="concat").numpy().tolist() == [[1.0, 1.0, 0.5]]


class TestSchemas:
    SCHEMA = Schema(
        [
            mm.create_categorical_column("user", 3, tags=[Tags.USER]),
            mm.create_continuous_column("age", tags=[Tags.USER]),
            mm.create_continuous_column("price", tags=[Tags.ITEM]),
        ]
    )

    @pytest.mark.parametrize(
        "make",
        [
            lambda: mm.Filter(Tags.USER),
            lambda: mm.TabularBlock(),
            lambda: mm.ParallelBlock({"a": mm.Filter("age")}),
            lambda: mm.MLPBlock([2]),
            lambda: mm.ResidualBlock(mm.MLPBlock([2])),
            lambda: mm.ConcatFeatures(),
            lambda: mm.ElementwiseSumItemMulti(),
            lambda: mm.CategoryEncoding(),
            lambda: mm.NoOp(),
            lambda: mm.ContrastiveSampleWeight(2.0),
        ],
    )
    def test_set_schema_returns_the_block(self, make):
        block = make()
        assert block.set_schema(self.SCHEMA) is block

    def test_of_a_tabular_block(self):
        assert mm.TabularBlock().set_schema(self.SCHEMA).schema.column_names == ["user", "age", "price"]
        block = mm.TabularBlock(schema=self.SCHEMA)
        assert block.select_by_tag(Tags.USER).schema.column_names == ["user", "age"]
        assert block.select_by_tag(Tags.EMBEDDING) is None
        assert block.select_by_tag([Tags.USER, Tags.ITEM]) is block

    def test_reaches_the_filters_of_branches(self):
        numbers = self.SCHEMA.select_by_tag(Tags.CONTINUOUS)
        ones = {"kernel_initializer": "ones", "activation": "linear"}
        block = mm.ParallelBlock(
            {"user": mm.MLPBlock([1], filter=Tags.USER, **ones), "item": mm.MLPBlock([1], filter=Tags.ITEM, **ones)},
            schema=numbers,
        )
        assert {name: value.numpy().tolist() for name, value in block(BATCH).items()} == {
            "user": [[0.5], [0.25]],
            "item": [[1.0], [2.0]],
        }
