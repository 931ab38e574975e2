"""Scores of positives and sampled negatives."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

ITEM = mm.create_categorical_column("item_id", num_items=10, tags=[Tags.ITEM_ID, Tags.ITEM], dtype="int64")
USER = mm.create_categorical_column("user_id", num_items=20, tags=[Tags.USER_ID, Tags.USER], dtype="int64")
QUERIES = np.array([[1.0, 0.5], [-1.0, 2.0], [0.25, -0.5]], "float32")
ITEMS = np.array([[0.5, 1.0], [1.0, 1.0], [0.5, 1.0]], "float32")
PAIRS = {"query": QUERIES, "candidate": ITEMS}
IDS = {"item_id": np.array([[7], [3], [7]])}


@keras.saving.register_keras_serializable("emrys-tests")
class Fixed(mm.CandidateSampler):
    """Draws always the same ids."""

    def __init__(self, ids, probs=False, **kwargs):
        super().__init__(**kwargs)
        self.ids = list(ids)
        self.popularity = mm.PopularityBasedSamplerV2(max_id=10, max_num_samples=4) if probs else None

    def add(self, items):
        pass

    def sample(self):
        return mm.Candidate(tf.constant(self.ids, "int64")[:, None], {})

    def with_sampling_probs(self, items):
        return items if self.popularity is None else self.popularity.with_sampling_probs(items)

    def get_config(self):
        return {**super().get_config(), "ids": self.ids, "probs": self.popularity is not None}


def _two_towers(**options):
    return mm.ContrastiveOutput(mm.DotProduct(), "in-batch", schema=Schema([ITEM]), **options)


def _again(layer):
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))


def _samplers(description):
    if description.startswith("two samplers always"):
        return [Fixed([1, 2]), Fixed([7, 8, 9])]
    if description == "two samplers":
        return [Fixed([1]), Fixed([2])]
    if description == "in-batch":
        return description
    return Fixed([7, 0, 3, 5], probs=True)


@pytest.mark.parametrize(
    "case",
    golden.cases("sampling", "ContrastiveOutput", where=lambda case: case.args.get("negative_samplers") == "in-batch"),
)
def test_golden_two_towers(case):
    if case.raises:
        with pytest.raises(ConfigError, match="contrastive_output does not know the column of the items' ids"):
            mm.ContrastiveOutput(mm.DotProduct(), "in-batch")
        return
    known = ("to_call", "negative_samplers", "schema")
    options = {name: value for name, value in case.args.items() if name not in known}
    to_call = mm.DotProduct() if case.args["to_call"] == "DotProduct()" else Schema([ITEM])
    output = mm.ContrastiveOutput(to_call, "in-batch", schema=Schema([ITEM]), **options)
    if case.call == "constructor defaults":
        assert {name: getattr(output, name) for name in case.outputs} == case.outputs
        return
    inputs = golden.tensors(case.inputs)
    pairs = {"query": inputs["query"], "candidate": inputs["candidate"]}
    if "at inference" in case.call:
        golden.assert_close(output(pairs), case.outputs["outputs"])
        return
    mode = {"testing": True} if "testing=True" in case.call else {"training": True}
    found = output(pairs, features=inputs["features"], **mode)
    if "targets" in case.outputs:
        _compare(found, case)
        return
    golden.assert_close(found.outputs, case.outputs["outputs"])
    assert type(output.to_call).__name__ == case.outputs["to_call_after_build"]
    assert (output.task_name, output.target) == (case.outputs["name"], case.outputs["target"])


@pytest.mark.parametrize(
    "case",
    golden.cases("sampling", "ContrastiveOutput", where=lambda case: case.args.get("negative_samplers") != "in-batch"),
)
def test_golden_weights_for_all_items(case):
    options = {name: value for name, value in case.args.items() if name not in ("to_call", "negative_samplers")}
    own = str(case.args.get("to_call", "")).startswith("schema")
    to_call = Schema([ITEM]) if own else mm.EmbeddingTable(2, ITEM)
    samplers = case.args["negative_samplers"]
    output = mm.ContrastiveOutput(to_call, _samplers(samplers) if samplers else [], **options)
    if case.raises:
        text = "logq_sampling_correction; expected one sampler, got 2" if samplers else "has no negatives; expected"
        with pytest.raises(ConfigError, match=text):
            output(QUERIES, targets=IDS["item_id"], training=True)
        return
    output.build((None, 2))
    output.set_weights(
        [golden.array(case.weights[name]) for name in (["kernel", "bias"] if own else ["embedding_table"])]
    )
    inputs = golden.tensors(case.inputs)
    _compare(output(inputs["inputs"], features={}, targets=inputs["targets"], training=True), case)
    if "inference_outputs" in case.outputs:
        golden.assert_close(output(inputs["inputs"], features={}), case.outputs["inference_outputs"])
        again = _again(output)
        again.build((None, 2))
        again.set_weights(output.get_weights())
        _compare(again(inputs["inputs"], targets=inputs["targets"], training=True), case)


def _compare(found, case):
    golden.assert_close(found.outputs, case.outputs["outputs"], dtype=True)
    golden.assert_close(found.targets, case.outputs["targets"], dtype=True)
    expected = case.outputs["negative_candidate_ids"]
    if expected is None:
        assert found.negative_candidate_ids is None
    else:
        golden.assert_close(found.negative_candidate_ids, expected, dtype=True)


@pytest.mark.parametrize("case", golden.cases("sampling", "ContrastiveOutput.set_negative_samplers"))
def test_setting_samplers(case):
    output = _two_towers()
    output.set_negative_samplers(["in-batch", mm.PopularityBasedSamplerV2(10)])
    assert [type(sampler).__name__ for sampler in output.negative_samplers] == case.outputs["classes"]
    output.build({"query": (None, 2), "candidate": (None, 2)})


@pytest.mark.slow
def test_samplers_are_replaced_when_the_output_is_built(tmp_path):
    model = mm.Model(mm.EmbeddingEncoder(USER, 2), mm.ContrastiveOutput(ITEM, "in-batch"))
    batch = {"user_id": np.array([[1], [2], [3]])}, {"item_id": np.array([[4], [5], [6]])}
    data = tf.data.Dataset.from_tensors(batch).repeat(2)
    model.compile("adam")
    model.fit(data, verbose=0)
    output = model.model_outputs[0]
    output.set_negative_samplers(["in-batch", mm.CrossBatchSampler(5)])
    model.compile("adam")
    model.fit(data, verbose=0)
    model.save(tmp_path / "model.keras")
    for each in (model, mm.Model.load(tmp_path / "model.keras")):
        queue = each.model_outputs[0].negative_samplers[1].ids
        assert queue.list_all().numpy().tolist() == [5, 6, 4, 5, 6]  # two batches of three, the oldest dropped
        scores = each.model_outputs[0](np.ones((3, 2), "float32"), targets=batch[1], testing=True).outputs
        assert scores.shape == (3, 1 + 3 + 5)


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "output defaults", where=lambda case: "Contrastive" in case.args["output"])
)
def test_golden_defaults(case):
    towers = "DotProduct" in case.args["output"]
    output = _two_towers() if towers else mm.ContrastiveOutput(ITEM, "in-batch")
    assert output.task_name == case.outputs["name"] == case.outputs["task_name"]
    assert (output.target, output.default_loss) == (case.outputs["target"], case.outputs["default_loss"])
    assert [metric.name for metric in output.create_default_metrics()] == [
        metric["name"] for metric in case.outputs["default_metrics"]
    ]
    assert type(output.to_call).__name__ == case.outputs["to_call"]


@pytest.mark.parametrize("case", golden.cases("sampling", "DotProduct"))
def test_golden_dot_product(case):
    golden.assert_close(mm.DotProduct(**case.args)(golden.tensors(case.inputs)), case.outputs["output"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", golden.cases("conventions", "model keys", where=lambda case: "ContrastiveOutput" in case.args["model"])
)
def test_golden_model(case):
    schema = golden.schema("SMALL without click and rating")
    users = schema.select_by_name(["user_id", "user_country", "user_age"])
    model = mm.Model(mm.InputBlockV2(users), mm.MLPBlock([4]), mm.ContrastiveOutput(schema["item_id"], "in-batch"))
    model.compile("adam")
    draw = np.random.default_rng(0)
    features = {
        "user_id": draw.integers(0, 10, (24, 1)),
        "user_country": draw.integers(0, 5, (24, 1)),
        "user_age": draw.random((24, 1), dtype="float32"),
    }
    data = tf.data.Dataset.from_tensors((features, {"item_id": draw.integers(0, 20, (24, 1))}))
    assert sorted(model.fit(data, verbose=0).history) == case.outputs["fit_history_keys"]
    assert sorted(model.evaluate(data, return_dict=True, verbose=0)) == case.outputs["evaluate_keys"]
    assert model.predict(data, verbose=0).shape[1] == case.outputs["output"][1]
    assert model.count_params() == case.outputs["n_trainable_parameters"]
    shapes = sorted(list(weight.shape) for weight in model.trainable_weights)
    assert shapes == case.outputs["trainable_weight_shapes"]


class TestSteps:
    def test_logq_with_the_items_of_the_batch(self):
        output = mm.ContrastiveOutput(
            mm.DotProduct(),
            mm.InBatchSamplerV2(item_freq_probs=[0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0]),
            schema=Schema([ITEM]),
            logq_sampling_correction=True,
        )
        found = output(PAIRS, features=IDS, training=True).outputs
        # the item 7 has 3/4, the item 3 has 1/4: their scores gain -ln(3/4) = 0.287682 and -ln(1/4) = 1.386294
        expected = [
            [1.0 + 0.287682, -655.04, 1.5 + 1.386294, -655.04],
            [1.0 + 1.386294, 1.5 + 0.287682, -655.04, 1.5 + 0.287682],
            [-0.375 + 0.287682, -655.04, -0.25 + 1.386294, -655.04],
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_logq_counts_the_batches(self):
        output = _two_towers(logq_sampling_correction=True)
        for _ in range(2):
            found = output(PAIRS, features=IDS, training=True).outputs
        # after two batches the item 7 has (4 + 1) / (6 + 11), the item 3 has (2 + 1) / 17
        seven, three = -np.log(5 / 17), -np.log(3 / 17)
        np.testing.assert_allclose(found[:, 0], [1.0 + seven, 1.0 + three, -0.375 + seven], rtol=1e-5)
        assert _again(output).logq_sampling_correction is True

    def test_logq_without_probabilities(self):
        output = mm.ContrastiveOutput(mm.EmbeddingTable(2, ITEM), Fixed([1, 2]), logq_sampling_correction=True)
        with pytest.raises(ConfigError, match="expected a sampler that says how probable items are"):
            output(QUERIES, targets=IDS["item_id"], training=True)

    def test_ids_are_stored_without_down_scoring(self):
        found = _two_towers(store_negative_ids=True, downscore_false_negatives=False)(
            PAIRS, features=IDS, training=True
        )
        assert found.negative_candidate_ids.numpy().tolist() == [[7], [3], [7]]
        np.testing.assert_allclose(found.outputs[0], [1.0, 1.0, 1.5, 1.0])

    def test_hard_negatives_of_each_row(self):
        output = mm.ContrastiveOutput(
            mm.DotProduct(), mm.InBatchSamplerV2(hard_negatives=1), schema=Schema([ITEM]), store_negative_ids=True
        )
        queries = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "float32")
        items = np.array([[2.0, 0.0], [1.0, 3.0], [0.0, 4.0]], "float32")
        batch = {"query": queries, "candidate": items}
        found = output(batch, features={"item_id": np.array([[4], [5], [6]])}, training=True)
        # scores of the three items: (2, 1, 0), (0, 3, 4), (2, 4, 4); the positives are those on the diagonal
        np.testing.assert_allclose(found.outputs, [[2.0, 1.0], [3.0, 4.0], [4.0, 4.0]])
        assert found.negative_candidate_ids.numpy().tolist() == [[5], [6], [5]]
        assert found.targets.numpy().tolist() == [[1.0, 0.0]] * 3

    def test_hard_negatives_beside_others(self):
        table = mm.EmbeddingTable(1, ITEM, weights=np.arange(11.0)[:, None])
        samplers = [Fixed([1, 2]), mm.InBatchSamplerV2(hard_negatives=1)]
        output = mm.ContrastiveOutput(table, samplers, store_negative_ids=True)
        found = output(np.array([[1.0], [-1.0]], "float32"), targets=np.array([[5], [9]]), training=True)
        np.testing.assert_allclose(found.outputs, [[5, 1, 2, 9], [-9, -1, -2, -5]])
        assert found.negative_candidate_ids.numpy().tolist() == [[1, 2, 9], [1, 2, 5]]

    def test_hard_negatives_need_down_scoring(self):
        output = mm.ContrastiveOutput(ITEM, mm.InBatchSamplerV2(hard_negatives=1), downscore_false_negatives=False)
        with pytest.raises(ConfigError, match="hard negatives; expected downscore_false_negatives=True, got False"):
            output(QUERIES, targets=IDS["item_id"], training=True)

    def test_ragged_queries_are_rows_of_their_own(self):
        table = mm.EmbeddingTable(1, ITEM, weights=np.arange(11.0)[:, None])
        output = mm.ContrastiveOutput(table, Fixed([3]))
        queries = tf.RaggedTensor.from_row_lengths(tf.constant([[1.0], [2.0], [3.0]]), [2, 1])
        targets = tf.RaggedTensor.from_row_lengths(tf.constant([4, 5, 6]), [2, 1])
        output.build((None, None, 1))
        found = output.call(queries, targets=targets, training=True)
        np.testing.assert_allclose(found.outputs, [[4, 3], [10, 6], [18, 9]])

    def test_a_column_compares_two_towers_where_there_are_two(self):
        output = mm.ContrastiveOutput(ITEM, "in-batch")
        np.testing.assert_allclose(output(PAIRS), [[1.0], [1.0], [-0.375]])
        assert output.weights == []
        assert output.has_candidate_weights is False
        np.testing.assert_allclose(_again(output)(PAIRS), [[1.0], [1.0], [-0.375]])

    def test_vectors_of_items(self):
        output = mm.ContrastiveOutput(mm.EmbeddingTable(2, ITEM, weights=np.arange(22.0).reshape(11, 2)), "in-batch")
        with pytest.raises(ConfigError, match="Build it first"):
            output.to_dataset()
        output.build((None, 2))
        assert output.embedding_lookup(np.array([[3], [0]])).numpy().tolist() == [[6, 7], [0, 1]]
        frame = output.to_dataset().compute()
        assert (list(frame.columns), frame.iloc[3].tolist()) == (["0", "1"], [6.0, 7.0])
        with pytest.raises(ConfigError, match="has no vectors of all items"):
            _two_towers().embedding_lookup(np.array([[1]]))


class TestErrors:
    def test_ids_alone_do_not_do_for_two_towers(self):
        output = mm.ContrastiveOutput(mm.DotProduct(), mm.PopularityBasedSamplerV2(10), schema=Schema([ITEM]))
        with pytest.raises(ConfigError, match=r"returns no embeddings.*in-batch"):
            output(PAIRS, features=IDS, training=True)

    def test_missing_ids(self):
        with pytest.raises(ConfigError, match=r"column 'item_id': .* expected a feature of this name, got user_id"):
            _two_towers()(PAIRS, features={"user_id": IDS["item_id"]}, training=True)

    def test_other_names(self):
        with pytest.raises(ConfigError, match=r"compares 'query' with 'candidate'; .* got 'user', 'item'"):
            _two_towers()({"user": QUERIES, "item": ITEMS}, features=IDS, training=True)

    def test_no_sampler(self):
        with pytest.raises(ConfigError, match=r"negative_samplers; expected samplers, or names .* got int"):
            mm.ContrastiveOutput(ITEM, 3)
        with pytest.raises(KeyError, match=r"unknown negative sampler 'in-bach'.* Did you mean 'in-batch'"):
            mm.ContrastiveOutput(ITEM, "in-bach")

    def test_no_layer(self):
        with pytest.raises(
            ConfigError, match="to_call; expected a column, a schema of one, an EmbeddingTable or a layer"
        ):
            mm.ContrastiveOutput(3, "in-batch")


def _data(batch_size=50, with_target=False):
    """Users like the item of their number modulo 10."""
    users = np.random.default_rng(1).integers(0, 20, (200, 1))
    items = users % 10
    rows = ({"user_id": users}, {"item_id": items}) if with_target else {"user_id": users, "item_id": items}
    return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size), users, items


def _towers(output):
    tower = lambda column: mm.Embeddings(Schema([column]), dim=8, aggregation="concat")  # noqa: E731
    return mm.Model(mm.ParallelBlock({"query": tower(USER), "candidate": tower(ITEM)}), output)


def _scores_of_all(model):
    """Scores of all ten items for each user."""
    users, items = (grid.reshape(-1, 1) for grid in np.meshgrid(np.arange(20), np.arange(10), indexing="ij"))
    return model.predict({"user_id": users, "item_id": items}, batch_size=50, verbose=0).reshape(20, 10)


class TestTraining:
    @pytest.mark.parametrize(
        "samplers",
        ["in-batch", "hard", "cross"],
    )
    @pytest.mark.slow
    def test_two_towers(self, samplers, tmp_path):
        chosen = {
            "hard": mm.InBatchSamplerV2(hard_negatives=4),
            "cross": ["in-batch", mm.CrossBatchSampler(capacity=60)],
        }
        output = mm.ContrastiveOutput(mm.DotProduct(), chosen.get(samplers, samplers), schema=Schema([ITEM]))
        model = _towers(output)
        model.compile(keras.optimizers.Adam(0.05))
        data, _, _ = _data()
        history = model.fit(data, epochs=15, verbose=0).history
        assert history["loss"][-1] < 0.2 * history["loss"][0]
        assert history["recall_at_10"][-1] > history["recall_at_10"][0] or samplers == "hard"  # hard: 5 columns, all in
        scores = _scores_of_all(model)
        assert scores.argmax(axis=1).tolist() == [user % 10 for user in range(20)]
        before = model.evaluate(data, return_dict=True, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = mm.Model.load(tmp_path / "model.keras")
        np.testing.assert_array_equal(_scores_of_all(loaded), scores)
        assert loaded.evaluate(data, return_dict=True, verbose=0) == pytest.approx(before, rel=1e-5)

    @pytest.mark.parametrize("loss", ["bpr", "top1-max"])
    @pytest.mark.slow
    def test_a_pairwise_loss_by_name(self, loss):
        model = _towers(_two_towers(logq_sampling_correction=True))
        model.compile(keras.optimizers.Adam(0.05), loss=loss, jit_compile=loss == "bpr")
        data, _, _ = _data()
        losses = model.fit(data, epochs=15, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        assert _scores_of_all(model).argmax(axis=1).tolist() == [user % 10 for user in range(20)]

    @pytest.mark.slow
    def test_a_table_tied_with_the_input(self, tmp_path):
        table = mm.EmbeddingTable(8, ITEM)
        output = mm.ContrastiveOutput(table, ["in-batch", "popularity"], logits_temperature=0.5)
        model = mm.Model(mm.MapValues(table), mm.ConcatFeatures(), mm.Dense(8), output)
        model.compile(keras.optimizers.Adam(0.05))
        before = np.arange(10).reshape(-1, 1)
        data = tf.data.Dataset.from_tensors(({"item_id": before}, {"item_id": (before + 1) % 10})).repeat(10)
        losses = model.fit(data, epochs=8, verbose=0).history["loss"]
        assert losses[-1] < 0.5 * losses[0]
        scores = model.predict({"item_id": before}, verbose=0)
        assert scores.shape == (10, 11)  # without negatives, a score for every item
        assert (scores.argmax(axis=1) == (np.arange(10) + 1) % 10).mean() >= 0.8
        assert [weight.shape for weight in model.weights] == [(11, 8), (8, 8), (8,)]
        model.save(tmp_path / "model.keras")
        loaded = mm.Model.load(tmp_path / "model.keras")
        assert len(loaded.weights) == 3
        np.testing.assert_array_equal(loaded.predict({"item_id": before}, verbose=0), scores)

    @pytest.mark.slow
    def test_fewer_negatives_than_results(self):
        model = mm.Model(
            mm.Embeddings(Schema([USER]), dim=4, aggregation="concat"), mm.ContrastiveOutput(ITEM, Fixed([1, 2]))
        )
        model.compile("sgd")
        data, _, _ = _data(with_target=True)
        # three scores and ten results: the right item is always among them
        assert model.evaluate(data, return_dict=True, verbose=0)["recall_at_10"] == 1.0

    def test_mixed_precision(self):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16")
        try:
            found = _two_towers()(PAIRS, features=IDS, training=True).outputs
        finally:
            keras.config.set_dtype_policy(before)
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found[0], [1.0, -655.04, 1.5, -655.04], rtol=1e-3)


class TestSampleWeights:
    def test_weights_of_rows(self):
        losses = []
        for weights in (np.array([1.0, 0.0, 0.0]), None):
            model = mm.Model(_two_towers())
            model.compile("sgd", metrics=[])
            inputs = {**PAIRS, **IDS}
            data = (inputs, None) if weights is None else (inputs, None, np.float32(weights))
            losses.append(model.evaluate(tf.data.Dataset.from_tensors(data), return_dict=True, verbose=0)["loss"])
        # rows: -ln(e^1 / (e^1 + e^1.5)) = 0.974077; -ln(e^1 / (e^1 + 2 e^1.5)) = 1.458010; -ln(...) = 0.757604
        assert losses[0] == pytest.approx(0.974077 / 3, rel=1e-4)
        assert losses[1] == pytest.approx((0.974077 + 1.458010 + 0.757604) / 3, rel=1e-4)

    def test_weights_of_scores(self):
        output = _two_towers(post=mm.ContrastiveSampleWeight("weight", 0.5))
        weight = np.array([[2.0], [3.0], [4.0]], "float32")
        found = output(PAIRS, features={**IDS, "weight": weight}, training=True)
        assert (found.outputs.shape, found.targets.shape) == ((3, 4, 1), (3, 4, 1))
        np.testing.assert_allclose(found.sample_weight, [[2, 0.5, 0.5, 0.5], [3, 0.5, 0.5, 0.5], [4, 0.5, 0.5, 0.5]])
        model = mm.Model(_two_towers(post=mm.ContrastiveSampleWeight(1.0, 0.0)))
        model.compile("sgd", metrics=[mm.RecallAt(1)])
        data = tf.data.Dataset.from_tensors(({**PAIRS, **IDS}, None))
        scores = model.evaluate(data, return_dict=True, verbose=0)
        # binary cross-entropy of the positives alone, over 12 scores: ln(1 + e^-1) twice, ln(1 + e^0.375)
        assert scores["loss"] == pytest.approx((2 * 0.313262 + 0.898125) / 12, rel=1e-4)
        assert scores["recall_at_1"] == 0.0

    @pytest.mark.slow
    def test_weights_by_id(self):
        by_id = np.arange(11) / 10
        weigh = mm.ContrastiveSampleWeight(by_id, by_id, schema=Schema([ITEM]))
        again = _again(weigh)
        for layer in (weigh, again):
            output = _two_towers(post=layer, store_negative_ids=True)
            found = output(PAIRS, features=IDS, training=True).sample_weight
            np.testing.assert_allclose(found, [[0.7, 0.7, 0.3, 0.7], [0.3, 0.7, 0.3, 0.7], [0.7, 0.7, 0.3, 0.7]])
        with pytest.raises(
            ConfigError, match=r"finds no ids of the negatives. Give the output store_negative_ids=True"
        ):
            _two_towers(post=again)(PAIRS, features=IDS, training=True)

    def test_a_missing_column(self):
        with pytest.raises(ConfigError, match=r"column 'weight': .* expected a feature of this name, got item_id"):
            _two_towers(post=mm.ContrastiveSampleWeight("weight"))(PAIRS, features=IDS, training=True)
